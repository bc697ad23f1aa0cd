import type { FileHandle } from "node:fs/promises";
import { BackendError } from "../../core/errors.js";
import { CompressedSegment } from "./compressed-segment.js";
import { openForReading } from "./file-bytes.js";
import { firstSeq } from "./locate.js";
import type { LogFiles } from "./log-files.js";

/** A segment, open: plain, or compressed where the plain one is gone. */
export interface OpenSegment {
  readonly file: FileHandle;
  readonly path: string;
  readonly compressed: boolean;
}

/** A segment that was listed. One that is gone since was pruned under our feet: passing over it would hide that. */
export async function openSegment(files: LogFiles, index: number): Promise<OpenSegment> {
  const path = files.segment(index);
  const file = await openForReading(path);
  if (file !== null) return { file, path, compressed: false };
  // The plain one is removed only once this is there.
  const compressed = await openForReading(files.compressed(index));
  if (compressed !== null) return { file: compressed, path: files.compressed(index), compressed: true };
  throw new BackendError(
    "PATH_UNUSABLE",
    `${path} is listed but cannot be opened: it was removed meanwhile, or is a link to nothing`,
    {
      facts: { file: path, operation: "open", backendCode: "ENOENT" },
      hint: "find out who removes segments of this log, then try again",
    },
  );
}

/** Seq of a segment's first record; null when there is none that can be read. */
export async function firstSeqOf(files: LogFiles, index: number): Promise<number | null> {
  const { file, path, compressed } = await openSegment(files, index);
  try {
    return await (compressed ? (await CompressedSegment.of(file, path)).firstSeq() : firstSeq(file));
  } finally {
    await file.close();
  }
}
