import { hash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { MAX_SEQ } from "../../core/event.js";
import { isHash } from "../../core/hash.js";
import type { SeqRange } from "../keys.js";
import { decodeMembers, type Place } from "./members.js";
import { IndexUnusable } from "./unusable.js";

/** What an index file is about, and where its parts stand (docs/SPEC.md, "Index"). */
export interface IndexRoot extends SeqRange {
  /** event_hash of the record before `first`; 64 zeros when there is none. */
  readonly before: string;
  /** event_hash of the record `last`. */
  readonly end: string;
  /** The runs it speaks of, in order and without a gap: of a run, itself. */
  readonly runs: readonly SeqRange[];
  /** The records, at the beginning of a run; null in a directory. */
  readonly records: RecordsPart | null;
  readonly aggregates: TablePart;
  readonly types: TablePart;
}

export interface RecordsPart {
  readonly length: number;
  /** Of these bytes. */
  readonly sha256: string;
  /** SHA-256 of the lines in them, each with its newline: the same whatever compressed them. */
  readonly content: string;
}

/** A table, in blocks. */
export interface TablePart {
  readonly entries: number;
  readonly blocks: readonly TableBlock[];
}

export interface TableBlock extends Place {
  readonly sha256: string;
  /** Its first key. */
  readonly key: string;
}

const VERSION = 1;
const LEVEL = 6;
/** Decompressed. */
const MAX_ROOT_BYTES: number = 64 * 1024 * 1024;

/*
 * The trailer is an empty gzip member, so that the whole file is gzip, with an extra field `Rx`: length of the root before it (four
 * bytes, little end first) and SHA-256 of the root's bytes.
 */
const TRAILER_START: Buffer = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 40, 0, 0x52, 0x78, 36, 0]);
const TRAILER_END: Buffer = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const HASH_BYTES = 32;
export const TRAILER_BYTES: number = TRAILER_START.length + 4 + HASH_BYTES + TRAILER_END.length;

/** Root and trailer: what ends an index file. */
export function encodeRoot(root: IndexRoot): Buffer {
  const { first, last, before, end, runs, records, aggregates, types } = root;
  const table = (part: TablePart): unknown => ({
    entries: part.entries,
    blocks: part.blocks.map(({ offset, length, sha256, key }) => [offset, length, sha256, key]),
  });
  const text = JSON.stringify({
    index: VERSION,
    first,
    last,
    before,
    end,
    runs: runs.map((run) => [run.first, run.last]),
    records,
    aggregates: table(aggregates),
    types: table(types),
  });
  const member = gzipSync(text, { level: LEVEL });
  member[9] = 255;
  return Buffer.concat([member, trailer(member)]);
}

function trailer(root: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(root.length);
  return Buffer.concat([TRAILER_START, length, hash("sha256", root, "buffer"), TRAILER_END]);
}

/** How many bytes the root and the trailer have, as the end of a file says. @throws IndexUnusable */
export function rootBytes(tail: Buffer): number {
  const end = tail.subarray(-TRAILER_BYTES);
  const sound =
    end.length === TRAILER_BYTES &&
    end.subarray(0, TRAILER_START.length).equals(TRAILER_START) &&
    end.subarray(-TRAILER_END.length).equals(TRAILER_END);
  if (!sound) throw new IndexUnusable("does not end as an index file does");
  return end.readUInt32LE(TRAILER_START.length) + TRAILER_BYTES;
}

/** The root of a file of `size` bytes, whose last ones are `tail`: at least `rootBytes(tail)`. @throws IndexUnusable */
export async function decodeRoot(tail: Buffer, size: number): Promise<IndexRoot> {
  const bytes = rootBytes(tail);
  const member = tail.subarray(tail.length - bytes, tail.length - TRAILER_BYTES);
  if (bytes > tail.length || !trailer(member).equals(tail.subarray(-TRAILER_BYTES)))
    throw new IndexUnusable("has a root that was changed");
  const text = (await decodeMembers(member, MAX_ROOT_BYTES)).toString();
  const root = parseRoot(text, size - bytes);
  if (root === null) throw new IndexUnusable("has a root of another form or version");
  return root;
}

/** `end`: where the root begins; the parts fill all that stands before it. */
function parseRoot(text: string, end: number): IndexRoot | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(value) || value["index"] !== VERSION) return null;
  const { first, last, before, end: endHash, runs, records, aggregates, types } = value;
  const tiles = parseRuns(runs);
  const lines = records === null ? null : parseRecords(records);
  if (tiles === null || lines === undefined || !isHash(before) || !isHash(endHash)) return null;
  if (tiles[0]?.first !== first || tiles.at(-1)?.last !== last) return null;
  const start = lines?.length ?? 0;
  const table = parseTable(aggregates, start);
  const names = table && parseTable(types, table.end);
  if (table === null || names?.end !== end) return null;
  const range = { first: first as number, last: last as number };
  return {
    ...range,
    before,
    end: endHash,
    runs: tiles,
    records: lines,
    aggregates: table.part,
    types: names.part,
  };
}

function parseRuns(value: unknown): SeqRange[] | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  const runs: SeqRange[] = [];
  for (const item of value as unknown[]) {
    if (!Array.isArray(item)) return null;
    const [first, last] = item as unknown[];
    if (!isCount(first) || !isCount(last) || last > MAX_SEQ || first > last) return null;
    if ((runs.at(-1)?.last ?? first - 1) + 1 !== first) return null;
    runs.push({ first, last });
  }
  return runs;
}

function parseRecords(value: unknown): RecordsPart | undefined {
  if (!isObject(value)) return undefined;
  const { length, sha256, content } = value;
  return isCount(length) && isHash(sha256) && isHash(content) ? { length, sha256, content } : undefined;
}

function parseTable(value: unknown, start: number): { readonly part: TablePart; readonly end: number } | null {
  if (!isObject(value)) return null;
  const { entries, blocks } = value;
  if (!isCount(entries) || !Array.isArray(blocks)) return null;
  const found: TableBlock[] = [];
  let end = start;
  for (const block of blocks as unknown[]) {
    if (!Array.isArray(block)) return null;
    const [offset, length, sha256, key] = block as unknown[];
    if (offset !== end || !isCount(length) || !isHash(sha256) || typeof key !== "string") return null;
    found.push({ offset: end, length, sha256, key });
    end += length;
  }
  return { part: { entries, blocks: found }, end };
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
