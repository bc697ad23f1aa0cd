import { describe, expect, it } from "vitest";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { EventStore } from "../../../src/stores/port.js";
import { project } from "../../../src/stores/projection/project.js";
import { defineProjection, type Projection } from "../../../src/stores/projection/projection.js";
import { expected, fill, listening, onBucket, totals } from "./counter.js";

const EVENTS = 1500;

async function filled(): Promise<EventStore> {
  const store = await onBucket(memoryObjects().bucket);
  await fill(store, 0, EVENTS);
  return store;
}

/** A projection of what `apply` makes of each n. */
function of<S>(initial: S | (() => S), apply: (state: S, n: number) => S, name = "p"): Projection<S> {
  return defineProjection<S>({
    name,
    version: 1,
    initial,
    apply: (state, { payload }) => apply(state, payload["n"] as number),
  });
}

describe("a projection that is run twice", () => {
  it("gives its state when both runs are the same, and then writes it", async () => {
    const store = await filled();
    const found = await project(store, totals, { twice: true, snapshot: true });
    expect(found).toMatchObject({ state: expected(EVENTS), from: -1, events: EVENTS, snapshot: { seq: EVENTS - 1 } });
    await fill(store, EVENTS, EVENTS + 20);
    const next = await project(store, totals, { twice: true });
    expect(next).toMatchObject({ from: EVENTS - 1, events: 20, state: expected(EVENTS + 20) });
    const filtered = { ...totals, name: "some", filter: { type: "T1" } };
    expect(await project(store, filtered, { twice: true })).toMatchObject({
      state: { count: 507 },
      head: { seq: 1519 },
    });
    expect(await project(await onBucket(memoryObjects().bucket), totals, { twice: true })).toMatchObject({ events: 0 });
  });

  it.each([0, 1, 2, 255, 256, 700, 1300, EVENTS - 1])(
    "is told the first event behind which the states differ: %i",
    async (bad) => {
      const store = await filled();
      let calls = 0;
      const run = project(
        store,
        of({ sum: 0, odd: 0 }, ({ sum, odd }, n) => ({ sum: sum + n, odd: n === bad ? ++calls : odd })),
        { twice: true, snapshot: true },
      );
      await expect(run).rejects.toMatchObject({
        code: "NOT_DETERMINISTIC",
        facts: {
          seq: bad,
          expected: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
          actual: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        },
        message: expect.stringContaining(`first at seq ${String(bad)} (type T${String(bad % 3)})`) as string,
      });
      await expect(run).rejects.toSatisfy(
        ({ facts }: { facts: Record<string, string> }) => facts["expected"] !== facts["actual"],
      );
      expect((await store.derived.objects.list({ prefix: "events/_snapshots" })).entries).toEqual([]);
    },
  );

  it("must not remember anything outside of its state", async () => {
    const seen = new Set<number>();
    const store = await filled();
    const first = of({ fresh: 0 }, (state, n) => {
      if (!seen.has(n)) state.fresh++;
      seen.add(n);
      return state;
    });
    // It does not happen again: what is known is where it showed.
    await expect(project(store, first, { twice: true })).rejects.toMatchObject({
      code: "NOT_DETERMINISTIC",
      facts: { seq: 0 },
      message: expect.stringContaining("first at seq 0") as string,
    });
    const late = of({ fresh: 0 }, (state, n) => {
      if (n > 5 && !seen.has(-n)) state.fresh++;
      if (n > 5) seen.add(-n);
      return state;
    });
    await expect(project(store, late, { twice: true })).rejects.toMatchObject({
      code: "NOT_DETERMINISTIC",
      facts: { seq: 7 },
      message: expect.stringContaining("somewhere from seq 4 to 7") as string,
    });
  });

  it("must not rely on what JSON does not keep", async () => {
    const store = await filled();
    const big = of<{ total: bigint } | null>(null, (state, n) => ({ total: (state?.total ?? 0n) + BigInt(n) }));
    expect((await project(store, big)).state).toEqual({ total: (EVENTS * (EVENTS - 1)) / 2 });
    const error = { code: "NOT_DETERMINISTIC", facts: { seq: 1 } };
    await expect(project(store, big, { twice: true })).rejects.toMatchObject(error);
    await expect(project(store, big, { twice: true })).rejects.toThrow(/first at seq 1 /);
    // An initial state goes through JSON in every run, so this shows in every run.
    const bigAtOnce = of({ total: 0n }, ({ total }, n) => ({ total: total + BigInt(n) }));
    await expect(project(store, bigAtOnce)).rejects.toThrow(/threw at seq 0 .*Cannot mix BigInt/);
    const sound = of<{ total: bigint | number }>({ total: 0 }, ({ total }, n) => ({
      total: BigInt(total) + BigInt(n),
    }));
    await project(store, sound, { twice: true });
    interface Shared {
      items: { n: number }[];
      last: { n: number };
    }
    const shared = of<Shared>({ items: [], last: { n: 0 } }, (state, n) => {
      state.last.n = n;
      if (n % 10 === 3) state.items = [(state.last = { n })];
      return state;
    });
    // What both runs start from has lost it already: all that is known is where it showed.
    await expect(project(store, shared, { twice: true })).rejects.toThrow(/somewhere from seq 4 to 7/);
    const absent = of<{ x?: number | undefined; n: number }>({ n: 0 }, (state) => ({
      x: undefined,
      n: "x" in state ? 1 : 2,
    }));
    await expect(project(store, absent, { twice: true })).rejects.toMatchObject({ code: "NOT_DETERMINISTIC" });
  });

  it("may change the events that it is given", async () => {
    const greedy = defineProjection<number>({
      name: "greedy",
      version: 1,
      initial: 0,
      apply: (state, { payload }) => {
        const { n } = payload as { n: number };
        (payload as Record<string, unknown>)["n"] = -1;
        return state + n;
      },
    });
    expect(await project(await filled(), greedy, { twice: true })).toMatchObject({
      state: (EVENTS * (EVENTS - 1)) / 2,
    });
  });

  it("is told the right event also when it changes those that it is given", async () => {
    let calls = 0;
    const greedy = defineProjection<number>({
      name: "greedy",
      version: 1,
      initial: 0,
      apply: (state, { seq, payload }) => {
        const { n } = payload as { n: number };
        (payload as Record<string, unknown>)["n"] = -1;
        return state + n + (seq === 77 ? ++calls : 0);
      },
    });
    await expect(project(await filled(), greedy, { twice: true })).rejects.toThrow(/first at seq 77 /);
  });

  it("may fail the second time: that is told as such", async () => {
    const store = await filled();
    let calls = 0;
    const run = of(0, (state) => {
      if (++calls > EVENTS + 1000) throw new Error("enough");
      return state;
    });
    await expect(project(store, run, { twice: true })).rejects.toMatchObject({
      code: "NOT_DETERMINISTIC",
      facts: { actual: expect.stringContaining("Error: enough") as string },
    });
    const always = of(0, (state, n) => {
      if (n === 77) throw new Error("always");
      return state;
    });
    await expect(project(store, always, { twice: true })).rejects.toMatchObject({
      code: "PROJECTION_FAILED",
      facts: { seq: 77 },
    });
  });
});

describe("a run with snapshots", () => {
  it("goes on as a run from one of them would: what JSON does not keep is gone", async () => {
    const store = await filled();
    const big = of<{ total: bigint } | null>(null, (state, n) => ({ total: (state?.total ?? 0n) + BigInt(n) }));
    await expect(project(store, big, listening({ snapshotEvery: 10 }))).rejects.toMatchObject({
      code: "PROJECTION_FAILED",
      facts: { seq: 10 },
    });
  });
});
