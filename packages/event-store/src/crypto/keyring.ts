import { createSecretKey, randomBytes, type KeyObject } from "node:crypto";
import { ConfigError, EventStoreError } from "../core/errors.js";
import { systemRuntime, type Runtime } from "../system/runtime.js";
import { IV_BYTES, KEY_BYTES } from "./gcm.js";
import type { DestroyedKeys, KeyRecord, LiveKeys, WrappedKey } from "./key-record.js";
import type { KeyStore } from "./key-store.js";
import { KeyCache, UseCounter, type OpenedKeys } from "./key-cache.js";
import { checkSubject } from "./subject.js";
import type { Wrapper } from "./wrapper.js";

export interface KeyringOptions {
  readonly store: KeyStore;
  /** Wraps new data keys. */
  readonly wrapper: Wrapper;
  /** Unwrap what was wrapped before the key-encryption key was changed. */
  readonly previous?: readonly Wrapper[] | undefined;
  /**
   * How long keys are remembered, in milliseconds; default 60,000, 0: not at all. So long after a shred may another process still read the
   * subject's payloads, and write events that nobody can read.
   */
  readonly cacheMs?: number | undefined;
  /** Subjects that are remembered; default 10,000. */
  readonly cacheSize?: number | undefined;
  /**
   * Payloads that this process encrypts under one key before it makes the subject's next one; default 2^24. With random IVs, one key must not
   * be used for more than 2^32 (NIST SP 800-38D, 8.3), by all processes together.
   */
  readonly maxUses?: number | undefined;
  /** Clock, pauses and ids, for tests. */
  readonly runtime?: Runtime | undefined;
  /** Randomness of keys and IVs, for tests only. */
  readonly randomBytes?: ((size: number) => Buffer) | undefined;
}

/** A data key in the clear. */
export interface DataKey {
  readonly version: number;
  readonly key: KeyObject;
}

export interface RotateOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: RotateReport) => void) | undefined;
}

export interface RotateReport {
  /** Subjects looked at, shredded ones too. */
  readonly subjects: number;
  /** Subjects whose keys were wrapped anew. */
  readonly rewrapped: number;
}

/** The data keys of subjects: made when they are first needed, one key in use a subject, all older ones kept for reading. */
export class Keyring {
  readonly store: KeyStore;
  readonly #wrapper: Wrapper;
  readonly #wrappers: ReadonlyMap<string, Wrapper>;
  readonly #cache: KeyCache;
  readonly #uses = new UseCounter();
  readonly #creating = new Map<string, Promise<void>>();
  readonly #maxUses: number;
  readonly #runtime: Runtime;
  readonly #randomBytes: (size: number) => Buffer;

