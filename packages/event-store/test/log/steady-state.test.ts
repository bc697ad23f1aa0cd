import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parseHead } from "../../src/core/head-check.js";
import { BackendError } from "../../src/core/errors.js";
import { FAULTS, startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { overriding } from "./overriding.js";
import { event, failure, FaultBench, QuickRuntime } from "./fault-bench.js";

let emulator: S3Emulator;
let bench: FaultBench;
beforeAll(async () => {
  emulator = await startS3Emulator();
});
afterEach(() => bench.close());
afterAll(() => emulator.close());

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const storedSeq = (): number | undefined =>
  parseHead(emulator.objects("events").get(bench.keys.head)?.body ?? Buffer.alloc(0))?.seq;
const asked = (): string[] => emulator.requests.map(({ operation, key }) => `${operation} ${key}`);

describe("requests of an append in steady state", () => {
  it("one PUT each and nothing else", async () => {
    bench = new FaultBench(emulator);
    const store = await bench.open({ skipBackendProof: false, skipBucketCheck: false });
    await store.append(event(0));
    emulator.requests.length = 0;
    for (const n of numbers(50)) await store.append(event(n + 1));
    const { eventHash } = await store.appendWithRetry(event(51));
    await store.append(event(52), { expectedPrevHash: eventHash });
    await store.appendBatch([event(53), event(54)]);
    expect(asked()).toEqual([...numbers(53).map((n) => `PUT ${bench.keys.event(n + 1)}`)]);
    expect(emulator.requests.every(({ headers, status }) => headers["if-none-match"] === "*" && status === 200)).toBe(
      true,
    );
    await bench.expectEvents(...numbers(55));
  });

  it("each put has an id of its own", async () => {
    bench = new FaultBench(emulator);
    const store = await bench.open();
    for (const n of numbers(20)) await store.append(event(n));
    expect(
      new Set(
        emulator.requests.flatMap(({ operation, headers }) =>
          operation === "PUT" ? [headers["x-amz-meta-put-id"]] : [],
        ),
      ).size,
    ).toBe(20);
  });

  it("with a head: the same, and behind them at most one put of the head a second, forward only", async () => {
    const runtime = new StandingRuntime(() => bench.newId());
    bench = new FaultBench(emulator);
    const store = await bench.open({ useHead: true, runtime });
    await store.append(event(0));
    await bench.arrived(({ key, status }) => key === bench.keys.head && status === 200);
    emulator.requests.length = 0;
    for (const n of numbers(100)) await store.append(event(n + 1));
    expect(asked()).toEqual(numbers(100).map((n) => `PUT ${bench.keys.event(n + 1)}`));

    runtime.advance(1000);
    await bench.arrived(({ key, status }) => key === bench.keys.head && status === 200);
    expect(asked().slice(100)).toEqual([`PUT ${bench.keys.head}`]);
    expect(storedSeq()).toBe(100);
    expect(emulator.requests.at(-1)?.headers["if-match"]).toBeDefined();

    await store.append(event(101));
    await store.close();
    expect(asked().slice(101)).toEqual([`PUT ${bench.keys.event(101)}`, `PUT ${bench.keys.head}`]);
    expect(storedSeq()).toBe(101);
    await bench.expectEvents(...numbers(102));
  });

  it("a head that another store has moved on is left as it is", async () => {
    bench = new FaultBench(emulator);
    const runtime = new StandingRuntime(bench.newId);
    const [slow, other] = [await bench.open({ useHead: true, runtime }), await bench.open({ useHead: true })];
    await slow.append(event(0));
    await bench.arrived(({ key, status }) => key === bench.keys.head && status === 200);
    await slow.append(event(1));
    for (const n of [2, 3]) await other.append(event(n));
    await other.close();
    expect(storedSeq()).toBe(3);
    emulator.requests.length = 0;
    runtime.advance(1000);
    await slow.close();
    expect(asked()).toContain(`PUT ${bench.keys.head}`);
    expect(storedSeq()).toBe(3);
    await bench.expectEvents(0, 1, 2, 3);
  });

  it("appends called at once: never two puts on their way", async () => {
    bench = new FaultBench(emulator);
    let underWay = 0;
    let most = 0;
    const store = await bench.open({
      between: (objects) =>
        overriding(objects, {
          putIfAbsent: async (...args) => {
            most = Math.max(most, ++underWay);
            return objects.putIfAbsent(...args).finally(() => underWay--);
          },
        }),
    });
    bench.faultOnEvents(FAULTS.dropAnswer, { nth: 3, count: 4 });
    await Promise.all(numbers(30).map((n) => store.append(event(n))));
    bench.heal();
    expect(most).toBe(1);
    await bench.expectEvents(...numbers(30));
  });
});

describe("an append that is aborted", () => {
  it("in the queue: ABORTED, never in the log, and the others go on", async () => {
    bench = new FaultBench(emulator);
    const store = await bench.open();
    await store.append(event(0));
    bench.faultOnEvents(FAULTS.slow(20));
    const abort = new AbortController();
    let firstEnded = false;
    const first = store.append(event(1)).finally(() => (firstEnded = true));
    const second = failure(store.append(event(2), { signal: abort.signal }));
    const third = store.append(event(3));
    abort.abort();
    expect(await second).toMatchObject({ code: "ABORTED" });
    expect(firstEnded).toBe(false);
    expect([await first, await third]).toMatchObject([{ seq: 1 }, { seq: 2 }]);
    bench.heal();
    expect(await store.settle()).toBeNull();
    await bench.expectEvents(0, 1, 3);
  });

  it.each([
    ["not persisted", FAULTS.hang, [0, 1, 2]],
    ["persisted", FAULTS.hangAfterCommit, [0, 1, 2]],
  ] as const)("in flight, %s: COMMIT_UNKNOWN, and the next append settles it first", async (_, fault, log) => {
    bench = new FaultBench(emulator);
    const store = await bench.open();
    await store.append(event(0));
    bench.faultOnEvents(fault);
    const abort = new AbortController();
    const pending = failure(store.append(event(1), { signal: abort.signal }));
    await bench.arrived((request) => request.fault === fault.name);
    abort.abort(new Error("enough"));
    const error = await pending;
    expect(error).toMatchObject({ code: "COMMIT_UNKNOWN", facts: { seq: 1 }, cause: { message: "enough" } });
    bench.heal();
    expect(await store.append(event(2))).toMatchObject({ committed: true, seq: 2, prevHash: error.facts.hash });
    await bench.expectEvents(...log);
  });

  it("in flight, and nobody comes back: there once or never", async () => {
    bench = new FaultBench(emulator);
    const [store, next] = [await bench.open(), await bench.open()];
    await store.append(event(0));
    bench.faultOnEvents(FAULTS.hang);
    const abort = new AbortController();
    const pending = failure(store.append(event(1), { signal: abort.signal }));
    await bench.arrived((request) => request.fault === "hang");
    abort.abort();
    await pending;
    bench.heal();
    expect(await next.append(event(2))).toMatchObject({ committed: true, seq: 1 });
    await bench.expectEvents(0, 2);
  });

  it.each([
    ["while it waits for its next try: COMMIT_UNKNOWN", FAULTS.internalError, "COMMIT_UNKNOWN"],
    ["after a lost race: ABORTED, nothing written", null, "ABORTED"],
  ] as const)("%s", async (_, fault, code) => {
    bench = new FaultBench(emulator);
    const runtime = bench.runtime();
    const abort = new AbortController();
    const [store, rival] = [await bench.open({ runtime }), await bench.open()];
    await store.append(event(0));
    if (fault) bench.faultOnEvents(fault);
    else await rival.append(event(7));
    runtime.during = async () => abort.abort();
    expect(await failure(store.append(event(1), { signal: abort.signal }))).toMatchObject({ code });
    bench.heal();
    await bench.expectEvents(...(fault ? [0] : [0, 7]));
  });
});

describe("an append that cannot get through", () => {
  it("CONTENTION: others win every race until the deadline; nothing of it is written", async () => {
    bench = new FaultBench(emulator);
    const rival = await bench.open();
    let n = 100;
    const store = await bench.open({
      appendTimeoutMs: 200,
      between: (objects) =>
        overriding(objects, {
          putIfAbsent: async (...args) => {
            await rival.append(event(n++));
            return objects.putIfAbsent(...args);
          },
        }),
    });
    const error = await failure(store.append(event(1)));
    expect(error).toMatchObject({ code: "CONTENTION", action: "conflict", facts: { seq: n - 100 } });
    expect(await store.settle()).toBeNull();
    expect(n).toBeGreaterThan(104);
    await bench.expectEvents(...numbers(n - 100).map((i) => i + 100));
  });

  it("no server: UNAVAILABLE, not unknown; but unknown once a try may have arrived", async () => {
    bench = new FaultBench(emulator);
    let reachable = true;
    const cause = new BackendError("UNAVAILABLE", "connection refused");
    const store = await bench.open({
      appendTimeoutMs: 300,
      between: (objects) =>
        overriding(objects, {
          putIfAbsent: async (...args) =>
            reachable ? objects.putIfAbsent(...args) : { outcome: "unknown", sent: false, cause },
        }),
    });
    await store.append(event(0));
    reachable = false;
    expect(await failure(store.append(event(1)))).toBe(cause);
    expect(await store.settle()).toBeNull();
    reachable = true;
    const abort = new AbortController();
    bench.faultOnEvents(FAULTS.hang);
    const pending = failure(store.append(event(2), { signal: abort.signal }));
    await bench.arrived(({ fault }) => fault === "hang");
    reachable = false;
    abort.abort();
    const { facts } = await pending;
    expect(await failure(store.append(event(3)))).toMatchObject({
      code: "BLOCKED",
      facts: { seq: 1, hash: facts.hash },
      cause: { code: "COMMIT_UNKNOWN", cause },
    });
    reachable = true;
    bench.heal();
    expect(await store.settle()).toMatchObject({ committed: true, seq: 1 });
    await bench.expectEvents(0, 2);
  });
});

/** Its clock moves only when the test says so. */
class StandingRuntime extends QuickRuntime {
  readonly #waiting = new Set<() => void>();
  #time = 0;

  override elapsed = (): number => this.#time;

  advance(ms: number): void {
    this.#time += ms;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  override sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
      if (signal?.aborted) resolve();
      signal?.addEventListener("abort", () => resolve());
    });
  }
}
