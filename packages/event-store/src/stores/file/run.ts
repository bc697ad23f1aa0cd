import { open, type FileHandle } from "node:fs/promises";
import { ChainWalk } from "../../core/chain.js";
import type { Head } from "../../core/event.js";
import { HashNotebook } from "../../core/hash-notebook.js";
import { LinkNotebook, type LinkNotes } from "../../core/link-notes.js";
import { linesOf } from "../../core/lines.js";
import type { RecordFields } from "../../core/record-scan.js";
import { placeBefore } from "../../core/record-view.js";
import { readAt, readBlocks } from "./file-bytes.js";

const NEWLINE = 0x0a;

/** Some lines of a file, to be verified by themselves: those that begin at bytes [start, end). */
export interface Run {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  /** The log ends at this byte of the file, whatever stands behind it. */
  readonly limit: number;
  /** Seqs whose hashes somebody wants to know. */
  readonly marks: readonly number[];
  /** Take notes of all records. */
  readonly links?: boolean | undefined;
  /** Note the hashes of all records. */
  readonly hashes?: boolean | undefined;
}

/** How far a run is good, if the record before it is what its first record says. */
export interface RunReport {
  /** Byte offset of its first line. */
  readonly start: number;
  /** What its first record links to; null when it has none that can be read. */
  readonly after: Head | null;
  /** Its last good record. */
  readonly head: Head | null;
  readonly count: number;
  /** Byte offset behind the last line that is good, or blank. */
  readonly end: number;
  /** All of it is good. */
  readonly whole: boolean;
  readonly seen: readonly Head[];
  readonly links?: LinkNotes | undefined;
  readonly hashes?: Uint8Array | undefined;
}

/** Opens the file and verifies a run of it. Null when it cannot be read: whoever walks the log in order will meet that too, and say so. */
export async function answerRun(run: Run): Promise<RunReport | null> {
  try {
    const file = await open(run.path, "r");
    try {
      return await verifyRun(file, run);
    } finally {
      await file.close();
    }
  } catch {
    return null;
  }
}

/** Verifies a run. A fault only ends it: the verdict is for whoever walks the log in order. */
export async function verifyRun(file: FileHandle, run: Run): Promise<RunReport> {
  const start = await lineStartFrom(file, run.start, run.limit);
  const end = await lineStartFrom(file, run.end, run.limit);
  const seen: Head[] = [];
  let chain: ChainWalk | null = null;
  let after: Head | null = null;
  let count = 0;
  let passed = start;
  const hashbook = run.hashes === true ? new HashNotebook() : null;
  const notebook = run.links === true ? new LinkNotebook() : null;
  const report = (whole: boolean): RunReport => {
    const links = notebook?.take() ?? undefined;
    const head = chain?.head ?? null;
    const hashes = head && count > 0 ? hashbook?.take(count, head.seq) : undefined;
    return { start, after, head, count, end: passed, whole, seen, ...(links && { links }), ...(hashes && { hashes }) };
  };
  for await (const { bytes, start: blockStart } of readBlocks(file, start, end)) {
    if (chain === null) {
      after = firstPlace(bytes);
      if (after === null) return report(false);
      chain = new ChainWalk(after);
    }
    const wanted = (record: RecordFields): boolean => {
      notebook?.add(record);
      hashbook?.add(record);
      return run.marks.includes(record.seq);
    };
    const walked = chain.acceptLines(bytes, { wanted });
    count += walked.count;
    passed = blockStart + walked.end;
    for (const { seq, eventHash } of walked.records) seen.push({ seq, hash: eventHash });
    if (walked.fault) return report(false);
  }
  return report(passed === end);
}

/** Where the first line begins that begins at `position` or later; `limit` when none does before. */
async function lineStartFrom(file: FileHandle, position: number, limit: number): Promise<number> {
  if (position === 0 || position >= limit) return Math.min(position, limit);
  for (let at = position - 1; at < limit; at += PROBE) {
    const bytes = await readAt(file, at, Math.min(PROBE, limit - at));
    const newline = bytes.indexOf(NEWLINE);
    if (newline >= 0) return at + newline + 1;
    if (bytes.length === 0) break;
  }
  return limit;
}

/** What one look for the end of a line reads. */
const PROBE = 16 * 1024;

/** What the first record of the lines says that it links to; null when that cannot be read. */
function firstPlace(bytes: Buffer): Head | null {
  const first = linesOf(bytes).next();
  return first.done === true ? null : placeBefore(first.value);
}
