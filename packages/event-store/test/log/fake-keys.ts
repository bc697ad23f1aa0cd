import { encodeChain, prepareEvent } from "../../src/core/record.js";
import { GENESIS_HASH } from "../../src/core/event.js";
import { objectBody } from "../../src/log/event-object.js";
import { LogKeys } from "../../src/log/keys.js";
import type {
  ListEntry,
  ListOptions,
  ListPage,
  ObjectStore,
  PutOutcome,
  StoredObject,
} from "../../src/objects/port.js";

const unused = (): never => {
  throw new Error("not part of this fake");
};

/**
 * A log of `records` records in objects of `perObject`, none of them stored: keys are computed, and a body is made when it
 * is asked for (its records link among themselves). Counts requests.
 */
export class FakeKeys implements ObjectStore {
  readonly identity = "fake:";
  requests: string[] = [];
  readonly extra = new Map<string, Buffer>();
  readonly #keys = new LogKeys("events");
  readonly #records: number;
  readonly #perObject: number;

  constructor(records: number, perObject: number) {
    this.#records = records;
    this.#perObject = perObject;
  }

  get(key: string): Promise<StoredObject | null> {
    this.requests.push(`GET ${key}`);
    const seq = this.#keys.seqOf(key);
    const holds = seq !== null && seq < this.#records && seq % this.#perObject === 0;
    const body = holds ? this.body(seq) : this.extra.get(key);
    return Promise.resolve(body === undefined ? null : { body, etag: '"x"', metadata: { "put-id": "x" } });
  }

  list({ prefix, startAfter = "", maxKeys = 1000 }: ListOptions): Promise<ListPage> {
    this.requests.push(`LIST ${startAfter} ${String(maxKeys)}`);
    if (prefix === "events/_segments/") return Promise.resolve({ entries: [], truncated: false });
    if (prefix !== "events/") unused();
    const entries: ListEntry[] = [];
    const after = this.#keys.seqOf(startAfter);
    let seq =
      after === null
        ? startAfter > "events/9"
          ? this.#records
          : 0
        : (Math.floor(after / this.#perObject) + 1) * this.#perObject;
    for (; seq < this.#records && entries.length < maxKeys; seq += this.#perObject)
      entries.push({ key: this.#keys.event(seq), size: 300 });
    const rest = [...this.extra.keys()].filter((key) => key > startAfter);
    const truncated = seq < this.#records || rest.length > maxKeys - entries.length;
    for (const key of rest.slice(0, maxKeys - entries.length)) entries.push({ key, size: 100 });
    return Promise.resolve({ entries, truncated });
  }

  /** The object that begins at `seq`. Its first record links to nothing real: only its own records can be checked. */
  body(seq: number): Buffer {
    const count = Math.min(this.#perObject, this.#records - seq);
    const events = Array.from({ length: count }, () => prepareEvent({ type: "T", aggregateId: "a" }, 1, () => 0));
    return objectBody(encodeChain(events, { seq: seq - 1, hash: seq === 0 ? GENESIS_HASH : "a".repeat(64) }));
  }

  putIfAbsent = (): Promise<PutOutcome> => unused();
  replaceIfMatch = (): Promise<PutOutcome> => unused();
  delete = (): Promise<void> => unused();
  close = (): Promise<void> => Promise.resolve();
}
