import { LogKeys } from "../log/keys.js";
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
  /** Clock and pauses, for tests. */
  readonly runtime?: Runtime | undefined;
}

/** Keys as objects `PREFIX/{sha256 of the subject}.json`, by conditional puts. On a versioned bucket old versions keep destroyed keys. */
export function objectKeyStore(options: ObjectKeyStoreOptions): KeyStore {
  return keyStoreOn(new ObjectPlace(options), options.runtime ?? systemRuntime);
}

const NAME = /^[0-9a-f]{64}\.json$/;

class ObjectPlace implements KeyPlace {
  readonly location: string;
  readonly remains?: () => Promise<string | null>;
  readonly #objects: ObjectStore;
  readonly #root: string;

  constructor({ objects, prefix = "keys", remains }: ObjectKeyStoreOptions) {
    this.#objects = objects;
    this.#root = new LogKeys(prefix).root;
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
    return written(await this.#objects.putIfAbsent(this.where(name), bytes));
  }

  async replace(name: string, bytes: Buffer, revision: string): Promise<Written> {
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

  close(): Promise<void> {
    return this.#objects.close();
  }
}

function written(outcome: PutOutcome): Written {
  if (outcome.outcome === "stored") return { revision: outcome.etag };
  return outcome.outcome === "exists" ? "lost" : { cause: outcome.cause };
}
