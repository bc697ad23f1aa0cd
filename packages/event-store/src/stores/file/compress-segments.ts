import { gap } from "../../core/chain.js";
import { EventStoreError } from "../../core/errors.js";
import { GENESIS_HASH, type Head } from "../../core/event.js";
import type { CompactionReport, CompactOptions } from "../../log/upkeep.js";
import { asStoreError } from "./file-bytes.js";
import { tailOfSegments } from "./file-tail.js";
import type { LiveFileContext } from "./live-file.js";
import { compressSegment } from "./compress-segment.js";
import { firstSeqOf, openSegment } from "./segments.js";
import type { LogFiles } from "./log-files.js";
import { headOf } from "./stored-head.js";

/**
 * Compresses all rotated segments but the newest, in order: tails are found in plain files as ever. Each step leaves a log that reads the
 * same, so it may be interrupted anywhere, and run by several processes at once; writers are not kept waiting.
 * @throws VerificationError when a segment is not good: it stays as it is, and so do those behind it; BackendError; EventStoreError ABORTED
 */
export async function compressSegments(
  { files, io, source }: LiveFileContext,
  { onProgress, signal }: CompactOptions,
): Promise<CompactionReport> {
  const head = await headOf(files, source);
  const segments = (await files.segments()).slice(0, -1);
  await checkBeginning(files, segments[0]);
  const of = (await tailOfSegments(files, segments)).seq + 1;
  let written = 0;
  /** The last record of the segment before, where this run came by it. */
  let end: Head | null = { seq: -1, hash: GENESIS_HASH };
  try {
    for (const [i, index] of segments.entries()) {
      throwIfAborted(signal);
      if (!(await isPlain(index))) {
        end = null;
        continue;
      }
      const before: Head = end ?? (await tailOfSegments(files, segments.slice(0, i)));
      const seen = (records: number): void => {
        onProgress?.({ records, of });
        throwIfAborted(signal);
      };
      seen(before.seq + 1);
      const paths = { plain: files.segment(index), compressed: files.compressed(index) };
      const outcome = await compressSegment(paths, before, io, seen, signal);
      if (outcome?.written === true) written++;
      end = outcome?.end ?? null;
    }
  } catch (error) {
    throw asStoreError(error, { file: files.live, operation: "compress the segments of" });
  }
  onProgress?.({ records: of, of });
  return { written, merged: 0, records: of, head };

  async function isPlain(index: number): Promise<boolean> {
    const { file, compressed } = await openSegment(files, index);
    await file.close();
    return !compressed;
  }
}

/** A log whose first segments are gone has nothing that vouches for the others. */
async function checkBeginning(files: LogFiles, index: number | undefined): Promise<void> {
  const first = index === undefined ? null : await firstSeqOf(files, index);
  if (index !== undefined && first !== null && first > 0)
    throw gap(0, first, { facts: { file: files.segment(index) } });
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new EventStoreError("ABORTED", "the compaction was interrupted; run it again to go on", {
      cause: signal.reason,
    });
}
