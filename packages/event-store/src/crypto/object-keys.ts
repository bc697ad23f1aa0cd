import { BackendError } from "../core/errors.js";
import { LogKeys } from "../log/keys.js";
import { proveBackend } from "../log/proof.js";
import type { ObjectStore, PutOutcome } from "../objects/port.js";
import { systemRuntime, type Runtime } from "../system/runtime.js";
import type { KeyStore } from "./key-store.js";
import { keyStoreOn, type Document, type KeyPlace, type Written } from "./place.js";

export interface ObjectKeyStoreOptions {
  /** Closed with the key store. Best a bucket of its own, with other credentials than the log's, and not versioned. */
  readonly objects: ObjectStore;
  /** Default `keys`. A trailing slash does not count. */
  readonly prefix?: string | undefined;
  /** Why old versions of an object may still be there, when that is known. docs/operations/shredding.md, "Versioned buckets". */
  readonly remains?: (() => Promise<string | null>) | undefined;
  /** Do not prove before the first change that the backend honours conditional puts. Only for one that was proved otherwise. */
  readonly skipBackendProof?: boolean | undefined;
  /** Clock and pauses, for tests. */
  readonly runtime?: Runtime | undefined;
}

/** Keys as objects `PREFIX/{sha256 of the subject}.json`, by conditional puts. On a versioned bucket old versions keep destroyed keys. */
export function objectKeyStore(options: ObjectKeyStoreOptions): KeyStore {
  const { runtime = systemRuntime } = options;
  return keyStoreOn(new ObjectPlace(options, runtime), runtime);
}

/** How long the proof is tried; milliseconds. */
const PROOF_MS = 20_000;

/** What no object has. */
const NO_ETAG = `"${"0".repeat(32)}"`;

const NAME = /^[0-9a-f]{64}\.json$/;

class ObjectPlace implements KeyPlace {
  readonly location: string;
  readonly remains?: () => Promise<string | null>;
  readonly #objects: ObjectStore;
  readonly #keys: LogKeys;
  readonly #root: string;
  readonly #runtime: Runtime;
  #proved: boolean;

  constructor(
    { objects, prefix = "keys", remains, skipBackendProof = false }: ObjectKeyStoreOptions,
    runtime: Runtime,
  ) {
    this.#objects = objects;
    this.#keys = new LogKeys(prefix);
    this.#root = this.#keys.root;
    this.#runtime = runtime;
    this.#proved = skipBackendProof;
    this.location = `${objects.identity}/${this.#root}`;
    if (remains !== undefined) this.remains = remains;
  }

  where(name: string): string {
    return `${this.#root}${name}.json`;
  }

  async read(name: string): Promise<Document | null> {
    const object = await this.#objects.get(this.where(name));
    return object && { bytes: object.body, revision: object.etag };
  }

  async create(name: string, bytes: Buffer): Promise<Written> {
    await this.#prove();
    return written(await this.#objects.putIfAbsent(this.where(name), bytes));
  }

  async replace(name: string, bytes: Buffer, revision: string): Promise<Written> {
    await this.#prove();
    return written(await this.#objects.replaceIfMatch(this.where(name), bytes, revision));
  }

  async *names(): AsyncGenerator<string, void, undefined> {
    for (let startAfter = "", more = true; more;) {
      const page = await this.#objects.list({ prefix: this.#root, ...(startAfter !== "" && { startAfter }) });
      for (const { key } of page.entries) {
        const name = key.slice(this.#root.length);
        if (NAME.test(name)) yield name.slice(0, -".json".length);
      }
      startAfter = page.entries.at(-1)?.key ?? "";
      more = page.truncated && startAfter !== "";
    }
  }

  /**
   * Where a conditional put overwrites, a subject's key could be lost to another writer's, and a tombstone to a key: nothing is written there.
   * @throws BackendError UNSAFE_BACKEND
   */
  async #prove(): Promise<void> {
    if (this.#proved) return;
    const { probe } = this.#keys;
    await proveBackend(this.#objects, this.#keys, this.#runtime, this.#runtime.elapsed() + PROOF_MS);
    const { outcome } = await this.#objects.replaceIfMatch(probe, Buffer.from("{}"), NO_ETAG);
    if (outcome === "stored") throw unsafe(this.#objects, probe);
    // A put without an answer proves nothing: the next change asks again.
    this.#proved = outcome === "exists";
  }

  close(): Promise<void> {
    return this.#objects.close();
  }
}

function written(outcome: PutOutcome): Written {
  if (outcome.outcome === "stored") return { revision: outcome.etag };
  return outcome.outcome === "exists" ? "lost" : { cause: outcome.cause };
}

function unsafe({ identity }: ObjectStore, key: string): BackendError {
  return new BackendError(
    "UNSAFE_BACKEND",
    `${identity} is not safe for keys: a conditional put (If-Match) of a changed object overwrote it`,
    {
      facts: { bucket: identity, key, operation: "PUT" },
      hint: "use a backend with conditional writes; on Ceph, a bucket that was never versioned",
    },
  );
}
