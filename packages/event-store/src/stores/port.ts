import type { Anchor, AnyEvents, EventMap, Head, NewEvent, RecordedEvent, StoredRecord } from "../core/event.js";
import type { VerificationError } from "../core/errors.js";
import type { BrokenPointer } from "../core/pointer.js";
import type { CompactionReport, CompactOptions, PruneOptions, PruneReport } from "../log/upkeep.js";
import type { ObjectStore } from "../objects/port.js";
import type { SubscribeOptions, Subscription } from "./subscription/port.js";

export type { BrokenPointer, PointerFault } from "../core/pointer.js";
export type { CompactionReport, CompactOptions, PruneOptions, PruneReport, UpkeepProgress } from "../log/upkeep.js";

/**
 * An append-only, totally ordered, hash-chained log of events. Two stores implement it, with the same guarantees:
 * an acknowledged append is durable and is never lost, reordered or duplicated; many processes may append to one log.
 */
export interface EventStore<E extends EventMap = AnyEvents> {
  /** Where the log is, for people: `s3://bucket/prefix` or `file:/path`. */
  readonly location: string;

  /**
   * Where what stands beside the log is kept. Segments (of a log that was not pruned), indexes and snapshots can be deleted at no cost
   * but speed; without a position or an import's progress, a consumer or an import begins anew.
   */
  readonly derived: DerivedPlace;

  /**
   * Appends one event at the end of the log and returns once it is durable. With `expectedPrevHash` it commits only if
   * the log's last event_hash (64 zeros for an empty log) is that one; else the answer is a conflict. Without, a lost
   * race is simply run again behind the winner. Appends that wait together share a write where the store can do that (files;
   * buckets in batch mode), each with its own result. When very many wait, the call waits for a place before it reads
   * the event: leave the event as it is until the promise settles.
   * @throws InvalidEventError; CommitUnknownError; EventStoreError BLOCKED, CONTENTION, TOO_LARGE, SEQ_EXHAUSTED, ABORTED;
   *   VerificationError when the tail it would build on is damaged or the head contradicts it; BackendError
   */
  append(event: NewEvent<E>, options?: AppendOptions): Promise<AppendResult>;

  /** As `append` without an expectation: rebases behind other writers, with back-off, until it commits or the deadline passes. */
  appendWithRetry(event: NewEvent<E>, options?: WriteOptions): Promise<Committed>;

  /**
   * Appends 1 to 1000 events with consecutive seqs: all or none, and no reader ever sees a part of them. Leave the events as they
   * are until the promise settles.
   */
  appendBatch(events: readonly NewEvent<E>[], options?: AppendOptions): Promise<BatchResult>;

  /**
   * Appends records of another log, byte for byte (`rynxs copy`). All are verified first; the first must link to this log's
   * head (else NOT_NEXT), each to the one before it. All or none, as `appendBatch`.
   */
  importRecords(records: readonly StoredRecord[], options?: WriteOptions): Promise<Head>;

  /**
   * The records in order of seq, each verified before it is handed out; throws the VerificationError at the first fault.
   * A read that meets the log's end also fails, after its last record, when the stored head shows that there was more.
   */
  read<T extends keyof E & string = keyof E & string>(
    options?: ReadOptions<T>,
  ): AsyncIterable<RecordedEvent<Pick<E, T>>>;

  /**
   * As `read`, and then goes on with new events as they are appended, by this process or any other. It waits out UNAVAILABLE; whatever
   * else `read` fails with ends it.
   */
  subscribe<T extends keyof E & string = keyof E & string>(options?: SubscribeOptions<T>): Subscription<Pick<E, T>>;

  /** As `read`, with the stored bytes instead of parsed events. */
  readRecords(options?: ReadOptions): AsyncIterable<StoredRecord>;

  /**
   * The aggregates of the log, in order of their ids (by code points), a page at a time. Where the log has an index, a page costs a few requests
   * and the records behind what is indexed; else the whole log is read for each page. @throws ConfigError; VerificationError; BackendError
   */
  aggregates(options?: AggregatesOptions): Promise<AggregatesPage>;

  /** Head of the log now: last seq and event_hash, −1 and 64 zeros when empty. Always asks the backend. */
  head(): Promise<Head>;

  /** event_hash of the last record, 64 zeros when empty: what `expectedPrevHash` is compared with. */
  getLastHash(): Promise<string>;

