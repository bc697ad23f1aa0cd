import { describe, expect, it } from "vitest";
import { GENESIS_HASH } from "../../../src/core/event.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { EventStore } from "../../../src/stores/port.js";
import { project } from "../../../src/stores/projection/project.js";
import { defineProjection, type Projection } from "../../../src/stores/projection/projection.js";
import { deleteSnapshots, listSnapshots } from "../../../src/stores/projection/snapshots.js";
import { canonicalState } from "../../../src/stores/projection/state.js";
import { event, expected, fill, listening, onBucket, onFile, totals } from "./counter.js";

const stores: readonly (readonly [string, () => Promise<EventStore>])[] = [
  ["on a bucket", () => onBucket(memoryObjects().bucket)],
  ["in a file", onFile],
];

async function seqs(store: EventStore): Promise<number[]> {
  return (await listSnapshots(store, "totals")).map(({ seq }) => seq);
}

describe.each(stores)("a projection %s", (_, open) => {
  it("comes to nothing but its initial state on an empty log, and writes no snapshot", async () => {
    const store = await open();
    const found = await project(store, totals, { snapshot: true });
    expect(found).toMatchObject({ state: expected(0), from: -1, events: 0, head: { seq: -1, hash: GENESIS_HASH } });
    expect(found.snapshot).toBeUndefined();
    expect(await seqs(store)).toEqual([]);
  });

  it("goes on from its snapshot, over what is new alone", async () => {
    const store = await open();
    await fill(store, 0, 30);
    const first = await project(store, totals, { snapshot: true });
    expect(first).toMatchObject({ state: expected(30), from: -1, events: 30, head: await store.head() });
    expect(first.snapshot).toMatchObject({ seq: 29 });
    await fill(store, 30, 37);
    const options = listening();
    const second = await project(store, totals, options);
    expect(second).toMatchObject({ state: expected(37), from: 29, events: 7, head: await store.head() });
    expect(options.warnings).toEqual([]);
    const anew = await project(store, totals, { useSnapshots: false });
    expect(anew).toMatchObject({ from: -1, events: 37, stateHash: second.stateHash });
  });

  it("writes the same bytes again, or none, when nothing is new", async () => {
    const store = await open();
    await fill(store, 0, 5);
    await project(store, totals, { snapshot: true });
    const again = await project(store, totals, { snapshot: true });
    expect(again).toMatchObject({ from: 4, events: 0, state: expected(5) });
    expect(again.snapshot).toBeUndefined();
    const anew = await project(store, totals, { snapshot: true, useSnapshots: false });
    expect(anew.snapshot).toMatchObject({ seq: 4 });
    expect(await seqs(store)).toEqual([4]);
  });

  it("writes one after every N events that were applied, and keeps the newest", async () => {
    const store = await open();
    await fill(store, 0, 95);
    const found = await project(store, totals, { snapshotEvery: 10, keepSnapshots: 3 });
    expect(found).toMatchObject({ state: expected(95), snapshot: { seq: 89 } });
    expect(await seqs(store)).toEqual([69, 79, 89]);
    expect(await project(store, totals)).toMatchObject({ from: 89, events: 5, state: expected(95) });
    await project(store, totals, { snapshot: true, keepSnapshots: 1 });
    expect(await seqs(store)).toEqual([94]);
  });

  it("stops at toSeq, and starts from a snapshot before it", async () => {
    const store = await open();
    await fill(store, 0, 40);
    await project(store, totals, { snapshotEvery: 10 });
    const found = await project(store, totals, { toSeq: 24 });
    const hash = await store.getEventHash(24);
    expect(found).toMatchObject({ state: expected(25), from: 19, events: 5, head: { seq: 24, hash } });
    expect(await project(store, totals, { toSeq: 19 })).toMatchObject({ state: expected(20), from: 19, events: 0 });
    expect(await project(store, totals, { toSeq: 3 })).toMatchObject({ state: expected(4), from: -1 });
    // an older state is no reason to delete newer ones
    await project(store, totals, { toSeq: 24, snapshot: true, keepSnapshots: 1 });
    expect(await seqs(store)).toEqual([24, 29, 39]);
    await project(store, totals, { toSeq: 26, snapshot: true, keepSnapshots: 1, useSnapshots: false });
    expect(await seqs(store)).toEqual([26, 29, 39]);
  });

  it("applies only what passes its filter, and knows how far it has looked", async () => {
    const store = await open();
    await fill(store, 0, 20);
    const some: Projection<number[]> = defineProjection<number[]>({
      name: "some",
      version: 1,
      initial: [],
      filter: { type: ["T0", "T2"], aggregateId: "a-1" },
      apply: (state, { payload }) => [...state, payload["n"] as number],
    });
    const all = [5, 9, 17];
    const found = await project(store, some, { snapshot: true });
    expect(found).toMatchObject({ state: all, events: 3, head: await store.head(), snapshot: { seq: 19 } });
    const one = defineProjection({ ...some, name: "one", filter: { type: "T0" } });
    expect((await project(store, one)).state).toEqual([0, 3, 6, 9, 12, 15, 18]);
    expect(await project(store, one, { toSeq: 10 })).toMatchObject({ state: [0, 3, 6, 9], head: { seq: 10 } });
    await fill(store, 20, 24);
    expect(await project(store, some)).toMatchObject({ state: [...all, 21], from: 19, events: 1, head: { seq: 23 } });
  });

  it("loses no digit of a number on the way through a snapshot", async () => {
    const store = await open();
    const huge = 12345678901234567890n;
    const last = defineProjection<unknown>({
      name: "last",
      version: 1,
      initial: null,
      apply: (_, { payload }) => payload,
    });
    const payload = {
      huge,
      negative: -huge,
      two53: 2 ** 53,
      tiny: 1e-7,
      zero: -0,
      one: 1.5,
      "\ufb33": "😀",
      __proto__x: 1,
    };
    await store.append({ type: "T", aggregateId: "a", payload });
    const first = await project(store, last, { snapshot: true });
    const second = await project(store, last);
    expect(second.from).toBe(0);
    expect(second).toMatchObject({ state: payload, stateHash: first.stateHash });
    expect(canonicalState(second.state)).toBe(canonicalState(payload));
    expect(canonicalState(second.state)).toContain('"huge":12345678901234567890,');
    expect(canonicalState(second.state)).toContain('"two53":9007199254740992.0');
  });

  it("has a shelf for each version and name", async () => {
    const store = await open();
    await fill(store, 0, 3);
    await project(store, totals, { snapshot: true });
    const next = defineProjection({ ...totals, version: 2, initial: { count: 1000, byAggregate: {}, seen: [] } });
    expect(await project(store, next, { snapshot: true })).toMatchObject({ from: -1, state: { count: 1003 } });
    const other = defineProjection({ ...totals, name: "totals.2" });
    expect(await project(store, other, { snapshot: true })).toMatchObject({ from: -1 });
    const listed = await listSnapshots(store, "totals");
    expect(listed.map(({ version, seq }) => [version, seq])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(await deleteSnapshots(store, "totals")).toBe(2);
    expect(await listSnapshots(store, "totals")).toEqual([]);
    expect(await project(store, other)).toMatchObject({ from: 2 });
    expect((await store.verify()).valid).toBe(true);
  });

  it("can be ended and goes on from its last snapshot", async () => {
    const store = await open();
    await fill(store, 0, 100);
    const abort = new AbortController();
    const onProgress = ({ events }: { events: number }): void => {
      if (events === 57) abort.abort();
    };
    const run = project(store, totals, { snapshotEvery: 10, signal: abort.signal, onProgress });
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
    expect(await project(store, totals)).toMatchObject({ from: 49, state: expected(100) });
  });
});

describe("what is handed out", () => {
  it("shares nothing with the projection, nor with another run", async () => {
    const store = await onBucket(memoryObjects().bucket);
    await fill(store, 0, 3);
    const first = await project(store, totals);
    first.state.seen.push(99);
    expect((await project(store, totals)).state).toEqual(expected(3));
    expect(totals.initial).toEqual(expected(0));
    const same = { n: 1 };
    const twoNames = defineProjection<unknown>({ name: "x", version: 1, initial: null, apply: () => [same, same] });
    const { state } = await project(store, twoNames);
    const [one, other] = state as unknown[];
    expect(one).toEqual(other);
    expect(one).not.toBe(other);
    expect(one).not.toBe(same);
  });
});

describe("what is refused", () => {
  const bad = (change: object): (() => unknown) => {
    return () => defineProjection({ ...totals, ...change });
  };

  it("is a projection without a sound name, version, apply, initial state or filter", () => {
    for (const name of ["", "a/b", ".", "..", "x".repeat(101), "ä", undefined])
      expect(bad({ name }), String(name)).toThrow(/name of a projection/);
    for (const version of [0, -1, 1.5, "1", undefined, 2 ** 60]) expect(bad({ version })).toThrow(/positive integer/);
    expect(bad({ apply: undefined })).toThrow(/must be a function/);
    expect(bad({ aply: 1 })).toThrow(/no "aply"/);
    for (const filter of [{ type: [] }, { type: "" }, { type: [""] }, { aggregateId: "" }, { aggregate: "a" }])
      expect(bad({ filter }), JSON.stringify(filter)).toThrow(/filter/);
    const { name, version, apply } = totals;
    expect(() => defineProjection({ name, version, apply } as never)).toThrow(/no initial state/);
    expect(() => defineProjection(undefined as never)).toThrow(/an object/);
  });

  it("is an option that makes no sense", async () => {
    const store = await onBucket(memoryObjects().bucket);
    for (const options of [{ toSeq: -1 }, { snapshotEvery: 0 }, { keepSnapshots: 0 }, { snapshotEvery: 1.5 }])
      await expect(project(store, totals, options)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    await expect(project(store, totals, { twice: true, snapshotEvery: 5 })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
    await expect(listSnapshots(store, "../x")).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it("is a state that is not JSON, with its path", async () => {
    const store = await onBucket(memoryObjects().bucket);
    await fill(store, 0, 3);
    const states: readonly (readonly [unknown, string])[] = [
      [{ x: [1, Number.NaN] }, "$.state.x[1]"],
      [{ x: [undefined] }, "$.state.x[0]"],
      [{ at: new Date(0) }, "$.state.at"],
      [new Map(), "$.state"],
      [() => 1, "$.state"],
      ["\ud800", "$.state"],
    ];
    for (const [state, path] of states) {
      const run = project(store, { name: "bad", version: 1, initial: null, apply: () => state });
      await expect(run).rejects.toMatchObject({ code: "NOT_DETERMINISTIC", facts: { path, seq: 2 } });
    }
    const initial = project(store, { ...totals, initial: { x: 1n / 1n, y: Infinity } as never });
    await expect(initial).rejects.toMatchObject({ code: "NOT_DETERMINISTIC", facts: { path: "$.state.y" } });
  });

  it("is a state of more than 64 MiB", async () => {
    const store = await onBucket(memoryObjects().bucket);
    await fill(store, 0, 1);
    const run = project(store, { name: "big", version: 1, initial: "", apply: () => "x".repeat(64 * 1024 * 1024) });
    await expect(run).rejects.toMatchObject({ code: "TOO_LARGE", facts: { seq: 0, actual: 64 * 1024 * 1024 + 2 } });
  });

  it("is an apply that throws, gives nothing, or is asynchronous: it names the event", async () => {
    const store = await onBucket(memoryObjects().bucket);
    await store.appendBatch([event(0), event(1, "Strange")]);
    const run = (apply: (state: unknown, e: { seq: number }) => unknown): Promise<unknown> =>
      project(store, { name: "p", version: 1, initial: 0, apply });
    const odd = (then: () => unknown) => (state: unknown, e: { seq: number }) => (e.seq === 1 ? then() : state);
    await expect(run(odd(() => (undefined as never as { x: { y: number } }).x.y))).rejects.toMatchObject({
      code: "PROJECTION_FAILED",
      message: expect.stringMatching(/projection p, version 1, threw at seq 1 \(type Strange\): TypeError: /) as string,
      facts: { seq: 1 },
    });
    await expect(run(odd(() => undefined))).rejects.toThrow(/gave nothing at seq 1/);
    await expect(run(odd(() => Promise.resolve(1)))).rejects.toThrow(/gave a promise at seq 1/);
    const initial = (): number => {
      throw new Error("no");
    };
    await expect(project(store, { name: "p", version: 1, initial, apply: (s) => s })).rejects.toThrow(/Error: no/);
  });

  it("is a log with a fault: the state of what comes before it is not given", async () => {
    const { bucket } = memoryObjects();
    const store = await onBucket(bucket);
    for (let n = 0; n < 5; n++) await store.append(event(n));
    const key = "events/0000000003.json";
    bucket.put(key, (bucket.get(key)?.body.toString() ?? "").replace('"n":3', '"n":4'));
    await expect(project(store, totals)).rejects.toMatchObject({ code: "HASH_MISMATCH", seq: 3 });
  });
});
