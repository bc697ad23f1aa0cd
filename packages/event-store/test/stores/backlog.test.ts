import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { GENESIS_HASH, type NewEvent } from "../../src/core/event.js";
import type { AppendJob, AppendOutcome, LogWriter } from "../../src/log/append-job.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { Backlog } from "../../src/stores/backlog.js";
import { EventLog } from "../../src/stores/event-log.js";
import type { RecordSource } from "../../src/stores/record-source.js";
import { systemRuntime } from "../../src/system/runtime.js";
import { SeededRandom } from "../log/random.js";

/** Records, and bytes, at which it is full. */
const RECORDS = 16_384;
const BYTES = 32 * 1024 * 1024;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const codeOf = (error: unknown): string => (error as { code: string }).code;

/** Waits at the backlog, and writes down that it got in, with next to nothing, or how it ended. */
function wait(backlog: Backlog, records: number, told: unknown[], name: unknown, signal?: AbortSignal): void {
  const place = backlog.enter(records, signal);
  const comeIn = (): void => {
    told.push(name);
    backlog.hold(0);
  };
  if (place === undefined) comeIn();
  else void place.then(comeIn, (error: unknown) => told.push(`${String(name)}: ${codeOf(error)}`));
}

describe("the backlog", () => {
  it("has places at once until it is full, of records or of bytes", async () => {
    const backlog = new Backlog();
    const told: unknown[] = [];
    for (let i = 0; i < RECORDS; i++) expect(backlog.enter(1)).toBeUndefined();
    wait(backlog, 1, told, "waits");
    await turn();
    expect(told).toEqual([]);
    backlog.leave(1, 0);
    await turn();
    expect(told).toEqual(["waits"]);

    const other = new Backlog();
    void other.enter(1);
    other.hold(BYTES - 1);
    expect(other.enter(1)).toBeUndefined();
    other.hold(1);
    wait(other, 1, told, "waits for bytes");
    await turn();
    expect(told).toHaveLength(1);
    other.leave(1, 1);
    await turn();
    expect(told).toEqual(["waits", "waits for bytes"]);
  });

  it("serves in order: a small one does not overtake a large one, nor a new one those that wait", async () => {
    const backlog = new Backlog();
    const told: unknown[] = [];
    void backlog.enter(RECORDS - 1);
    wait(backlog, 1000, told, "large");
    expect(told).toEqual(["large"]);
    wait(backlog, 1000, told, "second");
    wait(backlog, 1, told, "small");
    await turn();
    expect(told).toEqual(["large"]);
    // Room for the small one, had it come first.
    backlog.leave(998, 0);
    wait(backlog, 1, told, "new");
    await turn();
    expect(told).toEqual(["large"]);
    backlog.leave(2, 0);
    await turn();
    expect(told).toEqual(["large", "second"]);
    backlog.leave(2000, 0);
    await turn();
    expect(told).toEqual(["large", "second", "small", "new"]);
  });

  it("forgets those who abort while they wait, and takes no place for them", async () => {
    const backlog = new Backlog();
    const told: unknown[] = [];
    const abort = new AbortController();
    void backlog.enter(RECORDS);
    wait(backlog, 1, told, "a", abort.signal);
    wait(backlog, 1, told, "b");
    wait(backlog, 1, told, "c", abort.signal);
    abort.abort();
    wait(backlog, 1, told, "d", abort.signal);
    await turn();
    expect(told.toSorted()).toEqual(["a: ABORTED", "c: ABORTED", "d: ABORTED"]);
    backlog.leave(RECORDS, 0);
    await turn();
    expect(told.slice(3)).toEqual(["b"]);
    backlog.leave(1, 0);
    // Empty again: a whole backlog fits.
    for (let i = 0; i < RECORDS; i++) expect(backlog.enter(1)).toBeUndefined();
    expect(backlog.enter(1)).toBeDefined();
  });

  it("leaves no more than one listener on a signal that lives on, however many waited", async () => {
    const backlog = new Backlog();
    const { signal } = new AbortController();
    const told: unknown[] = [];
    void backlog.enter(RECORDS);
    for (let i = 0; i < 20; i++) wait(backlog, 1, told, i, signal);
    expect(getEventListeners(signal, "abort").length).toBeGreaterThan(0);
    backlog.leave(RECORDS, 0);
    await turn();
    expect(told).toHaveLength(20);
    expect(getEventListeners(signal, "abort").length).toBeLessThanOrEqual(1);
  });

  it("an abort after it got in changes nothing", async () => {
    const backlog = new Backlog();
    const told: unknown[] = [];
    const abort = new AbortController();
    void backlog.enter(RECORDS);
    wait(backlog, 1, told, "a", abort.signal);
    backlog.leave(RECORDS, 0);
    abort.abort();
    await turn();
    expect(told).toEqual(["a"]);
  });

  it.each(Array.from({ length: 20 }, (_, seed) => seed))(
    "at random it is a queue that is bounded, and leaks nothing: seed %i",
    async (seed) => {
      const random = new SeededRandom(seed);
      const backlog = new Backlog();
      const inside = new Map<number, { records: number; bytes: number }>();
      const waiting: number[] = [];
      const admitted: number[] = [];
      const order: number[] = [];
      let aborted = 0;
      let most = 0;
      const ins = (id: number, records: number): void => {
        const bytes = random.pick([100, 10_000, 3_000_000]);
        backlog.hold(bytes);
        inside.set(id, { records, bytes });
        admitted.push(id);
        most = Math.max(
          most,
          [...inside.values()].reduce((sum, { records: count }) => sum + count, 0),
        );
      };
      for (let id = 0; id < 400; id++) {
        const records = random.pick([1, 1, 100, 1000]);
        const abort = new AbortController();
        const place = backlog.enter(records, abort.signal);
        if (place === undefined) {
          expect(waiting, "nobody waits when a new one gets in").toEqual([]);
          order.push(id);
          ins(id, records);
        } else {
          waiting.push(id);
          order.push(id);
          const out = (): void => void waiting.splice(waiting.indexOf(id), 1);
          void place.then(
            () => {
              expect(waiting[0], "the first one is served").toBe(id);
              out();
              ins(id, records);
            },
            () => {
              out();
              order.splice(order.indexOf(id), 1);
              aborted++;
            },
          );
          if (random.chance(0.2)) {
            setImmediate(() => {
              abort.abort();
            });
          }
        }
        while (random.chance(0.5) && inside.size > 0) {
          const [leaver = 0] = [...inside.keys()].slice(random.below(inside.size));
          const { records: left = 0, bytes = 0 } = inside.get(leaver) ?? {};
          inside.delete(leaver);
          backlog.leave(left, bytes);
          await turn();
        }
        if (random.chance(0.3)) await turn();
      }
      while (inside.size > 0) {
        for (const [id, { records, bytes }] of inside) {
          inside.delete(id);
          backlog.leave(records, bytes);
        }
        await turn();
        await turn();
      }
      expect(waiting, `seed ${String(seed)}`).toEqual([]);
      expect(admitted, `seed ${String(seed)}`).toEqual(order);
      expect(admitted.length + aborted).toBe(400);
      expect(most).toBeLessThan(RECORDS + 1000);
      expect(backlog.enter(RECORDS)).toBeUndefined();
      expect(backlog.enter(1)).toBeDefined();
    },
  );
});

