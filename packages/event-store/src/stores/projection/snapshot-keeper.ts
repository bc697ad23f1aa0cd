import { EventStoreError } from "../../core/errors.js";
import { MAX_SEQ, type EventMap } from "../../core/event.js";
import type { Runtime } from "../../system/runtime.js";
import type { OnWarning } from "../../system/warning.js";
import type { DerivedPlace, EventStore } from "../port.js";
import { nameOf } from "./fold.js";
import { isHarmless, isOversized, SnapshotShelf, type StoredSnapshot } from "./snapshot-shelf.js";
import { formatSnapshot, parseSnapshot, type Snapshot, type SnapshotOwner } from "./snapshot.js";

/** Of snapshots that are of no use, so many are looked at before the state is built anew. */
const TRIES = 8;

export interface KeeperOptions {
  /** So many snapshots stay. */
  readonly keep: number;
  readonly runtime: Runtime;
  readonly onWarning: OnWarning;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds snapshots, and writes them. Whatever a snapshot is, and whatever becomes of one that is written, the state is right without it: what
 * fails here is said, and costs no more than speed.
 */
export class SnapshotKeeper {
  readonly #shelf: SnapshotShelf;
  readonly #owner: SnapshotOwner;
  readonly #options: KeeperOptions;
  /** Seqs of those that lie there, as far as it was asked for. */
  #known: readonly number[] | null = null;
  /** Those that were looked at, and fit neither the log nor the code. */
  readonly #useless = new Set<number>();
  /** Codes of warnings that were given; each says enough once. */
  readonly #said = new Set<string>();

  constructor(place: DerivedPlace, owner: SnapshotOwner, options: KeeperOptions) {
    this.#shelf = new SnapshotShelf(place, owner, options.runtime);
    this.#owner = owner;
    this.#options = options;
  }

  /** The newest snapshot up to seq `limit` that is whole, and whose record the log has. @throws as `EventStore.getEventHash` */
  async newestUsable<E extends EventMap>(store: EventStore<E>, limit: number): Promise<Snapshot | null> {
    const listed = await this.#list(limit);
    for (const stored of listed.slice(-TRIES).reverse()) {
      const found = await this.#read(stored);
      if (found === null) continue;
      const why = "why" in found ? found.why : await this.#misfit(store, found);
      if (why === null) return found as Snapshot;
      this.#useless.add(stored.seq);
      this.#warn("SNAPSHOT_UNUSABLE", `the snapshot ${stored.key} is of no use: ${why}; ${INSTEAD}`, stored.key);
    }
    return null;
  }

  /**
   * Writes it, and deletes those that are too many. @returns what lies there now; null when that is not known
   * @throws EventStoreError NOT_DETERMINISTIC when there is a good one of the same record with another state
   */
  async write(snapshot: Snapshot): Promise<StoredSnapshot | null> {
    const { seq } = snapshot.at;
    const { signal } = this.#options;
    const key = this.#shelf.key(seq);
    const body = formatSnapshot(this.#owner, snapshot);
    try {
      const there = await this.#shelf.put(seq, body, signal);
      if (there) {
        const other = parseSnapshot(there.body, this.#owner, seq);
        if (!("why" in other) && other.at.hash === snapshot.at.hash) throw this.#differs(key, snapshot, other);
        await this.#shelf.replace(seq, body, there.etag, signal);
      }
    } catch (error) {
      if (!isHarmless(error)) throw error;
      const effect = "the state is right, but the next run has more events to apply";
      this.#warn("SNAPSHOT_NOT_WRITTEN", `the snapshot ${key} could not be written (${error.message}); ${effect}`);
      return null;
    }
    await this.#prune(seq);
    return { seq, key, bytes: body.length };
  }

  async #list(limit: number): Promise<readonly StoredSnapshot[]> {
    try {
      const listed = await this.#shelf.newest(limit, this.#options.signal);
      this.#known = listed.map(({ seq }) => seq);
      return listed;
    } catch (error) {
      if (!isHarmless(error)) throw error;
      this.#warn("SNAPSHOT_UNUSABLE", `the snapshots cannot be listed (${error.message}); ${INSTEAD}`);
      return [];
    }
  }

  /** Null when it cannot be had, or was deleted meanwhile. */
  async #read(stored: StoredSnapshot): Promise<Snapshot | { readonly why: string } | null> {
    if (isOversized(stored)) return { why: `it has ${String(stored.bytes)} bytes, more than any state` };
    try {
      const object = await this.#shelf.get(stored.seq, this.#options.signal);
      return object && parseSnapshot(object.body, this.#owner, stored.seq);
    } catch (error) {
      if (!isHarmless(error)) throw error;
      const message = `the snapshot ${stored.key} cannot be read (${error.message}); ${INSTEAD}`;
      this.#warn("SNAPSHOT_UNUSABLE", message, stored.key);
      return null;
    }
  }

  /** Why the log does not bear it out; null when it does. */
  async #misfit<E extends EventMap>(store: EventStore<E>, { at }: Snapshot): Promise<string | null> {
    const actual = await store.getEventHash(at.seq);
    if (actual === at.hash) return null;
    return actual === null ? "the log does not reach that record" : "the log has another record there";
  }

  /** Never one that is newer than `written`: another process may be further on. */
  async #prune(written: number): Promise<void> {
    this.#useless.delete(written);
    const known = this.#known ?? (await this.#list(MAX_SEQ)).map(({ seq }) => seq);
    const all = [...new Set([...known, written])].sort((a, b) => a - b);
    const good = all.filter((seq) => seq <= written && !this.#useless.has(seq));
    const gone = new Set([...this.#useless, ...good.slice(0, Math.max(0, good.length - this.#options.keep))]);
    try {
      for (const seq of gone) await this.#shelf.delete(seq, this.#options.signal);
      this.#useless.clear();
      this.#known = all.filter((seq) => !gone.has(seq));
    } catch (error) {
      if (!isHarmless(error)) throw error;
      this.#known = all;
      this.#warn("SNAPSHOT_NOT_DELETED", `an old snapshot could not be deleted (${error.message}); it does no harm`);
    }
  }

  #differs(key: string, { at, state }: Snapshot, other: Snapshot): EventStoreError {
    return new EventStoreError(
      "NOT_DETERMINISTIC",
      `${nameOf(this.#owner)} came to another state at seq ${String(at.seq)} than the snapshot that lies there`,
      {
        facts: { seq: at.seq, expected: other.state.hash, actual: state.hash, key },
        hint: "its code was changed without a new version, or it is not deterministic (rynxs replay --twice), or somebody changed the snapshot: find out which, then raise the version or delete the snapshots (rynxs snapshot --delete)",
      },
    );
  }

  #warn(code: string, message: string, about = ""): void {
    if (this.#said.has(code + about)) return;
    this.#said.add(code + about);
    this.#options.onWarning({ code, message });
  }
}

const INSTEAD = "the state is built from an older one, or from the beginning of the log";
