import { describe, expect, it } from "vitest";
import { EventStoreError } from "../../src/core/errors.js";
import type { NewEvent, StoredRecord } from "../../src/core/event.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { ObjectMap } from "../../src/objects/object-map.js";
import type { AppendOptions, AppendResult, BatchResult, EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { checkHistory } from "../../src/testing/history-checker.js";
import { History } from "../../src/testing/history.js";
import { recorded } from "../../src/testing/recorded-store.js";
import { ScratchLog } from "../stores/file/scratch.js";
import { SeededRandom } from "./random.js";
import { NO_FAULTS, ScheduledObjects, ScheduledRuntime, Scheduler, type ScheduledFaults } from "./scheduler.js";

/*
 * Callers of several stores on one log who expect versions of a few aggregates, among others who expect nothing, where a seed decides
 * when each request arrives and is answered. To run one seed again: RYNXS_TEST_SEED=n.
 */
const given = process.env["RYNXS_TEST_SEED"];
const seeds = (from: number, count: number): number[] =>
  given === undefined ? Array.from({ length: count }, (_, i) => from + i) : [Number(given)];

/** Over all seeds: a run that met nothing of this would prove nothing. */
const met = new Map<string, number>();
const note = (what: string): void => void met.set(what, (met.get(what) ?? 0) + 1);

const CALLS = 14;

/** One who appends to a few aggregates, expecting what it was last told of each, or something else. */
class Caller {
  readonly #scheduler: Scheduler;
  readonly #store: EventStore;
  readonly #name: string;
  readonly #versions = new Map<string, number>();
  #left = CALLS;
  #n = 0;
  pending = 0;
  readonly problems: unknown[] = [];

  constructor(scheduler: Scheduler, store: EventStore, name: string) {
    this.#scheduler = scheduler;
    this.#store = store;
    this.#name = name;
  }

  get more(): boolean {
    return this.#left > 0;
  }

  /** Several at once, as if none of them could fail. */
  act(): void {
    const { random } = this.#scheduler;
    for (let calls = 1 + random.below(4); calls > 0 && this.#left > 0; calls--) {
      this.#left--;
      this.pending++;
      void this.#call().finally(() => this.pending--);
    }
  }

  async #call(): Promise<void> {
    const { random } = this.#scheduler;
    const id = `a-${String(random.below(3))}`;
    const known = this.#versions.get(id) ?? 0;
    try {
      if (random.chance(0.25)) {
        await this.#store.append(this.#event(random.chance(0.3) ? id : "unrelated"));
        note("no expectation");
        return;
      }
      const expectedVersion = random.chance(0.15) ? random.below(6) : known;
      const options: AppendOptions = random.chance(0.1)
        ? { expectedVersion, signal: this.#signal() }
        : { expectedVersion };
      const count = random.chance(0.25) ? 2 + random.below(3) : 1;
      this.#versions.set(id, expectedVersion + count);
      const answer: AppendResult | BatchResult =
        count === 1
          ? await this.#store.append(this.#event(id), options)
          : await this.#store.appendBatch(
              Array.from({ length: count }, () => this.#event(id)),
              options,
            );
      if (answer.committed) {
        const versions = ("records" in answer ? answer.records : [answer]).map(({ version }) => version);
        expect(versions).toEqual(Array.from({ length: count }, (_, i) => expectedVersion + 1 + i));
        note(count === 1 ? "committed" : "batch committed");
      } else {
        note(count === 1 ? "conflict" : "batch conflict");
        expect(answer.observedVersion).not.toBe(expectedVersion);
        this.#versions.set(id, answer.observedVersion ?? 0);
      }
    } catch (error) {
      if (error instanceof EventStoreError) note(error.code);
      else this.problems.push(error);
    }
  }

  #signal(): AbortSignal {
    const abort = new AbortController();
    this.#scheduler.later(`${this.#name} aborts`, () => abort.abort());
    return abort.signal;
  }

  #event(aggregateId: string): NewEvent {
    return { type: "T", aggregateId, ts: 5, payload: { n: `${this.#name}-${String(this.#n++)}` } };
  }
}

async function play(
  scheduler: Scheduler,
  stores: readonly EventStore[],
  history: History,
  settle?: () => Promise<void>,
): Promise<void> {
  const { random } = scheduler;
  const callers = Array.from({ length: 2 + random.below(4) }, (_, i) => {
    const store = stores[i % stores.length];
    if (!store) throw new Error("no store");
    return new Caller(scheduler, recorded(store, history), `caller-${String(i)}`);
  });
  const act = (): boolean => {
    const ready = callers.filter(({ more }) => more);
    ready[random.below(Math.max(1, ready.length))]?.act();
    return callers.some(({ more }) => more);
  };
  await scheduler.run(act, () => callers.some(({ pending }) => pending > 0), settle);
  expect(callers.flatMap(({ problems }) => problems)).toEqual([]);
}

