import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parseHead } from "../../src/core/head-check.js";
import type { EventStore } from "../../src/stores/port.js";
import { FAULTS, startS3Emulator, type Fault, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { event, failure, FaultBench, isSlow } from "./fault-bench.js";
import { REFUSALS, UNTOLD } from "./fault-kinds.js";
import { overriding } from "./overriding.js";

/* What goes wrong around the put of an event: with the head, with the backend's proof, and with reads. */

let emulator: S3Emulator;
let bench: FaultBench;
beforeAll(async () => {
  emulator = await startS3Emulator();
});
afterEach(() => bench.close());
afterAll(() => emulator.close());

const named = (faults: readonly Fault[]): (readonly [string, Fault])[] => faults.map((fault) => [fault.name, fault]);
const WRITE_FAULTS = [...Object.values(UNTOLD).flat(), ...REFUSALS.map(([fault]) => fault)];
const setUp = (fault?: Fault): FaultBench =>
  (bench = new FaultBench(emulator, { impatient: fault !== undefined && isSlow(fault) }));

const storedHead = (): ReturnType<typeof parseHead> => {
  const held = emulator.objects("events").get(bench.keys.head);
  return held === undefined ? null : parseHead(held.body);
};

describe.each(named(WRITE_FAULTS))("a head put that fails never fails an append: %s", (name, fault) => {
  const onHead = (count: number): void => bench.fault(fault, { method: "PUT", key: bench.keys.head, count });

  /** Appends succeed meanwhile, and the next store brings the head up to date. */
  async function expectHarmless(store: EventStore): Promise<void> {
    for (const n of [1, 2, 3]) expect(await store.append(event(n))).toMatchObject({ committed: true, seq: n });
    await bench.arrived((request) => request.fault === name);
    await store.close();
    await bench.expectEvents(0, 1, 2, 3);
    emulator.releaseLate();
    await bench.expectEvents(0, 1, 2, 3);
    const next = await bench.open({ useHead: true });
    await next.append(event(4));
    await next.close();
    expect(storedHead()?.seq).toBe(4);
    await bench.expectEvents(0, 1, 2, 3, 4);
  }

  it("the first, which creates it", async () => {
    setUp(fault);
    onHead(1);
    const store = await bench.open({ useHead: true });
    expect(await store.append(event(0))).toMatchObject({ committed: true, seq: 0 });
    await expectHarmless(store);
  });

  it("one that replaces it", async () => {
    setUp(fault);
    const store = await bench.open({ useHead: true });
    await store.append(event(0));
    await bench.arrived(({ key, status }) => key === bench.keys.head && status === 200);
    onHead(1);
    await expectHarmless(store);
  });

  if (!isSlow(fault)) {
    it("all of them", async () => {
      setUp(fault);
      onHead(Infinity);
      const store = await bench.open({ useHead: true });
      expect(await store.append(event(0))).toMatchObject({ committed: true, seq: 0 });
      await expectHarmless(store);
    });
  }
});

describe("the head", () => {
  it("that cannot be read back after a lost race stays as it is", async () => {
    setUp();
    const [a, b] = [await bench.open({ useHead: true }), await bench.open({ useHead: true })];
    await a.append(event(0));
    await a.close();
    bench.fault(FAULTS.accessDenied, { method: "GET", key: bench.keys.head, nth: 2, count: Infinity });
    await b.append(event(1));
    await b.close();
    bench.heal();
    expect(storedHead()?.seq).toBe(0);
    await bench.expectEvents(0, 1);
  });

  it("hangs: no append waits for it", async () => {
    setUp();
    bench.fault(FAULTS.hang, { method: "PUT", key: bench.keys.head, count: Infinity });
    const store = await bench.open({ useHead: true });
    for (const n of [0, 1, 2, 3, 4]) await store.append(event(n));
    const puts = emulator.requests.filter(({ key }) => key === bench.keys.head && key !== "");
    expect(puts.filter(({ method }) => method === "PUT")).toMatchObject([{ status: null, fault: "hang" }]);
    await bench.close();
    await bench.expectEvents(0, 1, 2, 3, 4);
  });

  it("put late, when it was replaced already, changes nothing: it only moves forward", async () => {
    setUp();
    bench.fault(FAULTS.applyLate, { method: "PUT", key: bench.keys.head });
    const store = await bench.open({ useHead: true });
    for (const n of [0, 1, 2]) await store.append(event(n));
    await store.close();
    expect(storedHead()?.seq).toBe(2);
    emulator.releaseLate();
    expect(storedHead()?.seq).toBe(2);
    await bench.expectEvents(0, 1, 2);
  });
});

describe("the backend's proof", () => {
  describe.each(named(Object.values(UNTOLD).flat()))("a probe put that is untold: %s", (_, fault) => {
    it.each([1, 2])("put %i: the append commits all the same", async (nth) => {
      setUp(fault);
      bench.fault(fault, { method: "PUT", key: bench.keys.probe, nth });
      const store = await bench.open({ skipBackendProof: false });
      expect(await store.append(event(0))).toMatchObject({ committed: true, seq: 0 });
      emulator.releaseLate();
      await bench.expectEvents(0);
    });

    if (isSlow(fault)) return;
    it("all of them: UNAVAILABLE, and nothing was written to the log", async () => {
      setUp();
      bench.fault(fault, { method: "PUT", key: bench.keys.probe, count: Infinity });
      const store = await bench.open({ skipBackendProof: false, appendTimeoutMs: 300 });
      expect(await failure(store.append(event(0)))).toMatchObject({
        code: "UNAVAILABLE",
        facts: { key: bench.keys.probe, operation: "PUT" },
      });
      bench.heal();
      expect(emulator.requests.filter(({ key }) => bench.eventKey.test(key))).toEqual([]);
      expect(await store.append(event(1))).toMatchObject({ committed: true, seq: 0 });
      await bench.expectEvents(1);
    });
  });

  it.each(REFUSALS.map(([fault, code]) => [fault.name, fault, code] as const))(
    "a probe put that is refused, nothing written: %s",
    async (_, fault, code) => {
      setUp();
      bench.fault(fault, { method: "PUT", key: bench.keys.probe });
      const store = await bench.open({ skipBackendProof: false });
      expect(await failure(store.append(event(0)))).toMatchObject({ code });
      bench.heal();
      expect(bench.names()).toEqual([]);
      expect(await store.append(event(1))).toMatchObject({ committed: true, seq: 0 });
      await bench.expectEvents(1);
    },
  );

  it("is done once for a log, by whichever store appends first", async () => {
    setUp();
    for (const n of [0, 1, 2]) await (await bench.open({ skipBackendProof: false })).append(event(n));
    expect(
      emulator.requests
        .filter(({ key, method }) => key === bench.keys.probe && method === "PUT")
        .map(({ status }) => status),
    ).toEqual([200, 412]);
    await bench.expectEvents(0, 1, 2);
  });

  it("a backend that ignores If-None-Match is refused before any event is put", async () => {
    const unsafe = await startS3Emulator({ ignoreIfNoneMatch: true });
    try {
      bench = new FaultBench(unsafe);
      const store = await bench.open({ skipBackendProof: false });
      for (const append of [
        () => store.append(event(0)),
        () => store.appendWithRetry(event(0)),
        () => store.appendBatch([event(0), event(1)]),
      ]) {
        const error = await failure(append());
        expect(error).toMatchObject({ code: "UNSAFE_BACKEND", facts: { key: bench.keys.probe } });
        expect(error.hint).toContain("conditional writes");
      }
      expect(bench.names()).toEqual(["_probe.json"]);
      expect(unsafe.requests.filter(({ key }) => bench.eventKey.test(key))).toEqual([]);
    } finally {
      await unsafe.close();
    }
  });

  it("a backend that drops user metadata is refused, too: no writer could tell its own writes", async () => {
    setUp();
    const store = await bench.open({
      skipBackendProof: false,
      between: (objects) =>
        overriding(objects, { get: async (key, options) => withoutMetadata(await objects.get(key, options)) }),
    });
    expect(await failure(store.append(event(0)))).toMatchObject({ code: "UNSAFE_BACKEND" });
    expect(bench.names()).toEqual(["_probe.json"]);
  });
});

describe.each(
  named([
    FAULTS.dropRequest,
    FAULTS.resetBefore,
    FAULTS.dropAnswer,
    FAULTS.resetAfter,
    FAULTS.truncated,
    FAULTS.internalError,
    FAULTS.slowDown(1),
    FAULTS.tooManyRequests(1),
    FAULTS.twice,
    FAULTS.hang,
  ]),
)("requests that read: %s", (_, fault) => {
  /** A log of 12 records with its head, whose next GETs and LISTs meet the fault. */
  async function troubled(): Promise<void> {
    setUp(fault);
    const writer = await bench.open({ useHead: true });
    for (let n = 0; n < 12; n++) await writer.append(event(n));
    await writer.close();
    const count = isSlow(fault) ? 1 : 3;
    bench.fault(fault, { operation: "GET", key: /./, nth: 2, count });
    bench.fault(fault, { operation: "LIST", count });
  }

  it("a read gives every record, once", async () => {
    await troubled();
    const store = await bench.open({ useHead: true });
    const seen: number[] = [];
    for (let i = 0; i < 3; i++) for await (const { seq } of store.read()) seen.push(seq);
    bench.heal();
    expect(seen).toEqual([0, 1, 2].flatMap(() => Array.from({ length: 12 }, (_unused, seq) => seq)));
    await bench.expectEvents(...seen.slice(0, 12));
  });

  it("verify, head and the next append find the true end", async () => {
    await troubled();
    for (let i = 0; i < 3; i++) {
      const store = await bench.open({ useHead: true });
      expect((await store.head()).seq).toBe(11 + i);
      expect(await store.verify()).toMatchObject({ valid: true, events: 12 + i });
      expect(await store.append(event(12 + i))).toMatchObject({ committed: true, seq: 12 + i });
      await store.close();
    }
    bench.heal();
    await bench.expectEvents(...Array.from({ length: 15 }, (_unused, n) => n));
  });

  it("asking whose object it is, after a lost answer", async () => {
    setUp(fault);
    const store = await bench.open();
    bench.faultOnEvents(FAULTS.dropAnswer);
    bench.fault(fault, { operation: "GET", key: bench.eventKey });
    expect(await store.append(event(0))).toMatchObject({ committed: true, seq: 0 });
    bench.heal();
    await bench.expectEvents(0);
  });
});

it.each([
  ["after a lost answer", FAULTS.dropAnswer],
  // A first 412 says no more than a later one: the put can have been delivered twice.
  ["after a put that was delivered twice", FAULTS.twice],
])("when nobody can say whose object it is, the append is unknown, and settled later: %s", async (_, fault) => {
  setUp();
  const store = await bench.open();
  await store.append(event(0));
  bench.faultOnEvents(fault);
  bench.fault(FAULTS.accessDenied, { operation: "GET", key: bench.keys.event(1) });
  const error = await failure(store.append(event(1)));
  bench.heal();
  expect(error).toMatchObject({ code: "COMMIT_UNKNOWN", facts: { seq: 1 }, cause: { code: "ACCESS_DENIED" } });
  expect(await store.append(event(2))).toMatchObject({ committed: true, seq: 2, prevHash: error.facts.hash });
  await bench.expectEvents(0, 1, 2);
});

function withoutMetadata<T extends { readonly metadata: object } | null>(object: T): T {
  return object && { ...object, metadata: {} };
}
