import type { FileHandle } from "node:fs/promises";
import { checkAlone, tornTail } from "../../core/chain.js";
import { VerificationError } from "../../core/errors.js";
import { GENESIS_HASH, type Head } from "../../core/event.js";
import { MalformedRecord, viewRecord, type RecordView } from "../../core/record-view.js";
import { wholeEnd } from "./batch-mark.js";
import { CompressedSegment } from "./compressed-segment.js";
import { lacksNewline, lastLineBefore, type StoredLine } from "./file-bytes.js";
import type { LogFiles } from "./log-files.js";
import { openSegment } from "./segments.js";

const EMPTY: Head = { seq: -1, hash: GENESIS_HASH };

export interface FileTail {
  /** The last whole record, checked alone. */
  readonly head: Head;
  /** The live file's bytes up to here count. What follows is of a write that was never acknowledged. */
  readonly end: number;
  /** Those bytes do not end with a newline. */
  readonly needsNewline: boolean;
}

/**
 * The tail of the log, from the end of its last file that has a record: O(1) whatever the log's length. `live` is the live
 * file, null when there is none; it was opened before this call, so the segments listed now reach up to it.
 * @throws VerificationError when the last line is whole, but bad
 */
export async function readTail(files: LogFiles, live: FileHandle | null): Promise<FileTail> {
  const before = async (): Promise<Head> => tailOfSegments(files, await files.segments());
  if (live === null) return { head: await before(), end: 0, needsNewline: false };
  const { head, end } = await tailOfFile(live, await wholeEnd(live, files), files.live, before);
  return { head, end, needsNewline: await lacksNewline(live, end) };
}

async function tailOfFile(
  file: FileHandle,
  end: number,
  path: string,
  before: () => Promise<Head>,
): Promise<{ head: Head; end: number }> {
  const last = await lastLineBefore(file, end);
  if (last === null) return { head: await before(), end };
  const view = tryView(last);
  if (view !== null) {
    checkAlone(last.line, view.seq, { facts: { file: path } });
    return { head: { seq: view.seq, hash: view.eventHash }, end };
  }
  // Not a record: torn, or malformed at the seq behind the record before it.
  const { head } = await tailOfFile(file, last.start, path, before);
  try {
    checkAlone(last.line, head.seq + 1, { unterminated: !last.terminated, facts: { file: path } });
    throw tornTail(head.seq + 1, last.line.length);
  } catch (error) {
    if (!(error instanceof VerificationError && error.code === "TORN_TAIL")) throw error;
    return { head, end: last.start };
  }
}

/** The last record of the last segment that has one; seq −1 when none has. @throws VerificationError */
export async function tailOfSegments(files: LogFiles, segments: readonly number[]): Promise<Head> {
  const index = segments.at(-1);
  if (index === undefined) return EMPTY;
  const before = (): Promise<Head> => tailOfSegments(files, segments.slice(0, -1));
  const { file, path, compressed } = await openSegment(files, index);
  try {
    if (compressed) return await (await CompressedSegment.of(file, path)).tail(before);
    const size = (await file.stat()).size;
    const { head, end } = await tailOfFile(file, size, path, before);
    // A segment is closed: nothing unfinished can stand in it.
    if (end < size) {
      const at = { seq: head.seq + 1, expected: "one record in strict JSON", actual: "an unfinished line" };
      const message = `record ${String(head.seq + 1)} is malformed: a closed segment ends in an unfinished line`;
      throw new VerificationError("MALFORMED", at, message, { facts: { file: path } });
    }
    return head;
  } finally {
    await file.close();
  }
}

function tryView({ line }: StoredLine): RecordView | null {
  try {
    return viewRecord(line);
  } catch (error) {
    if (error instanceof MalformedRecord) return null;
    throw error;
  }
}
