import { describe, expect, it } from "vitest";
import type { EventStoreError } from "../../../src/core/errors.js";
import { FaultyIo, skipping, twoRecords, type Operation } from "./faulty-io.js";
import { event, events, numbers, refusal } from "./scratch.js";

describe("a write that fails", () => {
  it.each<[string, Operation, string, number, string]>([
    ["before its first byte", "append", "ENOSPC", 0, "DISK_FULL"],
    ["in its middle", "append", "ENOSPC", 40, "DISK_FULL"],
    ["in the last byte", "append", "EDQUOT", 300, "DISK_FULL"],
    ["in its sync", "sync", "EIO", 0, "IO_FAILED"],
  ])(
    "%s is taken back: it did not happen, and the next append is as good as ever",
    async (_where, operation, code, bytes, expected) => {
      const log = await twoRecords();
      const before = log.bytes();
      const io = new FaultyIo();
      await log.with(
        async (store) => {
          io.fail(operation, code, bytes);
          const error = await refusal(store.appendWithRetry(event(2)));
          expect([error.code, error.facts.backendCode, error.facts.file]).toEqual([expected, code, log.path]);
          expect(error.hint).toMatch(/\w/);
          expect(log.bytes()).toEqual(before);
          expect(await store.settle()).toBeNull();
          expect((await store.appendWithRetry(event(3))).seq).toBe(2);
          expect(await numbers(store)).toEqual([0, 1, 3]);
        },
        { io },
      );
      expect(io.left).toBe(0);
      expect(log.asides()).toEqual([]);
    },
  );

  it("fails all appends that shared it, and none of those behind", async () => {
    const log = await twoRecords();
    const io = new FaultyIo();
    await log.with(
      async (store) => {
        await store.appendWithRetry(event(2));
        io.fail("append", "ENOSPC", 700);
        const first = Promise.allSettled(events(3, 5).map((e) => store.appendWithRetry(e)));
        expect(
          (await first).map((r) => (r.status === "rejected" ? (r.reason as EventStoreError).code : r.status)),
        ).toEqual([..."12345"].map(() => "DISK_FULL"));
        expect((await store.appendWithRetry(event(9))).seq).toBe(3);
        expect(await numbers(store)).toEqual([0, 1, 2, 9]);
      },
      { io },
    );
  });

  it("in the sync of a batch's mark: not a byte of the batch was written", async () => {
    const log = await twoRecords();
    const before = log.bytes();
    await log.with(
      async (store) => {
        expect(await refusal(store.appendBatch(events(2, 3)))).toMatchObject({ code: "IO_FAILED" });
        expect(log.bytes()).toEqual(before);
      },
      { io: new FaultyIo().fail("sync", "EIO") },
    );
  });

  it.each([0, 100, 400, 900])(
    "in a batch after %i bytes leaves no trace, for the records that come to stand in its place",
    async (bytes) => {
      const log = await twoRecords();
      await log.with(
        async (store) => {
          await store.appendWithRetry(event(2));
          expect(await refusal(store.appendBatch(events(3, 10)))).toMatchObject({ code: "DISK_FULL" });
          expect((await store.appendWithRetry(event(3))).seq).toBe(3);
          expect(await numbers(store)).toEqual([0, 1, 2, 3]);
          // Another process reads and goes on while the file is shorter than the batch would have made it.
          await log.with(async (other) => {
            expect(await numbers(other)).toEqual([0, 1, 2, 3]);
            expect((await other.appendWithRetry(event(4))).seq).toBe(4);
          });
          expect(await numbers(store)).toEqual([0, 1, 2, 3, 4]);
        },
        { io: skipping(new FaultyIo().fail("append", "ENOSPC", bytes), 1) },
      );
      expect(log.asides()).toEqual([]);
    },
  );

  it("in ending a line that has no newline leaves the line as it was", async () => {
    const log = await twoRecords();
    log.cut(log.bytes().length - 1);
    const before = log.bytes();
    await log.with(
      async (store) => {
        expect(await refusal(store.appendWithRetry(event(2)))).toMatchObject({ code: "DISK_FULL" });
        expect(log.bytes()).toEqual(before);
        expect(await refusal(store.appendWithRetry(event(2)))).toMatchObject({ code: "DISK_FULL" });
        expect(log.bytes()).toEqual(before);
        await store.appendWithRetry(event(2));
        expect(await numbers(store)).toEqual([0, 1, 2]);
      },
      { io: skipping(new FaultyIo().fail("append", "ENOSPC", 1).fail("append", "ENOSPC", 50), 0, 1) },
    );
  });

  it("while an unfinished write is set aside loses nothing, and does not pile up copies", async () => {
    const log = await twoRecords();
    const torn = log.bytes().subarray(0, 100);
    log.add(torn);
    const before = log.bytes();
    const io = new FaultyIo();
    await log.with(
      async (store) => {
        io.fail("truncate", "EIO");
        expect(await refusal(store.appendWithRetry(event(2)))).toMatchObject({ code: "IO_FAILED" });
        expect(log.bytes()).toEqual(before);
        await store.appendWithRetry(event(2));
        expect(await numbers(store)).toEqual([0, 1, 2]);
      },
      { io },
    );
    expect(log.asides()[0]).toEqual(torn);
  });

  it("in the sync before a rotation: nothing was renamed, and the next append rotates", async () => {
    const log = await twoRecords();
    await log.with(
      async (store) => {
        expect(await refusal(store.appendWithRetry(event(2)))).toMatchObject({ code: "IO_FAILED" });
        expect(log.suffixes()).toEqual([""]);
        expect((await store.appendWithRetry(event(3))).seq).toBe(2);
        expect(log.suffixes()).toContain(".seg-000001");
        expect(await numbers(store)).toEqual([0, 1, 3]);
      },
      { io: new FaultyIo().fail("sync", "EIO"), maxBytes: 1 },
    );
  });

  it("of the head at a rotation fails no append: a log is whole without it", async () => {
    const log = await twoRecords();
    await log.with(
      async (store) => {
        expect((await store.appendWithRetry(event(2))).seq).toBe(2);
        expect(await numbers(store)).toEqual([0, 1, 2]);
      },
      { io: skipping(new FaultyIo().fail("sync", "EIO"), 0, 0, 1), maxBytes: 1 },
    );
    expect(log.warnings.map(({ code }) => code)).toEqual(["HEAD_NOT_WRITTEN"]);
    expect(log.suffixes()).toContain(".seg-000001");
    expect(log.has(".head.json")).toBe(false);
  });
});
