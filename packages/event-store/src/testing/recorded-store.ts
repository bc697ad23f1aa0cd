import { CommitUnknownError, EventStoreError } from "../core/errors.js";
import type { AnyEvents, Head, NewEvent, RecordedEvent, StoredRecord } from "../core/event.js";
import type {
  AggregatesOptions,
  AggregatesPage,
  AppendOptions,
  AppendResult,
  BatchResult,
  Committed,
  CompactionReport,
  CompactOptions,
  DerivedPlace,
  EventStore,
  HeadReset,
  PruneOptions,
  PruneReport,
  ReadOptions,
  Settled,
  VerifyOptions,
  VerifyReport,
  WriteOptions,
} from "../stores/port.js";
import type { SubscribeOptions, Subscription } from "../stores/subscription/port.js";
import type { AppendInvocation, History } from "./history.js";

/** The store with all its appends, reads and looks at the head written down in `history`. Imports and subscriptions are not. */
export function recorded(store: EventStore, history: History): EventStore {
  return new RecordedStore(store, history);
}

class RecordedStore implements EventStore {
  readonly #store: EventStore;
  readonly #history: History;
  /** The append that the store has to settle before it writes on. */
  #open: { readonly append: AppendInvocation; readonly error: CommitUnknownError } | null = null;

  constructor(store: EventStore, history: History) {
    this.#store = store;
    this.#history = history;
  }

  get location(): string {
    return this.#store.location;
  }

  compact(options?: CompactOptions): Promise<CompactionReport> {
    return this.#store.compact(options);
  }

  prune(options?: PruneOptions): Promise<PruneReport> {
    return this.#store.prune(options);
  }

  get derived(): DerivedPlace {
    return this.#store.derived;
  }

  append(event: NewEvent, options: AppendOptions = {}): Promise<AppendResult> {
    return this.#appended([event], options, () => this.#store.append(event, options));
  }

  appendWithRetry(event: NewEvent, options: WriteOptions = {}): Promise<Committed> {
    return this.#appended([event], {}, () => this.#store.appendWithRetry(event, options));
  }

  appendBatch(events: readonly NewEvent[], options: AppendOptions = {}): Promise<BatchResult> {
    return this.#appended(events, options, () => this.#store.appendBatch(events, options));
  }

  importRecords(records: readonly StoredRecord[], options?: WriteOptions): Promise<Head> {
    return this.#store.importRecords(records, options);
  }

  read<T extends string = string>(options: ReadOptions<T> = {}): AsyncIterable<RecordedEvent<Pick<AnyEvents, T>>> {
    return this.#seen(this.#store.read(options), options);
  }

  readRecords(options: ReadOptions = {}): AsyncIterable<StoredRecord> {
    return this.#seen(this.#store.readRecords(options), options);
  }

  subscribe<T extends string = string>(options?: SubscribeOptions<T>): Subscription<Pick<AnyEvents, T>> {
    return this.#store.subscribe(options);
  }

  aggregates(options?: AggregatesOptions): Promise<AggregatesPage> {
    return this.#store.aggregates(options);
  }

  async head(): Promise<Head> {
    const look = this.#history.read(null);
    const head = await this.#store.head();
    if (head.seq >= 0) look.saw(head.seq, head.hash);
    look.end();
    return head;
  }

  async getLastHash(): Promise<string> {
    return (await this.head()).hash;
  }

  getEventHash(seq: number): Promise<string | null> {
    return this.#store.getEventHash(seq);
  }

  verify(options?: VerifyOptions): Promise<VerifyReport> {
    return this.#store.verify(options);
  }

  async settle(): Promise<Settled | null> {
    const open = this.#open;
    const settled = await this.#store.settle();
    if (settled === null || open?.error.eventHash !== settled.eventHash) return settled;
    this.#open = null;
    // The records of a batch before its last are in the log with it, but their hashes are not told.
    if (!settled.committed) open.append.failed();
    else if (open.append.events.length === 1) open.append.committed(settled);
    return settled;
  }

  resetHead(): Promise<HeadReset> {
    return this.#store.resetHead();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #appended<R extends AppendResult | BatchResult>(
    events: readonly NewEvent[],
    { expectedPrevHash, expectedVersion }: AppendOptions,
    run: () => Promise<R>,
  ): Promise<R> {
    const append = this.#history.invoke(events, expectedPrevHash, expectedVersion);
    try {
      const result: AppendResult | BatchResult = await run();
      if (!result.committed) append.conflict(result.observedPrevHash, result.observedVersion);
      else append.committed(...("records" in result ? result.records : [result]));
      return result as R;
    } catch (error) {
      this.#failed(append, error);
      throw error;
    }
  }

  #failed(append: AppendInvocation, error: unknown): void {
    if (error instanceof CommitUnknownError) this.#open = { append, error };
    else if (error instanceof EventStoreError) append.failed();
  }

  async *#seen<R extends { readonly seq: number; readonly eventHash: string }>(
    records: AsyncIterable<R>,
    options: ReadOptions,
  ): AsyncGenerator<R, void, undefined> {
    const { aggregateId, type, toSeq, fromSeq, anchor } = options;
    const filtered = aggregateId !== undefined || type !== undefined;
    const read = this.#history.read(filtered ? null : (fromSeq ?? (anchor ? anchor.seq + 1 : 0)));
    for await (const record of records) {
      read.saw(record.seq, record.eventHash);
      yield record;
    }
    if (!filtered && toSeq === undefined) read.end();
  }
}