  /** event_hash of record `seq`, checked against the record's own content; null when the log does not reach so far. */
  getEventHash(seq: number): Promise<string | null>;

  /** Walks the log and says whether every record is whole and linked. Faults are in the report; only trouble with the backend throws. */
  verify(options?: VerifyOptions): Promise<VerifyReport>;

  /**
   * Finds out what became of an append that failed with COMMIT_UNKNOWN: puts the very same bytes again until it is known.
   * Null when nothing is open. Every append does this first by itself.
   */
  settle(): Promise<Settled | null>;

  /** Accepts that the head contradicts the log: sets the head to the log's last record. Returns both. Only after an investigation. */
  resetHead(): Promise<HeadReset>;

  /**
   * Makes segments of all full runs of records, and larger ones of those: compressed copies that reads go through by themselves (on a
   * file: compresses rotated segments in place). May be interrupted, and run by several processes at once. docs/operations/segments.md.
   * @throws VerificationError when the log is not good; BackendError; EventStoreError ABORTED
   */
  compact(options?: CompactOptions): Promise<CompactionReport>;

  /**
   * Deletes the event objects of records that segments hold, once those were read in full and found to be good; never those of the last
   * 10,000 records, nor any younger than 24 hours. Without `delete: true` it only says what it would do.
   * @throws VerificationError; BackendError; ConfigError where late writes cannot be kept out
   */
  prune(options?: PruneOptions): Promise<PruneReport>;

  /** Ends queued appends and subscriptions, writes the head, frees connections and locks. Appends after it, and those that wait for a place, throw CLOSED. */
  close(): Promise<void>;
}

/** A place beside a log: keys in it begin with `root`, and then with `_`. */
export interface DerivedPlace {
  /** Of the store: do not close it. */
  readonly objects: ObjectStore;
  /** Empty, or ends with a slash. */
  readonly root: string;
}

export interface WriteOptions {
  /** Aborts a queued append (ABORTED, nothing written); one under way fails with COMMIT_UNKNOWN, or, where it shares a write with others, ends as that does. */
  readonly signal?: AbortSignal | undefined;
}

export interface AppendOptions extends WriteOptions {
  /** 64 lowercase hex. */
  readonly expectedPrevHash?: string | undefined;
  /**
   * Commit only if the event's aggregate has exactly so many events before it (0: it is the aggregate's first), whoever else appends. All events
   * of a batch must then be of one aggregate. Such an append may take its place behind what was asked for later.
   */
  readonly expectedVersion?: number | undefined;
}

export interface Committed {
  readonly committed: true;
  readonly seq: number;
  readonly eventHash: string;
  readonly prevHash: string;
  /** With `expectedVersion`: which of its aggregate's events it is, the first being 1. */
  readonly version?: number | undefined;
}

export interface Conflict {
  readonly committed: false;
  readonly conflict: true;
  /** event_hash of the log's last record when the expectation failed. */
  readonly observedPrevHash: string;
  /** With `expectedVersion`: how many events the aggregate had then. */
  readonly observedVersion?: number | undefined;
}

export type AppendResult = Committed | Conflict;

export type BatchResult = { readonly committed: true; readonly records: readonly Committed[] } | Conflict;

/**
 * What became of the last record of the write that was open. `committed: false`: another record holds that seq; this one never
 * happened and never will. Where several appends shared the write, each was told its own record by its CommitUnknownError:
 * after `settle()`, `getEventHash(error.seq)` equals `error.eventHash` if it is in the log. (On a bucket, and within one `appendBatch`,
 * it is all or none; on a file, another process may have gone on behind the first of several appends.)
 */
export interface Settled {
  readonly committed: boolean;
  readonly seq: number;
  readonly eventHash: string;
}

export interface HeadReset {
  /** What the stored head said; null when there was none that could be read. */
  readonly before: Head | null;
  readonly after: Head;
}

