import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { BackendError, CommitUnknownError } from "../../src/core/errors.js";
import type { EventStore } from "../../src/stores/port.js";
import { FAULTS, startS3Emulator, type Fault, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { event, failure, FaultBench, isSlow } from "./fault-bench.js";
import { REFUSALS, UNTOLD } from "./fault-kinds.js";

let emulator: S3Emulator;
let bench: FaultBench;
beforeAll(async () => {
  emulator = await startS3Emulator();
});
afterEach(() => bench.close());
afterAll(() => emulator.close());

/** A deadline that leaves room for a few tries; for one, where each costs a time-out. */
const SHORT = { appendTimeoutMs: 300 };
const ONE_TRY = { appendTimeoutMs: 10 };
const briefly = (fault: Fault): typeof SHORT => (isSlow(fault) ? ONE_TRY : SHORT);

/** A log of one record, and a store that has just appended it. */
async function begin(options: Parameters<FaultBench["open"]>[0] = {}, fault?: Fault): Promise<EventStore> {
  bench = new FaultBench(emulator, { impatient: fault !== undefined && isSlow(fault) });
  const store = await bench.open(options);
  await store.append(event(0));
  return store;
}

/** Fails an append of event 1 with COMMIT_UNKNOWN, and ends the fault. */
async function leaveUnknown(store: EventStore, fault: Fault): Promise<CommitUnknownError> {
  bench.faultOnEvents(fault, { count: Infinity });
  const error = await failure(store.append(event(1)));
  bench.heal();
  expect(error).toMatchObject({
    code: "COMMIT_UNKNOWN",
    action: "conflict",
    facts: { key: bench.keys.event(1), seq: 1 },
  });
  if (!(error instanceof CommitUnknownError)) throw error;
  expect(error.seq).toBe(1);
  expect(error.eventHash).toMatch(/^[0-9a-f]{64}$/);
  return error;
}

for (const [fate, faults] of Object.entries(UNTOLD)) {
  const persisted = fate === "persisted";
  describe.each(faults.map((fault) => [fault.name, fault] as const))(
    `an event put that is untold and ${fate}: %s`,
    (_, fault) => {
      it("once: the append goes on and commits once, in its place", async () => {
        const store = await begin({}, fault);
        bench.faultOnEvents(fault);
        expect(await store.append(event(1))).toMatchObject({ committed: true, seq: 1 });
        bench.heal();
        expect(await (await bench.open()).append(event(2))).toMatchObject({ committed: true, seq: 2 });
        await bench.expectEvents(0, 1, 2);
        emulator.releaseLate();
        await bench.expectEvents(0, 1, 2);
      });

      it("once, with an expectation: its own write is no conflict", async () => {
        const store = await begin({}, fault);
        bench.faultOnEvents(fault);
        const expectedPrevHash = await store.getLastHash();
        expect(await store.append(event(1), { expectedPrevHash })).toMatchObject({
          committed: true,
          seq: 1,
          prevHash: expectedPrevHash,
        });
        bench.heal();
        await bench.expectEvents(0, 1);
      });

      it("to the deadline, then the same event again: the first is settled before the second is written", async () => {
        const store = await begin(briefly(fault), fault);
        const { eventHash } = await leaveUnknown(store, fault);
        expect(await store.append(event(1))).toMatchObject({ committed: true, seq: 2, prevHash: eventHash });
        await bench.expectEvents(0, 1, 1);
        emulator.releaseLate();
        await bench.expectEvents(0, 1, 1);
      });

      it("to the deadline, then another event", async () => {
        const store = await begin(briefly(fault), fault);
        const { eventHash } = await leaveUnknown(store, fault);
        expect(await store.append(event(2))).toMatchObject({ committed: true, seq: 2, prevHash: eventHash });
        await bench.expectEvents(0, 1, 2);
        emulator.releaseLate();
        await bench.expectEvents(0, 1, 2);
      });

      it("to the deadline, then settled", async () => {
        const store = await begin(briefly(fault), fault);
        const { seq, eventHash } = await leaveUnknown(store, fault);
        expect(await store.settle()).toEqual({ committed: true, seq, eventHash });
        expect(await store.settle()).toBeNull();
        emulator.releaseLate();
        await bench.expectEvents(0, 1);
      });

      it("to the deadline, then a new store: the event is there once or never", async () => {
        const store = await begin(briefly(fault), fault);
        const { seq, eventHash } = await leaveUnknown(store, fault);
        const next = await bench.open();
        expect(await next.append(event(2))).toMatchObject({ committed: true, seq: persisted ? 2 : 1 });
        await bench.expectEvents(...(persisted ? [0, 1, 2] : [0, 2]));
        emulator.releaseLate();
        // The old store was only slow, not dead: it finds out what became of its append, and goes on behind the other's.
        expect(await store.settle()).toEqual({ committed: persisted, seq, eventHash });
        expect(await store.append(event(3))).toMatchObject({ committed: true, seq: persisted ? 3 : 2 });
        await bench.expectEvents(...(persisted ? [0, 1, 2, 3] : [0, 2, 3]));
      });
    },
  );
}

describe("an event put that is applied after its client gave up", () => {
  it("before the next writer's put: it is there once, and the next one stands behind it", async () => {
    const { eventHash } = await leaveUnknown(await begin(SHORT), FAULTS.applyLate);
    expect(emulator.releaseLate()).toBeGreaterThan(1);
    expect(await (await bench.open()).append(event(2))).toMatchObject({ committed: true, seq: 2, prevHash: eventHash });
    await bench.expectEvents(0, 1, 2);
  });

  it("after the next writer found the tail, before its put: that one loses the race and goes behind", async () => {
    const store = await begin(SHORT);
    const next = await bench.open();
    expect((await next.head()).seq).toBe(0);
    await leaveUnknown(store, FAULTS.applyLate);
    bench.faultOnEvents(FAULTS.dropRequest);
    const slow = next.append(event(2));
    await bench.arrived(({ fault }) => fault === "dropRequest");
    emulator.releaseLate();
    expect(await slow).toMatchObject({ committed: true, seq: 2 });
    await bench.expectEvents(0, 1, 2);
  });
});

describe.each(REFUSALS.map(([fault, code]) => [fault.name, fault, code] as const))(
  "an event put that is refused: %s",
  (_, fault, code) => {
    it("at once: not committed, nothing written, nothing left open", async () => {
      const store = await begin();
      bench.faultOnEvents(fault);
      const error = await failure(store.append(event(1)));
      bench.heal();
      expect(error).toBeInstanceOf(BackendError);
      expect(error).toMatchObject({ code, facts: { bucket: "events", key: bench.keys.event(1), operation: "PUT" } });
      await bench.expectEvents(0);
      expect(await store.settle()).toBeNull();
      expect(await store.append(event(2))).toMatchObject({ committed: true, seq: 1 });
      await bench.expectEvents(0, 2);
    });

    it.each([
      ["not persisted", FAULTS.internalError],
      ["persisted", FAULTS.internalErrorAfterCommit],
    ] as const)("after a try without an answer that was %s: unknown, until the refusals end", async (fate, untold) => {
      const store = await begin(SHORT);
      bench.faultOnEvents(untold);
      bench.faultOnEvents(fault, { count: 3 });
      const error = await failure(store.append(event(1)));
      expect(error).toMatchObject({ code: "COMMIT_UNKNOWN", facts: { seq: 1 }, cause: { code } });
      // Whoever appends meanwhile is told of the open one, writes nothing, and can't take its fate for his own event's.
      const another = await failure(store.append(event(2)));
      expect(another).toMatchObject({
        code: "BLOCKED",
        action: "retry",
        facts: { seq: 1, hash: error.facts.hash },
        cause: { code: "COMMIT_UNKNOWN", cause: { code } },
      });
      expect(await failure(store.settle())).toMatchObject({
        code: "COMMIT_UNKNOWN",
        facts: { seq: 1, hash: error.facts.hash },
      });
      bench.heal();
      await bench.expectEvents(...(fate === "persisted" ? [0, 1] : [0]));
      expect(await store.append(event(3))).toMatchObject({ committed: true, seq: 2 });
      await bench.expectEvents(0, 1, 3);
    });
  },
);

describe("whose object it is", () => {
  it("a put that is delivered twice: its own 412 is no other's", async () => {
    const store = await begin();
    bench.faultOnEvents(FAULTS.twice, { count: 3 });
    for (const n of [1, 2, 3]) expect(await store.append(event(n))).toMatchObject({ committed: true, seq: n });
    bench.heal();
    await bench.expectEvents(0, 1, 2, 3);
  });

  it("identical bytes of two stores: the put-id decides, not the hash", async () => {
    const a = await begin();
    const b = await bench.open();
    await b.head();
    bench.faultOnEvents(FAULTS.dropAnswer);
    const first = await a.append(event(1));
    const second = await b.append(event(1));
    bench.heal();
    expect([first, second]).toMatchObject([
      { committed: true, seq: 1 },
      { committed: true, seq: 2 },
    ]);
    await bench.expectEvents(0, 1, 1);
  });

  it("identical bytes, where the other's put lands between two tries of ours", async () => {
    const runtime = (bench = new FaultBench(emulator)).runtime();
    const a = await bench.open({ runtime });
    const b = await bench.open();
    await a.append(event(0));
    bench.faultOnEvents(FAULTS.dropRequest);
    runtime.during = () => b.append(event(1));
    expect(await a.append(event(1))).toMatchObject({ committed: true, seq: 2 });
    bench.heal();
    await bench.expectEvents(0, 1, 1);
  });

  it("the same race with an expectation is a conflict, and names the winner", async () => {
    const runtime = (bench = new FaultBench(emulator)).runtime();
    const a = await bench.open({ runtime });
    const b = await bench.open();
    await a.append(event(0));
    const expectedPrevHash = await a.getLastHash();
    bench.faultOnEvents(FAULTS.dropRequest);
    runtime.during = () => b.append(event(1));
    const result = await a.append(event(1), { expectedPrevHash });
    expect(result).toEqual({ committed: false, conflict: true, observedPrevHash: await b.getLastHash() });
    bench.heal();
    await bench.expectEvents(0, 1);
  });

  it("many stores at once, all events of the same bytes: each is acknowledged its own record", async () => {
    await begin();
    const stores = await Promise.all(Array.from({ length: 6 }, () => bench.open()));
    bench.faultOnEvents(FAULTS.dropAnswer, { nth: 2, count: 5 });
    const results = await Promise.all(stores.flatMap((store) => [1, 1, 1].map((n) => store.appendWithRetry(event(n)))));
    bench.heal();
    expect(results.map(({ seq }) => seq).sort((x, y) => x - y)).toEqual(Array.from({ length: 18 }, (_, i) => i + 1));
    expect(await bench.check()).toHaveLength(19);
  });
});

describe("batches", () => {
  it.each(
    [...UNTOLD["not persisted"], ...UNTOLD.persisted]
      .filter((fault) => !isSlow(fault))
      .map((fault) => [fault.name, fault] as const),
  )("all or none, once: %s", async (_, fault) => {
    const store = await begin({}, fault);
    bench.faultOnEvents(fault);
    const result = await store.appendBatch([event(1), event(2), event(3)]);
    bench.heal();
    expect(result).toMatchObject({ committed: true, records: [{ seq: 1 }, { seq: 2 }, { seq: 3 }] });
    await store.append(event(4));
    await bench.expectEvents(0, 1, 2, 3, 4);
    expect(bench.names()).toEqual([0, 1, 4].map((seq) => `${String(seq).padStart(10, "0")}.json`));
  });

  it("an unknown one names its last record", async () => {
    const store = await begin(SHORT);
    bench.faultOnEvents(FAULTS.conflictAfterCommit, { count: Infinity });
    const error = await failure(store.appendBatch([event(1), event(2)]));
    bench.heal();
    expect(error).toMatchObject({ code: "COMMIT_UNKNOWN", seq: 2 });
    const [, , last] = await bench.check();
    expect(error.facts.hash).toBe(last?.eventHash);
    expect(await store.settle()).toEqual({ committed: true, seq: 2, eventHash: last?.eventHash });
  });
});

describe("what the server says about when", () => {
  it("an answer slower than the time-out is no answer, though the put was stored", async () => {
    const fault = FAULTS.slow(5000);
    const store = await begin({}, fault);
    bench.faultOnEvents(fault);
    expect(await store.append(event(1))).toMatchObject({ committed: true, seq: 1 });
    bench.heal();
    expect(
      emulator.requests.filter(({ key }) => key === bench.keys.event(1)).map(({ operation }) => operation),
    ).toEqual(["PUT", "PUT", "GET"]);
    await bench.expectEvents(0, 1);
  });

  it.each([
    ["503", FAULTS.slowDown(7)],
    ["429", FAULTS.tooManyRequests(7)],
  ] as const)("%s with Retry-After is waited out", async (_, fault) => {
    const runtime = (bench = new FaultBench(emulator)).runtime();
    const store = await bench.open({ runtime });
    bench.faultOnEvents(fault);
    await store.append(event(0));
    bench.heal();
    expect(runtime.sleeps).toEqual([7000]);
    await bench.expectEvents(0);
  });

  it("when the wait would pass the deadline the append ends at once", async () => {
    const runtime = (bench = new FaultBench(emulator)).runtime();
    const store = await bench.open({ runtime, appendTimeoutMs: 5000 });
    bench.faultOnEvents(FAULTS.slowDown(7));
    expect(await failure(store.append(event(0)))).toMatchObject({
      code: "COMMIT_UNKNOWN",
      seq: 0,
      cause: { code: "UNAVAILABLE", facts: { status: 503 } },
    });
    bench.heal();
    expect(runtime.sleeps).toEqual([]);
    await bench.expectEvents();
  });

  it("without one the pauses grow", async () => {
    const runtime = (bench = new FaultBench(emulator)).runtime();
    const store = await bench.open({ runtime });
    bench.faultOnEvents(FAULTS.internalError, { count: 9 });
    await store.append(event(0));
    bench.heal();
    expect(runtime.sleeps).toEqual([25, 50, 100, 200, 400, 800, 1000, 1000, 1000]);
  });
});
