import { ConfigError, EventStoreError } from "../../core/errors.js";
import { MAX_SEQ, type EventMap, type Head, type RecordedEvent, type StoredRecord } from "../../core/event.js";
import type { RecordView } from "../../core/record-view.js";
import { EventParser } from "../../core/recorded-event.js";
import { onAbort } from "../../system/on-abort.js";
import { oneByOne } from "../one-by-one.js";
import { checkSeq, firstSeqOf } from "../reading.js";
import { Follower, type FollowedLog } from "./follower.js";
import type { SubscribeOptions, Subscription } from "./port.js";
import { warnOfTrouble } from "./trouble.js";

const POLL_MS = 1_000;
const LONGEST_POLL_MS = 86_400_000;

/** A subscription to any log. `closing`: of the store; ends it too. */
export class LogSubscription<E extends EventMap> implements Subscription<E> {
  readonly whenCaughtUp: Promise<Head>;
  readonly #follower: Follower;
  readonly #onProgress: SubscribeOptions["onProgress"];
  readonly #stop = new AbortController();
  readonly #signals: readonly AbortSignal[];
  #caughtUp: (head: Head) => void = () => undefined;
  #neverCaughtUp: (error: unknown) => void = () => undefined;
  #items: AsyncIterator<unknown, undefined> | null = null;
  #position: Head | null = null;

  /** @throws ConfigError */
  constructor(log: FollowedLog, options: SubscribeOptions, closing: AbortSignal) {
    const { anchor, to = MAX_SEQ, filter = {}, pollMs = POLL_MS, signal } = options;
    const from = firstSeqOf({ fromSeq: options.from, anchor });
    checkSeq("to", to);
    checkPoll(pollMs);
    this.#signals = signal ? [signal, closing] : [closing];
    this.#onProgress = options.onProgress;
    this.whenCaughtUp = new Promise((resolve, reject) => {
      this.#caughtUp = resolve;
      this.#neverCaughtUp = reject;
    });
    // Nobody has to wait for it.
    this.whenCaughtUp.catch(() => undefined);
    this.#follower = new Follower(log, {
      from,
      to,
      anchor,
      filter,
      pollMs,
      signal: this.#stop.signal,
      onAnchor: (found) => options.onAnchor?.(found),
      onTrouble: options.onTrouble ?? warnOfTrouble,
    });
  }

  get position(): Head | null {
    return this.#position ?? this.#follower.head;
  }

  get lag(): number {
    const { position } = this;
    return position === null ? 0 : Math.max(0, this.#follower.known - position.seq);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<RecordedEvent<E>, undefined> {
    const parser = new EventParser<E>();
    return this.#readOnce((record) => parser.parse(record));
  }

  records(): AsyncIterableIterator<StoredRecord, undefined> {
    return this.#readOnce(({ seq, eventHash, prevHash, line }) => ({ seq, eventHash, prevHash, line }));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#neverCaughtUp(ended());
    await this.#items?.return?.();
  }

  #readOnce<R>(make: (record: RecordView) => R): AsyncIterableIterator<R, undefined> {
    if (this.#items !== null) {
      throw new ConfigError("a subscription can be read only once", {
        hint: "subscribe again, with its position as the anchor",
      });
    }
    const items = oneByOne(this.#batches(), (record) => {
      this.#position = { seq: record.seq, hash: record.eventHash };
      return make(record);
    });
    this.#items = items;
    // What was read ahead is not handed out any more once it was ended.
    const stopped = (): boolean => this.#stop.signal.aborted || this.#signals.some(({ aborted }) => aborted);
    const end = async (): Promise<IteratorResult<R, undefined>> => {
      await this.close();
      return { done: true, value: undefined };
    };
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => (stopped() ? end() : items.next()),
      return: end,
    };
  }

  async *#batches(): AsyncGenerator<readonly RecordView[], void, undefined> {
    const releases = this.#signals.map((signal) => onAbort(signal, () => this.#stop.abort()));
    try {
      for await (const { records, head, atEnd } of this.#follower.pieces()) {
        if (records.length > 0) yield records;
        this.#position = head;
        await this.#onProgress?.(head);
        if (atEnd) this.#caughtUp(head);
      }
      const { position } = this;
      if (position !== null && !this.#stop.signal.aborted) this.#caughtUp(position);
    } catch (error) {
      this.#neverCaughtUp(error);
      throw error;
    } finally {
      for (const release of releases) release();
      this.#neverCaughtUp(ended());
    }
  }
}

function ended(): EventStoreError {
  return new EventStoreError("ABORTED", "the subscription was ended before it had caught up");
}

function checkPoll(ms: number): void {
  if (Number.isFinite(ms) && ms > 0 && ms <= LONGEST_POLL_MS) return;
  throw new ConfigError(`pollMs must be a number of milliseconds from above 0 to a day, not ${String(ms)}`);
}
