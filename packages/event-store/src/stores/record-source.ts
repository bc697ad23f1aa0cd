import type { Head } from "../core/event.js";
import type { LookOptions } from "../log/object-watch.js";
import type { LogIndex } from "../log/index/coverage.js";
import type { RecordView } from "../core/record-view.js";
import type { WalkRange, WalkStep } from "../log/reader.js";

/** What reading and verifying need of a store, whatever it keeps its records in. */
export interface RecordSource {
  /** The stored head, when there is one that can be read. Taken before a walk, it can be behind the walk's end, never ahead. */
  storedHead(signal?: AbortSignal): Promise<Head | null>;
  /** The records of a range, each verified as it goes. @throws VerificationError at the first fault, behind the good records before it */
  walk(range: WalkRange): AsyncIterable<WalkStep>;
  /** The log's index, where one may have been made. */
  readonly index?: LogIndex | undefined;
  /** event_hash of one record, checked against its own content; null when the log has no such record. */
  hashOf(seq: number, signal?: AbortSignal): Promise<string | null>;
  /** One record, checked against its own content; null when the log has no such record. @throws VerificationError */
  recordOf(seq: number, signal?: AbortSignal): Promise<RecordView | null>;
  /** Watches the log's end, for one subscriber. */
  watch(): TailWatch;
}

/** Looks at a log's end again and again, as cheaply as the backend allows. */
export interface TailWatch {
  /**
   * What stands behind `head`, which is a record of the log. Null: nothing new. A step: the next records, verified as linking to
   * `head`. `more`: there may be something; only a read can say. Gives no verdicts.
   */
  look(head: Head, options: LookOptions): Promise<WalkStep | "more" | null>;
}
