import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BackendError } from "../../../src/core/errors.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectMap } from "../../../src/objects/object-map.js";
import type { ObjectStore } from "../../../src/objects/port.js";
import type { EventStore } from "../../../src/stores/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { consume } from "../../../src/stores/subscription/consume.js";
import type { Runtime } from "../../../src/system/runtime.js";
import { FAULTS, startS3Emulator, type S3Emulator } from "../../../src/testing/s3-emulator/index.js";
import { FaultBench, QuickRuntime } from "../../log/fault-bench.js";
import { overriding } from "../../log/overriding.js";
import { SeededRandom } from "../../log/random.js";
import { Collected, event, ManualRuntime, range } from "./bench.js";

const unavailable = (): BackendError => new BackendError("UNAVAILABLE", "the test wants it so");

/** Fails now and then, as a driver does that has given up. */
function unreliable(objects: ObjectStore, random: SeededRandom, share: number): ObjectStore {
  const maybe = <R>(work: () => Promise<R>): Promise<R> =>
    random.chance(share) ? Promise.reject(unavailable()) : work();
  return overriding(objects, {
    get: (...args) => maybe(() => objects.get(...args)),
    list: (...args) => maybe(() => objects.list(...args)),
  });
}

let processes = 0;
let ids = 0;

/** Another process on the log, its requests as unreliable as that. */
function open(
  bucket: ObjectMap,
  random: SeededRandom,
  share: number,
  runtime: Runtime = new QuickRuntime(() => `id-${String(ids++)}`),
): Promise<EventStore> {
  const objects = memoryObjects({ bucket, identity: `process-${String(processes++)}:` });
  return S3EventStore.open({
    objects: unreliable(objects, random, share),
    skipBucketCheck: true,
    skipBackendProof: true,
    useHead: random.chance(0.5),
    runtime,
  });
}

describe("a backend that fails now and then, while writers append", () => {
  it.each(range(1, 30))("seed %i: every event once and in order, whatever failed", async (seed) => {
    const random = new SeededRandom(seed);
    const { bucket } = memoryObjects();
    const writers = [await open(bucket, random, 0), await open(bucket, random, 0)];
    const runtime = new ManualRuntime();
    const troubles: string[] = [];
    const open1 = await open(bucket, random, 0.15, runtime);
    const follow = (options: Parameters<EventStore["subscribe"]>[0]): Collected =>
      new Collected(open1.subscribe({ onTrouble: ({ code }) => void troubles.push(code), ...options }));
    const all = follow({});
    const some = follow({ filter: { aggregateId: "a-1" } });
    const late = follow({ from: 40 });
    const total = 120;
    for (let n = 0; n < total;) {
      const count = Math.min(total - n, 1 + random.below(5));
      const batch = range(n, n + count - 1).map((i) => event(i));
      await writers[random.below(2)]?.appendBatch(batch);
      n += count;
      if (random.chance(0.4)) await runtime.pass(random.below(3_000));
    }
    const reached = (): number => Math.min(...[all, late, some].map(({ seqs }) => seqs.at(-1) ?? 0));
    // The last one of the aggregate is the last but one of all.
    for (let i = 0; i < 300 && reached() < total - 2; i++) await runtime.pass(10_000);
    await runtime.pass(60_000);
    expect(all.events.map(({ payload }) => payload["n"])).toEqual(range(0, total - 1));
    expect(some.seqs).toEqual(range(0, total - 1).filter((n) => n % 3 === 1));
    expect(late.seqs).toEqual(range(40, total - 1));
    expect(troubles.length).toBeGreaterThan(0);
    expect(new Set(troubles)).toEqual(new Set(["UNAVAILABLE"]));
    await open1.close();
    expect([await all.ended, await some.ended, await late.ended]).toEqual([null, null, null]);
  });

  it("waits with growing pauses, says so once, and again only after it was reached", async () => {
    const { bucket } = memoryObjects();
    const runtime = new ManualRuntime();
    const random = new SeededRandom(1);
    let down = false;
    let asked = 0;
    const real = memoryObjects({ bucket });
    const answer = <R>(work: () => Promise<R>): Promise<R> => {
      asked++;
      return down ? Promise.reject(unavailable()) : work();
    };
    const objects = overriding(real, {
      get: (...args) => answer(() => real.get(...args)),
      list: (...args) => answer(() => real.list(...args)),
    });
    const writer = await open(bucket, random, 0);
    await writer.append(event(0));
    const store = await S3EventStore.open({ objects, runtime });
    const troubles: string[] = [];
    const got = new Collected(store.subscribe({ onTrouble: ({ code }) => void troubles.push(code) }));
    await runtime.pass(5_000);
    for (const round of [1, 2]) {
      down = true;
      await writer.append(event(round));
      asked = 0;
      await runtime.pass(600_000);
      expect(asked).toBeLessThan(60);
      expect(troubles).toHaveLength(round);
      down = false;
      await runtime.pass(60_000);
      expect(got.seqs).toEqual(range(0, round));
    }
    await store.close();
  });

  it("ends a subscription with every other failure", async () => {
    const { bucket } = memoryObjects();
    const real = memoryObjects({ bucket });
    const denied = new BackendError("ACCESS_DENIED", "no");
    let refuse = false;
    const objects = overriding(real, {
      get: (...args) => (refuse ? Promise.reject(denied) : real.get(...args)),
    });
    const runtime = new ManualRuntime();
    const store = await S3EventStore.open({ objects, runtime });
    const got = new Collected(store.subscribe());
    await runtime.pass(5_000);
    refuse = true;
    await runtime.pass(5_000);
    expect(await got.ended).toBe(denied);
  });
});