  constructor(options: KeyringOptions) {
    const { store, wrapper, previous = [], cacheMs = 60_000, cacheSize = 10_000, maxUses = 2 ** 24 } = options;
    this.store = store;
    this.#wrapper = wrapper;
    this.#wrappers = new Map([...previous, wrapper].map((each) => [each.id, each]));
    if (this.#wrappers.size !== previous.length + 1) throw new ConfigError("two wrappers have one id");
    if (!Number.isInteger(maxUses) || maxUses < 1 || maxUses > 2 ** 32)
      throw new ConfigError("maxUses must be an integer from 1 to 2^32");
    this.#runtime = options.runtime ?? systemRuntime;
    this.#cache = new KeyCache({ ms: cacheMs, size: cacheSize, runtime: this.#runtime });
    this.#maxUses = maxUses;
    this.#randomBytes = options.randomBytes ?? randomBytes;
  }

  /** A fresh one for each payload. */
  iv(): Buffer {
    return this.#randomBytes(IV_BYTES);
  }

  /**
   * The subject's newest key, to encrypt one payload with; its first one is made here.
   * @throws EventStoreError SUBJECT_SHREDDED, KEY_MISSING, DECRYPTION_FAILED; BackendError
   */
  async keyFor(subject: string): Promise<DataKey> {
    checkSubject(subject);
    for (;;) {
      const opened = await this.#openOrCreate(subject);
      if (opened.state === "destroyed") throw shredded();
      const { version } = newest(opened.record);
      if (this.#uses.add(subject, version) < this.#maxUses)
        return { version, key: await this.#unwrapped(opened, version) };
      await this.renew(subject, version);
    }
  }

  /**
   * The subject's key of that version; or the tombstone, when its keys were destroyed.
   * @throws EventStoreError KEY_MISSING when there is neither, DECRYPTION_FAILED; BackendError
   */
  async keyOf(subject: string, version: number): Promise<KeyObject | DestroyedKeys> {
    let opened = await this.#open(subject);
    // Made since it was remembered, or on its way here from another process.
    if (opened === null || (opened.state === "live" && !hasVersion(opened.record, version))) {
      this.#cache.forget(subject);
      opened = await this.#open(subject);
    }
    if (opened === null || (opened.state === "live" && !hasVersion(opened.record, version))) {
      throw new EventStoreError("KEY_MISSING", "the key of an encrypted payload is not in the key store", {
        facts: { actual: version, key: this.store.location },
        hint: "it was not shredded, or there would be a tombstone: give the right key store, or restore it from a backup",
      });
    }
    return opened.state === "destroyed" ? opened.record : this.#unwrapped(opened, version);
  }

  /** Gives the subject a new key for what is written from now on. With `unlessAfter`: only if its newest one has that version. */
  async renew(subject: string, unlessAfter?: number): Promise<number> {
    checkSubject(subject);
    for (;;) {
      const found = await this.store.get(subject);
      if (found === null) throw noKeys(this.store);
      const record = liveOf(found.record);
      const last = newest(record).version;
      if (unlessAfter !== undefined && last !== unlessAfter) {
        this.#cache.forget(subject);
        return last;
      }
      const next = await this.#newKey(subject, last + 1);
      const id = this.#runtime.id();
      const stored = await this.store.replace({ ...record, keys: [...record.keys, next], id }, found.revision);
      this.#cache.forget(subject);
      if (stored.record.id === id) return last + 1;
    }
  }

  /**
   * Wraps all data keys by the present key-encryption key; events stay as they are. Then `previous` is needed no more. It may be interrupted and
   * run again, while others read and write.
   * @throws EventStoreError KEY_MISSING when a key is wrapped by none of the given wrappers; BackendError; ABORTED
   */
  async rotate({ signal, onProgress }: RotateOptions = {}): Promise<RotateReport> {
    let report: RotateReport = { subjects: 0, rewrapped: 0 };
    for await (const { record } of this.store.list()) {
      if (signal?.aborted === true)
        throw new EventStoreError("ABORTED", "the rotation was aborted; what it wrapped anew stays so", {
          hint: "run it again to go on",
          cause: signal.reason,
        });
      const changed = record.state === "live" && (await this.#rewrap(record.subject));
      report = { subjects: report.subjects + 1, rewrapped: report.rewrapped + (changed ? 1 : 0) };
      onProgress?.(report);
    }
    return report;
  }

  /** Destroys all keys of the subject. Null: it never had any. `rynxs shred` and `shred()` also record it. */
  async destroy(subject: string, tombstone: Pick<DestroyedKeys, "id" | "at">): Promise<DestroyedKeys | null> {
    this.#cache.forget(subject);
    try {
      return await this.store.destroy(subject, tombstone);
    } finally {
      // Somebody may have asked meanwhile.
      this.#cache.forget(subject);
    }
  }

  /** Forgets the subject's keys: the next use asks the key store. */
  forget(subject: string): void {
    this.#cache.forget(subject);
  }

  async close(): Promise<void> {
    this.#cache.clear();
    await this.store.close();
  }

  #open(subject: string): Promise<OpenedKeys | null> {
    return this.#cache.get(subject, async () => (await this.store.get(subject))?.record ?? null);
  }

  async #openOrCreate(subject: string): Promise<OpenedKeys> {
    for (;;) {
      const opened = await this.#open(subject);
      if (opened !== null) return opened;
      const creating = this.#creating.get(subject) ?? this.#create(subject);
      this.#creating.set(subject, creating);
      try {
        await creating;
      } finally {
        this.#creating.delete(subject);
      }
    }
  }

  /** Whoever creates the record first, it is the one that counts. */
  async #create(subject: string): Promise<void> {
    const key = await this.#newKey(subject, 1);
    await this.store.create({ subject, state: "live", keys: [key], id: this.#runtime.id() });
  }

  async #newKey(subject: string, version: number): Promise<WrappedKey> {
    const key = this.#randomBytes(KEY_BYTES);
    try {
      const wrapped = await this.#wrapper.wrap(key, { subject, version });
      return { version, created: this.#runtime.now(), kek: this.#wrapper.id, wrapped };
    } finally {
      key.fill(0);
    }
  }

  /** A key that is being unwrapped is waited for by all that need it. */
  #unwrapped(opened: Extract<OpenedKeys, { state: "live" }>, version: number): Promise<KeyObject> {
    const { record, keys } = opened;
    const known = keys.get(version);
    if (known !== undefined) return known;
    const stored = record.keys.find((each) => each.version === version);
    if (stored === undefined) throw noKeys(this.store);
    const key = this.#unwrap(record.subject, stored).then((bytes) => {
      try {
        return createSecretKey(bytes);
      } finally {
        bytes.fill(0);
      }
    });
    keys.set(version, key);
    key.catch(() => keys.delete(version));
    return key;
  }

