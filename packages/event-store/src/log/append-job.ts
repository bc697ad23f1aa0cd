import type { Head, StoredRecord } from "../core/event.js";

/** What is to be appended: records are made for the tail they will stand behind, again after each lost race. */
export interface AppendJob {
  /** How many records it makes: 1 to 1000 … */
  readonly count: number;
  /** … of so many bytes at most, their newlines counted. */
  readonly bytes: number;
  /** Those records, behind `tail`; may throw to refuse the job, which then writes nothing. */
  readonly recordsAfter: (tail: Head) => readonly StoredRecord[];
  /** Commit only behind this hash. */
  readonly expectedPrevHash?: string | undefined;
  /** Commit only where the aggregate has so many events before it. */
  readonly version?: ExpectedVersion | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How many events an aggregate is to have, and how many it had at a place in the log. */
export interface ExpectedVersion {
  /** Of the aggregate: core/record.ts. */
  readonly key: string;
  readonly expected: number;
  readonly known: number;
  readonly at: Head;
}

/** `version`: of the aggregate, behind the record at `conflict`. `stale`: nothing was written; count again, from a place further on. */
export type AppendOutcome =
  | { readonly records: readonly StoredRecord[] }
  | { readonly conflict: Head; readonly version?: number | undefined }
  | { readonly stale: true };

/** The writing side of a log, whatever keeps its bytes. */
export interface LogWriter {
  /** Atomic and durable once it returns. @throws as `EventStore.append` */
  append(job: AppendJob): Promise<AppendOutcome>;
  /** Finds out what became of an append that ended in COMMIT_UNKNOWN. */
  settle(): Promise<{ readonly committed: boolean; readonly end: Head } | null>;
  /** The log's last record now, asked of the backend. */
  head(): Promise<Head>;
  /** As `head`, and what is appended next goes on from there. */
  refresh(): Promise<Head>;
  /** Sets the stored head to the log's last record, whatever it says. */
  resetHead(): Promise<{ readonly before: Head | null; readonly after: Head }>;
  close(): Promise<void>;
}
