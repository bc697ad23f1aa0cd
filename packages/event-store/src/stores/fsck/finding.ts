/** What speaks of tampering, or of lost records: nothing that a log's own programs do, also when they are killed, leads to it. */
export const FSCK_EVIDENCE = [
  /** Event objects (or rotated files) are missing, and no segment holds their records. */
  "GAP",
  /** An event object holds records that the next one holds too. */
  "OVERLAP",
  "EMPTY_EVENT",
  "OVERSIZED_EVENT",
  /** The end of an event object is no record. */
  "UNREADABLE_EVENT",
  /** The stored head names a record behind the log's last one. */
  "HEAD_AHEAD",
  /** A segment holds records behind the log's last event object. */
  "SEGMENT_BEYOND_END",
  /** With `versions`: a delete marker hides an event object that nobody had reason to delete. */
  "DELETE_MARKER",
  /** With `versions`: an event key has another version than the first one on top of it. */
  "REPLACED",
  /** With `versions`: the same, but the contents are the same. */
  "REWRITTEN",
] as const;

/** What does not belong, or is not as it was meant, and harms no reader. */
export const FSCK_WARNINGS = [
  /** A key or file that is none of a log's. */
  "STRANGER",
  /** As good as an event's name, and not one: readers skip it. */
  "NEARLY_EVENT",
  /** Another log within this one's prefix. */
  "NESTED_LOG",
  /** What a backend, or its policy, was tried on, and what ought to have been removed. */
  "PROBE_LEFT",
  /** Half of what was being written when a program was killed. */
  "TEMPORARY",
  /** Bytes of an unfinished write that were set aside, or still stand at the end of a file. */
  "TORN",
  "BEHIND_HEAD",
  "HEAD_UNREADABLE",
  /** A segment, index file or rotated file, all of whose records a larger one holds. */
  "SUPERSEDED",
  /** An index file without the segment that it is of, or a segment that is no run of records. */
  "COVERS_NOTHING",
  "EMPTY_DERIVED",
  /** With `retain`: event objects that Object Lock does not keep. */
  "NOT_RETAINED",
  /** With `retain`: event objects that it keeps for less long than it should. */
  "RETAINED_TOO_SHORT",
] as const;

export type FsckCode = (typeof FSCK_EVIDENCE)[number] | (typeof FSCK_WARNINGS)[number];

export interface FsckFinding {
  readonly code: FsckCode;
  readonly level: "evidence" | "warning";
  /** For people. */
  readonly message: string;
  /** The (first) key, or the file. */
  readonly key: string;
  /** The (first) seq that it is about. */
  readonly seq?: number;
  /** The last one, where there are several. */
  readonly toSeq?: number;
  /** Objects that it is about, where there may be several. */
  readonly count?: number;
  /** Of the key, oldest first, at most twenty. */
  readonly versions?: readonly FsckVersion[];
  readonly hint?: string;
}

export interface FsckVersion {
  readonly versionId: string;
  readonly deleteMarker: boolean;
  readonly size: number;
  readonly etag: string;
  /** By the backend's clock; Unix milliseconds. */
  readonly modifiedAt?: number | undefined;
}

/** What was looked at. */
export interface FsckReport {
  readonly objects: number;
  readonly bytes: number;
  /** Event objects, or files of records. */
  readonly events: number;
  /** Versions and delete markers of event keys; absent without `versions`. */
  readonly versions?: number | undefined;
  /** Delete markers that `prune` explains: segments hold the records. Absent without `versions`. */
  readonly pruned?: number | undefined;
  /** Event objects whose retention was asked for; absent without `retain`. */
  readonly retained?: number | undefined;
  readonly evidence: number;
  readonly warnings: number;
}

function isEvidence(code: FsckCode): boolean {
  return (FSCK_EVIDENCE as readonly string[]).includes(code);
}

export function finding(
  code: FsckCode,
  key: string,
  message: string,
  details: Partial<Omit<FsckFinding, "code" | "level" | "key" | "message">> = {},
): FsckFinding {
  return { code, level: isEvidence(code) ? "evidence" : "warning", message, key, ...details };
}
