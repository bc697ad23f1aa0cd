import { hash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { errnoOf, ioError } from "../../system/io-error.js";
import { readAt } from "./file-bytes.js";

/**
 * Where a write of several records that belong together stands (or stood) in the live file. Written and synced before the
 * first of their bytes: a crash, or a reader in between, can tell a part of a batch from the whole. One mark per log, of the
 * latest batch; it is overwritten, never removed, and means nothing once the file has grown past it.
 */
export interface BatchMark {
  /** Index that the live file will get when it is rotated: a mark of an older file means nothing. */
  readonly segment: number;
  /** Bytes [start, end) of the file. */
  readonly start: number;
  readonly end: number;
  /** SHA-256 of those bytes. */
  readonly sha256: string;
}

/** Overwritten in place: always of one length, and checked by a sum of its own. */
const LENGTH = 256;

export async function writeBatchMark(path: string, mark: BatchMark, sync: (file: FileHandle) => Promise<void>): Promise<void> {
  const text = JSON.stringify({ end: mark.end, segment: mark.segment, sha256: mark.sha256, start: mark.start });
  const line = `${hash("sha256", text).slice(0, 16)} ${text}`.padEnd(LENGTH - 1) + "\n";
  const file = await open(path, "r+").catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return open(path, "w");
    throw error;
  });
  try {
    await file.write(Buffer.from(line), 0, LENGTH, 0);
    await sync(file);
  } finally {
    await file.close();
  }
}

/** The mark, or null when there is none; one that was half written stands for a batch that never began. */
export async function readBatchMark(path: string): Promise<BatchMark | null> {
  // A writer may be overwriting it right now.
  for (let attempt = 0; attempt < 3; attempt++) {
    const text = await readMarkText(path);
    if (text === null) return null;
    const [sum, json = ""] = [text.slice(0, 16), text.slice(17).trimEnd()];
    if (hash("sha256", json).slice(0, 16) === sum) return JSON.parse(json) as BatchMark;
  }
  return null;
}

async function readMarkText(path: string): Promise<string | null> {
  try {
    const file = await open(path, "r");
    try {
      return (await readAt(file, 0, LENGTH)).toString("latin1");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw ioError(error, { file: path, operation: "read" });
  }
}

/**
 * How far a reader without the lock may read the file with this index: never into a part of a batch. `size` is asked for
 * before the mark is read: whatever batch it cuts through, that mark or a later one is seen.
 */
export async function readableEnd(file: FileHandle, index: number, markPath: string): Promise<number> {
  const size = (await file.stat()).size;
  const mark = await readBatchMark(markPath);
  if (mark === null || mark.segment < index) return size;
  // A file that was rotated since is complete; so is everything before a later batch, and a batch that has grown whole.
  if (mark.segment > index) return (await file.stat()).size;
  if (size >= mark.end) return size;
  if (size < mark.start) return mark.start;
  return (await file.stat()).size >= mark.end ? mark.end : mark.start;
}
