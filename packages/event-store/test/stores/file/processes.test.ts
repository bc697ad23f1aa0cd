import { describe, expect, it } from "vitest";
import { startPythonWriter, startWriter, type WriterProcess } from "./processes.js";
import { collect, ScratchLog } from "./scratch.js";

/** Every acknowledged append is where it was said to be, nothing else is in the log, and each writer's own are in its order. */
async function expectAll(log: ScratchLog, writers: readonly WriterProcess[], total: number): Promise<void> {
  await log.with(async (store) => {
    const report = await store.verify();
    expect([report.valid, report.events]).toEqual([true, total]);
    const events = await collect(store);
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: total }, (_, seq) => seq));
    for (const { name, acknowledged } of writers) {
      const own = events.filter(({ aggregateId }) => aggregateId === name);
      expect(own.map(({ seq, eventHash, payload }) => ({ seq, hash: eventHash, n: payload["n"] }))).toEqual(
        acknowledged,
      );
      expect(own.map(({ payload }) => payload["n"])).toEqual(own.map((_, n) => n));
    }
  });
  expect(log.asides()).toEqual([]);
}

describe("eight processes with fifty events each on one log", () => {
  it.each([
    ["one event at a time", {}],
    ["with batches and expectations", { mixed: true }],
    ["with a rotation every few appends", { maxBytes: 4000 }],
    ["with batches, expectations and rotation", { mixed: true, maxBytes: 4000 }],
    ["with a rotation at every append", { maxBytes: 1 }],
  ])(
    "%s: 400 events, gapless and verified",
    async (_how, options) => {
      const log = new ScratchLog();
      const writers = Array.from({ length: 8 }, (_, i) =>
        startWriter({ path: log.path, name: `writer-${i}`, count: 50, ...options }),
      );
      await Promise.all(writers.map((writer) => writer.succeeded()));
      await expectAll(log, writers, 400);
      if ("maxBytes" in options)
        expect(log.suffixes().filter((suffix) => suffix.startsWith(".seg-")).length).toBeGreaterThan(10);
      expect(writers.map(({ errors }) => errors).join("")).toBe("");
    },
    60_000,
  );
});

describe("a Python writer that locks the log file", () => {
  it("and ours exclude each other: every event of both is there, and what it wrote is what we would have written", async () => {
    const log = new ScratchLog();
    const ours = ["node-0", "node-1"].map((name) => startWriter({ path: log.path, name, count: 40 }));
    const theirs = ["python-0", "python-1"].map((name) => startPythonWriter(log.path, name, 40));
    const writers = [...ours, ...theirs];
    await Promise.all(writers.map((writer) => writer.succeeded()));
    await expectAll(log, writers, 160);
    const lines = log.bytes();
    const copy = new ScratchLog();
    await copy.with(async (store) => {
      await log.with(async (source) => {
        for await (const record of source.readRecords()) await store.importRecords([record]);
      });
    });
    expect(copy.bytes()).toEqual(lines);
  }, 60_000);

  it("goes on behind our batches, and we behind its events", async () => {
    const log = new ScratchLog();
    for (let round = 0; round < 3; round++) {
      const ours = startWriter({ path: log.path, name: `node-${round}`, count: 9, mixed: true });
      await ours.succeeded();
      const theirs = startPythonWriter(log.path, `python-${round}`, 2);
      await theirs.succeeded();
      await expectAll(log, [ours, theirs], 11 * (round + 1));
    }
  });
});
