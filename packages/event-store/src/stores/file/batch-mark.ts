import { hash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { syncDirectory } from "../../system/directories.js";
import { errnoOf, ioError } from "../../system/io-error.js";
import { readAt } from "./file-bytes.js";
import type { FileIo } from "./file-io.js";
import type { LogFiles } from "./log-files.js";

/**
 * Where a write of several records that belong together stands in the live file. Written and synced before the first of
 * their bytes: a crash, or a reader in between, can tell a part of a batch from the whole. One mark per log, of the latest
 * batch. Whoever finds the mark of a batch that is not there, whole, makes it void before anything else is written: else
 * records that come to stand in its place could be taken for a part of it.
 */
export interface BatchMark {
  /** Bytes [start, end) of the file. */
  readonly start: number;
  readonly end: number;
  /** Length in bytes and SHA-256 of its first line, which links to all before it: no other file holds it. */
  readonly firstLength: number;
  readonly first: string;
  /** No two marks are equal. */
  readonly id: string;
}

/** Overwritten in place: always of one length, in one sector, and checked by a sum of its own. */
const LENGTH = 256;
const CHUNK = 256 * 1024;
const NEWLINE = 0x0a;

export function batchMark(start: number, bytes: Buffer, id: string): BatchMark {
  const firstLength = bytes.indexOf(NEWLINE);
  return { start, end: start + bytes.length, firstLength, first: hash("sha256", bytes.subarray(0, firstLength)), id };
}

/** A mark of nothing. */
export function voidMark(id: string): BatchMark {
  return { start: 0, end: 0, firstLength: 0, first: "", id };
}

export async function writeBatchMark({ batch, directory }: LogFiles, mark: BatchMark, io: FileIo): Promise<void> {
  const { end, first, firstLength, id, start } = mark;
  const text = JSON.stringify({ end, first, firstLength, id, start });
  const line = `${sumOf(text)} ${text}`.padEnd(LENGTH - 1) + "\n";
  const existing = await open(batch, "r+").catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return null;
    throw error;
  });
  const file = existing ?? (await open(batch, "w", 0o640));
  try {
    await file.write(Buffer.from(line), 0, LENGTH, 0);
    await io.sync(file);
  } finally {
    await file.close();
  }
  if (existing === null) await syncDirectory(directory);
}

/** The latest mark; null when there is none. One that was half written is none: its batch never began. */
export async function readBatchMark(files: LogFiles): Promise<BatchMark | null> {
  return parseMark(await readMarkText(files.batch));
}

/**
 * How many bytes of the live file are of the log at this moment, as far as batches go: never a part of one. Takes no lock:
 * when the mark was the same before and after a look at the file, it was the one in force.
 */
export async function wholeEnd(file: FileHandle, files: LogFiles): Promise<number> {
  for (;;) {
    const before = await readMarkText(files.batch);
    const size = (await file.stat()).size;
    const end = await endWithoutPart(file, size, parseMark(before));
    if ((await readMarkText(files.batch)) === before) return end;
  }
}

async function endWithoutPart(file: FileHandle, size: number, mark: BatchMark | null): Promise<number> {
  if (mark === null || size <= mark.start || size > mark.end || !(await beginsThere(file, size, mark))) return size;
  if (size < mark.end) return mark.start;
  // All of its bytes are there, and were never acknowledged if a crash left some of them as zeros.
  return (await hasZeros(file, mark.start, mark.end)) ? mark.start : size;
}

/** Stands the batch there, or its beginning, and not some other record? Less than its first line is an unfinished line like any other. */
async function beginsThere(file: FileHandle, size: number, { start, firstLength, first }: BatchMark): Promise<boolean> {
  const line = await readAt(file, start, Math.min(firstLength, size - start));
  return line.includes(0) || (line.length === firstLength && hash("sha256", line) === first);
}

async function hasZeros(file: FileHandle, start: number, end: number): Promise<boolean> {
  for (let at = start; at < end; at += CHUNK) {
    if ((await readAt(file, at, Math.min(CHUNK, end - at))).includes(0)) return true;
  }
  return false;
}

function parseMark(text: string): BatchMark | null {
  const json = text.slice(17).trimEnd();
  return json !== "" && sumOf(json) === text.slice(0, 16) ? (JSON.parse(json) as BatchMark) : null;
}

function sumOf(text: string): string {
  return hash("sha256", text).slice(0, 16);
}

async function readMarkText(path: string): Promise<string> {
  try {
    const file = await open(path, "r");
    try {
      return (await readAt(file, 0, LENGTH)).toString("latin1");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw ioError(error, { file: path, operation: "read" });
  }
}
