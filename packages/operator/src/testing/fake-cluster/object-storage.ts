import type { KubeObject } from "../../kube/port.js";
import { keyOfObject } from "./resource.js";
import { WatchHistory, type Change } from "./watch-history.js";

/** The state of a whole storage at one revision: pages of a long list are cut from it. */
export interface Snapshot {
  readonly revision: number;
  readonly objects: readonly KubeObject[];
}

const MAX_SNAPSHOTS = 8;

/**
 * Objects by storage and key, with one counter of revisions for all of them. Stored objects are never changed, only replaced.
 */
export class ObjectStorage {
  readonly history: WatchHistory;
  readonly #storages = new Map<string, Map<string, KubeObject>>();
  readonly #snapshots = new Map<string, Snapshot>();
  #revision = 1;

  constructor(historyLimit: number) {
    this.history = new WatchHistory(historyLimit);
  }

  /** Of the last change, wherever it was. */
  get revision(): number {
    return this.#revision;
  }

  get(storage: string, key: string): KubeObject | undefined {
    return this.#storages.get(storage)?.get(key);
  }

  /** By key, as etcd has them. */
  list(storage: string): KubeObject[] {
    const entries = [...(this.#storages.get(storage) ?? [])];
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return entries.map(([, object]) => object);
  }

  /** Every object that lies in a namespace, with its storage. */
  *inNamespace(namespace: string): Generator<readonly [storage: string, object: KubeObject]> {
    for (const [storage, objects] of this.#storages) {
      for (const object of objects.values()) if (object.metadata.namespace === namespace) yield [storage, object];
    }
  }

  /** Stores an object, stamped with a new resourceVersion, and returns it. */
  put(storage: string, object: KubeObject): KubeObject {
    const objects = this.#storages.get(storage) ?? new Map<string, KubeObject>();
    this.#storages.set(storage, objects);
    const key = keyOfObject(object);
    const previous = objects.get(key);
    const stored = this.#stamped(object);
    objects.set(key, stored);
    this.#announce(storage, previous === undefined ? "ADDED" : "MODIFIED", stored, previous);
    return stored;
  }

  /** Removes an object; returns its last state. */
  remove(storage: string, object: KubeObject): KubeObject {
    const key = keyOfObject(object);
    const previous = this.#storages.get(storage)?.get(key);
    const last = this.#stamped(object);
    this.#storages.get(storage)?.delete(key);
    this.#announce(storage, "DELETED", last, previous);
    return last;
  }

  /** Keeps the storage as it is now for the further pages of a list. */
  takeSnapshot(storage: string): Snapshot {
    const snapshot = { revision: this.#revision, objects: this.list(storage) };
    this.#snapshots.set(`${storage} ${String(this.#revision)}`, snapshot);
    for (const key of [...this.#snapshots.keys()].slice(0, -MAX_SNAPSHOTS)) this.#snapshots.delete(key);
    return snapshot;
  }

  snapshot(storage: string, revision: number): Snapshot | undefined {
    return this.#snapshots.get(`${storage} ${String(revision)}`);
  }

  /** Forgets history and snapshots: whoever knows an older resourceVersion has to list anew. */
  compact(): void {
    this.history.compact(this.#revision);
    this.#snapshots.clear();
  }

  #stamped(object: KubeObject): KubeObject {
    this.#revision++;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#revision) } };
  }

  #announce(storage: string, type: Change["type"], object: KubeObject, previous: KubeObject | undefined): void {
    this.history.add({ revision: this.#revision, storage, type, object, previous });
  }
}
