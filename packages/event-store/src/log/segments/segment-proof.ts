import { createHash } from "node:crypto";
import { ChainWalk } from "../../core/chain.js";
import type { ErrorFacts } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import { linesOf } from "../../core/lines.js";
import { placeBefore, type RecordView } from "../../core/record-view.js";
import type { SeqRange } from "../keys.js";
import { fetchAhead } from "../window.js";
import { decodeMember, MemberSplitter, type Member } from "./members.js";

/** A segment that was read in full and is good in itself: whole, of consecutive linked records, its first one behind `before`. */
export interface ProvenSegment extends SeqRange {
  readonly before: Head;
  readonly end: Head;
  readonly body: Buffer;
}

/** What is wrong with a segment. */
export class BadSegment extends Error {}

/**
 * Verifies the bytes of a segment. `before`: the record that its first one must link to; null: whatever that says.
 * @returns also the SHA-256 of its lines
 * @throws BadSegment
 */
export async function proveBody(
  { first, last }: SeqRange,
  before: Head | null,
  body: Buffer,
  facts: ErrorFacts,
): Promise<ProvenSegment & { readonly digest: string }> {
  const digest = createHash("sha256");
  let start = before;
  let chain: ChainWalk | null = null;
  const limits = { width: () => DECODED, maxWeight: DECODED, weight: () => 1 };
  for await (const decoded of fetchAhead(() => membersOf(body), decode, limits)) {
    for (const { result: lines } of decoded) {
      digest.update(lines);
      start ??= firstPlace(lines);
      chain ??= new ChainWalk(start ?? undefined);
      const wanted = (): boolean => false;
      const { fault, end } = chain.acceptLines(lines, { facts, limit: last - chain.head.seq, wanted });
      if (fault) throw new BadSegment(fault.message);
      if (end < lines.length) throw new BadSegment("it holds more than its records");
    }
  }
  if (chain === null || start?.seq !== first - 1 || chain.head.seq !== last)
    throw new BadSegment("it does not hold the records that its name says");
  return { first, last, before: start, end: chain.head, body, digest: digest.digest("hex") };
}

/** The records of a segment that was proven. @throws BadSegment */
export async function* recordsOf({ before, body }: ProvenSegment): AsyncGenerator<readonly RecordView[]> {
  const chain = new ChainWalk(before);
  for (const member of membersOf(body)) {
    const { records, fault } = chain.acceptLines(await decode(member));
    if (fault) throw new BadSegment(fault.message);
    yield records;
  }
}

/** Members that are decompressed ahead. */
const DECODED = 4;

function membersOf(body: Buffer): Member[] {
  const splitter = new MemberSplitter();
  const members = splitter.push(body);
  const last = splitter.end();
  if (last) members.push(last);
  if (members[0]?.at !== 0) throw new BadSegment("it does not begin with a gzip member of this format");
  return members;
}

async function decode({ bytes }: Member): Promise<Buffer> {
  try {
    return await decodeMember(bytes);
  } catch (error) {
    throw new BadSegment(`a part of it does not decompress (${String(error)})`);
  }
}

function firstPlace(lines: Buffer): Head | null {
  const first = linesOf(lines).next();
  return first.done === true ? null : placeBefore(first.value);
}
