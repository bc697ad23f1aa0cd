import type { Observation } from "./observation.js";

/**
 * What was observed and is not in the log yet, in the order in which it was observed. Every replica keeps its own: the leader to record
 * from it, the others to go on where a leader that died left off. What shows up in the log, whoever wrote it, leaves here.
 */
export class Pending {
  readonly #byKey = new Map<string, Observation[]>();
  readonly #inOrder = new Set<Observation>();
  /** Keys of which the log holds a state that was not observed here yet: when it comes, all before it is history. */
  readonly #ahead = new Map<string, string>();
  readonly #logged: (key: string) => string;
  readonly #capacity: number;
  #weight = 0;
  #waiting: (() => void)[] = [];

  /** `logged`: digest of the log's last state of an object. `capacity`: characters of payload that are held at most. */
  constructor(logged: (key: string) => string, capacity: number) {
    this.#logged = logged;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#inOrder.size;
  }

  get isFull(): boolean {
    return this.#weight >= this.#capacity;
  }

  /** False when there was nothing new in it. */
  offer(observation: Observation): boolean {
    const { key, digest } = observation;
    const queued = this.#byKey.get(key);
    if (this.#ahead.get(key) === digest) {
      this.#ahead.delete(key);
      this.#drop(key, queued?.length ?? 0);
      return false;
    }
    if ((queued?.at(-1)?.digest ?? this.#logged(key)) === digest) return false;
    if (queued) queued.push(observation);
    else this.#byKey.set(key, [observation]);
    this.#inOrder.add(observation);
    this.#weight += weightOf(observation);
    this.#wake();
    return true;
  }

  /** It waits, and nothing of its object before it. */
  isNext(observation: Observation): boolean {
    return this.#byKey.get(observation.key)?.[0] === observation;
  }

  /** The oldest of each of the first `count` objects. */
  first(count: number): Observation[] {
    const found: Observation[] = [];
    for (const observation of this.#inOrder) {
      if (found.length >= count) break;
      if (this.isNext(observation)) found.push(observation);
    }
    return found;
  }

  /** The log holds this state now. @returns the observation of it; null when it was not observed here yet */
  recorded(key: string, digest: string): Observation | null {
    const queued = this.#byKey.get(key) ?? [];
    const index = queued.findIndex((observation) => observation.digest === digest);
    const found = queued[index];
    if (found === undefined) {
      this.#ahead.set(key, digest);
      return null;
    }
    this.#ahead.delete(key);
    this.#drop(key, index + 1);
    return found;
  }

  /** It is not to be recorded. It must be the oldest of its object. */
  discard(observation: Observation): void {
    if (!this.isNext(observation)) return;
    this.#drop(observation.key, 1);
    this.#dropKnown(observation.key);
  }

  /** Of some object the log holds a state that was not observed here yet. */
  get isOutrun(): boolean {
    return this.#ahead.size > 0;
  }

  /** Keys of those objects. */
  get outrun(): readonly string[] {
    return [...this.#ahead.keys()];
  }

  clear(): void {
    this.#ahead.clear();
    for (const key of this.#byKey.keys()) this.#drop(key, Infinity);
  }

  /** Keeps only the newest of each object. */
  coalesce(): void {
    for (const [key, queued] of this.#byKey) {
      this.#drop(key, queued.length - 1);
      this.#dropKnown(key);
    }
  }

  /** Until something has changed here, or the signal aborts. */
  changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      signal.addEventListener("abort", done, { once: true });
      this.#waiting.push(done);
    });
  }

  /** Without what came before it, the next may be what the log holds already. */
  #dropKnown(key: string): void {
    if (this.#byKey.get(key)?.[0]?.digest === this.#logged(key)) this.#drop(key, 1);
  }

  #drop(key: string, count: number): void {
    const queued = this.#byKey.get(key);
    if (!queued || count <= 0) return;
    for (const observation of queued.splice(0, count)) {
      this.#inOrder.delete(observation);
      this.#weight -= weightOf(observation);
    }
    if (queued.length === 0) this.#byKey.delete(key);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** What it costs besides its payload, in characters. */
const OVERHEAD = 500;

function weightOf({ payload }: Observation): number {
  return (payload?.length ?? 0) + OVERHEAD;
}
