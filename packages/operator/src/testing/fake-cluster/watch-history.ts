import type { KubeObject } from "../../kube/port.js";

/** A change as it was stored. `previous` is what selectors need: whether the object was selected before. */
export interface Change {
  readonly revision: number;
  readonly storage: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** After the change; of a deletion the last state, with the resourceVersion of the deletion. */
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
}

/** The last changes, as far back as watches may start. Bounded: what is older is expired. */
export class WatchHistory {
  readonly #limit: number;
  readonly #subscribers = new Set<(change: Change) => void>();
  #changes: Change[] = [];
  /** The newest change that is gone: a watch may start here, but not before. */
  #floor = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get floor(): number {
    return this.#floor;
  }

  add(change: Change): void {
    this.#changes.push(change);
    // In bulk, so that adding stays cheap.
    if (this.#changes.length >= this.#limit * 2) this.#drop(this.#changes.length - this.#limit);
    for (const subscriber of [...this.#subscribers]) subscriber(change);
  }

  /** All changes after a revision, oldest first; null when some of them are gone. */
  since(revision: number, storage: string): Change[] | null {
    if (revision < this.#floor) return null;
    // From behind: watches mostly start near the end.
    let from = this.#changes.length;
    while (from > 0 && (this.#changes[from - 1]?.revision ?? 0) > revision) from--;
    return this.#changes.slice(from).filter((change) => change.storage === storage);
  }

  subscribe(subscriber: (change: Change) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  /** Forgets everything up to now, as etcd does on compaction. */
  compact(revision: number): void {
    this.#changes = [];
    this.#floor = revision;
  }

  #drop(count: number): void {
    this.#floor = this.#changes[count - 1]?.revision ?? this.#floor;
    this.#changes.splice(0, count);
  }
}