async function close(scheduler: Scheduler, stores: readonly EventStore[], settle?: () => Promise<void>): Promise<void> {
  let open = stores.length;
  for (const store of stores) void store.settle().finally(() => void store.close().finally(() => open--));
  await scheduler.run(null, () => open > 0, settle);
}

async function check(reader: EventStore, history: History): Promise<void> {
  expect((await reader.verify()).error).toBeUndefined();
  const log: StoredRecord[] = [];
  for await (const record of reader.readRecords()) log.push(record);
  expect(await checkHistory(history, log)).toEqual([]);
}

async function onBucket(seed: number, scheduler: Scheduler, faulty: boolean): Promise<void> {
  const { random } = scheduler;
  const bucket = new ObjectMap();
  const history = new History();
  const faults: ScheduledFaults = {
    put: () =>
      random.chance(0.2) ? random.pick(["lost", "unanswered", "late", "unsent", "twice", "twice", "refused"]) : null,
    read: () => random.chance(0.03),
  };
  const modes = Array.from({ length: 1 + random.below(3) }, () => random.chance(0.6));
  const useHead = random.chance(0.5);
  const clients = modes.map(
    (_, i) =>
      new ScheduledObjects(
        scheduler,
        bucket,
        `store ${String(i)}`,
        `seed ${String(seed)}`,
        faulty ? faults : NO_FAULTS,
      ),
  );
  const stores = await Promise.all(
    clients.map((objects, i) =>
      S3EventStore.open({
        objects,
        useHead,
        batch: modes[i],
        skipBucketCheck: true,
        skipBackendProof: true,
        runtime: new ScheduledRuntime(scheduler, `store-${String(i)}`),
        onWarning: () => undefined,
        appendTimeoutMs: faulty ? 4000 : 1e9,
      }),
    ),
  );
  await play(scheduler, stores, history);
  for (const client of clients) client.faults = NO_FAULTS;
  await close(scheduler, stores);
  await check(await S3EventStore.open({ objects: memoryObjects({ bucket }) }), history);
}

async function onFile(scheduler: Scheduler): Promise<void> {
  const { random } = scheduler;
  const log = new ScratchLog();
  const history = new History();
  const rotating = random.chance(0.4) ? { maxBytes: 3000 } : {};
  const stores = await Promise.all(
    Array.from({ length: 1 + random.below(3) }, (_, i) => {
      const runtime = new ScheduledRuntime(scheduler, `store-${String(i)}`);
      let elapsed = 0;
      // So that the lock changes hands in the middle of a burst, too.
      runtime.elapsed = () => (elapsed += random.below(80));
      return log.open({ runtime, ...rotating });
    }),
  );
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, random.chance(0.5) ? 0 : 2));
  await play(scheduler, stores, history, settle);
  await close(scheduler, stores, settle);
  await check(await log.open(), history);
}

async function replayable(seed: number, run: (scheduler: Scheduler) => Promise<void>): Promise<void> {
  const scheduler = new Scheduler(new SeededRandom(seed));
  try {
    await run(scheduler);
  } catch (error) {
    const how = `seed ${String(seed)} (RYNXS_TEST_SEED=${String(seed)} runs it alone)`;
    throw new Error([how, ...scheduler.trace.slice(-50)].join("\n"), { cause: error });
  }
}

describe("appends that expect a version, scheduled at random", () => {
  it.each(seeds(0, 80))("on a server without faults: seed %i", (seed) =>
    replayable(seed, (scheduler) => onBucket(seed, scheduler, false)),
  );
  it.each(seeds(1000, 80))("on a failing server: seed %i", (seed) =>
    replayable(seed, (scheduler) => onBucket(seed, scheduler, true)),
  );
  it.each(seeds(2000, 12))("in a file: seed %i", (seed) => replayable(seed, onFile));

  // One seed alone need not meet everything.
  if (given !== undefined) return;
  it.each([
    "committed",
    "conflict",
    "batch committed",
    "batch conflict",
    "no expectation",
    "ABORTED",
    "COMMIT_UNKNOWN",
    "UNAVAILABLE",
  ])("met on the way: %s", (what) => {
    expect(met.get(what)).toBeGreaterThan(0);
  });
});
