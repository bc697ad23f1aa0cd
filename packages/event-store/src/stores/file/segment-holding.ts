import { VerificationError } from "../../core/errors.js";
import { tailOfSegments } from "./file-tail.js";
import type { LogFiles } from "./log-files.js";
import { firstSeqOf } from "./segments.js";

/** Index of the rotated segment (of those given) that can hold record `seq`: the last that begins at or before it; null when none does. */
export async function segmentHolding(
  files: LogFiles,
  segments: readonly number[],
  seq: number,
): Promise<number | null> {
  let low = -1;
  for (let high = segments.length; high - low > 1;) {
    const middle = (low + high) >> 1;
    const first = await beginning(files, segments, middle);
    if (first !== null && first <= seq) low = middle;
    else high = middle;
  }
  return segments[low] ?? null;
}

/** Seq of the first record of the segment in place `at`: what it says itself, or, where that cannot be read, what stands before it. */
async function beginning(files: LogFiles, segments: readonly number[], at: number): Promise<number | null> {
  const first = await firstSeqOf(files, segments[at] ?? 0);
  if (first !== null) return first;
  try {
    return (await tailOfSegments(files, segments.slice(0, at))).seq + 1;
  } catch (error) {
    if (error instanceof VerificationError) return null;
    throw error;
  }
}
