import { TrustError } from "../../core/errors.js";
import { createDerived } from "../../log/compaction/derived-object.js";
import { LogKeys } from "../../log/keys.js";
import type { ObjectStore, StoredObject } from "../../objects/port.js";
import type { DerivedPlace } from "../../stores/port.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import type { TlogObject } from "./growing-tree.js";

/** Puts that are under way at once. */
const WIDTH = 16;

/** What stands under `_tlog/` beside a log. */
export class TlogShelf {
  readonly objects: ObjectStore;
  readonly runtime: Runtime;
  readonly #root: string;

  constructor(place: DerivedPlace, runtime: Runtime = systemRuntime) {
    this.objects = place.objects;
    this.runtime = runtime;
    this.#root = new LogKeys(place.root).tlog;
  }

  key(path: string): string {
    return this.#root + path;
  }

  get(path: string, signal?: AbortSignal): Promise<StoredObject | null> {
    return this.objects.get(this.key(path), { signal });
  }

  /** Writes what never changes, some at a time. @throws TrustError TREE_MISMATCH when something else is there; BackendError */
  async createAll(objects: readonly TlogObject[], signal?: AbortSignal): Promise<void> {
    const left = [...objects];
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next; next = left.shift()) await this.create(next, signal);
    };
    await Promise.all(Array.from({ length: Math.min(WIDTH, left.length) }, work));
  }

  /** @throws TrustError TREE_MISMATCH when something else is there; BackendError */
  async create({ path, body }: TlogObject, signal?: AbortSignal): Promise<void> {
    const key = this.key(path);
    const options = { runtime: this.runtime, contentType: "application/octet-stream", signal };
    for (;;) {
      if ((await createDerived(this.objects, key, body, options)) === "stored") return;
      const there = await this.objects.get(key, { signal });
      if (there?.body.equals(body) === true) return;
      if (there !== null) throw notOurs(key);
      // Deleted in between.
    }
  }
}

/** An object of the tree has bytes that the log does not give. */
export function notOurs(key: string): TrustError {
  return new TrustError("TREE_MISMATCH", `${key} is not what the log's records give`, {
    facts: { key },
    hint: "somebody has changed it, or the log: keep a copy of it as evidence, run `rynxs verify --key …` on the log, and, if that is good, delete the object and run `rynxs checkpoint --rebuild`",
  });
}

/** An object of the tree that must be there is gone. */
export function missing(key: string): TrustError {
  return new TrustError("TREE_MISMATCH", `${key} is missing`, {
    facts: { key, backendCode: "NoSuchKey" },
    hint: "`rynxs checkpoint --rebuild` makes all tiles anew from the log",
  });
}

export function isMissing(error: unknown): boolean {
  return error instanceof TrustError && error.facts.backendCode === "NoSuchKey";
}