  async #unwrap(subject: string, { version, kek, wrapped }: WrappedKey): Promise<Buffer> {
    const wrapper = this.#wrappers.get(kek);
    if (wrapper !== undefined) return wrapper.unwrap(wrapped, { subject, version });
    throw new EventStoreError("KEY_MISSING", "a data key is wrapped by a key-encryption key that was not given", {
      facts: { expected: kek, actual: this.#wrapper.id },
      hint: "give that key (RYNXS_CRYPTO_KEY, a key file, or `previous` while it is being replaced)",
    });
  }

  async #rewrap(subject: string): Promise<boolean> {
    for (;;) {
      const found = await this.store.get(subject);
      if (found?.record.state !== "live") return false;
      const { record, revision } = found;
      if (record.keys.every(({ kek }) => kek === this.#wrapper.id)) return false;
      const keys: WrappedKey[] = [];
      for (const key of record.keys) keys.push(await this.#rewrapped(subject, key));
      const id = this.#runtime.id();
      const stored = await this.store.replace({ ...record, keys, id }, revision);
      this.#cache.forget(subject);
      if (stored.record.id === id) return true;
    }
  }

  async #rewrapped(subject: string, key: WrappedKey): Promise<WrappedKey> {
    if (key.kek === this.#wrapper.id) return key;
    const bytes = await this.#unwrap(subject, key);
    try {
      const wrapped = await this.#wrapper.wrap(bytes, { subject, version: key.version });
      return { ...key, kek: this.#wrapper.id, wrapped };
    } finally {
      bytes.fill(0);
    }
  }
}

function newest(record: LiveKeys): WrappedKey {
  return record.keys.at(-1) as WrappedKey;
}

function hasVersion(record: LiveKeys, version: number): boolean {
  return record.keys.some((key) => key.version === version);
}

function liveOf(record: KeyRecord): LiveKeys {
  if (record.state === "live") return record;
  throw shredded();
}

function shredded(): EventStoreError {
  return new EventStoreError(
    "SUBJECT_SHREDDED",
    "the subject's keys were destroyed: nothing is encrypted for it any more",
    {
      hint: "who comes back is a new subject: give it another name",
    },
  );
}

function noKeys(store: KeyStore): EventStoreError {
  return new EventStoreError("KEY_MISSING", "the subject has no keys, and never had any in this key store", {
    facts: { key: store.location },
    hint: "check the subject and the key store",
  });
}
