import { describe, expect, it } from "vitest";
import type { NewEvent } from "../../src/core/event.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { systemIo, type FileIo } from "../../src/stores/file/file-io.js";
import type { EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { SeededRandom } from "../log/random.js";
import { ScratchLog } from "./file/scratch.js";

/* Readers of a log to which many callers append batches: no prefix that anybody sees ends within one. */

interface Log {
  /** Another store on it. */
  readonly writer: () => Promise<EventStore>;
  readonly reader: () => Promise<EventStore>;
}

const CALLERS = 24;
const BATCHES = 6;

function batch(caller: number, n: number, size: number, fill: number): NewEvent[] {
  return Array.from({ length: size }, (_, i) => ({
    type: i % 3 === 0 ? "first" : "other",
    aggregateId: `caller ${caller}`,
    payload: { n, i, size, fill: "x".repeat(fill) },
  }));
}

/** Where somebody saw the log end. */
type Ends = Set<number>;

async function write(stores: readonly EventStore[], random: SeededRandom): Promise<void> {
  const caller = async (id: number): Promise<void> => {
    for (let n = 0; n < BATCHES; n++) {
      const store = stores[random.below(stores.length)];
      const size = random.pick([1, 2, 3, 7, 20]);
      const events = batch(id, n, size, random.pick([0, 200, 3000]));
      if (size === 1) await store?.append(events[0] as NewEvent);
      else expect(await store?.appendBatch(events)).toMatchObject({ committed: true });
      if (random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, random.below(5)));
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
}

/** One look in each of the ways there are; each ends where the log does at some moment from now on. */
async function look(store: EventStore, random: SeededRandom, ends: Ends, atLeast: number): Promise<number> {
  let next = 0;
  for await (const { seq } of store.readRecords()) expect(seq).toBe(next++);
  ends.add(next - 1);
  const { seq } = await store.head();
  ends.add(seq);
  const fromSeq = random.below(next + 2);
  let last: number | null = null;
  for await (const event of store.read({ fromSeq })) {
    expect(event.seq).toBe(last === null ? fromSeq : last + 1);
    last = event.seq;
  }
  if (last !== null) ends.add(last);
  const report = await store.verify();
  expect(report.error).toBeUndefined();
  expect(report.head.seq).toBe(report.events - 1);
  ends.add(report.events - 1);
  // Nobody sees less than somebody saw before.
  expect(next).toBeGreaterThanOrEqual(atLeast);
  expect(seq).toBeGreaterThanOrEqual(next - 1);
  expect(report.events).toBeGreaterThan(seq);
  return report.events;
}

async function race(log: Log, seed: number, writers: number): Promise<void> {
  const random = new SeededRandom(seed);
  const stores = await Promise.all(Array.from({ length: writers }, () => log.writer()));
  const ends: Ends = new Set();
  let done = false;
  const written = write(stores, random).finally(() => (done = true));
  const readers = Array.from({ length: 3 }, async () => {
    const store = await log.reader();
    for (let seen = 0; !done;) seen = await look(store, random, ends, seen);
    await store.close();
  });
  await Promise.all([written, ...readers]);
  const reader = await log.reader();
  const within = new Set<number>();
  let count = 0;
  let previous: unknown[] = [];
  for await (const { seq, aggregateId, payload } of reader.read()) {
    const { n, i, size } = payload as { n: number; i: number; size: number };
    // A batch stands together.
    if (i > 0) expect(previous).toEqual([aggregateId, n, i - 1]);
    previous = [aggregateId, n, i];
    if (i < size - 1) within.add(seq);
    count++;
  }
  expect(ends.size).toBeGreaterThan(3);
  expect([...ends].filter((end) => within.has(end))).toEqual([]);
  expect(count).toBeGreaterThan(CALLERS * BATCHES);
  for (const store of [...stores, reader]) await store.close();
}

/** A disk that takes its time in the middle of a write. */
function slowly(random: SeededRandom): FileIo {
  return {
    ...systemIo,
    append: async (file, bytes) => {
      for (let at = 0; at < bytes.length;) {
        const piece = 1 + random.below(bytes.length > 20_000 ? 20_000 : 500);
        await systemIo.append(file, bytes.subarray(at, at + piece));
        at += piece;
        if (random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
  };
}

describe("no prefix that a reader sees ends within a batch", () => {
  it.each([
    ["one writer", 1, 1, {}],
    ["two writers", 2, 2, {}],
    ["one writer, with rotation", 3, 1, { maxBytes: 30_000 }],
  ])("on a file: %s", async (_, seed, writers, options) => {
    const log = new ScratchLog();
    const io = slowly(new SeededRandom(seed));
    await race({ writer: () => log.open({ ...options, io }), reader: () => log.open(options) }, seed, writers);
  });

  it.each([
    ["one writer in batch mode", 4, [true]],
    ["writers in both modes", 5, [true, false]],
  ])("on a bucket: %s", async (_, seed, modes) => {
    const { bucket } = memoryObjects();
    let opened = 0;
    const open = (batchMode: boolean): Promise<EventStore> =>
      S3EventStore.open({ objects: memoryObjects({ bucket }), batch: batchMode });
    const log = { writer: () => open(modes[opened++ % modes.length] ?? true), reader: () => open(false) };
    await race(log, seed, modes.length);
  });
});
