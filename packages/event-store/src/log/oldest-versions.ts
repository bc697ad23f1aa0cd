import { ConfigError } from "../core/errors.js";
import type { GetOptions, ListEntry, ListOptions, ListPage, ObjectStore, StoredObject } from "../objects/port.js";
import type { ObjectVersion, ObjectVersions, VersionMarker } from "../objects/versions.js";
import type { LogKeys } from "./keys.js";

/**
 * A log's objects as they were first written: under each event key its oldest version, whatever was put on top of it or deleted since;
 * under all other keys the current one. Under `If-None-Match` the first version is the one that was committed. Only to be read. A GET of
 * an event costs two requests.
 */
export class OldestVersions implements ObjectStore {
  readonly #objects: ObjectStore;
  readonly #upkeep: { close(): Promise<void> };
  readonly #versions: ObjectVersions;
  readonly #keys: LogKeys;

  /** `upkeep` is closed with it. */
  constructor(
    objects: ObjectStore,
    upkeep: { readonly versions: ObjectVersions; close(): Promise<void> },
    keys: LogKeys,
  ) {
    this.#objects = objects;
    this.#upkeep = upkeep;
    this.#versions = upkeep.versions;
    this.#keys = keys;
  }

  get identity(): string {
    return `${this.#objects.identity} (oldest versions)`;
  }

  putIfAbsent(): Promise<never> {
    return Promise.reject(readOnly());
  }

  replaceIfMatch(): Promise<never> {
    return Promise.reject(readOnly());
  }

  delete(): Promise<never> {
    return Promise.reject(readOnly());
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | null> {
    if (this.#keys.seqOf(key) === null) return this.#objects.get(key, options);
    const { range, signal } = options;
    for await (const version of this.#entries(key, "", signal)) {
      if (version.key !== key) return null;
      const object = await this.#versions.get(key, version.versionId, { signal });
      return object && range ? { ...object, body: object.body.subarray(range.start, range.end) } : object;
    }
    return null;
  }

  async list({ prefix, startAfter = "", maxKeys = 1000, signal }: ListOptions): Promise<ListPage> {
    const entries: ListEntry[] = [];
    for await (const version of this.#entries(prefix, startAfter, signal)) {
      if (entries.length === maxKeys) return { entries, truncated: true };
      const { key, size, modifiedAt } = version;
      entries.push({ key, size, ...(modifiedAt === undefined ? {} : { modifiedAt }) });
    }
    return { entries, truncated: false };
  }

  async close(): Promise<void> {
    await this.#objects.close();
    await this.#upkeep.close();
  }

  /** The version of each key that counts here, in order of keys. */
  async *#entries(prefix: string, startAfter: string, signal: AbortSignal | undefined): AsyncGenerator<ObjectVersion> {
    let key = "";
    let chosen: ObjectVersion | null = null;
    let marker: VersionMarker | null = startAfter === "" ? null : { key: startAfter };
    do {
      const page = await this.#versions.list({ prefix, ...(marker && { after: marker }), signal });
      for (const version of page.versions) {
        if (key !== version.key) {
          if (chosen !== null) yield chosen;
          key = version.key;
          chosen = null;
        }
        const counts = this.#keys.seqOf(version.key) === null ? version.latest : true;
        // Newest first: the last one that counts is the oldest.
        if (counts && !version.deleteMarker) chosen = version;
      }
      marker = page.next;
    } while (marker !== null);
    if (chosen !== null) yield chosen;
  }
}

function readOnly(): ConfigError {
  return new ConfigError("a log is only read by its oldest versions", {
    hint: "open it without oldestVersions to write",
  });
}
