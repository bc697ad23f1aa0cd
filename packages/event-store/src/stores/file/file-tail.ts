import { hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { checkAlone, tornTail } from "../../core/chain.js";
import { VerificationError } from "../../core/errors.js";
import { GENESIS_HASH, type Head } from "../../core/event.js";
import { MalformedRecord, viewRecord, type RecordView } from "../../core/record-view.js";
import { readBatchMark } from "./batch-mark.js";
import { lastLineBefore, openForReading, readAt, type StoredLine } from "./file-bytes.js";
import type { LogFiles } from "./log-files.js";

const EMPTY: Head = { seq: -1, hash: GENESIS_HASH };

export interface FileTail {
  /** The last whole record, checked alone. */
  readonly head: Head;
  /** What follows it and does not count: bytes from here to the end are of a write that was never acknowledged. Null when there is nothing. */
  readonly tornFrom: number | null;
  /** The last record lacks its newline. */
  readonly needsNewline: boolean;
}

/**
 * The tail of the log, from the end of its last file that has a record: O(1) whatever the log's length.
 * @throws VerificationError when the last line is whole, but bad
 */
export async function readTail(files: LogFiles, live: FileHandle | null): Promise<FileTail> {
  const segments = await files.segments();
  if (live !== null) {
    const size = (await live.stat()).size;
    const cut = await partOfBatch(files, live, (segments.at(-1) ?? 0) + 1, size);
    const tail = await tailOfFile(live, cut ?? size, files.live, () => tailOfSegments(files, segments));
    return cut === null ? tail : { ...tail, tornFrom: tail.tornFrom ?? cut };
  }
  return { head: await tailOfSegments(files, segments), tornFrom: null, needsNewline: false };
}

async function tailOfFile(file: FileHandle, end: number, path: string, before: () => Promise<Head>): Promise<FileTail> {
  const last = await lastLineBefore(file, end);
  if (last === null) return { head: await before(), tornFrom: null, needsNewline: false };
  const view = tryView(last);
  if (view !== null) {
    checkAlone(last.line, view.seq, { facts: { file: path } });
    return { head: { seq: view.seq, hash: view.eventHash }, tornFrom: null, needsNewline: !last.terminated };
  }
  // Not a record: torn, or malformed at the seq behind the record before it.
  const { head } = await tailOfFile(file, last.start, path, before);
  try {
    checkAlone(last.line, head.seq + 1, { unterminated: !last.terminated, facts: { file: path } });
    throw tornTail(head.seq + 1, last.line.length);
  } catch (error) {
    if (!(error instanceof VerificationError && error.code === "TORN_TAIL")) throw error;
    return { head, tornFrom: last.start, needsNewline: false };
  }
}

/** The last record of the last segment that has one. */
async function tailOfSegments(files: LogFiles, segments: readonly number[]): Promise<Head> {
  const index = segments.at(-1);
  if (index === undefined) return EMPTY;
  const path = files.segment(index);
  const file = await openForReading(path);
  if (file === null) return tailOfSegments(files, segments.slice(0, -1));
  try {
    const { head, tornFrom } = await tailOfFile(file, (await file.stat()).size, path, () => tailOfSegments(files, segments.slice(0, -1)));
    // A segment is closed: nothing unfinished can stand in it.
    if (tornFrom !== null) {
      const at = { seq: head.seq + 1, expected: "one record in strict JSON", actual: "an unfinished line" };
      throw new VerificationError("MALFORMED", at, `record ${String(head.seq + 1)} is malformed: a closed segment ends in an unfinished line`, { facts: { file: path } });
    }
    return head;
  } finally {
    await file.close();
  }
}

/** Where a batch begins that was not written whole, as its mark tells; null when there is none. */
async function partOfBatch(files: LogFiles, live: FileHandle, index: number, size: number): Promise<number | null> {
  const mark = await readBatchMark(files.batch);
  if (mark === null || mark.segment !== index || size <= mark.start || size > mark.end) return null;
  const bytes = await readAt(live, mark.start, size - mark.start);
  return size === mark.end && hash("sha256", bytes) === mark.sha256 ? null : mark.start;
}

function tryView({ line }: StoredLine): RecordView | null {
  try {
    return viewRecord(line);
  } catch (error) {
    if (error instanceof MalformedRecord) return null;
    throw error;
  }
}
