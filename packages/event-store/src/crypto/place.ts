import { BackendError } from "../core/errors.js";
import { backOff, type Runtime } from "../system/runtime.js";
import { formatKeyRecord, parseKeyRecord, type DestroyedKeys, type KeyRecord, type LiveKeys } from "./key-record.js";
import type { KeyStore, StoredKeys } from "./key-store.js";
import { checkSubject, nameOfSubject } from "./subject.js";

/** Small documents by name, changed by compare-and-swap: all that a key store needs of what keeps it. Failures as of `KeyStore`. */
export interface KeyPlace {
  readonly location: string;
  /** Where a document is, for people. */
  where(name: string): string;
  read(name: string): Promise<Document | null>;
  /** One attempt, if there is none of that name. */
  create(name: string, bytes: Buffer): Promise<Written>;
  /** One attempt, if it is still at that revision. Nothing of the old bytes is left that the place can help. */
  replace(name: string, bytes: Buffer, revision: string): Promise<Written>;
  names(): AsyncIterable<string>;
  remains?(): Promise<string | null>;
  close(): Promise<void>;
}

export interface Document {
  readonly bytes: Buffer;
  readonly revision: string;
}

/** `lost`: the condition did not hold, or an earlier try of the same bytes was stored. `cause`: it is not known whether it was stored. */
export type Written = { readonly revision: string } | "lost" | { readonly cause: BackendError };

/** How long a change is tried; milliseconds. */
const CHANGE_MS = 20_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 2_000;

/** The rules of a key store, whatever it is kept in. */
export function keyStoreOn(place: KeyPlace, runtime: Runtime): KeyStore {
  return new PlacedKeys(place, runtime);
}

class PlacedKeys implements KeyStore {
  readonly location: string;
  readonly remains?: () => Promise<string | null>;
  readonly #place: KeyPlace;
  readonly #runtime: Runtime;

  constructor(place: KeyPlace, runtime: Runtime) {
    this.location = place.location;
    this.#place = place;
    this.#runtime = runtime;
    if (place.remains !== undefined) this.remains = () => place.remains?.() ?? Promise.resolve(null);
  }

  async get(subject: string): Promise<StoredKeys | null> {
    const name = nameOfSubject(checkSubject(subject));
    return this.#stored(await this.#place.read(name), subject, name);
  }

  async create(record: KeyRecord): Promise<StoredKeys> {
    const name = nameOfSubject(checkSubject(record.subject));
    const bytes = formatKeyRecord(record);
    return this.#untilKnown(name, async () => {
      const written = await this.#place.create(name, bytes);
      if (typeof written === "object" && "revision" in written) return { record, ...written };
      return (await this.get(record.subject)) ?? written;
    });
  }

  async replace(record: LiveKeys, revision: string): Promise<StoredKeys> {
    const name = nameOfSubject(checkSubject(record.subject));
    const bytes = formatKeyRecord(record);
    return this.#untilKnown(name, async () => {
      const found = await this.get(record.subject);
      if (found === null) throw gone(this.#place.where(name));
      // Another's, or an earlier try of this one: `id` tells.
      if (found.revision !== revision || found.record.state === "destroyed") return found;
      const written = await this.#place.replace(name, bytes, revision);
      return typeof written === "object" && "revision" in written ? { record, ...written } : written;
    });
  }

  async destroy(subject: string, { id, at }: Pick<DestroyedKeys, "id" | "at">): Promise<DestroyedKeys | null> {
    const name = nameOfSubject(checkSubject(subject));
    return this.#untilKnown<DestroyedKeys | null>(name, async () => {
      const found = await this.get(subject);
      if (found === null) return null;
      if (found.record.state === "destroyed") return found.record;
      const versions = found.record.keys.length;
      const tombstone: DestroyedKeys = { subject, state: "destroyed", id, at, versions };
      const written = await this.#place.replace(name, formatKeyRecord(tombstone), found.revision);
      return typeof written === "object" && "revision" in written ? tombstone : written;
    });
  }

  async *list(): AsyncGenerator<StoredKeys, void, undefined> {
    for await (const name of this.#place.names()) {
      const found = this.#stored(await this.#place.read(name), null, name);
      if (found !== null) yield found;
    }
  }

  close(): Promise<void> {
    return this.#place.close();
  }

  #stored(document: Document | null, subject: string | null, name: string): StoredKeys | null {
    if (document === null) return null;
    const { bytes, revision } = document;
    return { record: parseKeyRecord(bytes, subject, this.#place.where(name)), revision };
  }

  /** Again, with pauses, while nothing is known. */
  async #untilKnown<T extends StoredKeys | DestroyedKeys | null>(
    name: string,
    attempt: () => Promise<T | Exclude<Written, { revision: string }>>,
  ): Promise<T> {
    const deadline = this.#runtime.elapsed() + CHANGE_MS;
    for (let tries = 0; ; tries++) {
      const answer = await attempt();
      const cause = answer === "lost" ? contended(this.#place.where(name)) : causeOf(answer);
      if (cause === null) return answer as T;
      if (this.#runtime.elapsed() >= deadline) throw cause;
      await this.#runtime.sleep(backOff(this.#runtime, tries, FIRST_PAUSE_MS, LONGEST_PAUSE_MS));
    }
  }
}

function causeOf(answer: object | null): BackendError | null {
  return answer !== null && "cause" in answer ? (answer.cause as BackendError) : null;
}

function contended(key: string): BackendError {
  return new BackendError("UNAVAILABLE", "the subject's keys could not be changed: others changed them all the time", {
    facts: { key },
    hint: "try again",
  });
}

function gone(key: string): BackendError {
  return new BackendError("KEY_MISSING", "the subject's keys were removed while they were changed", {
    facts: { key },
    hint: "nothing of this library deletes them: look who did, and restore the key store",
  });
}