export interface RangeOptions {
  /** First seq, default 0. What lies before it is neither fetched nor verified, save the one record that anchors it. */
  readonly fromSeq?: number | undefined;
  /** Seq and hash of the record before `fromSeq`, for logs whose beginning is gone or verified elsewhere. `fromSeq` is then `anchor.seq + 1`. */
  readonly anchor?: Head | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ReadOptions<T extends string = string> extends RangeOptions {
  /** Last seq, inclusive; default: to the end. */
  readonly toSeq?: number | undefined;
  readonly aggregateId?: string | undefined;
  readonly type?: T | undefined;
  /**
   * With `aggregateId` or `type`, what is checked of a record: `record` (default): where the log has an index that fits it, the record's own
   * hash and place alone, so that nothing else need be read; `chain`: its link too, and those of all before it, from `fromSeq` on.
   * With or without these filters, `inclusion`: as `record`, and that it is one of the records that `inclusion`, a signed checkpoint, has. Such
   * a read ends where the checkpoint does: what lies behind was not signed. It proves what it gives, not that an index left nothing out.
   */
  readonly verify?: "record" | "chain" | "inclusion" | undefined;
  /** With `verify: "inclusion"`: what the records are checked against. */
  readonly inclusion?: InclusionChecker | undefined;
  /** Told once, before the first record, what the verification starts from. */
  readonly onAnchor?: ((anchor: Anchor) => void) | undefined;
}

/** A signed checkpoint, to check records against: `inclusionChecker` of `@rynxs/event-store/trust`. */
export interface InclusionChecker {
  /** Records that the checkpoint has: those before this seq. */
  readonly size: number;
  /** @throws TrustError TREE_MISMATCH when one of them, all before `size`, is not what was signed */
  check(records: readonly { readonly seq: number; readonly eventHash: string }[], signal?: AbortSignal): Promise<void>;
}

export interface AggregatesOptions {
  /** Only ids behind this one: `next` of the page before. */
  readonly after?: string | undefined;
  /** Only ids that begin so. */
  readonly prefix?: string | undefined;
  /** 1 … 10,000, default 1000. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface AggregatesPage {
  readonly aggregates: readonly AggregateSummary[];
  /** What to give as `after` for the next page; null when there is none. */
  readonly next: string | null;
}

export interface AggregateSummary {
  readonly aggregateId: string;
  /** Its events, at least one. */
  readonly count: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export interface VerifyOptions extends RangeOptions {
  /** A head known from elsewhere: the log must reach it and have this hash there, else TRUNCATED or HEAD_CONTRADICTS_LOG. */
  readonly expectedHead?: Head | undefined;
  /** Verify a long file with so many threads, this one among them; the report is the same. Default 1. Buckets do without. */
  readonly workers?: number | undefined;
  /**
   * Take segments where they are, as reads do: far fewer requests on a long bucket log. Default false: the event objects themselves, and
   * segments only where those were pruned.
   */
  readonly segments?: boolean | undefined;
  /**
   * Check, beside the chain, the links of events to those that caused them (`trigger_event_seq`, `trigger_event_hash` and, where given,
   * `trigger_event_type` in a payload; docs/operations/decisions.md): each must name a record before its own that has that hash and type.
   * What was found is in `pointers` of the report; `valid` is about the chain alone. Memory is bounded (36 MB); links that reach back
   * further than a million records, or before the range, cost a look-up each. Default false.
   */
  readonly pointers?: boolean | undefined;
  /**
   * Told the event_hash of every good record, 32 raw bytes each, in order, some at a time: what a Merkle tree is built of. The walk waits
   * for what it returns; the bytes are the caller's.
   */
  readonly onHashes?: ((hashes: Buffer) => void | Promise<void>) | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

export interface VerifyProgress {
  /** Good records so far. */
  readonly events: number;
  readonly seq: number;
}

export type VerifyReport = ValidLog | InvalidLog;

export interface ValidLog extends Verified {
  readonly valid: true;
  readonly error?: undefined;
}

export interface InvalidLog extends Verified {
  readonly valid: false;
  readonly error: VerificationError;
}

interface Verified {
  /** Good records (before the fault, if there is one). */
  readonly events: number;
  /** The last good record. */
  readonly head: Head;
  readonly anchor: Anchor;
  /** With `pointers: true`: what became of the links of those records. */
  readonly pointers?: PointerReport | undefined;
}

/** Links that were checked. */
export interface PointerReport {
  /** Events that have a link, whether it holds or not. */
  readonly checked: number;
  /** Of these, links before an anchor that the caller gave, to records that the log does not have any more. */
  readonly unverified: number;
  /** Links that do not hold. */
  readonly brokenCount: number;
  /** The first hundred of them, in order. */
  readonly broken: readonly BrokenPointer[];
}
