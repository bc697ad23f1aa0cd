import { open, type FileHandle } from "node:fs/promises";
import { EventStoreError } from "../../core/errors.js";
import { MAX_RECORD_BYTES } from "../../core/event.js";
import { isBlank } from "../../core/lines.js";
import { errnoOf, ioError } from "../../system/io-error.js";

const NEWLINE = 0x0a;
const CHUNK = 256 * 1024;
/** What one look for a line reads at first: a few records. */
const PROBE = 8 * 1024;

/** A line may be a little longer than its record (white space); beyond this nothing more of it is read. */
const MAX_LINE_BYTES = MAX_RECORD_BYTES + 1;

export interface StoredLine {
  /** Without its newline. */
  readonly line: Buffer;
  /** Byte offset of the line. */
  readonly start: number;
  /** Its newline was there. */
  readonly terminated: boolean;
}

/** A file open for reading, or null when there is none. */
export async function openForReading(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw ioError(error, { file: path, operation: "open" });
  }
}

/** An error of the operating system as one of ours; others as they are. */
export function asStoreError(
  error: unknown,
  at: { readonly file: string; readonly operation: string },
): EventStoreError {
  return error instanceof EventStoreError ? error : ioError(error, at);
}

/** Up to `length` bytes at `position`; fewer at the end of the file. */
export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, await readInto(file, buffer, position));
}

/** Fills `buffer` from `position` on; less at the end of the file. */
async function readInto(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** Whole lines of a file, as they stand there. */
export interface Block {
  readonly bytes: Buffer;
  /** Byte offset of the first one. */
  readonly start: number;
  /** The range ends here, perhaps in the middle of a line. */
  readonly last: boolean;
}

/**
 * The lines in [start, end), a chunk's worth at a time; the next chunk is read while the last one is being used. A line beyond
 * the size of a record ends the walk: it is handed out cut, which no reader accepts.
 */
export async function* readBlocks(file: FileHandle, start: number, end: number): AsyncGenerator<Block> {
  let position = start;
  const read = async (rest: Buffer): Promise<Buffer> => {
    const length = Math.min(Math.max(CHUNK, rest.length), end - position);
    const bytes = Buffer.allocUnsafeSlow(rest.length + length);
    rest.copy(bytes);
    const filled = await readInto(file, bytes.subarray(rest.length), position);
    position += filled;
    if (filled < length) end = position;
    return bytes.subarray(0, rest.length + filled);
  };
  let rest: Buffer = Buffer.alloc(0);
  for (let next: Promise<Buffer> | null = position < end ? read(rest) : null; next !== null;) {
    const bytes = await next;
    const blockStart = position - bytes.length;
    const whole = position < end ? bytes.lastIndexOf(NEWLINE) + 1 : bytes.length;
    rest = bytes.subarray(whole);
    if (rest.length > MAX_LINE_BYTES) {
      yield { bytes, start: blockStart, last: false };
      return;
    }
    const last = position >= end;
    next = last ? null : read(rest);
    // It may fail before its turn.
    next?.catch(() => undefined);
    if (whole > 0) yield { bytes: bytes.subarray(0, whole), start: blockStart, last };
  }
}

/**
 * The non-blank lines in [start, end), a chunk's worth at a time. A line beyond the size of a record ends the walk: it is
 * handed out cut, which no reader accepts.
 */
export async function* readLines(
  file: FileHandle,
  start: number,
  end: number,
  chunkBytes: number = CHUNK,
): AsyncGenerator<StoredLine[]> {
  let rest: Buffer = Buffer.alloc(0);
  let restStart = start;
  for (let position = start; position < end;) {
    const chunk = await readAt(file, position, Math.min(Math.max(chunkBytes, rest.length), end - position));
    if (chunk.length === 0) break;
    position += chunk.length;
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: StoredLine[] = [];
    let from = 0;
    // What is left of the last chunk has no newline: the search begins behind it.
    for (let at = bytes.indexOf(NEWLINE, rest.length); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      push(lines, bytes.subarray(from, at), restStart + from, true);
      from = at + 1;
    }
    rest = bytes.subarray(from);
    restStart += from;
    if (rest.length > MAX_LINE_BYTES) {
      lines.push({ line: rest, start: restStart, terminated: false });
      yield lines;
      return;
    }
    if (lines.length > 0) yield lines;
  }
  const last: StoredLine[] = [];
  push(last, rest, restStart, false);
  if (last.length > 0) yield last;
}

function push(lines: StoredLine[], line: Buffer, start: number, terminated: boolean): void {
  if (!isBlank(line)) lines.push({ line, start, terminated });
}

/**
 * The last non-blank line before `end`; null when there is none. Reads from the end backwards, so its cost is the line's. Of
 * a line beyond the size of a record only the end is handed out, which no reader accepts.
 */
export async function lastLineBefore(file: FileHandle, end: number): Promise<StoredLine | null> {
  let bytes: Buffer = Buffer.alloc(0);
  let blankLines = false;
  for (let start = end, step = 64 * 1024; start > 0; step = Math.min(4 * step, MAX_LINE_BYTES)) {
    const from = Math.max(0, start - step);
    bytes = Buffer.concat([await readAt(file, from, start - from), bytes]);
    start = from;
    const found = lastLineIn(bytes);
    if (found === null) {
      blankLines ||= bytes.includes(NEWLINE);
      bytes = Buffer.alloc(0);
    } else if (found.start > 0 || start === 0 || found.line.length > MAX_LINE_BYTES) {
      const lineStart = found.start > 0 ? start + found.start : await lineStartBefore(file, start);
      return { line: found.line, start: lineStart, terminated: found.terminated || blankLines };
    }
  }
  return null;
}

/** The last non-blank line of `bytes`; its start is certain only when it is not 0. */
function lastLineIn(bytes: Buffer): StoredLine | null {
  for (let end = bytes.length, terminated = false; end >= 0;) {
    const start = end === 0 ? 0 : bytes.lastIndexOf(NEWLINE, end - 1) + 1;
    const line = bytes.subarray(start, end);
    if (!isBlank(line)) return { line, start, terminated };
    if (start === 0) return null;
    end = start - 1;
    terminated = true;
  }
  return null;
}

/** Where the line begins that reaches over `position`. */
async function lineStartBefore(file: FileHandle, position: number): Promise<number> {
  for (let start = position; start > 0;) {
    const from = Math.max(0, start - CHUNK);
    const newline = (await readAt(file, from, start - from)).lastIndexOf(NEWLINE);
    if (newline >= 0) return from + newline + 1;
    start = from;
  }
  return 0;
}

/** The first non-blank line that begins at `position` or later; null at the end. */
export async function firstLineFrom(file: FileHandle, position: number, end: number): Promise<StoredLine | null> {
  // From one byte earlier, a line that begins exactly at `position` is seen to begin there: a newline stands before it.
  for await (const lines of readLines(file, Math.max(0, position - 1), end, PROBE)) {
    const found = lines.find(({ start }) => start >= position);
    if (found) return found;
  }
  return null;
}

/** The last byte before `end` is not a newline. */
export async function lacksNewline(file: FileHandle, end: number): Promise<boolean> {
  return end > 0 && (await readAt(file, end - 1, 1))[0] !== NEWLINE;
}
