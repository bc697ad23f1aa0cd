import { BackendError, EventStoreError } from "../core/errors.js";
import {
  abortedPut,
  checkGet,
  checkKey,
  checkList,
  checkPut,
  closedError,
  expiredPut,
  refuseRetention,
  throwIfAborted,
} from "./check.js";
import { isArchived, ObjectMap } from "./object-map.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  ObjectStore,
  PutFence,
  PutOptions,
  PutOutcome,
  StoredObject,
} from "./port.js";

export interface MemoryOptions {
  /** The objects; give several stores the same ones to have several clients of one bucket. Default: none yet. */
  readonly bucket?: ObjectMap | undefined;
  /** Keys that are written once and for all: replacing or deleting one is a mistake of the caller, and throws. Default: none. */
  readonly immutable?: ((key: string) => boolean) | undefined;
  readonly identity?: string | undefined;
  /** The fence's clock, and that of `modifiedAt`; Unix milliseconds. Default: `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

export function memoryObjects(options: MemoryOptions = {}): MemoryObjects {
  return new MemoryObjects(options);
}

/**
 * Objects in this process's memory, for tests: an `ObjectStore` stricter than any server. It checks every key and
 * option, never shares a byte with its caller, and can hold keys to be immutable. `bucket` shows, and tampers with,
 * what is stored.
 */
export class MemoryObjects implements ObjectStore {
  readonly identity: string;
  readonly bucket: ObjectMap;
  /** A put is judged and stored in one step. */
  readonly fence: PutFence;
  readonly #immutable: (key: string) => boolean;
  #closed = false;

  constructor(options: MemoryOptions) {
    this.identity = options.identity ?? "memory:";
    this.bucket = options.bucket ?? new ObjectMap();
    this.fence = { now: options.clock ?? Date.now, lateMs: 0 };
    this.#immutable = options.immutable ?? (() => false);
  }

  async putIfAbsent(key: string, body: Uint8Array, options: PutOptions = {}): Promise<PutOutcome> {
    checkPut(key, options);
    refuseRetention(this.identity, key, options);
    const bytes = Buffer.from(body);
    if (options.signal?.aborted === true) return abortedPut(options.signal);
    await this.#turn();
    const modifiedAt = this.fence.now();
    if (isPast(options, modifiedAt)) return expiredPut(key);
    if (this.bucket.get(key) !== undefined) return { outcome: "exists" };
    return { outcome: "stored", etag: this.bucket.put(key, bytes, { ...options, modifiedAt }).etag };
  }

  async replaceIfMatch(key: string, body: Uint8Array, etag: string, options: PutOptions = {}): Promise<PutOutcome> {
    checkPut(key, options);
    refuseRetention(this.identity, key, options);
    this.#refuseImmutable(key, "replaced");
    const bytes = Buffer.from(body);
    if (options.signal?.aborted === true) return abortedPut(options.signal);
    await this.#turn();
    const modifiedAt = this.fence.now();
    if (isPast(options, modifiedAt)) return expiredPut(key);
    if (this.bucket.get(key)?.etag !== etag) return { outcome: "exists" };
    return { outcome: "stored", etag: this.bucket.put(key, bytes, { ...options, modifiedAt }).etag };
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | null> {
    checkGet(key, options);
    await this.#turn();
    throwIfAborted(options.signal, "GET");
    const held = this.bucket.get(key);
    if (held === undefined) return null;
    if (isArchived(held, this.fence.now())) {
      const { storageClass } = held;
      throw new BackendError("ARCHIVED", `GET ${key}: the object is archived in ${storageClass}`, {
        facts: { operation: "GET", key, storageClass },
      });
    }
    const { start, end } = options.range ?? { start: 0, end: held.body.length };
    const body = Buffer.from(held.body.subarray(start, end));
    return { body, etag: held.etag, metadata: { ...held.metadata }, contentType: held.contentType };
  }

  async list(options: ListOptions): Promise<ListPage> {
    const limit = checkList(options);
    await this.#turn();
    throwIfAborted(options.signal, "LIST");
    const { keys, truncated } = this.bucket.page(options.prefix, options.startAfter ?? "", limit);
    const entries = keys.flatMap((key) => {
      const held = this.bucket.get(key);
      if (held === undefined) return [];
      return [{ key, size: held.body.length, modifiedAt: held.modifiedAt, storageClass: held.storageClass }];
    });
    return { entries, truncated };
  }

  async delete(key: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    checkKey(key);
    this.#refuseImmutable(key, "deleted");
    await this.#turn();
    throwIfAborted(options.signal, "DELETE");
    this.bucket.delete(key);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** Every call answers later, as a server does: what its caller does meanwhile comes first. */
  async #turn(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#closed) throw closedError(this.identity);
  }

  #refuseImmutable(key: string, verb: string): void {
    if (!this.#immutable(key)) return;
    throw new EventStoreError("REQUEST_REFUSED", `${key} is written once: it must not be ${verb}`, { facts: { key } });
  }
}

function isPast({ notAfter }: PutOptions, now: number): boolean {
  return notAfter !== undefined && now > notAfter;
}
