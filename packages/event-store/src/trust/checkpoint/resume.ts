import { TrustError } from "../../core/errors.js";
import { recordLeaf } from "../merkle/hash.js";
import { GrowingTree } from "../tiles/growing-tree.js";
import { ENTRY_BYTES, formatTlogPath, partialTiles, TILE_WIDTH } from "../tiles/layout.js";
import { isMissing, notOurs, type TlogShelf } from "../tiles/shelf.js";
import { TrustedTiles } from "../tiles/trusted-tiles.js";
import type { Tree } from "./signer-memory.js";

/**
 * The tree of a signed checkpoint, from its tiles, to go on with; null when tiles are missing, and it must be made anew. `lastLeaf`: of
 * the log's record that is the tree's last. @throws TrustError TREE_MISMATCH when that is another one, or a tile was changed
 */
export async function resumeTree(
  shelf: TlogShelf,
  signed: Tree,
  lastLeaf: Buffer,
  signal?: AbortSignal,
): Promise<GrowingTree | null> {
  const tiles = new TrustedTiles(shelf, signed);
  const { size } = signed;
  try {
    if (!(await tiles.leaf(size - 1)).equals(lastLeaf))
      throw new TrustError("TREE_MISMATCH", `record ${String(size - 1)} is not the one that was signed`, {
        facts: { seq: size - 1 },
        hint: "records were rewritten, with all their hashes, after they were signed: keep the log as evidence",
      });
    const partial = partialTiles(size);
    const hashes: Buffer[] = [];
    for (const { level, index } of partial) hashes[level] = Buffer.concat(await tiles.tile(level, index));
    const entries = await lastEntries(shelf, tiles, signal);
    return entries && GrowingTree.resume({ size, tiles: hashes, entries });
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** The entries of the bundle that is not full, each checked against its leaf; null when the bundle is missing. */
async function lastEntries(
  shelf: TlogShelf,
  tiles: TrustedTiles,
  signal: AbortSignal | undefined,
): Promise<Buffer | null> {
  const width = tiles.size % TILE_WIDTH;
  if (width === 0) return Buffer.alloc(0);
  const index = (tiles.size - width) / TILE_WIDTH;
  const path = formatTlogPath({ kind: "entries", index, width });
  const stored = await shelf.get(path, signal);
  if (stored === null) return null;
  const leaves = await tiles.tile(0, index);
  const good =
    stored.body.length === width * ENTRY_BYTES &&
    leaves.every((leaf, i) => {
      const entry = stored.body.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES);
      return entry.readUInt16BE(0) === ENTRY_BYTES - 2 && recordLeaf(entry.subarray(2).toString("hex")).equals(leaf);
    });
  if (!good) throw notOurs(shelf.key(path));
  return stored.body;
}
