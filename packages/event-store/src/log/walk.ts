import type { Anchor, Head } from "../core/event.js";
import type { LinkNotes } from "../core/link-notes.js";
import type { RecordFields } from "../core/record-scan.js";
import type { RecordView } from "../core/record-view.js";

export interface WalkRange {
  readonly fromSeq: number;
  /** Inclusive. */
  readonly toSeq: number;
  /** The record before `fromSeq`, when the caller knows it. */
  readonly anchor?: Head | undefined;
  /** The record at `fromSeq` is checked alone, not against the one before it; the others as ever. Only on objects. */
  readonly unanchored?: boolean | undefined;
  /** Told once, before the first record, what the walk starts from. */
  readonly onAnchor: (anchor: Anchor) => void;
  /** The records to hand out, told by their bytes; default: all. Every record is verified. */
  readonly wanted?: ((fields: RecordFields) => boolean) | undefined;
  /** Take event objects first, and segments only where those do not go on. Default: segments first. */
  readonly objectsFirst?: boolean | undefined;
  /** Event objects hold several records here, as a LIST showed: their keys are listed, not computed. */
  readonly batches?: boolean | undefined;
  /** The log is likely to reach this seq: a hint, of no consequence when it is wrong. */
  readonly likelyEnd?: number | undefined;
  /** Verify with so many threads, where the store can; of no consequence to the verdicts. */
  readonly threads?: number | undefined;
  /** With threads: seqs whose hashes are wanted, whatever `wanted` says. */
  readonly marks?: readonly number[] | undefined;
  /** With threads, which call no `wanted`: their steps have notes of their records. */
  readonly links?: boolean | undefined;
  /** With threads, which call no `wanted`: their steps have the hashes of all their records. */
  readonly hashes?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Some records of a walk, verified together. */
export interface WalkStep {
  /** Those that are wanted, in order. */
  readonly records: readonly RecordView[];
  /** The last good record so far. */
  readonly head: Head;
  /** How many of the range were verified in this step. */
  readonly count: number;
  /** With threads, which hand out no records: the marks that they came by. */
  readonly seen?: readonly Head[];
  /** With threads, when asked for: notes of its records. */
  readonly links?: LinkNotes | undefined;
  /** With threads, when asked for: event hashes of its records, 32 bytes each. */
  readonly hashes?: Uint8Array | undefined;
}
