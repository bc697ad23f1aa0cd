import type { FileHandle } from "node:fs/promises";
import { MalformedRecord, viewRecord } from "../../core/record-view.js";
import { firstLineFrom } from "./file-bytes.js";

/** Below this many bytes a file is walked instead of halved. */
const SMALL = 64 * 1024;

/**
 * Byte offset of a line at or before record `seq`, found by halving: seqs ascend in a good log. In a damaged one the answer may be
 * any line; whoever reads on from there checks what stands there.
 */
export async function offsetNear(file: FileHandle, seq: number, end: number): Promise<number> {
  let low = 0;
  for (let high = end; high - low > SMALL;) {
    const middle = low + Math.floor((high - low) / 2);
    const line = await firstLineFrom(file, middle, high);
    const found = line === null ? null : seqOf(line.line);
    if (line === null || found === null || found > seq) high = middle;
    else if (found === seq) return line.start;
    else low = line.start;
  }
  return low;
}

/** Seq of a file's first record; null when there is none that can be read. */
export async function firstSeq(file: FileHandle): Promise<number | null> {
  const line = await firstLineFrom(file, 0, (await file.stat()).size);
  return line && seqOf(line.line);
}

export function seqOf(line: Buffer): number | null {
  try {
    return viewRecord(line).seq;
  } catch (error) {
    if (error instanceof MalformedRecord) return null;
    throw error;
  }
}