/** A writer whose appends end when the test says so. */
class HeldWriter implements LogWriter {
  readonly jobs: { readonly job: AppendJob; readonly end: (outcome: "written" | Error) => void }[] = [];
  #seq = -1;

  append(job: AppendJob): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      this.jobs.push({
        job,
        end: (outcome) => {
          if (outcome instanceof Error) reject(outcome);
          else {
            const records = job.recordsAfter({ seq: this.#seq, hash: GENESIS_HASH });
            this.#seq += records.length;
            resolve({ records });
          }
        },
      });
    });
  }

  /** Ends all that are under way, and those that come in for them. */
  async endAll(): Promise<void> {
    while (this.jobs.length > 0) {
      for (const { end } of this.jobs.splice(0)) end("written");
      await turn();
    }
  }

  settle = (): Promise<null> => Promise.resolve(null);
  head = (): never => unused();
  refresh = (): never => unused();
  resetHead = (): never => unused();
  close = (): Promise<void> => Promise.resolve();
}

function unused(): never {
  throw new Error("not part of this test");
}

function open(): { readonly store: EventLog<Record<string, { n: number }>>; readonly writer: HeldWriter } {
  const writer = new HeldWriter();
  const source: RecordSource = { storedHead: unused, walk: unused, hashOf: unused, recordOf: unused, watch: unused };
  const store = new EventLog<Record<string, { n: number }>>({
    location: "test:",
    derived: { objects: memoryObjects(), root: "" },
    source,
    writer,
    upkeep: { compact: unused, prune: unused },
    hashVersion: 1,
    runtime: systemRuntime,
  });
  return { store, writer };
}

const event = (n: number): { type: string; aggregateId: string; ts: number; payload: { n: number } } => ({
  type: "T",
  aggregateId: "a",
  ts: 1,
  payload: { n },
});

const thousand = (): NewEvent<Record<string, { n: number }>>[] => Array.from({ length: 1000 }, (_, n) => event(n));

