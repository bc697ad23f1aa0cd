import type { Head, JsonObject, RecordedEvent, StoredRecord } from "../core/event.js";
import type { Subscription } from "../stores/subscription/port.js";
import { parseEnvelope } from "./envelope.js";
import type { Keyring } from "./keyring.js";
import { openPayload } from "./payload.js";
import { SUBJECT_SHREDDED } from "./shred-event.js";
import { Shredded } from "./shredded.js";

/** An event with its payload in the clear, or shredded. */
type OpenedEvent = Omit<RecordedEvent, "payload"> & { readonly payload: JsonObject | Shredded };

/** Events whose keys are asked for while an earlier one is waited for. */
const MOST_AHEAD = 32;

/** Decrypts events as they are read. */
export class EventOpener {
  readonly #keys: Keyring;

  constructor(keys: Keyring) {
    this.#keys = keys;
  }

  /**
   * In order, their keys asked for ahead, ever further while the caller goes on: a key store may be far away. What `events` fails with
   * comes behind all events before it.
   */
  async *openAll(events: AsyncIterable<RecordedEvent>): AsyncGenerator<OpenedEvent, undefined, undefined> {
    const source = events[Symbol.asyncIterator]();
    const opening: Promise<OpenedEvent>[] = [];
    let end: "open" | "ended" | { readonly cause: unknown } = "open";
    try {
      for (let ahead = 1; ; ahead = Math.min(2 * ahead, MOST_AHEAD)) {
        while (end === "open" && opening.length < ahead) {
          try {
            const next = await source.next();
            if (next.done === true) end = "ended";
            else opening.push(this.#begun(next.value));
          } catch (cause) {
            end = { cause };
          }
        }
        const first = opening.shift();
        if (first === undefined) break;
        yield await first;
      }
    } finally {
      if (end === "open") await source.return?.();
    }
    if (typeof end === "object") throw end.cause;
    return undefined;
  }

  /** Its failure is for whoever comes to it. */
  #begun(event: RecordedEvent): Promise<OpenedEvent> {
    const opened = this.open(event);
    opened.catch(() => undefined);
    return opened;
  }

  /** As it is, unless its payload is encrypted. @throws EventStoreError KEY_MISSING, DECRYPTION_FAILED; BackendError */
  async open(event: RecordedEvent): Promise<OpenedEvent> {
    const facts = { seq: event.seq };
    const envelope = parseEnvelope(event.payload, facts);
    if (envelope === null) {
      // Another process has destroyed its keys: what is remembered of them must not outlive that.
      if (event.type === SUBJECT_SHREDDED) this.#keys.forget(event.aggregateId);
      return event;
    }
    const key = await this.#keys.keyOf(envelope.subject, envelope.key);
    const payload = "state" in key ? new Shredded(envelope.subject, key.at) : openPayload(envelope, key, event, facts);
    return { ...event, payload };
  }
}

/** A subscription whose events are decrypted. */
export function openedSubscription(inner: Subscription, opener: EventOpener): Subscription {
  return new OpenedSubscription(inner, opener) as unknown as Subscription;
}

class OpenedSubscription {
  readonly #inner: Subscription;
  readonly #opener: EventOpener;
  /** The place before an event that could not be decrypted: it was not handed out. */
  #failedBehind: Head | null = null;

  constructor(inner: Subscription, opener: EventOpener) {
    this.#inner = inner;
    this.#opener = opener;
  }

  get whenCaughtUp(): Promise<Head> {
    return this.#inner.whenCaughtUp;
  }

  get lag(): number {
    return this.#inner.lag;
  }

  get position(): Head | null {
    return this.#failedBehind ?? this.#inner.position;
  }

  records(): AsyncIterableIterator<StoredRecord, undefined> {
    return this.#inner.records();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OpenedEvent, undefined, undefined> {
    for await (const event of this.#inner) {
      let opened: OpenedEvent;
      try {
        opened = await this.#opener.open(event);
      } catch (error) {
        this.#failedBehind = { seq: event.seq - 1, hash: event.prevHash };
        throw error;
      }
      yield opened;
    }
    return undefined;
  }
}
