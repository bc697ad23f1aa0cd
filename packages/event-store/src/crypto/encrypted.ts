import type { AnyEvents, EventMap, Head, NewEvent, RecordedEvent, StoredRecord } from "../core/event.js";
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
import type { Keyring } from "./keyring.js";
import { EventOpener, openedSubscription } from "./opened-events.js";
import { plaintextOf, refuseMark, sealPayload } from "./payload.js";
import { SUBJECT_SHREDDED } from "./shred-event.js";
import type { Shredded } from "./shredded.js";
import { checkSubject } from "./subject.js";

/** Events as an encrypted log gives them: a payload whose key was destroyed is a `Shredded`. */
export type Readable<E extends EventMap> = { [K in keyof E]: E[K] | Shredded };

/** What the subject of an event is told from. */
export type EventOfSubject = { readonly type: string; readonly aggregateId: string } & Pick<
  NewEvent,
  "payload" | "meta" | "ts"
>;

export interface EncryptedOptions {
  /** Not closed with the store. */
  readonly keys: Keyring;
  /**
   * Whose data the event's payload is; null: nobody's, and it is stored as it is. Default: the aggregate's id. It must not change the event.
   * What else is in an event, type, aggregateId, ts and meta, is never encrypted.
   */
  readonly subjectOf?: ((event: EventOfSubject) => string | null) | undefined;
}

type Appending = "append" | "appendWithRetry" | "appendBatch";

/**
 * As the store it is made of, but that it takes and gives plain payloads and stores encrypted ones. A read ends with KEY_MISSING at a payload whose
 * key is missing without a tombstone, and with DECRYPTION_FAILED at one that was tampered with. Hashes, and what `readRecords`,
 * `importRecords` and `verify` deal with, are of what is stored.
 */
export interface EncryptedStore<E extends EventMap = AnyEvents>
  extends Omit<EventStore<Readable<E>>, Appending>, Pick<EventStore<E>, Appending> {}

/** Encrypts payloads on their way into `store`, a key for each subject, and decrypts them on their way out. `close()` closes `store`. */
export function encrypted<E extends EventMap = AnyEvents>(
  store: EventStore<E>,
  options: EncryptedOptions,
): EncryptedStore<E> {
  return new EncryptedLog<E>(store, options);
}

class EncryptedLog<E extends EventMap> implements EncryptedStore<E> {
  readonly location: string;
  readonly derived: DerivedPlace;
  readonly #store: EventStore<E>;
  readonly #keys: Keyring;
  readonly #subjectOf: (event: EventOfSubject) => string | null;
  /** Events are handed on in the order in which they were given, whatever each key takes to come. */
  #handedOn: Promise<unknown> = Promise.resolve();

  constructor(store: EventStore<E>, { keys, subjectOf = ({ aggregateId }) => aggregateId }: EncryptedOptions) {
    this.location = store.location;
    this.derived = store.derived;
    this.#store = store;
    this.#keys = keys;
    this.#subjectOf = subjectOf;
  }

  append(event: NewEvent<E>, options?: AppendOptions): Promise<AppendResult> {
    return this.#inOrder(this.#sealed(event), (sealed) => this.#store.append(sealed, options));
  }

  appendWithRetry(event: NewEvent<E>, options?: WriteOptions): Promise<Committed> {
    return this.#inOrder(this.#sealed(event), (sealed) => this.#store.appendWithRetry(sealed, options));
  }

  appendBatch(events: readonly NewEvent<E>[], options?: AppendOptions): Promise<BatchResult> {
    const given: unknown = events;
    const sealed = Array.isArray(given)
      ? Promise.all(events.map((event) => this.#sealed(event)))
      : Promise.resolve(events);
    return this.#inOrder(sealed, (batch) => this.#store.appendBatch(batch, options));
  }

  read<T extends keyof E & string = keyof E & string>(
    options?: ReadOptions<T>,
  ): AsyncIterable<RecordedEvent<Pick<Readable<E>, T>>> {
    const events: AsyncIterable<RecordedEvent> = this.#store.read<T>(options) as AsyncIterable<never>;
    return new EventOpener(this.#keys).openAll(events) as AsyncIterable<never>;
  }

  subscribe<T extends keyof E & string = keyof E & string>(
    options?: SubscribeOptions<T>,
  ): Subscription<Pick<Readable<E>, T>> {
    const inner = this.#store.subscribe<T>(options) as unknown as Subscription;
    return openedSubscription(inner, new EventOpener(this.#keys)) as unknown as Subscription<Pick<Readable<E>, T>>;
  }

  importRecords(records: readonly StoredRecord[], options?: WriteOptions): Promise<Head> {
    return this.#store.importRecords(records, options);
  }

  readRecords(options?: ReadOptions): AsyncIterable<StoredRecord> {
    return this.#store.readRecords(options);
  }

  aggregates(options?: AggregatesOptions): Promise<AggregatesPage> {
    return this.#store.aggregates(options);
  }

  head(): Promise<Head> {
    return this.#store.head();
  }

  getLastHash(): Promise<string> {
    return this.#store.getLastHash();
  }

  getEventHash(seq: number): Promise<string | null> {
    return this.#store.getEventHash(seq);
  }

  verify(options?: VerifyOptions): Promise<VerifyReport> {
    return this.#store.verify(options);
  }

  settle(): Promise<Settled | null> {
    return this.#store.settle();
  }

  resetHead(): Promise<HeadReset> {
    return this.#store.resetHead();
  }

  compact(options?: CompactOptions): Promise<CompactionReport> {
    return this.#store.compact(options);
  }

  prune(options?: PruneOptions): Promise<PruneReport> {
    return this.#store.prune(options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #inOrder<S, T>(sealed: Promise<S>, append: (sealed: S) => Promise<T>): Promise<T> {
    // It may fail while it waits for its turn.
    sealed.catch(() => undefined);
    // In an object, so that nobody behind it waits for the write itself.
    const handed = this.#handedOn.then(async () => ({ result: append(await sealed) }));
    this.#handedOn = handed.catch(() => undefined);
    return (await handed).result;
  }

  /** The payload becomes text before anything is waited for: the event is its caller's. */
  async #sealed(event: NewEvent<E>): Promise<NewEvent<E>> {
    const given = event as unknown as EventOfSubject;
    // What is no event is for the store to refuse.
    if (typeof (given as unknown) !== "object" || (given as unknown) === null) return event;
    const { type, aggregateId, ts, meta, payload } = given;
    const copy = { ...given, type, aggregateId, ts, meta };
    // Without a name it is for the store to refuse too; it need not see the payload for that.
    if (!isName(type) || !isName(aggregateId)) return { ...copy, payload: undefined } as unknown as NewEvent<E>;
    const subject = type === SUBJECT_SHREDDED ? null : this.#subjectOf(given);
    if (subject === null) {
      refuseMark(payload);
      return event;
    }
    checkSubject(subject);
    const plaintext = plaintextOf(payload);
    const { version, key } = await this.#keys.keyFor(subject);
    const binding = { type, aggregateId, subject, key: version };
    return { ...copy, payload: sealPayload(plaintext, key, this.#keys.iv(), binding) } as unknown as NewEvent<E>;
  }
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value !== "" && value.isWellFormed();
}
