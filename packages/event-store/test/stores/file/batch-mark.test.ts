import { describe, expect, it } from "vitest";
import { collect, event, events, numbers, ScratchLog, verdict } from "./scratch.js";

/** A log of one record and a batch of `count`, with its bytes and where the batch begins. */
async function logWithBatch(count: number, size = 0): Promise<{ log: ScratchLog; whole: Buffer; start: number }> {
  const log = new ScratchLog();
  await log.with(async (store) => {
    await store.appendWithRetry(event(0));
    await store.appendBatch(events(1, count, size));
  });
  const whole = log.bytes();
  return { log, whole, start: whole.indexOf(0x0a) + 1 };
}

describe("a batch that is cut off", () => {
  it("counts for nothing wherever it was cut, and is set aside as a whole", async () => {
    const { log, whole, start } = await logWithBatch(3);
    const store = await log.open();
    const lines = [...whole.toString().matchAll(/\n/g)].map(({ index }) => index + 1);
    const ends = Array.from({ length: whole.length - start }, (_, i) => start + i);
    for (const end of ends.filter((end) => (end - start) % 7 === 0 || lines.some((line) => Math.abs(line - end) < 3))) {
      log.write(whole.subarray(0, end));
      const { events: good, error } = await store.verify();
      expect([good, error?.code, error?.seq], `cut at ${end}`).toEqual(
        end === start ? [1, undefined, undefined] : [1, "TORN_TAIL", 1],
      );
      expect((await store.head()).seq, `cut at ${end}`).toBe(0);
      expect(await store.getEventHash(1), `cut at ${end}`).toBeNull();
    }
    for (const end of [
      start + 20,
      lines[1]! - 1,
      lines[1]!,
      lines[2]! - 1,
      lines[2]!,
      lines[2]! + 7,
      whole.length - 1,
    ]) {
      const copy = new ScratchLog(undefined, whole.subarray(0, end));
      copy.write(log.bytes(".batch"), ".batch");
      await copy.with(async (other) => {
        expect((await other.appendWithRetry(event(9))).seq).toBe(1);
        expect(await numbers(other)).toEqual([0, 9]);
      });
      expect(copy.asides()).toEqual([whole.subarray(start, end)]);
      expect(copy.warnings.map(({ code }) => code)).toEqual(["TORN_TAIL_SET_ASIDE"]);
    }
  });

  it("is a torn tail for all ways of reading", async () => {
    const { log, whole } = await logWithBatch(3);
    log.cut(whole.lastIndexOf(0x0a, whole.length - 2) + 1);
    await log.with(async (store) => expect(await verdict(store)).toEqual({ good: 1, code: "TORN_TAIL", seq: 1 }));
  });

  it("with zeros in its middle, though its length is right, never happened", async () => {
    const { log, whole, start } = await logWithBatch(6, 3000);
    log.write(Buffer.from(whole).fill(0, start + 4096, start + 8192));
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: 1, code: "TORN_TAIL", seq: 1 });
      expect((await store.appendWithRetry(event(1))).seq).toBe(1);
      expect(await numbers(store)).toEqual([0, 1]);
    });
    expect(log.asides()[0]).toHaveLength(whole.length - start);
  });

  it("a batch that is whole and was changed afterwards is evidence, and is not set aside", async () => {
    const { log, whole } = await logWithBatch(4);
    for (const [from, to, code, seq] of [
      ['"n":2', '"n":7', "HASH_MISMATCH", 2],
      ['"n":1', '"n":7', "HASH_MISMATCH", 1],
    ] as const) {
      const changed = Buffer.from(whole.toString().replace(from, to));
      log.write(changed);
      await log.with(async (store) => {
        expect(await verdict(store)).toEqual({ good: seq, code, seq });
        await store.appendWithRetry(event(5));
        expect(await verdict(store)).toEqual({ good: seq, code, seq });
      });
      expect(log.bytes().subarray(0, changed.length)).toEqual(changed);
    }
    expect(log.asides()).toEqual([]);
    expect(log.warnings).toEqual([]);
  });
});

describe("the mark of a batch that did not happen", () => {
  it("never makes later records count for a part of it", async () => {
    const { log: original, whole, start } = await logWithBatch(8);
    // Died after the mark was written, before, and within the batch.
    for (const end of [start, start + 30, whole.length - 3]) {
      const log = new ScratchLog(undefined, whole.subarray(0, end));
      log.write(original.bytes(".batch"), ".batch");
      await log.with(async (store) => {
        await store.appendWithRetry(event(1));
        expect(await numbers(store)).toEqual([0, 1]);
      });
      // Another process: the file is still shorter than the batch would have made it.
      await log.with(async (store) => {
        expect(await numbers(store)).toEqual([0, 1]);
        expect((await store.appendWithRetry(event(2))).seq).toBe(2);
        expect(await numbers(store)).toEqual([0, 1, 2]);
      });
      expect(log.bytes().length).toBeLessThan(whole.length);
      expect(log.asides()).toEqual(end === start ? [] : [whole.subarray(start, end)]);
    }
  });

  it("nor when the very first event of the batch is then appended alone", async () => {
    const { log, whole, start } = await logWithBatch(3);
    log.cut(start);
    await log.with((store) => store.appendWithRetry(event(1)));
    expect(whole.subarray(0, log.bytes().length)).toEqual(log.bytes());
    await log.with(async (store) => {
      expect(await numbers(store)).toEqual([0, 1]);
      await store.appendWithRetry(event(2));
      expect(await numbers(store)).toEqual([0, 1, 2]);
    });
    expect(log.asides()).toEqual([]);
  });

  it("means nothing when a writer that knows no marks went on there", async () => {
    const { log, start } = await logWithBatch(8);
    const mark = log.bytes(".batch");
    log.cut(start);
    await log.with((store) => store.appendWithRetry(event(77)));
    log.write(mark, ".batch");
    const before = log.bytes();
    await log.with(async (store) => {
      expect(await numbers(store)).toEqual([0, 77]);
      await store.appendWithRetry(event(78));
      expect(await numbers(store)).toEqual([0, 77, 78]);
    });
    expect(log.bytes().subarray(0, before.length)).toEqual(before);
    expect(log.asides()).toEqual([]);
  });

  it("means nothing for the next file after a rotation, nor when the segments were moved away", async () => {
    const log = new ScratchLog();
    await log.with(
      async (store) => {
        await store.appendBatch(events(0, 8));
        await store.appendWithRetry(event(8));
        await store.appendWithRetry(event(9));
      },
      { maxBytes: 1 },
    );
    expect(log.suffixes()).toContain(".seg-000002");
    const { prevHash } = (await log.with((store) => collect(store)))[8]!;
    log.remove(".seg-000001");
    await log.with(async (store) => {
      const report = await store.verify({ anchor: { seq: 7, hash: prevHash } });
      expect([report.valid, report.events]).toEqual([true, 2]);
    });
  });
});

describe("an unreadable mark file", () => {
  it.each([
    ["empty", ""],
    ["garbage", "x".repeat(256)],
    ["half written", null],
  ])("%s: there is no mark", async (_what, content) => {
    const { log } = await logWithBatch(3);
    log.write(content ?? log.bytes(".batch").subarray(0, 100), ".batch");
    await log.with(async (store) => {
      expect(await numbers(store)).toEqual([0, 1, 2, 3]);
      await store.appendBatch(events(4, 2));
      expect(await numbers(store)).toEqual([0, 1, 2, 3, 4, 5]);
    });
  });
});
