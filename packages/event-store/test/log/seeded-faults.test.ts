import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EventStoreError } from "../../src/core/errors.js";
import type { NewEvent } from "../../src/core/event.js";
import type { EventStore } from "../../src/stores/port.js";
import { FAULTS, startS3Emulator, type Fault, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { FaultBench, QuickRuntime } from "./fault-bench.js";
import { SeededRandom } from "./random.js";

/*
 * Writers and readers of one log, each doing what its seed says, on a server that fails as its seed says. To run one
 * seed again: RYNXS_TEST_SEED=n.
 */
const given = process.env["RYNXS_TEST_SEED"];
const SEEDS = given === undefined ? Array.from({ length: 64 }, (_, seed) => seed) : [Number(given)];
const WRITERS = 4;
const APPENDS = 10;

const PUT_FAULTS: readonly [Fault, ...Fault[]] = [
  FAULTS.dropRequest,
  FAULTS.dropAnswer,
  FAULTS.resetBefore,
  FAULTS.resetAfter,
  FAULTS.applyLate,
  FAULTS.applyLate,
  FAULTS.applyLateAfter(3),
  FAULTS.conflict,
  FAULTS.conflictAfterCommit,
  FAULTS.internalError,
  FAULTS.internalErrorAfterCommit,
  FAULTS.slowDown(1),
  FAULTS.tooManyRequests(2),
  FAULTS.truncated,
  FAULTS.twice,
  FAULTS.slow(4),
  FAULTS.accessDenied,
  FAULTS.status(400, "InvalidRequest"),
];
const READ_FAULTS: readonly [Fault, ...Fault[]] = [
  FAULTS.dropRequest,
  FAULTS.dropAnswer,
  FAULTS.truncated,
  FAULTS.internalError,
  FAULTS.slowDown(1),
  FAULTS.slow(2),
  FAULTS.accessDenied,
];

let emulator: S3Emulator;
beforeAll(async () => {
  emulator = await startS3Emulator();
});
afterAll(() => emulator.close());

/** What the error codes say happened, over all seeds: a run that met no trouble would prove nothing. */
const met = new Map<string, number>();
const note = (what: string): void => void met.set(what, (met.get(what) ?? 0) + 1);

class Actor {
  readonly #bench: FaultBench;
  readonly #random: SeededRandom;
  readonly #name: string;
  readonly #useHead: boolean;
  #store: EventStore | null = null;
  #count = 0;

  constructor(bench: FaultBench, random: SeededRandom, name: string, useHead: boolean) {
    this.#bench = bench;
    this.#random = random;
    this.#name = name;
    this.#useHead = useHead;
  }

  async write(): Promise<void> {
    for (let i = 0; i < APPENDS; i++) {
      await this.#try(() => this.#append());
      if (this.#random.chance(0.1)) await this.#try(() => this.#settle());
      if (this.#random.chance(0.2)) emulator.releaseLate();
      // A crash: the store is left as it is, and another process takes over.
      if (this.#random.chance(0.1)) this.#store = null;
    }
  }

  async read(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      await this.#try(async () => {
        const store = await this.#open();
        if (this.#random.chance(0.3)) await store.head();
        const leaveAt = this.#random.chance(0.3) ? this.#random.below(20) : Infinity;
        const fromSeq = this.#random.chance(0.3) ? this.#random.below(10) : 0;
        for await (const { seq } of store.read({ fromSeq })) if (seq >= leaveAt) break;
      });
    }
  }

  #append(): Promise<unknown> {
    return this.#random.pick([
      async () => (await this.#open()).append(this.#event()),
      async () => (await this.#open()).appendWithRetry(this.#event()),
      async () => (await this.#open()).appendBatch([this.#event(), this.#event(), this.#event()]),
      async () => {
        const store = await this.#open();
        const expectedPrevHash = await store.getLastHash();
        const { committed } = await store.append(this.#event(), { expectedPrevHash });
        note(committed ? "expectation held" : "conflict");
      },
      // Several at once from one process: they queue.
      async () => {
        const store = await this.#open();
        await Promise.allSettled([store.append(this.#event()), store.append(this.#event())]);
      },
      async () => {
        const abort = new AbortController();
        const pending = (await this.#open()).append(this.#event(), { signal: abort.signal });
        setTimeout(() => abort.abort(), this.#random.below(4));
        await pending;
      },
      // The same bytes from all writers.
      async () => (await this.#open()).append({ type: "Same", aggregateId: "same", ts: 1 }),
    ])();
  }

  async #settle(): Promise<void> {
    const settled = await (await this.#open()).settle();
    if (settled) note(settled.committed ? "settled: committed" : "settled: lost");
  }

  async #open(): Promise<EventStore> {
    const runtime = new QuickRuntime(this.#bench.newId, this.#random.next);
    this.#store ??= await this.#bench.open({
      runtime,
      useHead: this.#useHead,
      skipBackendProof: false,
      appendTimeoutMs: 4000,
    });
    return this.#store;
  }

  #event(): NewEvent {
    return { type: "T", aggregateId: this.#name, payload: { id: `${this.#name}-${String(this.#count++)}` } };
  }

  async #try(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof EventStoreError)) throw error;
      note(error.code);
    }
  }
}

describe("several writers and readers on a failing server", () => {
  it.each(SEEDS)("seed %i", async (seed) => {
    const random = new SeededRandom(seed);
    const bench = new FaultBench(emulator);
    const key = new RegExp(`^${bench.prefix}/`);
    for (let i = 0; i < 30; i++)
      bench.fault(random.pick(PUT_FAULTS), {
        method: "PUT",
        key,
        nth: 1 + random.below(12),
        count: 1 + random.below(3),
      });
    for (let i = 0; i < 10; i++)
      bench.fault(random.pick(READ_FAULTS), { method: "GET", key, nth: 1 + random.below(20) });
    const useHead = random.chance(0.5);
    const actor = (name: string): Actor => new Actor(bench, new SeededRandom(random.below(2 ** 32)), name, useHead);
    const writers = Array.from({ length: WRITERS }, (_, i) => actor(`writer ${String(i)}`));
    const readers = [actor("reader 0"), actor("reader 1")];
    try {
      await Promise.all([...writers.map((writer) => writer.write()), ...readers.map((reader) => reader.read())]);
      const before = await bench.check();
      emulator.releaseLate();
      const after = await bench.check();
      expect(after.length - before.length).toBeLessThanOrEqual(
        bench.history.appends.filter(({ outcome }) => outcome.kind === "unknown").length * 3,
      );
    } catch (error) {
      throw new Error(`seed ${String(seed)} (RYNXS_TEST_SEED=${String(seed)} runs it alone)`, { cause: error });
    } finally {
      await bench.close();
    }
  });

  // One seed alone need not meet everything.
  if (given !== undefined) return;
  it.each([
    "COMMIT_UNKNOWN",
    "conflict",
    "expectation held",
    "ACCESS_DENIED",
    "REQUEST_REFUSED",
    "ABORTED",
    "settled: committed",
    "settled: lost",
  ])("met on the way: %s", (what) => {
    expect(met.get(what)).toBeGreaterThan(0);
  });
});
