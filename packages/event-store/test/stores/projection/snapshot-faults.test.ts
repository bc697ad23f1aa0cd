import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { BackendError } from "../../../src/core/errors.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectStore } from "../../../src/objects/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import type { EventStore } from "../../../src/stores/port.js";
import { project } from "../../../src/stores/projection/project.js";
import { listSnapshots } from "../../../src/stores/projection/snapshots.js";
import { startS3Emulator, type Fault, type S3Emulator } from "../../../src/testing/s3-emulator/index.js";
import { FaultBench, isSlow, QuickRuntime } from "../../log/fault-bench.js";
import { REFUSALS, UNTOLD } from "../../log/fault-kinds.js";
import { overriding } from "../../log/overriding.js";
import type { Projection } from "../../../src/stores/projection/projection.js";
import { expected, fill, listening, onBucket, totals, type Totals } from "./counter.js";

const EVENTS = 30;
const SNAPSHOT = /_snapshots\/totals\/1\/[0-9]{10}\.json$/;
let emulator: S3Emulator;

beforeAll(async () => {
  emulator = await startS3Emulator({ buckets: ["events"] });
});
afterAll(() => emulator.close());

/** A log of 30 events, with snapshots at `seqs`. */
async function benchWith(seqs: readonly number[], fault?: Fault): Promise<{ bench: FaultBench; store: EventStore }> {
  const bench = new FaultBench(emulator, { impatient: fault !== undefined && isSlow(fault) });
  onTestFinished(() => bench.close());
  const objects = bench.driver();
  const store = await S3EventStore.open({ objects, prefix: bench.prefix, onWarning: () => undefined });
  await fill(store, 0, EVENTS);
  for (const toSeq of seqs) await project(store, totals, { toSeq, snapshot: true });
  return { bench, store };
}

const runtime = (): QuickRuntime => new QuickRuntime(() => "id");
const untold = Object.entries(UNTOLD).flatMap(([fate, faults]) =>
  faults.map((fault) => [fault.name, fate, fault] as const),
);

/** Whatever happened to its writing: the next run is right, from a snapshot or without. */
async function expectSound({ bench, store }: { bench: FaultBench; store: EventStore }): Promise<void> {
  bench.emulator.faults.clear();
  for (const useSnapshots of [true, false])
    expect((await project(store, totals, { useSnapshots })).state).toEqual(expected(EVENTS));
  await project(store, totals, { snapshot: true });
  expect(await project(store, totals)).toMatchObject({ from: EVENTS - 1, state: expected(EVENTS) });
  expect((await store.verify()).valid).toBe(true);
}

describe("a snapshot whose put", () => {
  it.each(untold)("ends in %s (%s) once is written all the same", async (_, __, fault) => {
    const { bench, store } = await benchWith([9], fault);
    bench.fault(fault, { method: "PUT", key: SNAPSHOT });
    const options = listening({ snapshot: true, runtime: runtime() });
    const found = await project(store, totals, options);
    bench.heal();
    expect(found).toMatchObject({ from: 9, state: expected(EVENTS), snapshot: { seq: EVENTS - 1 } });
    expect(options.warnings).toEqual([]);
    expect((await listSnapshots(store, "totals")).map(({ seq }) => seq)).toEqual([9, EVENTS - 1]);
    await expectSound({ bench, store });
  });

  it.each(untold)("ends in %s (%s) always is not: the state is right, and that is said", async (_, __, fault) => {
    const { bench, store } = await benchWith([9], fault);
    bench.fault(fault, { method: "PUT", key: SNAPSHOT, count: Infinity });
    // The slow ones once only: each try ends with the client's time-out.
    const often = isSlow(fault) ? {} : { snapshotEvery: 10 };
    const options = listening({ ...often, snapshot: true, runtime: runtime() });
    const found = await project(store, totals, options);
    expect(found).toMatchObject({ from: 9, state: expected(EVENTS) });
    for (const { code } of options.warnings) expect(code).toBe("SNAPSHOT_NOT_WRITTEN");
    if (found.snapshot === undefined) expect(options.warnings).toHaveLength(1);
    await expectSound({ bench, store });
  });

  it.each(REFUSALS.map(([fault]) => [fault.name, fault] as const))(
    "is refused (%s) fails nothing",
    async (_, fault) => {
      const { bench, store } = await benchWith([9]);
      bench.fault(fault, { method: "PUT", key: SNAPSHOT, count: Infinity });
      const options = listening({ snapshotEvery: 5, snapshot: true, runtime: runtime() });
      const found = await project(store, totals, options);
      expect(found).toMatchObject({ from: 9, state: expected(EVENTS) });
      expect(found.snapshot).toBeUndefined();
      expect(options.warnings).toMatchObject([{ code: "SNAPSHOT_NOT_WRITTEN" }]);
      await expectSound({ bench, store });
    },
  );
});

