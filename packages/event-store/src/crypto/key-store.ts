import type { DestroyedKeys, KeyRecord, LiveKeys } from "./key-record.js";

/**
 * Where the data keys of subjects are kept, wrapped: one record a subject, changed by compare-and-swap. It never sees a key in the clear.
 *
 * Failure contract of every method: a definite refusal throws a `BackendError`; passing trouble is tried again until the store's deadline
 * and then throws `UNAVAILABLE`; a record that cannot be read throws DECRYPTION_FAILED, and is never taken for a missing or a destroyed one.
 * Once a method has returned, what it says is durable. After it has thrown, a change may have been made or not: ask `get`.
 */
export interface KeyStore {
  /** For people; no secrets. */
  readonly location: string;

  /** The subject's keys, or their tombstone; null when it never had any. Every change acknowledged before is seen. */
  get(subject: string): Promise<StoredKeys | null>;

  /**
   * Creates the record unless the subject has one. Gives what is stored now: this one, or the other's (`id` tells), or a tombstone. A tombstone
   * is created only where a store that lost it gets it back.
   */
  create(record: KeyRecord): Promise<StoredKeys>;

  /**
   * Replaces the record if it is still at `revision`, as `get` gave it. Gives what is stored now, as `create`: `id` tells whether it is this
   * one. A tombstone is never replaced.
   */
  replace(record: LiveKeys, revision: string): Promise<StoredKeys>;

  /**
   * Replaces the subject's keys by the tombstone, whoever changes them meanwhile; where there is one already, that one stays, and is given
   * back. Null when the subject never had keys: nothing was written. It may be called again at any time.
   */
  destroy(subject: string, tombstone: Pick<DestroyedKeys, "id" | "at">): Promise<DestroyedKeys | null>;

  /** All records, tombstones too, in no order, each as it was when it was read. */
  list(): AsyncIterable<StoredKeys>;

  /**
   * Why what was destroyed may still be there, as far as the store can know: a sentence for people, as of a bucket that keeps
   * old versions. Null: nothing that it knows of. Missing: it cannot tell.
   */
  remains?(): Promise<string | null>;

  close(): Promise<void>;
}

export interface StoredKeys {
  readonly record: KeyRecord;
  /** Opaque. */
  readonly revision: string;
}
