import { describe, expect, it } from "vitest";
import type { EventStoreError } from "../../../src/core/errors.js";
import type { Committed, EventStore } from "../../../src/stores/port.js";
import { FaultyIo, twoRecords } from "./faulty-io.js";
import { collect, event, events, numbers, refusal, type ScratchLog } from "./scratch.js";

describe("a failed write that cannot be taken back", () => {
  /** Appends in one write of which `bytes` land; the disk then refuses to cut them off. */
  async function leftOpen(
    bytes: number,
    count: number,
  ): Promise<{
    log: ScratchLog;
    io: FaultyIo;
    errors: EventStoreError[];
    store: EventStore;
    before: Buffer;
  }> {
    const log = await twoRecords();
    const before = log.bytes();
    const io = new FaultyIo().fail("append", "EIO", bytes).fail("truncate", "EIO");
    const store = await log.open({ io });
    const errors = await Promise.all(events(2, count).map((e) => refusal(store.appendWithRetry(e))));
    expect(io.left).toBe(0);
    return { log, io, errors, store, before };
  }

  it.each([0, 50, 270, 10_000])(
    "with %i bytes on the disk: each append is told its own seq and hash, and settling writes them all",
    async (bytes) => {
      const { errors, store } = await leftOpen(bytes, 3);
      expect(errors.map(({ code, facts, action }) => [code, facts.seq, action])).toEqual(
        [2, 3, 4].map((seq) => ["COMMIT_UNKNOWN", seq, "conflict"]),
      );
      expect(new Set(errors.map(({ facts }) => facts.hash)).size).toBe(3);
      expect(errors[0]?.cause).toMatchObject({ code: "IO_FAILED" });
      expect(await store.settle()).toEqual({ committed: true, seq: 4, eventHash: errors[2]?.facts.hash });
      expect(await store.settle()).toBeNull();
      expect(await numbers(store)).toEqual([0, 1, 2, 3, 4]);
      for (const { facts } of errors) expect(await store.getEventHash(Number(facts.seq))).toBe(facts.hash);
      await store.close();
    },
  );

  it("the next append settles it first, and comes behind it", async () => {
    const { store } = await leftOpen(60, 1);
    expect((await store.appendWithRetry(event(9))).seq).toBe(3);
    expect(await numbers(store)).toEqual([0, 1, 2, 9]);
    await store.close();
  });

  it("settling can fail again and stays open; readers see a torn tail meanwhile", async () => {
    const { log, io, store, errors } = await leftOpen(60, 1);
    io.fail("truncate", "EIO");
    const error = await refusal(store.settle());
    expect([error.code, error.facts.seq, error.facts.hash]).toEqual(["COMMIT_UNKNOWN", 2, errors[0]?.facts.hash]);
    expect((await store.verify()).error).toMatchObject({ code: "TORN_TAIL", seq: 2 });
    io.fail("truncate", "EIO");
    expect(await refusal(store.appendWithRetry(event(3)))).toMatchObject({ code: "IO_FAILED" });
    expect(await store.settle()).toMatchObject({ committed: true, seq: 2 });
    expect(await numbers(store)).toEqual([0, 1, 2]);
    await store.close();
    expect(log.suffixes().filter((suffix) => suffix === "")).toHaveLength(1);
  });

  it("settling whose write fails and is taken back says that it did not happen", async () => {
    const { io, store, before, log } = await leftOpen(0, 1);
    io.fail("append", "ENOSPC", 20);
    expect(await store.settle()).toMatchObject({ committed: false, seq: 2 });
    expect(log.bytes()).toEqual(before);
    expect((await store.appendWithRetry(event(5))).seq).toBe(2);
    await store.close();
  });

  it("when another process set the unfinished bytes aside and wrote its own event there, that event stays", async () => {
    const { log, store } = await leftOpen(60, 1);
    const theirs = await log.with((other) => other.appendWithRetry(event(77)));
    expect(theirs.seq).toBe(2);
    expect(await store.settle()).toMatchObject({ committed: false, seq: 2 });
    expect(await numbers(store)).toEqual([0, 1, 77]);
    expect((await store.appendWithRetry(event(3))).seq).toBe(3);
    await store.close();
  });

  it("when another process built on the first of its records, what it wrote stays", async () => {
    const { log, store, before } = await leftOpen(600, 3);
    expect(log.bytes().subarray(before.length).toString().split("\n").length).toBeGreaterThan(1);
    const theirs = await log.with((other) => other.appendWithRetry(event(77)));
    expect(await store.settle()).toMatchObject({ committed: false, seq: 4 });
    expect((await collect(store))[theirs.seq]).toMatchObject({ eventHash: theirs.eventHash });
    expect((await store.verify()).valid).toBe(true);
    await store.close();
  });

  it("when all of it landed and another process built on it, it is in the log", async () => {
    const { log, store, errors } = await leftOpen(10_000, 2);
    await log.with((other) => other.appendWithRetry(event(77)));
    expect(await store.settle()).toEqual({ committed: true, seq: 3, eventHash: errors[1]?.facts.hash });
    expect(await numbers(store)).toEqual([0, 1, 2, 3, 77]);
    await store.close();
  });

  it("when another process rotated the file away, it is looked up there", async () => {
    for (const [bytes, committed] of [
      [10_000, true],
      [60, false],
    ] as const) {
      const { log, store } = await leftOpen(bytes, 1);
      await log.with((other) => other.appendWithRetry(event(77)), { maxBytes: 1 });
      expect(await store.settle()).toMatchObject({ committed, seq: 2 });
      expect((await store.verify()).valid).toBe(true);
      await store.close();
    }
  });

  it("a batch is settled as a whole, and never seen in part", async () => {
    const log = await twoRecords();
    const io = new FaultyIo().fail("append", "EIO", 600).fail("truncate", "EIO");
    await log.with(
      async (store) => {
        expect(await refusal(store.appendBatch(events(2, 4)))).toMatchObject({
          code: "COMMIT_UNKNOWN",
          facts: { seq: 5 },
        });
        expect((await store.head()).seq).toBe(1);
        expect((await store.verify()).error).toMatchObject({ code: "TORN_TAIL", seq: 2 });
        expect(await store.settle()).toMatchObject({ committed: true, seq: 5 });
        expect(await numbers(store)).toEqual([0, 1, 2, 3, 4, 5]);
      },
      { io },
    );
  });

  it("another process that saw its bytes is not fooled when others of the same length take their place", async () => {
    const log = await twoRecords();
    const other = await log.open();
    const io = new FaultyIo().fail("append", "EIO", 10_000).fail("truncate", "EIO");
    await log.with(
      async (store) => {
        await refusal(store.appendWithRetry(event(5)));
        // It looks (an expectation that fails writes nothing) and sees the bytes as they stand.
        expect(await other.append(event(8), { expectedPrevHash: "e".repeat(64) })).toMatchObject({ committed: false });
        io.fail("append", "ENOSPC", 3);
        expect(await store.settle()).toMatchObject({ committed: false });
        await store.appendWithRetry(event(6));
      },
      { io },
    );
    const { seq }: Committed = await other.appendWithRetry(event(7));
    expect(seq).toBe(3);
    expect(await numbers(other)).toEqual([0, 1, 6, 7]);
    await other.close();
  });
});
