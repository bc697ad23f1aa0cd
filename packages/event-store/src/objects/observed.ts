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

/** Puts something of the caller's between a log and its bucket, to count or to trace: gets the driver, gives what the log is to call. */
export type ObserveObjects = (objects: ObjectStore) => ObjectStore;

/**
 * `objects` as `observe` wants to see it used. What the backend is (identity, clock, fence) is asked of the driver itself, and `close`
 * closes both: an observer can forget neither.
 */
export async function observedBy(observe: ObserveObjects | undefined, objects: ObjectStore): Promise<ObjectStore> {
  if (observe === undefined) return objects;
  try {
    return new ObservedObjects(objects, observe(objects));
  } catch (error) {
    await objects.close();
    throw error;
  }
}

class ObservedObjects implements ObjectStore {
  readonly identity: string;
  readonly #driver: ObjectStore;
  readonly #observer: ObjectStore;

  constructor(driver: ObjectStore, observer: ObjectStore) {
    this.identity = driver.identity;
    this.#driver = driver;
    this.#observer = observer;
  }

  get clockSkewMs(): number | undefined {
    return this.#driver.clockSkewMs;
  }

  get fence(): PutFence | undefined {
    return this.#driver.fence;
  }

  putIfAbsent(key: string, body: Uint8Array, options?: PutOptions): Promise<PutOutcome> {
    return this.#observer.putIfAbsent(key, body, options);
  }

  replaceIfMatch(key: string, body: Uint8Array, etag: string, options?: PutOptions): Promise<PutOutcome> {
    return this.#observer.replaceIfMatch(key, body, etag, options);
  }

  get(key: string, options?: GetOptions): Promise<StoredObject | null> {
    return this.#observer.get(key, options);
  }

  list(options: ListOptions): Promise<ListPage> {
    return this.#observer.list(options);
  }

  delete(key: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    return this.#observer.delete(key, options);
  }

  async close(): Promise<void> {
    try {
      await this.#observer.close();
    } finally {
      await this.#driver.close();
    }
  }
}
