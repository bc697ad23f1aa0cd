import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { EventStoreError } from "../../src/core/errors.js";
import { GENESIS_HASH, type Head } from "../../src/core/event.js";
import { memoryObjects } from "../../src/objects/memory.js";
import type { EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { FAULTS, startS3Emulator, type Fault, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { Crowd, headOf, nth, recordsBehind } from "./crowd.js";
import { event, failure, FaultBench, isSlow, type OpenOptions } from "./fault-bench.js";
import { REFUSALS, UNTOLD } from "./fault-kinds.js";
import { overriding } from "./overriding.js";

/* Batch mode: one object that many callers share meets every fault, and each caller's own answer must be right. */

let emulator: S3Emulator;
let bench: FaultBench;
beforeAll(async () => {
  emulator = await startS3Emulator();
});
afterEach(() => bench.close());
afterAll(() => emulator.close());

const SHORT = { appendTimeoutMs: 300 };
const ONE_TRY = { appendTimeoutMs: 10 };
const briefly = (fault: Fault): typeof SHORT => (isSlow(fault) ? ONE_TRY : SHORT);

/** A log of one record, and a store in batch mode that has just appended it. */
async function begin(
  options: OpenOptions = {},
  fault?: Fault,
): Promise<{ readonly store: EventStore; readonly tail: Head }> {
  bench = new FaultBench(emulator, { impatient: fault !== undefined && isSlow(fault) });
  const store = await bench.open({ batch: true, ...options });
  const { seq, eventHash } = await store.appendWithRetry(event(0));
  return { store, tail: { seq, hash: eventHash } };
}

/** Fails a whole object with COMMIT_UNKNOWN, and ends the fault. */
async function leaveUnknown(store: EventStore, tail: Head, fault: Fault): Promise<Crowd> {
  const crowd = new Crowd(bench, tail, 1);
  bench.faultOnEvents(fault, { count: Infinity });
  expect(await crowd.append(store)).toEqual(crowd.unknown());
  bench.heal();
  return crowd;
}

const eventPuts = (): string[] =>
  emulator.requests.flatMap(({ method, key }) => (method === "PUT" && bench.eventKey.test(key) ? [key] : []));

for (const [fate, faults] of Object.entries(UNTOLD)) {
  const persisted = fate === "persisted";
  describe.each(faults.map((fault) => [fault.name, fault] as const))(
    `an object of many callers whose put is untold and ${fate}: %s`,
    (_, fault) => {
      it("once: it is stored once, and each is told his own record", async () => {
        const { store, tail } = await begin({}, fault);
        const crowd = new Crowd(bench, tail, 1);
        bench.faultOnEvents(fault);
        expect(await crowd.append(store)).toEqual(crowd.stored());
        bench.heal();
        // The same object, put again: nothing was put under any other key.
        expect(new Set(eventPuts())).toEqual(new Set([bench.keys.event(0), bench.keys.event(1)]));
        expect(await (await bench.open({ batch: true })).append(event(9))).toMatchObject({ seq: 9 });
        emulator.releaseLate();
        await bench.expectEvents(0, ...crowd.numbers, 9);
      });

      it("to the deadline, then a new store: all of it is there, once, or nothing", async () => {
        const { store, tail } = await begin(briefly(fault), fault);
        const { end, numbers } = await leaveUnknown(store, tail, fault);
        const next = await bench.open({ batch: true });
        const theirs = new Crowd(bench, persisted ? end : tail, 20);
        expect(await theirs.append(next)).toEqual(theirs.stored());
        const log = persisted ? [0, ...numbers, ...theirs.numbers] : [0, ...theirs.numbers];
        await bench.expectEvents(...log);
        emulator.releaseLate();
        // The old store was only slow, not dead.
        expect(await store.settle()).toEqual({ committed: persisted, seq: end.seq, eventHash: end.hash });
        const late = new Crowd(bench, theirs.end, 40);
        expect(await late.append(store)).toEqual(late.stored());
        await bench.expectEvents(...log, ...late.numbers);
      });

      // A fault that ends only with the client's time-out takes a second: those above are enough.
      if (isSlow(fault)) return;

      it("to the deadline, then the same again: all of it is settled before it is written a second time", async () => {
        const { store, tail } = await begin(briefly(fault), fault);
        const crowd = await leaveUnknown(store, tail, fault);
        const again = new Crowd(bench, crowd.end, 1);
        expect(await again.append(store)).toEqual(again.stored());
        await bench.expectEvents(0, ...crowd.numbers, ...crowd.numbers);
        emulator.releaseLate();
        await bench.expectEvents(0, ...crowd.numbers, ...crowd.numbers);
      });

      it("to the deadline, then one other append", async () => {
        const { store, tail } = await begin(briefly(fault), fault);
        const crowd = await leaveUnknown(store, tail, fault);
        expect(await store.append(event(9))).toMatchObject({ committed: true, seq: 9, prevHash: crowd.end.hash });
        await bench.expectEvents(0, ...crowd.numbers, 9);
        emulator.releaseLate();
        await bench.expectEvents(0, ...crowd.numbers, 9);
      });

      it("to the deadline, then settled: the whole object, or nothing of it", async () => {
        const { store, tail } = await begin(briefly(fault), fault);
        const { end, records, numbers } = await leaveUnknown(store, tail, fault);
        expect(await store.settle()).toEqual({ committed: true, seq: end.seq, eventHash: end.hash });
        expect(await store.settle()).toBeNull();
        // Whoever was told COMMIT_UNKNOWN finds his record by its seq and hash.
        for (const { seq, eventHash } of records) expect(await store.getEventHash(seq)).toBe(eventHash);
        emulator.releaseLate();
        await bench.expectEvents(0, ...numbers);
      });

      it("while it lasts, whoever comes later is BLOCKED, with nothing of his written; then all goes on", async () => {
        const { store, tail } = await begin(briefly(fault), fault);
        const crowd = new Crowd(bench, tail, 1);
        bench.faultOnEvents(fault, { count: Infinity });
        expect(await crowd.append(store)).toEqual(crowd.unknown());
        const later = new Crowd(bench, crowd.end, 20);
        expect(await later.append(store)).toEqual(later.blocked(crowd.end));
        bench.heal();
        const last = new Crowd(bench, crowd.end, 40);
        expect(await last.append(store)).toEqual(last.stored());
        expect(new Set(eventPuts())).toEqual(new Set([0, 1, 9].map((seq) => bench.keys.event(seq))));
        await bench.expectEvents(0, ...crowd.numbers, ...last.numbers);
      });
    },
  );
}

describe.each([...UNTOLD["not persisted"], ...UNTOLD["persisted late"]].map((fault) => [fault.name, fault] as const))(
  "an object that did not get through and loses its place to another store's: %s",
  (_, fault) => {
    it.each([
      ["one event", (rival: EventStore) => rival.appendWithRetry(event(50)), 1],
      ["a batch", (rival: EventStore) => rival.appendBatch([50, 51, 52].map(event)), 3],
    ] as const)("%s: everybody is judged again, behind the winner", async (_what, win, count) => {
      bench = new FaultBench(emulator, { impatient: isSlow(fault) });
      const runtime = bench.runtime();
      const store = await bench.open({ batch: true, runtime });
      const rival = await bench.open();
      const { seq, eventHash } = await store.appendWithRetry(event(0));
      await rival.head();
      const crowd = new Crowd(bench, { seq, hash: eventHash }, 1);
      bench.faultOnEvents(fault);
      runtime.during = () => win(rival);
      const outcome = crowd.append(store);
      const winners = recordsBehind(crowd.tail, [50, 51, 52].slice(0, count).map(event));
      const rebased = crowd.behind(headOf(nth(winners, -1)));
      expect(await outcome).toEqual(rebased.told);
      bench.heal();
      emulator.releaseLate();
      await bench.expectEvents(0, ...[50, 51, 52].slice(0, count), ...rebased.numbers);
    });

    if (isSlow(fault)) return;

    it("the same bytes of another store: the put-id decides", async () => {
      bench = new FaultBench(emulator, { impatient: isSlow(fault) });
      const runtime = bench.runtime();
      const store = await bench.open({ batch: true, runtime });
      const rival = await bench.open({ batch: true });
      const { seq, eventHash } = await store.appendWithRetry(event(0));
      await rival.head();
      const crowd = new Crowd(bench, { seq, hash: eventHash }, 1);
      const theirs = new Crowd(bench, { seq, hash: eventHash }, 1);
      bench.faultOnEvents(fault);
      runtime.during = async () => expect(await theirs.append(rival)).toEqual(theirs.stored());
      const outcome = crowd.append(store);
      const rebased = crowd.behind(theirs.end);
      expect(await outcome).toEqual(rebased.told);
      bench.heal();
      emulator.releaseLate();
      await bench.expectEvents(0, ...theirs.numbers, ...rebased.numbers);
    });
  },
);

describe.each(REFUSALS.map(([fault, code]) => [fault.name, fault, code] as const))(
  "an object of many callers that is refused: %s",
  (_, fault, code) => {
    it("everybody is told so, nobody a conflict with neighbours who were not written; the next ones are served", async () => {
      const { store, tail } = await begin();
      const crowd = new Crowd(bench, tail, 1);
      bench.faultOnEvents(fault);
      expect(await crowd.append(store)).toEqual(crowd.refused(code));
      bench.heal();
      expect(await store.settle()).toBeNull();
      await bench.expectEvents(0);
      const next = new Crowd(bench, tail, 20);
      expect(await next.append(store)).toEqual(next.stored());
      await bench.expectEvents(0, ...next.numbers);
    });

    it.each([
      ["not persisted", FAULTS.internalError],
      ["persisted", FAULTS.internalErrorAfterCommit],
    ] as const)("after a try without an answer that was %s: unknown, until the refusals end", async (fate, untold) => {
      const { store, tail } = await begin(SHORT);
      const crowd = new Crowd(bench, tail, 1);
      bench.faultOnEvents(untold);
      bench.faultOnEvents(fault, { count: 3 });
      expect(await crowd.append(store)).toEqual(crowd.unknown());
      const later = new Crowd(bench, crowd.end, 20);
      expect(await later.append(store)).toEqual(later.blocked(crowd.end));
      expect(await failure(store.settle())).toMatchObject({ code: "COMMIT_UNKNOWN", facts: crowd.end });
      bench.heal();
      await bench.expectEvents(...(fate === "persisted" ? [0, ...crowd.numbers] : [0]));
      expect(await store.append(event(60))).toMatchObject({ seq: 9, prevHash: crowd.end.hash });
      await bench.expectEvents(0, ...crowd.numbers, 60);
    });
  },
);

describe("answers about an object of many callers", () => {
  it("delivered twice: its own 412 is no other's", async () => {
    const { store, tail } = await begin();
    bench.faultOnEvents(FAULTS.twice, { count: 2 });
    const one = new Crowd(bench, tail, 1);
    expect(await one.append(store)).toEqual(one.stored());
    const two = new Crowd(bench, one.end, 20);
    expect(await two.append(store)).toEqual(two.stored());
    bench.heal();
    await bench.expectEvents(0, ...one.numbers, ...two.numbers);
  });

  it("delivered twice, and nobody can say whose object it is: unknown, then settled", async () => {
    const { store, tail } = await begin();
    const crowd = new Crowd(bench, tail, 1);
    bench.faultOnEvents(FAULTS.twice);
    bench.fault(FAULTS.accessDenied, { operation: "GET", key: bench.keys.event(1) });
    expect(await crowd.append(store)).toEqual(crowd.unknown());
    bench.heal();
    expect(await store.settle()).toEqual({ committed: true, seq: crowd.end.seq, eventHash: crowd.end.hash });
    await bench.expectEvents(0, ...crowd.numbers);
  });

  it("slower than the time-out: stored all the same", async () => {
    const fault = FAULTS.slow(5000);
    const { store, tail } = await begin({}, fault);
    const crowd = new Crowd(bench, tail, 1);
    bench.faultOnEvents(fault);
    expect(await crowd.append(store)).toEqual(crowd.stored());
    bench.heal();
    await bench.expectEvents(0, ...crowd.numbers);
  });

  it("503 with Retry-After is waited out once for all", async () => {
    bench = new FaultBench(emulator);
    const runtime = bench.runtime();
    const store = await bench.open({ batch: true, runtime });
    const crowd = new Crowd(bench, { seq: -1, hash: GENESIS_HASH }, 1);
    bench.faultOnEvents(FAULTS.slowDown(7));
    expect(await crowd.append(store)).toEqual(crowd.stored());
    bench.heal();
    expect(runtime.sleeps).toEqual([7000]);
    await bench.expectEvents(...crowd.numbers);
  });

  it("503 with a Retry-After beyond the deadline: unknown at once, for each his own", async () => {
    const { store, tail } = await begin({ appendTimeoutMs: 5000 });
    await leaveUnknown(store, tail, FAULTS.slowDown(7));
    expect(eventPuts()).toEqual([0, 1].map((seq) => bench.keys.event(seq)));
    await bench.expectEvents(0);
  });

  it("that never come, of two stores in turn: each settles its own, and both logs are one", async () => {
    const { store, tail } = await begin(SHORT);
    const other = await bench.open({ batch: true, ...SHORT });
    await other.head();
    bench.faultOnEvents(FAULTS.conflictAfterCommit, { count: Infinity });
    const ours = new Crowd(bench, tail, 1);
    expect(await ours.append(store)).toEqual(ours.unknown());
    // The other finds the object, is not its owner, goes behind it, and is left in the dark there.
    const theirs = new Crowd(bench, ours.end, 20);
    const answers = await theirs.append(other);
    expect(answers).toEqual(theirs.unknown());
    bench.heal();
    expect(await other.settle()).toEqual({ committed: true, seq: theirs.end.seq, eventHash: theirs.end.hash });
    expect(await store.settle()).toEqual({ committed: true, seq: ours.end.seq, eventHash: ours.end.hash });
    await bench.expectEvents(0, ...ours.numbers, ...theirs.numbers);
  });
});

describe("reads that the appender makes fail", () => {
  it("the first look for the tail: nobody was written, everybody is told, the next ones begin anew", async () => {
    bench = new FaultBench(emulator);
    const tail = { seq: -1, hash: GENESIS_HASH };
    const store = await bench.open({ batch: true });
    bench.fault(FAULTS.accessDenied, { operation: "LIST" });
    const crowd = new Crowd(bench, tail, 1);
    expect(await crowd.append(store)).toEqual(crowd.refused("ACCESS_DENIED"));
    bench.heal();
    const next = new Crowd(bench, tail, 20);
    expect(await next.append(store)).toEqual(next.stored());
    await bench.expectEvents(...next.numbers);
  });

  it("whose object won, once: nobody is told anything wrong", async () => {
    const { store, tail } = await begin();
    const rival = await bench.open();
    await rival.head();
    const { seq, eventHash } = await rival.appendWithRetry(event(50));
    const crowd = new Crowd(bench, tail, 1);
    bench.fault(FAULTS.internalError, { operation: "GET", key: bench.keys.event(1), count: 2 });
    const rebased = crowd.behind({ seq, hash: eventHash });
    expect(await crowd.append(store)).toEqual(rebased.told);
    bench.heal();
    await bench.expectEvents(0, 50, ...rebased.numbers);
  });
});

describe("callers who share an object and abort", () => {
  it("one of many, with the put on its way: it ends as the others do", async () => {
    const { store } = await begin();
    bench.faultOnEvents(FAULTS.slow(20));
    const abort = new AbortController();
    const appends = [
      store.append(event(1)),
      store.append(event(2), { signal: abort.signal }),
      store.appendBatch([event(3), event(4)], { signal: abort.signal }),
    ];
    await bench.arrived(({ fault }) => fault !== null);
    abort.abort();
    expect(await Promise.all(appends)).toMatchObject([{ seq: 1 }, { seq: 2 }, { records: [{ seq: 3 }, { seq: 4 }] }]);
    bench.heal();
    await bench.expectEvents(0, 1, 2, 3, 4);
  });

  it("one of many, while the outcome is unknown: COMMIT_UNKNOWN with his own record, as his neighbour", async () => {
    const { store, tail } = await begin(SHORT);
    const abort = new AbortController();
    bench.faultOnEvents(FAULTS.conflictAfterCommit, { count: Infinity });
    const appends = [1, 2].map((n) => failure(store.append(event(n), n === 1 ? { signal: abort.signal } : {})));
    await bench.arrived(({ fault }) => fault !== null);
    abort.abort();
    const [a, b] = recordsBehind(tail, [1, 2].map(event));
    expect((await Promise.all(appends)).map(({ code, facts }) => [code, facts.seq, facts.hash])).toEqual([
      ["COMMIT_UNKNOWN", 1, a?.eventHash],
      ["COMMIT_UNKNOWN", 2, b?.eventHash],
    ]);
    bench.heal();
    await bench.expectEvents(0, 1, 2);
  });

  it("alone in it: COMMIT_UNKNOWN at once; those who queue behind are not touched", async () => {
    const { store } = await begin();
    bench.faultOnEvents(FAULTS.hangAfterCommit);
    const abort = new AbortController();
    const alone = failure(store.append(event(1), { signal: abort.signal }));
    await bench.arrived(({ fault }) => fault !== null);
    const behind = [2, 3, 4].map((n) => store.append(event(n)));
    abort.abort();
    expect(await alone).toMatchObject({ code: "COMMIT_UNKNOWN", facts: { seq: 1 } });
    expect(await Promise.all(behind)).toMatchObject([{ seq: 2 }, { seq: 3 }, { seq: 4 }]);
    bench.heal();
    expect(bench.names().slice(0, 3)).toEqual([0, 1, 2].map((seq) => `${String(seq).padStart(10, "0")}.json`));
    await bench.expectEvents(0, 1, 2, 3, 4);
  });

  it("alone, while the log's end is looked for: ABORTED; whoever came meanwhile begins anew", async () => {
    bench = new FaultBench(emulator);
    const store = await bench.open({ batch: true });
    bench.fault(FAULTS.slow(50), { operation: "LIST" });
    const abort = new AbortController();
    const first = failure(store.append(event(1), { signal: abort.signal }));
    await bench.arrived(({ operation }) => operation === "LIST");
    const second = store.append(event(2));
    abort.abort();
    expect(await first).toMatchObject({ code: "ABORTED" });
    expect(await second).toMatchObject({ committed: true, seq: 0 });
    bench.heal();
    await bench.expectEvents(2);
  });

  it("all of them, in the queue behind an object on its way: nothing of theirs is put", async () => {
    const { store } = await begin();
    bench.faultOnEvents(FAULTS.slow(20));
    const first = store.append(event(1));
    await bench.arrived(({ fault }) => fault !== null);
    const abort = new AbortController();
    const others = [2, 3, 4].map((n) => failure(store.append(event(n), { signal: abort.signal })));
    abort.abort();
    for (const other of others) expect(await other).toMatchObject({ code: "ABORTED" });
    expect(await first).toMatchObject({ seq: 1 });
    expect(eventPuts()).toEqual([0, 1].map((seq) => bench.keys.event(seq)));
    bench.heal();
    await bench.expectEvents(0, 1);
  });
});

it("callers by the thousand, all aborted, behind an object on its way: its own callers are told", async () => {
  const { store } = await begin();
  bench.faultOnEvents(FAULTS.slow(20));
  const first = store.append(event(1));
  await bench.arrived(({ fault }) => fault !== null);
  const abort = new AbortController();
  const others = Array.from({ length: 1500 }, (_, i) => failure(store.append(event(i + 2), { signal: abort.signal })));
  abort.abort();
  expect(new Set((await Promise.all(others)).map(({ code }) => code))).toEqual(new Set(["ABORTED"]));
  expect(await first).toMatchObject({ committed: true, seq: 1 });
  expect(await store.append(event(9))).toMatchObject({ committed: true, seq: 2 });
  bench.heal();
  await bench.expectEvents(0, 1, 9);
});

describe("what batch mode puts", () => {
  it("the whole queue is the next object: two puts for a hundred callers", async () => {
    const { store } = await begin();
    bench.faultOnEvents(FAULTS.slow(20));
    const first = store.append(event(1));
    await bench.arrived(({ fault }) => fault !== null);
    const others = Array.from({ length: 100 }, (_, i) => store.append(event(i + 2)));
    expect(await first).toMatchObject({ seq: 1 });
    expect((await Promise.all(others)).map((result) => "seq" in result && result.seq)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 2),
    );
    bench.heal();
    expect(eventPuts()).toEqual([0, 1, 2].map((seq) => bench.keys.event(seq)));
    await bench.check();
  });

  it("never two on their way, whatever is unanswered", async () => {
    bench = new FaultBench(emulator);
    let underWay = 0;
    let most = 0;
    const store = await bench.open({
      batch: true,
      between: (objects) =>
        overriding(objects, {
          putIfAbsent: (...args) => {
            most = Math.max(most, ++underWay);
            return objects.putIfAbsent(...args).finally(() => underWay--);
          },
        }),
    });
    bench.faultOnEvents(FAULTS.dropAnswer, { nth: 2, count: 3 });
    bench.faultOnEvents(FAULTS.conflict, { nth: 2, count: 3 });
    let n = 0;
    const caller = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        if (i === 3) await store.appendBatch([event(n++), event(n++)]);
        else await store.append(event(n++));
      }
    };
    await Promise.all(Array.from({ length: 20 }, caller));
    bench.heal();
    expect(most).toBe(1);
    expect(await bench.check()).toHaveLength(120);
  });

  it("at most 1000 records an object; a batch that does not fit is the next one's, whole", async () => {
    const { store } = await begin();
    const events = (from: number, count: number): ReturnType<typeof event>[] =>
      Array.from({ length: count }, (_, i) => event(from + i));
    const results = await Promise.all([
      store.appendBatch(events(1, 600)),
      store.appendBatch(events(601, 401)),
      store.appendBatch(events(1002, 599)),
      store.append(event(1601)),
      store.appendBatch(events(1602, 1000)),
      store.append(event(2602)),
    ]);
    expect(results.every(({ committed }) => committed)).toBe(true);
    expect(bench.names()).toEqual([0, 1, 601, 1601, 1602, 2602].map((seq) => `${String(seq).padStart(10, "0")}.json`));
    await bench.check();
  });

  it("at most 4 MiB of several appends together; a larger one has an object of its own", async () => {
    const { store } = await begin();
    const big = (n: number, bytes: number): ReturnType<typeof event> => ({
      ...event(n),
      payload: { n, fill: "x".repeat(bytes) },
    });
    const MIB = 1024 * 1024;
    await Promise.all([
      store.append(big(1, 1.5 * MIB)),
      store.append(big(2, 2 * MIB)),
      store.append(big(3, MIB)),
      store.append(big(4, 6 * MIB)),
      store.append(big(5, 10)),
      store.appendBatch([big(6, 3 * MIB), big(7, 3 * MIB)]),
    ]);
    const objects = emulator.objects("events");
    const sizes = new Map(
      bench.names().map((name) => [name, objects.get(`${bench.prefix}/${name}`)?.body.length ?? 0]),
    );
    expect([...sizes.keys()]).toEqual([0, 1, 3, 4, 5, 6].map((seq) => `${String(seq).padStart(10, "0")}.json`));
    for (const [name, size] of sizes)
      if (!["0000000004.json", "0000000006.json"].includes(name)) expect(size).toBeLessThanOrEqual(4 * MIB);
    await bench.expectEvents(0, 1, 2, 3, 4, 5, 6, 7);
  });
});

