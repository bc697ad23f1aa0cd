/** Sizes of what an index is made of. Tests make them smaller; a log's readers and its compactor must agree on the first three. */
export interface IndexLayout {
  /** A longer segment than that has no run. Records. */
  readonly mostOfRun: number;
  /** Of the smallest directories; a multiple of the above. Larger ones are ten, a hundred and a thousand times as large. Records. */
  readonly leastDirectory: number;
  /** Shorter logs are read without an index. Records. */
  readonly leastLog: number;
  /** Shorter ranges are read without an index. Records. */
  readonly leastRange: number;
  /** Ten directories that have more together are not merged: one is made, and read back, in memory. Bytes. */
  readonly maxDirectoryBytes: number;
  /** What of one run is fetched, and handed out when it is complete and found to be right; beyond that, the log itself is read. Bytes, as they are stored. */
  readonly maxRefBytes: number;
}

export const LAYOUT: IndexLayout = {
  mostOfRun: 100_000,
  leastDirectory: 1_000_000,
  leastLog: 10_000,
  leastRange: 1000,
  maxDirectoryBytes: 32 * 1024 * 1024,
  maxRefBytes: 4 * 1024 * 1024,
};

/** Types are looked up by the thousand records, [k·1000, k·1000 + 999]. */
export const THOUSAND = 1000;
