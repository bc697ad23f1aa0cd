import type { Head } from "../core/event.js";

/** What keeps a long log cheap to store and to read. Nothing here changes what the log holds. */
export interface Upkeep {
  compact(options: CompactOptions): Promise<CompactionReport>;
  prune(options: PruneOptions): Promise<PruneReport>;
}

export interface UpkeepProgress {
  /** Records that are done with … */
  readonly records: number;
  /** … of so many. */
  readonly of: number;
}

export interface CompactOptions {
  /** Make the index by aggregate and type too; default true. Only on buckets. */
  readonly index?: boolean | undefined;
  /** Read every segment in full, and make those anew that are damaged; default false: only those that are merged are read. */
  readonly check?: boolean | undefined;
  readonly onProgress?: ((progress: UpkeepProgress) => void) | undefined;
  /** Ends it between two steps (ABORTED); the next run goes on from there. */
  readonly signal?: AbortSignal | undefined;
}

export interface CompactionReport {
  /** Segments that this run wrote. */
  readonly written: number;
  /** Segments that became part of larger ones, and were removed. */
  readonly merged: number;
  /** Records that are in segments now, from seq 0 on. */
  readonly records: number;
  /** The log's last record when this run began. */
  readonly head: Head;
}

export interface PruneOptions {
  /** Delete; default false: only say what would be deleted. */
  readonly delete?: boolean | undefined;
  /** Only event objects that are at least so old; hours, at least 24, the default. */
  readonly olderThanHours?: number | undefined;
  readonly onProgress?: ((progress: UpkeepProgress) => void) | undefined;
  /** Ends it between two steps (ABORTED); the next run goes on from there. */
  readonly signal?: AbortSignal | undefined;
}

export interface PruneReport {
  /** They were deleted, and not only counted. */
  readonly deleted: boolean;
  /** Event objects. */
  readonly objects: number;
  /** Bytes of those. */
  readonly bytes: number;
  /** First and last seq of the records in them; null when there are none. */
  readonly range: { readonly first: number; readonly last: number } | null;
  /** The first seq whose event object is kept in any case. */
  readonly keptFrom: number;
}
