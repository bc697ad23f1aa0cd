import type { Head } from "../core/event.js";
import type { LogIndex } from "../log/index/coverage.js";
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
}
