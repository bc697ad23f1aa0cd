import { decodeMembers, MemberWriter } from "./members.js";
import type { Group } from "./group.js";

/** Sorted groups, to be gone through once. */
export type SortedGroups = AsyncIterable<Group>;

/** Bytes of lines that are compressed together; a group that has more has a block of its own. */
const BLOCK_BYTES: number = 1024 * 1024;
/** No chunk that is sorted is larger. */
const MAX_BLOCK_BYTES: number = 64 * 1024 * 1024;
const LEVEL = 1;

interface Kept extends Omit<Group, "pieces"> {
  readonly bytes: number;
}

/** Keeps sorted groups compressed in memory: about a third of their size. */
export async function spill(groups: readonly Group[]): Promise<SortedGroups> {
  const writer = new MemberWriter();
  const blocks: Kept[][] = [];
  let kept: Kept[] = [];
  let pieces: Buffer[] = [];
  let bytes = 0;
  const endBlock = async (): Promise<void> => {
    await writer.add(Buffer.concat(pieces), LEVEL);
    blocks.push(kept);
    [kept, pieces, bytes] = [[], [], 0];
  };
  for (const { id, count, first, last, pieces: its } of groups) {
    const size = its.reduce((sum, piece) => sum + piece.length, 0);
    kept.push({ id, count, first, last, bytes: size });
    for (const piece of its) pieces.push(piece);
    bytes += size;
    if (bytes >= BLOCK_BYTES) await endBlock();
  }
  await endBlock();
  await writer.flush();
  const all = writer.bytes();
  return {
    async *[Symbol.asyncIterator]() {
      for (const [n, groupsOfBlock] of blocks.entries()) {
        const { offset, length } = writer.place(n);
        const block = await decodeMembers(all.subarray(offset, offset + length), MAX_BLOCK_BYTES);
        let at = 0;
        for (const { bytes: size, ...group } of groupsOfBlock) {
          yield { ...group, pieces: [block.subarray(at, (at += size))] };
        }
      }
    },
  };
}