describe("a queue of several full objects, whose second meets a fault", () => {
  /** 2500 callers: the next object leaves before the callers of the last one are told. */
  async function crowded(options: OpenOptions, fault: Fault, count: number): Promise<string[]> {
    const { store } = await begin(options);
    bench.faultOnEvents(fault, { nth: 2, count });
    const told: string[] = [];
    const calls = Array.from({ length: 2500 }, async (_, i) => {
      const call = store.append(event(i + 1));
      told[i] = await call.then(
        (result) => `committed ${String("seq" in result && result.seq)}`,
        (error: unknown) => {
          const { code, facts } = error as EventStoreError;
          return code === "COMMIT_UNKNOWN" ? `${code} ${String(facts.seq)}` : code;
        },
      );
    });
    await Promise.all(calls);
    bench.heal();
    return told;
  }
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  const committedAt = (from: number, to: number): string[] => range(from, to).map((seq) => `committed ${String(seq)}`);

  it.each([FAULTS.dropRequest, FAULTS.dropAnswer, FAULTS.twice].map((fault) => [fault.name, fault] as const))(
    "%s, once: all are written in their order",
    async (_, fault) => {
      expect(await crowded({}, fault, 1)).toEqual(committedAt(1, 2501));
      await bench.expectEvents(...range(0, 2501));
    },
  );

  it("refused: only those of that object are told so; the third takes its place", async () => {
    const refused = Array(1000).fill("ACCESS_DENIED") as string[];
    expect(await crowded({}, FAULTS.accessDenied, 1)).toEqual([
      ...committedAt(1, 1001),
      ...refused,
      ...committedAt(1001, 1501),
    ]);
    await bench.expectEvents(...range(0, 1001), ...range(2001, 2501));
  });

  it.each([
    ["not persisted", FAULTS.conflict],
    ["persisted", FAULTS.conflictAfterCommit],
  ] as const)(
    "to its deadline, %s: those of that object are left in the dark, the third settles it first",
    async (_, fault) => {
      // Tries at 0, 25, 75, 175 ms of a deadline of 300.
      expect(await crowded(SHORT, fault, 4)).toEqual([
        ...committedAt(1, 1001),
        ...range(1001, 2001).map((seq) => `COMMIT_UNKNOWN ${String(seq)}`),
        ...committedAt(2001, 2501),
      ]);
      await bench.expectEvents(...range(0, 2501));
    },
  );
});