describe("a server that drops, cuts and refuses answers, while writers append", () => {
  let emulator: S3Emulator;
  beforeAll(async () => {
    emulator = await startS3Emulator({ buckets: ["events"] });
  });
  afterAll(() => emulator.close());

  const kinds = [
    FAULTS.dropRequest,
    FAULTS.dropAnswer,
    FAULTS.resetAfter,
    FAULTS.internalError,
    FAULTS.slowDown(),
    FAULTS.tooManyRequests(),
    FAULTS.truncated,
  ];

  it.each(range(1, 6))("seed %i: handled once and in order, whatever happens to requests", async (seed) => {
    const random = new SeededRandom(seed);
    const bench = new FaultBench(emulator);
    const total = 40;
    const fault = (): (typeof kinds)[number] => kinds[random.below(kinds.length)] ?? FAULTS.dropAnswer;
    for (let i = 0; i < 25; i++)
      bench.fault(fault(), { method: "GET", key: new RegExp(`^${bench.prefix}|^$`), nth: 1 + 4 * i + random.below(4) });
    for (let i = 0; i < 15; i++)
      bench.fault(fault(), { method: "PUT", key: new RegExp("_positions/mailer"), nth: 1 + 2 * i + random.below(2) });
    const writers: [EventStore, EventStore] = [await bench.open({ batch: true }), await bench.open()];
    const store = await S3EventStore.open({
      objects: bench.driver(),
      prefix: bench.prefix,
      runtime: bench.runtime(),
      skipBackendProof: true,
      skipBucketCheck: true,
    });
    const handled: unknown[] = [];
    const options = {
      name: "mailer",
      handler: (recorded: { readonly payload: unknown }) => void handled.push(recorded.payload),
      to: total - 1,
      pollMs: 5,
      onTrouble: () => undefined,
      runtime: new QuickRuntime(bench.newId),
    };
    const consumed = consume(store, options);
    for (let n = 0; n < total; n += 4)
      await Promise.all(range(n, n + 3).map((i) => random.pick(writers).append(event(i))));
    expect(await consumed).toMatchObject({ seq: total - 1 });
    const inLog: unknown[] = [];
    emulator.faults.clear();
    for await (const { payload } of store.read()) inLog.push(payload);
    expect(handled).toHaveLength(total);
    expect(handled).toEqual(inLog);
    await bench.close();
  });
});
