import { BackendError } from "../../core/errors.js";
import { LogKeys } from "../../log/keys.js";
import type { ObjectStore, PutOutcome, StoredObject } from "../../objects/port.js";
import { backOff, type Runtime } from "../../system/runtime.js";
import type { DerivedPlace } from "../port.js";
import { SNAPSHOT_FRAME_BYTES, type SnapshotOwner } from "./snapshot.js";
import { MAX_STATE_BYTES } from "./state.js";

/** A snapshot as a LIST shows it: nothing of it was checked. */
export interface StoredSnapshot {
  readonly seq: number;
  readonly key: string;
  readonly bytes: number;
  /** When it was written, by the backend's clock; Unix milliseconds. */
  readonly modifiedAt?: number | undefined;
}

/** Puts of one snapshot, before it is left unwritten. */
const TRIES = 4;

/** The snapshots of one version of one projection, beside the log. */
export class SnapshotShelf {
  readonly #objects: ObjectStore;
  readonly #keys: LogKeys;
  readonly #owner: SnapshotOwner;
  readonly #runtime: Runtime;

  constructor(place: DerivedPlace, owner: SnapshotOwner, runtime: Runtime) {
    this.#objects = place.objects;
    this.#keys = new LogKeys(place.root);
    this.#owner = owner;
    this.#runtime = runtime;
  }

  key(seq: number): string {
    return this.#keys.snapshot(this.#owner.name, this.#owner.version, seq);
  }

  /**
   * The newest snapshots up to seq `limit`, in order of seq; all of them when they are few. One LIST for up to 1000, O(log N) beyond: the
   * names say it, no pointer is trusted.
   */
  async newest(limit: number, signal?: AbortSignal): Promise<StoredSnapshot[]> {
    const upTo = (found: readonly StoredSnapshot[]): StoredSnapshot[] => found.filter(({ seq }) => seq <= limit);
    const first = await this.#page(-1, signal);
    let known = upTo(first.found);
    if (first.last || known.length < first.found.length) return known;
    // Nothing up to the limit lies beyond `high`.
    for (let high = limit; ;) {
      const low = known.at(-1)?.seq ?? -1;
      const middle = high - low > 1000 ? low + Math.floor((high - low) / 2) : low;
      const page = await this.#page(middle, signal);
      const found = upTo(page.found);
      if (found.length > 0) known = found;
      if (found.length > 0 ? page.last || found.length < page.found.length : middle === low) return known;
      if (found.length === 0) high = middle;
    }
  }

  /** Null when it is gone, or was never there. @throws BackendError */
  get(seq: number, signal?: AbortSignal): Promise<StoredObject | null> {
    return this.#objects.get(this.key(seq), { signal });
  }

  /** Puts it unless there is one, until it is known to be stored. @returns what is there instead, or null. @throws BackendError */
  async put(seq: number, body: Buffer, signal?: AbortSignal): Promise<StoredObject | null> {
    const key = this.key(seq);
    const stored = await this.#untilKnown(key, signal, () => this.#objects.putIfAbsent(key, body, { signal }));
    if (stored) return null;
    const there = await this.#objects.get(key, { signal });
    // Somebody has deleted it in between: they may have it so.
    return there === null || there.body.equals(body) ? null : there;
  }

  /** Replaces what is of no use. Whoever did so meanwhile has written one that is as good. @throws BackendError */
  async replace(seq: number, body: Buffer, etag: string, signal?: AbortSignal): Promise<void> {
    const key = this.key(seq);
    await this.#untilKnown(key, signal, () => this.#objects.replaceIfMatch(key, body, etag, { signal }));
  }

  delete(seq: number, signal?: AbortSignal): Promise<void> {
    return this.#objects.delete(this.key(seq), { signal });
  }

  /** A repeated put does no harm: the same state has the same bytes. @returns whether it was stored; else the condition did not hold */
  async #untilKnown(key: string, signal: AbortSignal | undefined, put: () => Promise<PutOutcome>): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      const answer = await put();
      if (answer.outcome !== "unknown") return answer.outcome === "stored";
      if (tries === TRIES || signal?.aborted) throw answer.cause;
      const pause = Math.max(answer.retryAfterMs ?? 0, backOff(this.#runtime, tries, 50, 2000));
      await this.#runtime.sleep(pause, signal);
    }
  }

  async #page(after: number, signal?: AbortSignal): Promise<Page> {
    const prefix = this.#keys.snapshotsOf(this.#owner.name, this.#owner.version);
    const startAfter = after < 0 ? prefix : this.key(after);
    const { entries, truncated } = await this.#objects.list({ prefix, startAfter, signal });
    const found: StoredSnapshot[] = [];
    for (const { key, size, modifiedAt } of entries) {
      const named = this.#keys.snapshotOf(key);
      // Whatever else lies there is none.
      if (named !== null) found.push({ seq: named.seq, key, bytes: size, modifiedAt });
    }
    return { found, last: !truncated };
  }
}

interface Page {
  readonly found: readonly StoredSnapshot[];
  /** No key follows. */
  readonly last: boolean;
}

/** So large that no state can be in it. */
export function isOversized({ bytes }: StoredSnapshot): boolean {
  return bytes > MAX_STATE_BYTES + 2 * SNAPSHOT_FRAME_BYTES;
}

/** Every snapshot of the projections of that name, of all versions. */
export async function* allSnapshots(
  { objects, root }: DerivedPlace,
  name: string,
  signal?: AbortSignal,
): AsyncGenerator<StoredSnapshot & SnapshotOwner> {
  const keys = new LogKeys(root);
  const prefix = `${keys.snapshots}${name}/`;
  for (let startAfter: string | undefined; ;) {
    const { entries, truncated } = await objects.list({
      prefix,
      ...(startAfter !== undefined && { startAfter }),
      signal,
    });
    for (const { key, size, modifiedAt } of entries) {
      const named = keys.snapshotOf(key);
      if (named !== null) yield { ...named, key, bytes: size, modifiedAt };
    }
    startAfter = entries.at(-1)?.key;
    if (!truncated || startAfter === undefined) return;
  }
}

/** Any failure that costs no more than speed: not one that the caller wanted, by its signal. */
export function isHarmless(error: unknown): error is BackendError {
  return error instanceof BackendError && error.code !== "ABORTED";
}