describe("those who are refused only in their place", () => {
  it("leave no trace, and their neighbours alone", async () => {
    bench = new FaultBench(emulator);
    const store = await bench.open({ batch: true });
    const before = { seq: 6, hash: GENESIS_HASH };
    const results = await Promise.allSettled([
      // Links to the tail, but says another seq.
      store.importRecords(recordsBehind(before, [event(-1)])),
      store.append(event(1)),
      store.append({ ...event(-2), payload: { fill: "x".repeat(9 * 1024 * 1024) } }),
      store.append(event(2)),
      store.appendBatch(
        Array.from({ length: 3 }, () => ({ ...event(-3), payload: { fill: "x".repeat(6 * 1024 * 1024) } })),
      ),
      store.append(event(3)),
    ]);
    expect(results).toMatchObject([
      { reason: { code: "NOT_NEXT" } },
      { value: { seq: 0 } },
      { reason: { code: "TOO_LARGE" } },
      { value: { seq: 1 } },
      { reason: { code: "TOO_LARGE" } },
      { value: { seq: 2 } },
    ]);
    await bench.expectEvents(1, 2, 3);
  });
});

describe("a conflict in batch mode", () => {
  it("is not told before the log itself was asked: a cached tail may be old", async () => {
    const { store } = await begin();
    const other = await bench.open();
    const { eventHash } = await other.appendWithRetry(event(1));
    expect(
      await Promise.all([
        store.append(event(2), { expectedPrevHash: GENESIS_HASH }),
        store.append(event(3), { expectedPrevHash: eventHash }),
      ]),
    ).toMatchObject([
      { conflict: true, observedPrevHash: eventHash },
      { committed: true, seq: 2 },
    ]);
    await bench.expectEvents(0, 1, 3);
  });

  it("that is none any more behind the winner of a race takes its room: no object grows too large by it", async () => {
    const { store } = await begin();
    const other = await bench.open();
    const { eventHash } = await other.appendWithRetry(event(1));
    const events = (from: number, count: number): ReturnType<typeof event>[] =>
      Array.from({ length: count }, (_, i) => event(from + i));
    // Against the tail that the store knows the first one fails, and the second fills an object alone.
    const [first, second] = await Promise.all([
      store.appendBatch(events(2, 500), { expectedPrevHash: eventHash }),
      store.appendBatch(events(502, 1000)),
    ]);
    expect(first).toMatchObject({ committed: true });
    expect(second).toMatchObject({ committed: true });
    expect(bench.names()).toEqual([0, 1, 2, 502].map((seq) => `${String(seq).padStart(10, "0")}.json`));
    await bench.expectEvents(...Array.from({ length: 1502 }, (_, n) => n));
  });

  it.each([true, false])(
    "with an expectation that is true when append() is called is none, though the log was asked before (batch: %s)",
    async (batch) => {
      const bucket = memoryObjects().bucket;
      const other = await S3EventStore.open({
        objects: memoryObjects({ bucket }),
        useHead: false,
        skipBackendProof: true,
      });
      const inner = memoryObjects({ bucket });
      let answer: () => void = () => undefined;
      let looked: () => void = () => undefined;
      const looking = new Promise<void>((resolve) => (looked = resolve));
      const held = new Promise<void>((resolve) => (answer = resolve));
      const store = await S3EventStore.open({
        batch,
        useHead: false,
        skipBackendProof: true,
        skipBucketCheck: true,
        objects: overriding(inner, {
          list: async (options) => {
            const page = await inner.list(options);
            looked();
            await held;
            return page;
          },
        }),
      });
      const abort = new AbortController();
      // Its look for the end finds an empty log; the answer is on its way.
      const first = store.append(event(0), { expectedPrevHash: "f".repeat(64), signal: abort.signal });
      first.catch(() => undefined);
      await looking;
      const { eventHash } = await other.appendWithRetry(event(1));
      const second = store.append(event(2), { expectedPrevHash: eventHash });
      if (!batch) abort.abort();
      answer();
      expect(await second).toMatchObject({ committed: true, seq: 1, prevHash: eventHash });
    },
  );

  it("with everybody's expectation failing nothing is put", async () => {
    const { store, tail } = await begin();
    const expectations = ["a", "b", "c"].map((digit) => ({ expectedPrevHash: digit.repeat(64) }));
    const results = await Promise.all(expectations.map((options, n) => store.append(event(n + 1), options)));
    expect(results).toEqual(Array(3).fill({ committed: false, conflict: true, observedPrevHash: tail.hash }));
    expect(eventPuts()).toEqual([bench.keys.event(0)]);
    await bench.expectEvents(0);
  });

  it("behind neighbours who are not written after all is none: the expectation holds again", async () => {
    const { store, tail } = await begin();
    bench.faultOnEvents(FAULTS.accessDenied);
    const [first, second] = await Promise.allSettled([
      store.append(event(1)),
      store.append(event(2), { expectedPrevHash: tail.hash }),
    ]);
    expect([first, second]).toMatchObject([
      { status: "rejected", reason: { code: "ACCESS_DENIED" } },
      { status: "rejected", reason: { code: "ACCESS_DENIED" } },
    ]);
    bench.heal();
    expect(await store.append(event(2), { expectedPrevHash: tail.hash })).toMatchObject({ committed: true, seq: 1 });
    await bench.expectEvents(0, 2);
  });
});