describe("when snapshots cannot be had", () => {
  it.each(["listed", "read", "deleted"] as const)("(%s) the state is right, and that is said", async (what) => {
    const { bench, store } = await benchWith([9]);
    const refusing = await bench.open({ between: (objects) => refusingSnapshots(objects, what) });
    const options = listening({ snapshot: true, keepSnapshots: 1, runtime: runtime() });
    const found = await project(refusing, totals, options);
    expect(found).toMatchObject({ from: what === "deleted" ? 9 : -1, state: expected(EVENTS) });
    const codes = { listed: ["SNAPSHOT_UNUSABLE"], read: ["SNAPSHOT_UNUSABLE"], deleted: ["SNAPSHOT_NOT_DELETED"] };
    expect(options.warnings.map(({ code }) => code)).toEqual(codes[what]);
    expect(found.snapshot).toMatchObject({ seq: EVENTS - 1 });
    await expectSound({ bench, store });
  });

  it("an abort is an abort", async () => {
    const { store } = await benchWith([9]);
    const abort = AbortSignal.abort();
    await expect(project(store, totals, listening({ signal: abort }))).rejects.toMatchObject({ code: "ABORTED" });
  });
});

/** Whoever asks for snapshots in this way lacks the permission. */
function refusingSnapshots(objects: ObjectStore, what: "listed" | "read" | "deleted"): ObjectStore {
  const unless = <T>(key: string, work: () => Promise<T>): Promise<T> =>
    key.includes("_snapshots") ? Promise.reject(new BackendError("ACCESS_DENIED", "denied")) : work();
  return overriding(objects, {
    ...(what === "listed" && { list: (options) => unless(options.prefix, () => objects.list(options)) }),
    ...(what === "read" && { get: (key, options) => unless(key, () => objects.get(key, options)) }),
    ...(what === "deleted" && { delete: (key, options) => unless(key, () => objects.delete(key, options)) }),
  });
}

describe("several that write the same snapshots at once", () => {
  it("agree", async () => {
    const { bucket } = memoryObjects();
    await fill(await onBucket(bucket), 0, 300);
    const all = [1, 2, 3, 4].map(async () => {
      const options = listening({ snapshotEvery: 50, snapshot: true, keepSnapshots: 2 });
      const found = await project(await onBucket(bucket), totals, options);
      return { found, warnings: options.warnings };
    });
    for (const { found, warnings } of await Promise.all(all)) {
      expect(found).toMatchObject({ state: expected(300), snapshot: { seq: 299 } });
      expect(warnings).toEqual([]);
    }
    const store = await onBucket(bucket);
    expect((await listSnapshots(store, "totals")).at(-1)?.seq).toBe(299);
    expect(await project(store, totals)).toMatchObject({ from: 299 });
  });

  it("are told when they do not", async () => {
    const { bucket } = memoryObjects();
    const store = await onBucket(bucket);
    await fill(store, 0, 30);
    await project(store, totals, { snapshot: true });
    const changed: Projection<Totals> = { ...totals, apply: (state) => state };
    const run = project(store, changed, { snapshot: true, useSnapshots: false });
    await expect(run).rejects.toMatchObject({ code: "NOT_DETERMINISTIC", facts: { seq: 29 } });
  });
});

describe("a process that dies", () => {
  it.each(Array.from({ length: 14 }, (_, i) => i))("before its request %i leaves everything sound", async (last) => {
    const { bucket } = memoryObjects();
    const writer = await onBucket(bucket);
    await fill(writer, 0, EVENTS);
    await project(writer, totals, { toSeq: 9, snapshot: true });
    // Of no use, so that there is something to delete and to replace.
    bucket.put("events/_snapshots/totals/1/0000000019.json", "{}");
    let requests = 0;
    const objects = memoryObjects({ bucket });
    const dying = <A extends unknown[], R>(method: (...args: A) => Promise<R>) => {
      return (...args: A): Promise<R> => {
        if (requests++ < last) return method.apply(objects, args);
        throw new Error("dead");
      };
    };
    const store = await onBucket(bucket, objects);
    const { get, list, putIfAbsent, replaceIfMatch } = objects;
    const remove = objects.delete.bind(objects);
    objects.get = dying(get);
    objects.list = dying(list);
    objects.putIfAbsent = dying(putIfAbsent);
    objects.replaceIfMatch = dying(replaceIfMatch);
    objects.delete = dying(remove);
    const options = listening({ snapshotEvery: 10, snapshot: true, keepSnapshots: 1 });
    const died = await project(store, totals, options).then(
      () => false,
      () => true,
    );
    if (last < 8) expect(died).toBe(true);
    const after = await onBucket(bucket);
    for (const useSnapshots of [true, false])
      expect((await project(after, totals, listening({ useSnapshots }))).state).toEqual(expected(EVENTS));
    expect(await project(after, totals, listening({ snapshot: true, keepSnapshots: 1 }))).toMatchObject({
      state: expected(EVENTS),
    });
    const last1 = await listSnapshots(after, "totals");
    expect(last1.at(-1)?.seq).toBe(EVENTS - 1);
    expect((await after.verify()).valid).toBe(true);
  });
});
