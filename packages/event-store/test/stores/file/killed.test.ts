import { describe, expect, it } from "vitest";
import type { RecordedEvent } from "../../../src/core/event.js";
import { startWriter, type WriterProcess } from "./processes.js";
import { collect, event, numbers, ScratchLog } from "./scratch.js";

/** Numbers that look random and are the same in every run. */
function* chances(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    yield (state >>> 8) / 2 ** 24;
  }
}

/** The batches of three that a mixed writer writes begin at multiples of 5 … */
const begins = (n: number): boolean => n % 5 === 0;

/** … and none is there in part: behind each event that begins one, the two others stand at the next seqs. */
function expectWholeBatches(events: readonly RecordedEvent[]): void {
  const byPlace = new Map(
    events.map(({ seq, aggregateId, payload }) => [seq, `${aggregateId} ${Number(payload["n"])}`]),
  );
  for (const { seq, aggregateId, payload } of events) {
    const n = Number(payload["n"]);
    if (!begins(n)) continue;
    expect(
      [1, 2].map((i) => byPlace.get(seq + i)),
      `batch of ${aggregateId} at ${seq}`,
    ).toEqual([1, 2].map((i) => `${aggregateId} ${n + i}`));
  }
}

function expectAcknowledged(events: readonly RecordedEvent[], writers: readonly WriterProcess[]): void {
  for (const { name, acknowledged } of writers) {
    for (const { seq, hash, n } of acknowledged) {
      const found = events[seq];
      expect([found?.aggregateId, found?.eventHash, found?.payload["n"]]).toEqual([name, hash, n]);
    }
  }
}

describe("writers killed at any moment", () => {
  it.each([
    ["without rotation", {}],
    ["with rotation", { maxBytes: 200_000 }],
  ])(
    "%s: what they acknowledged is there, no part of a batch is, and the log goes on",
    async (_how, options) => {
      const log = new ScratchLog();
      const chance = chances(7);
      const dead: WriterProcess[] = [];
      for (let round = 0; round < 8; round++) {
        const writers = [0, 1, 2].map((i) =>
          startWriter({
            path: log.path,
            name: `${round}-${i}`,
            count: 100_000,
            mixed: true,
            size: i * 40_000,
            ...options,
          }),
        );
        await Promise.race(writers.map((writer) => writer.begun()));
        for (const writer of writers) {
          await new Promise((resolve) => setTimeout(resolve, chance.next().value * 40));
          writer.kill();
        }
        expect(await Promise.all(writers.map(({ ended }) => ended))).toEqual(["SIGKILL", "SIGKILL", "SIGKILL"]);
        dead.push(...writers);

        await log.with(async (store) => {
          const warned = log.warnings.length;
          const before = (await store.verify()).error;
          expect([undefined, "TORN_TAIL"]).toContain(before?.code);
          await store.appendWithRetry(event(1));
          expect(log.warnings.length - warned).toBe(before ? 1 : 0);
          expect((await store.verify()).error).toBeUndefined();
          const events = await collect(store);
          expectAcknowledged(events, dead);
          expectWholeBatches(events.filter(({ aggregateId }) => aggregateId !== "a"));
        }, options);
      }
      // Writers that outlived others by a moment set bytes aside, too.
      const sides = log.suffixes().filter((suffix) => suffix.startsWith(".torn-"));
      for (const { message } of log.warnings)
        expect(sides.filter((suffix) => message.includes(`${log.path}${suffix}`))).toHaveLength(1);
      expect(dead.flatMap(({ acknowledged }) => acknowledged).length).toBeGreaterThan(0);
    },
    60_000,
  );
});

describe("a writer killed within a write", () => {
  /** A log with one event, and the bytes that a writer of six events (a batch of three, a single, …) adds to it when it lives. */
  const SIZE = 3000;

  async function killedAfter(
    bytes: number,
    dieInSync = false,
  ): Promise<{ log: ScratchLog; writer: WriterProcess; first: Buffer }> {
    const log = new ScratchLog();
    await log.with((store) => store.appendWithRetry(event(0)));
    const first = log.bytes();
    const writer = startWriter({
      path: log.path,
      name: "w",
      count: 6,
      mixed: true,
      size: SIZE,
      dieAfterBytes: bytes,
      dieInSync,
    });
    expect(await writer.ended).toBe("SIGKILL");
    return { log, writer, first };
  }

  it.each([0, 1, 1000, 3300, 3330, 6700, 9000])("%i bytes into a batch: it never happened", async (bytes) => {
    const { log, writer, first } = await killedAfter(bytes);
    expect(writer.acknowledged).toEqual([]);
    const torn = log.bytes().subarray(first.length);
    expect(torn).toHaveLength(bytes);
    await log.with(async (store) => {
      expect((await store.verify()).error?.code).toBe(bytes === 0 ? undefined : "TORN_TAIL");
      expect(await store.appendWithRetry(event(1))).toMatchObject({ seq: 1 });
      expect(await numbers(store)).toEqual([0, 1]);
    });
    await log.with(async (store) => expect(await numbers(store)).toEqual([0, 1]));
    expect(log.asides()).toEqual(bytes === 0 ? [] : [torn]);
    expect(log.warnings.map(({ code }) => code)).toEqual(bytes === 0 ? [] : ["TORN_TAIL_SET_ASIDE"]);
  });

  it.each([10_500, 11_000, 13_000])("%i bytes on, in a later single event: all before it stays", async (bytes) => {
    const { log, writer, first } = await killedAfter(bytes);
    expect(writer.acknowledged.map(({ n }) => n)).toEqual([0, 1, 2]);
    const all = log.bytes();
    expect(all).toHaveLength(first.length + bytes);
    await log.with(async (store) => {
      expect((await store.verify()).error).toMatchObject({ code: "TORN_TAIL", seq: 4 });
      await store.appendWithRetry(event(9));
      expect(await numbers(store)).toEqual([0, 0, 1, 2, 9]);
    });
    expect(log.asides()).toEqual([all.subarray(all.lastIndexOf(0x0a) + 1)]);
  });

  it("before the sync of bytes that are all there: it may be in the log, as a whole, and the log goes on", async () => {
    const { log, writer } = await killedAfter(100, true);
    expect(writer.acknowledged).toEqual([]);
    await log.with(async (store) => {
      expect(await numbers(store)).toEqual([0, 0, 1, 2]);
      expect((await store.appendWithRetry(event(1))).seq).toBe(4);
      expect((await store.verify()).valid).toBe(true);
    });
    expect(log.asides()).toEqual([]);
  });
});