/** A store that is full, and its writer. */
async function full(): Promise<ReturnType<typeof open> & { readonly settled: Promise<unknown>[] }> {
  const opened = open();
  const settled: Promise<unknown>[] = Array.from({ length: 17 }, () => opened.store.appendBatch(thousand()));
  await turn();
  expect(opened.writer.jobs).toHaveLength(17);
  return { ...opened, settled };
}

describe("a store whose backlog is full", () => {
  it("lets callers wait, and reads their events when it is their turn", async () => {
    const { store, writer, settled } = await full();
    const late = { ...event(1) };
    const append = store.append(late);
    await turn();
    expect(writer.jobs).toHaveLength(17);
    late.payload = { n: 2 };
    writer.jobs.shift()?.end("written");
    await turn();
    const [record] = writer.jobs.at(-1)?.job.recordsAfter({ seq: -1, hash: GENESIS_HASH }) ?? [];
    expect(record?.line.toString()).toContain('"payload":{"n":2}');
    await writer.endAll();
    expect(await append).toMatchObject({ committed: true });
    await Promise.all(settled);
  });

  it("gives places on in order, to those who are written, refused or fail", async () => {
    const { store, writer, settled } = await full();
    const told: unknown[] = [];
    const call = (n: number, payload: unknown = { n }): void =>
      void store.append({ ...event(n), payload } as never).then(
        () => told.push(n),
        (error: unknown) => told.push(`${String(n)}: ${codeOf(error)}`),
      );
    call(1);
    call(2, { bad: Number.NaN });
    call(3);
    writer.jobs.shift()?.end(Object.assign(new Error("a disk"), { code: "IO_FAILED" }));
    await expect(settled.shift()).rejects.toThrow("a disk");
    await turn();
    // The bad one was refused when it was read, and left its place at once.
    expect(told).toEqual(["2: INVALID_EVENT"]);
    expect(
      writer.jobs.slice(-2).map(({ job }) => job.recordsAfter({ seq: -1, hash: GENESIS_HASH })[0]?.line.toString()),
    ).toEqual([expect.stringContaining('{"n":1}'), expect.stringContaining('{"n":3}')]);
    await writer.endAll();
    await Promise.all(settled);
    expect(told).toEqual(["2: INVALID_EVENT", 1, 3]);
    // Nothing was kept: it holds as much as before.
    const again = Array.from({ length: 17 }, () => store.appendBatch(thousand()));
    await turn();
    expect(writer.jobs).toHaveLength(17);
    await writer.endAll();
    await Promise.all(again);
  });

  it("bounds bytes also when places get free: for one that leaves, one comes in", async () => {
    const { store, writer } = open();
    const MIB = 1024 * 1024;
    let read = 0;
    const large = {
      ...event(1),
      get payload() {
        read++;
        return { n: 1, fill: "x".repeat(MIB) };
      },
    };
    const appends = Array.from({ length: 60 }, () => store.append(large));
    await turn();
    expect(read).toBe(32);
    for (let left = 1; left < 5; left++) {
      writer.jobs.shift()?.end("written");
      await turn();
      expect(read).toBeLessThanOrEqual(32 + left);
    }
    await writer.endAll();
    await Promise.all(appends);
    expect(read).toBe(60);
  });

  it("takes a batch as the array was when it was given: never more than a batch may have", async () => {
    const { store, writer, settled } = await full();
    const batch = [event(1), event(2)];
    const append = store.appendBatch(batch);
    for (let i = 0; i < 1500; i++) batch.push(event(3));
    await writer.endAll();
    await Promise.all(settled);
    expect(await append).toMatchObject({ committed: true, records: [{}, {}] });
  });

  it("does not read the event of a caller who aborts while he waits", async () => {
    const { store, writer, settled } = await full();
    const abort = new AbortController();
    let read = false;
    const spied = {
      ...event(1),
      get payload() {
        read = true;
        return { n: 1 };
      },
    };
    const append = store.append(spied, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(append).rejects.toMatchObject({ code: "ABORTED", cause: { message: "enough" } });
    await writer.endAll();
    await Promise.all(settled);
    expect(read).toBe(false);
  });

  it("tells those who wait when it is closed: CLOSED, nothing written", async () => {
    const { store, writer, settled } = await full();
    const waiting = [store.append(event(1)), store.appendBatch([event(2), event(3)])];
    const ended = Promise.allSettled(waiting);
    await store.close();
    await writer.endAll();
    await Promise.all(settled);
    expect(await ended).toMatchObject([{ reason: { code: "CLOSED" } }, { reason: { code: "CLOSED" } }]);
  });
});
