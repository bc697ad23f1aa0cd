import type { EventStoreError } from "../../core/errors.js";
import type { Anchor, AnyEvents, EventMap, Head, RecordedEvent, StoredRecord } from "../../core/event.js";

/** Which records a subscription hands out. Every other one is verified all the same, and its position moves over it. */
export interface SubscriptionFilter<T extends string = string> {
  readonly aggregateId?: string | undefined;
  readonly type?: T | undefined;
}

export interface SubscribeOptions<T extends string = string> {
  /** First seq to hand out, default 0; with an anchor `anchor.seq + 1`. It may lie beyond the log's end. */
  readonly from?: number | undefined;
  /** Last seq, inclusive: the subscription ends behind it. Default: it never ends by itself. */
  readonly to?: number | undefined;
  /**
   * The last record seen, to go on right behind it: what `position` was, or `head()` for new events only. The log must hold this very
   * record, else the subscription fails with what it found.
   */
  readonly anchor?: Head | undefined;
  readonly filter?: SubscriptionFilter<T> | undefined;
  /** Ends the subscription, as `close()` does: the loop over it ends, without an error. */
  readonly signal?: AbortSignal | undefined;
  /** The longest pause between two looks for new records, in milliseconds; default 1000. It is shorter right after one was found. */
  readonly pollMs?: number | undefined;
  /** Told once, before the first record, what the verification starts from. */
  readonly onAnchor?: ((anchor: Anchor) => void) | undefined;
  /**
   * Told, and waited for, when everything up to `position` was handed out and the next record was asked for: behind each piece of a
   * catch-up, and at every look for new records, whether any pass the filter or not. What it throws ends the subscription.
   */
  readonly onProgress?: ((position: Head) => Promise<void> | void) | undefined;
  /**
   * Told once when the backend cannot be reached, and again only after it could. The subscription goes on trying. Default: a
   * warning of Node's, SUBSCRIPTION_TROUBLED.
   */
  readonly onTrouble?: ((error: EventStoreError) => void) | undefined;
}

/**
 * The events of a log in order, first those that are there, then new ones as they are appended; each verified, none skipped,
 * none twice. It can be read once, as events or as records. Leaving the loop closes it. While nobody asks for the next event, it does
 * nothing. A failure ends it; `position` then says where the next subscription can go on.
 */
export interface Subscription<E extends EventMap = AnyEvents> extends AsyncIterable<RecordedEvent<E>> {
  /** As the subscription itself, with the stored bytes instead of parsed events. */
  records(): AsyncIterableIterator<StoredRecord, undefined>;

  /**
   * Resolves, with the log's head, when all that the log held was handed out and more was asked for, for the first time. Rejects when the
   * subscription ends before: with its error, or ABORTED.
   */
  readonly whenCaughtUp: Promise<Head>;

  /** Records behind `position` that the log is known to have: a lower bound, as of the last look. */
  readonly lag: number;

  /** The last record passed: handed out, or left out by the filter. Null until it is known where the subscription begins. */
  readonly position: Head | null;

  /** Ends it: the call for the next event that waits is answered with the end of the loop. Not to be waited for in `onProgress`. */
  close(): Promise<void>;
}

/** How far a consumer has come, as it is stored. */
export interface Position extends Head {
  readonly name: string;
  /** Who saved it, for people. */
  readonly consumer?: string | undefined;
  /** When, in Unix milliseconds of the consumer's clock, for people. */
  readonly updated: number;
}

/** Positions that outlive their consumers, kept beside the log. One that is lost costs events handled a second time, no more. */
export interface PositionStore {
  /** The position of that name; it need not exist. @throws ConfigError for a bad name, or when what is stored is no position; BackendError */
  open(name: string, options?: { readonly consumer?: string | undefined }): Promise<DurablePosition>;

  /** Forgets it: the next consumer begins anew, and one that is under way is stopped by its next save. */
  remove(name: string): Promise<void>;
}

/**
 * One consumer's hold on a position. Any number may be opened by one name, but of those that found the same position only one can move
 * it: the first to save.
 */
export interface DurablePosition {
  readonly name: string;
  /** As it was found, or saved last; null when there is none yet. */
  readonly saved: Position | null;

  /**
   * Moves it to `head`, a record that was handled; durable once this returns. Saves run one at a time.
   * @throws EventStoreError POSITION_TAKEN when another consumer has moved it, or it was removed; BackendError UNAVAILABLE when it is not
   *   known whether it was saved: save again, to find out
   */
  save(head: Head): Promise<void>;
}
