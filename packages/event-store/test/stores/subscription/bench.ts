import type { NewEvent, RecordedEvent } from "../../../src/core/event.js";
import { MemoryObjects } from "../../../src/objects/memory.js";
import type { ObjectMap } from "../../../src/objects/object-map.js";
import type { EventStore } from "../../../src/stores/port.js";
import { S3EventStore, type ObjectLogOptions } from "../../../src/stores/s3-event-store.js";
import type { Runtime } from "../../../src/system/runtime.js";

/** A clock that a test moves: who sleeps is woken when the time has come, in order. Nothing else moves it. */
export class ManualRuntime implements Runtime {
  #elapsed = 0;
  #ids = 0;
  #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  now = (): number => 1_700_000_000_000 + this.#elapsed;
  elapsed = (): number => this.#elapsed;
  random = (): number => 0.5;
  id = (): string => `id-${String(this.#ids++)}`;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = { at: this.#elapsed + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      });
    });
  }

  /** How many sleep. */
  get asleep(): number {
    return this.#sleepers.length;
  }

  /** Lets so much time pass, and everything happen that it brings about. */
  async pass(ms: number): Promise<void> {
    const until = this.#elapsed + ms;
    await settle();
    for (;;) {
      const [next] = this.#sleepers.toSorted((a, b) => a.at - b.at);
      if (next === undefined || next.at > until) break;
      this.#elapsed = Math.max(this.#elapsed, next.at);
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      next.wake();
      await settle();
    }
    this.#elapsed = until;
  }
}

/** Lets everything happen that follows by itself, where nothing but promises is waited for. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Writes down what it is asked for. */
export class CountingObjects extends MemoryObjects {
  readonly asked: string[] = [];
  override get(...args: Parameters<MemoryObjects["get"]>): ReturnType<MemoryObjects["get"]> {
    this.asked.push(`GET ${args[0]}`);
    return super.get(...args);
  }
  override list(...args: Parameters<MemoryObjects["list"]>): ReturnType<MemoryObjects["list"]> {
    this.asked.push("LIST");
    return super.list(...args);
  }
}

let places = 0;

/** A store of a process of its own, as far as subscriptions can tell: appends through others do not wake its subscribers. */
export async function openAlone(
  bucket: ObjectMap,
  options: ObjectLogOptions = {},
): Promise<{ store: EventStore; objects: CountingObjects }> {
  const objects = new CountingObjects({ bucket, identity: `process-${String(places++)}:` });
  const store = await S3EventStore.open({ objects, skipBucketCheck: true, skipBackendProof: true, ...options });
  objects.asked.length = 0;
  return { store, objects };
}

export function event(n: number, type = "T"): NewEvent {
  return { type, aggregateId: `a-${String(n % 3)}`, ts: n, payload: { n } };
}

/** Reads a subscription in the background: what it gave, and how it ended. */
export class Collected {
  readonly events: RecordedEvent[] = [];
  readonly ended: Promise<unknown>;
  isEnded = false;

  constructor(subscription: AsyncIterable<RecordedEvent>) {
    this.ended = this.#collect(subscription).then(
      () => null,
      (error: unknown) => error,
    );
    void this.ended.then(() => (this.isEnded = true));
  }

  get seqs(): number[] {
    return this.events.map(({ seq }) => seq);
  }

  async #collect(subscription: AsyncIterable<RecordedEvent>): Promise<void> {
    for await (const recorded of subscription) this.events.push(recorded);
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
