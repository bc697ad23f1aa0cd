import type { FileHandle } from "node:fs/promises";
import { MalformedRecord, viewRecord } from "../../core/record-view.js";
import { firstLineFrom } from "./file-bytes.js";
import { openForReading } from "./file-bytes.js";
import type { LogFiles } from "./log-files.js";

/** Below this many bytes a file is walked instead of halved. */
const SMALL = 64 * 1024;

/**
 * Byte offset of a line at or before record `seq`, found by halving: seqs ascend in a good log. In a damaged one the answer may be
 * any line; whoever reads on from there checks what stands there.
 */
export async function offsetNear(file: FileHandle, seq: number, end: number): Promise<number> {
  let low = 0;
  for (let high = end; high - low > SMALL; ) {
    const middle = low + Math.floor((high - low) / 2);
    const line = await firstLineFrom(file, middle, high);
    const found = line === null ? null : seqOf(line.line);
    if (line === null || found === null || found > seq) high = middle;
    else if (found === seq) return line.start;
    else low = line.start;
  }
  return low;
}

/** Index of the rotated segment (of those given) that can hold record `seq`: the last that begins at or before it; null when none does. */
export async function segmentHolding(files: LogFiles, segments: readonly number[], seq: number): Promise<number | null> {
  let low = -1;
  for (let high = segments.length; high - low > 1; ) {
    const middle = (low + high) >> 1;
    const first = await firstSeq(files.segment(segments[middle] ?? 0));
    if (first !== null && first <= seq) low = middle;
    else high = middle;
  }
  return segments[low] ?? null;
}

/** Seq of a file's first record; null when there is none that can be read. */
export async function firstSeq(path: string): Promise<number | null> {
  const file = await openForReading(path);
  if (file === null) return null;
  try {
    const line = await firstLineFrom(file, 0, (await file.stat()).size);
    return line && seqOf(line.line);
  } finally {
    await file.close();
  }
}

export function seqOf(line: Buffer): number | null {
  try {
    return viewRecord(line).seq;
  } catch (error) {
    if (error instanceof MalformedRecord) return null;
    throw error;
  }
}
