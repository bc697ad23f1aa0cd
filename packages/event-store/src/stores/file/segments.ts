import type { FileHandle } from "node:fs/promises";
import { BackendError } from "../../core/errors.js";
import { openForReading } from "./file-bytes.js";
import { firstSeq } from "./locate.js";
import type { LogFiles } from "./log-files.js";

/** A segment that was listed. One that is gone since was pruned under our feet: passing over it would hide that. */
export async function openSegment(files: LogFiles, index: number): Promise<FileHandle> {
  const path = files.segment(index);
  const file = await openForReading(path);
  if (file !== null) return file;
  throw new BackendError(
    "PATH_UNUSABLE",
    `${path} is listed but cannot be opened: it was removed meanwhile, or is a link to nothing`,
    {
      facts: { file: path, operation: "open", backendCode: "ENOENT" },
      hint: "find out who removes segments of this log, then try again",
    },
  );
}

/** Index of the rotated segment (of those given) that can hold record `seq`: the last that begins at or before it; null when none does. */
export async function segmentHolding(
  files: LogFiles,
  segments: readonly number[],
  seq: number,
): Promise<number | null> {
  let low = -1;
  for (let high = segments.length; high - low > 1;) {
    const middle = (low + high) >> 1;
    const file = await openSegment(files, segments[middle] ?? 0);
    try {
      const first = await firstSeq(file);
      if (first !== null && first <= seq) low = middle;
      else high = middle;
    } finally {
      await file.close();
    }
  }
  return segments[low] ?? null;
}
