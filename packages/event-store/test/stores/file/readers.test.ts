import { describe, expect, it } from "vitest";
import type { EventStore } from "../../../src/stores/port.js";
import { startWriter } from "./processes.js";
import { event, ScratchLog } from "./scratch.js";

/** One look at a log that grows: a verified prefix, no shorter than before, without a part of a batch of three. */
async function look(store: EventStore, atLeast: number): Promise<number> {
  const open: Map<string, number> = new Map();
  let count = 0;
  for await (const { seq, aggregateId, payload } of store.read()) {
    expect(seq).toBe(count++);
    const n = Number(payload["n"]);
    const inBatch = open.get(aggregateId) ?? 0;
    open.set(aggregateId, inBatch > 0 ? inBatch - 1 : n % 5 === 0 ? 2 : 0);
  }
  expect([...open.values()].filter((missing) => missing > 0)).toEqual([]);
  expect(count).toBeGreaterThanOrEqual(atLeast);
  return count;
}

/** The other ways of asking, each with an answer of this moment or a later one. */
async function ask(store: EventStore, atLeast: number): Promise<void> {
  const head = await store.head();
  expect(head.seq).toBeGreaterThanOrEqual(atLeast - 1);
  if (head.seq < 0) return;
  expect(await store.getEventHash(head.seq)).toBe(head.hash);
  const from = Math.floor(head.seq / 2);
  let next = from;
  for await (const { seq } of store.read({ fromSeq: from })) expect(seq).toBe(next++);
  expect(next).toBeGreaterThan(head.seq);
  const report = await store.verify({ expectedHead: head });
  expect(report.error).toBeUndefined();
}

describe("readers while writers write", () => {
  it.each([
    ["in other processes", { maxBytes: undefined, size: 0 }],
    ["in other processes, rotating", { maxBytes: 20_000, size: 200 }],
    ["in other processes, large records", { maxBytes: 2_000_000, size: 100_000 }],
  ])(
    "%s: every read is a verified prefix, never an error, never a part of a batch",
    async (_where, { maxBytes, size }) => {
      const log = new ScratchLog();
      await log.with(async (store) => {
        const writers = [0, 1, 2].map((i) =>
          startWriter({ path: log.path, name: `w${i}`, count: 83, mixed: true, size, ...(maxBytes && { maxBytes }) }),
        );
        let running = 3;
        for (const writer of writers) void writer.ended.then(() => running--);
        let seen = 0;
        let looks = 0;
        while (running > 0) {
          seen = await look(store, seen);
          await ask(store, seen);
          looks++;
        }
        await Promise.all(writers.map((writer) => writer.succeeded()));
        expect(await look(store, seen)).toBe(249);
        expect(looks).toBeGreaterThan(3);
      });
      expect(log.warnings).toEqual([]);
    },
    60_000,
  );

  it.each([
    ["in the same process", {}],
    ["in the same process, rotating at every append", { maxBytes: 1 }],
  ])(
    "%s: the same",
    async (_where, options) => {
      const log = new ScratchLog();
      const reader = await log.open();
      await log.with(async (store) => {
        let n = 0;
        const write = async (): Promise<void> => {
          while (n < 200) {
            const first = n;
            n += 5;
            const three = [first, first + 1, first + 2].map((i) => event(i, 2000));
            await Promise.all([
              store.appendBatch(three),
              store.appendWithRetry(event(first + 3)),
              store.appendWithRetry(event(first + 4)),
            ]);
          }
        };
        const writing = new AbortController();
        const written = write().finally(() => {
          writing.abort();
        });
        let seen = 0;
        while (!writing.signal.aborted) {
          seen = await look(reader, seen);
          await ask(reader, seen);
        }
        await written;
        expect(await look(reader, seen)).toBe(200);
      }, options);
    },
    60_000,
  );

  it("a read that began before a rotation ends with what was there, whole", async () => {
    const log = new ScratchLog();
    await log.with(async (store) => {
      for (let n = 0; n < 10; n++) await store.appendWithRetry(event(n, 100_000));
      const reader = await log.open();
      let count = 0;
      for await (const { seq } of reader.read()) {
        expect(seq).toBe(count++);
        if (seq === 0) await log.with((other) => other.appendWithRetry(event(10)), { maxBytes: 1 });
      }
      expect(count).toBe(10);
      expect((await reader.verify()).events).toBe(11);
    });
  });

  it("leaving a read early, or failing in it, leaves no descriptor open", async () => {
    const { readdirSync } = await import("node:fs");
    const log = new ScratchLog();
    await log.with(
      async (store) => {
        for (let n = 0; n < 20; n++) await store.appendWithRetry(event(n));
        await store.appendBatch([event(20), event(21)]);
      },
      { maxBytes: 2000 },
    );
    const store = await log.open();
    const work = async (): Promise<void> => {
      for await (const { seq } of store.read()) if (seq === 7) break;
      for await (const { seq } of store.read({ fromSeq: 12 })) if (seq === 13) break;
      await expect(
        (async () => {
          for await (const { seq } of store.read()) throw new Error(`mine at ${seq}`);
        })(),
      ).rejects.toThrow("mine");
      const controller = new AbortController();
      await expect(
        (async () => {
          for await (const { seq } of store.read({ signal: controller.signal })) if (seq === 3) controller.abort();
        })(),
      ).rejects.toMatchObject({ code: "ABORTED" });
      await store.verify();
      await store.head();
      await store.getEventHash(9);
      await store.getEventHash(900);
    };
    const descriptors = (): number => readdirSync("/proc/self/fd").filter((fd) => !Number.isNaN(Number(fd))).length;
    await work();
    const before = descriptors();
    for (let i = 0; i < 10; i++) await work();
    expect(descriptors()).toBeLessThanOrEqual(before);
  });
});
