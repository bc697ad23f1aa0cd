import type { FileHandle } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { EventStoreError } from "../../../src/core/errors.js";
import { systemIo, type FileIo } from "../../../src/stores/file/file-io.js";
import type { Committed } from "../../../src/stores/port.js";
import { collect, event, events, numbers, refusal, ScratchLog } from "./scratch.js";

type Operation = keyof FileIo;

/** The disk, with faults that are used up one by one. */
class FaultyIo implements FileIo {
  readonly #faults: { readonly operation: Operation; readonly code: string; readonly bytes: number }[] = [];

  /** The next `operation` fails; a write only after so many bytes of it. */
  fail(operation: Operation, code: string, bytes = 0): this {
    this.#faults.push({ operation, code, bytes });
    return this;
  }

  get left(): number {
    return this.#faults.length;
  }

  async append(file: FileHandle, bytes: Buffer): Promise<void> {
    await this.#play("append", (landed) => systemIo.append(file, bytes.subarray(0, landed)), () => systemIo.append(file, bytes));
  }

  async sync(file: FileHandle): Promise<void> {
    await this.#play("sync", async () => undefined, () => systemIo.sync(file));
  }

  async truncate(file: FileHandle, size: number): Promise<void> {
    await this.#play("truncate", async () => undefined, () => systemIo.truncate(file, size));
  }

  async #play(operation: Operation, before: (bytes: number) => Promise<void>, work: () => Promise<void>): Promise<void> {
    const next = this.#faults[0];
    if (next?.operation !== operation) return work();
    this.#faults.shift();
    await before(next.bytes);
    throw Object.assign(new Error(`${next.code}: played`), { code: next.code });
  }
}

/** A log of two records. */
async function twoRecords(): Promise<ScratchLog> {
  const log = new ScratchLog();
  await log.with(async (store) => {
    await store.appendWithRetry(event(0));
    await store.appendWithRetry(event(1));
  });
  return log;
}

describe("a write that fails", () => {
  it.each<[string, Operation, string, number, string]>([
    ["before its first byte", "append", "ENOSPC", 0, "DISK_FULL"],
    ["in its middle", "append", "ENOSPC", 40, "DISK_FULL"],
    ["in the last byte", "append", "EDQUOT", 300, "DISK_FULL"],
    ["in its sync", "sync", "EIO", 0, "IO_FAILED"],
  ])("%s is taken back: it did not happen, and the next append is as good as ever", async (_where, operation, code, bytes, expected) => {
    const log = await twoRecords();
    const before = log.bytes();
    const io = new FaultyIo();
    await log.with(async (store) => {
      io.fail(operation, code, bytes);
      const error = await refusal(store.appendWithRetry(event(2)));
      expect([error.code, error.facts.backendCode, error.facts.file]).toEqual([expected, code, log.path]);
      expect(error.hint).toMatch(/\w/);
      expect(log.bytes()).toEqual(before);
      expect(await store.settle()).toBeNull();
      expect((await store.appendWithRetry(event(3))).seq).toBe(2);
      expect(await numbers(store)).toEqual([0, 1, 3]);
    }, { io });
    expect(io.left).toBe(0);
    expect(log.asides()).toEqual([]);
  });

  it("fails all appends that shared it, and none of those behind", async () => {
    const log = await twoRecords();
    const io = new FaultyIo();
    await log.with(async (store) => {
      await store.appendWithRetry(event(2));
      io.fail("append", "ENOSPC", 700);
      const first = Promise.allSettled(events(3, 5).map((e) => store.appendWithRetry(e)));
      expect((await first).map((r) => (r.status === "rejected" ? (r.reason as EventStoreError).code : r.status))).toEqual([..."12345"].map(() => "DISK_FULL"));
      expect((await store.appendWithRetry(event(9))).seq).toBe(3);
      expect(await numbers(store)).toEqual([0, 1, 2, 9]);
    }, { io });
  });

  it("in the sync of a batch's mark: not a byte of the batch was written", async () => {
    const log = await twoRecords();
    const before = log.bytes();
    await log.with(async (store) => {
      expect(await refusal(store.appendBatch(events(2, 3)))).toMatchObject({ code: "IO_FAILED" });
      expect(log.bytes()).toEqual(before);
    }, { io: new FaultyIo().fail("sync", "EIO") });
  });

  it.each([0, 100, 400, 900])("in a batch after %i bytes leaves no trace, for the records that come to stand in its place", async (bytes) => {
    const log = await twoRecords();
    await log.with(async (store) => {
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
    }, { io: skipping(new FaultyIo().fail("append", "ENOSPC", bytes), 1) });
    expect(log.asides()).toEqual([]);
  });

  it("in ending a line that has no newline leaves the line as it was", async () => {
    const log = await twoRecords();
    log.cut(log.bytes().length - 1);
    const before = log.bytes();
    await log.with(async (store) => {
      expect(await refusal(store.appendWithRetry(event(2)))).toMatchObject({ code: "DISK_FULL" });
      expect(log.bytes()).toEqual(before);
      expect(await refusal(store.appendWithRetry(event(2)))).toMatchObject({ code: "DISK_FULL" });
      expect(log.bytes()).toEqual(before);
      await store.appendWithRetry(event(2));
      expect(await numbers(store)).toEqual([0, 1, 2]);
    }, { io: skipping(new FaultyIo().fail("append", "ENOSPC", 1).fail("append", "ENOSPC", 50), 0, 1) });
  });

  it("while an unfinished write is set aside loses nothing, and does not pile up copies", async () => {
    const log = await twoRecords();
    const torn = log.bytes().subarray(0, 100);
    log.add(torn);
    const before = log.bytes();
    const io = new FaultyIo();
    await log.with(async (store) => {
      io.fail("truncate", "EIO");
      expect(await refusal(store.appendWithRetry(event(2)))).toMatchObject({ code: "IO_FAILED" });
      expect(log.bytes()).toEqual(before);
      await store.appendWithRetry(event(2));
      expect(await numbers(store)).toEqual([0, 1, 2]);
    }, { io });
    expect(log.asides()[0]).toEqual(torn);
  });

  it("in the sync before a rotation: nothing was renamed, and the next append rotates", async () => {
    const log = await twoRecords();
    await log.with(async (store) => {
      expect(await refusal(store.appendWithRetry(event(2)))).toMatchObject({ code: "IO_FAILED" });
      expect(log.suffixes()).toEqual([""]);
      expect((await store.appendWithRetry(event(3))).seq).toBe(2);
      expect(log.suffixes()).toContain(".seg-000001");
      expect(await numbers(store)).toEqual([0, 1, 3]);
    }, { io: new FaultyIo().fail("sync", "EIO"), maxBytes: 1 });
  });

  it("of the head at a rotation fails no append: a log is whole without it", async () => {
    const log = await twoRecords();
    await log.with(async (store) => {
      expect((await store.appendWithRetry(event(2))).seq).toBe(2);
      expect(await numbers(store)).toEqual([0, 1, 2]);
    }, { io: skipping(new FaultyIo().fail("sync", "EIO"), 0, 0, 1), maxBytes: 1 });
    expect(log.warnings.map(({ code }) => code)).toEqual(["HEAD_NOT_WRITTEN"]);
    expect(log.suffixes()).toContain(".seg-000001");
    expect(log.has(".head.json")).toBe(false);
  });
});

/** Lets so many writes, truncations and syncs pass before the faults begin. */
function skipping(io: FaultyIo, appends: number, truncates = 0, syncs = 0): FileIo {
  const left = { append: appends, truncate: truncates, sync: syncs };
  return {
    append: (file, bytes) => (left.append-- > 0 ? systemIo : io).append(file, bytes),
    truncate: (file, size) => (left.truncate-- > 0 ? systemIo : io).truncate(file, size),
    sync: (file) => (left.sync-- > 0 ? systemIo : io).sync(file),
  };
}

describe("a failed write that cannot be taken back", () => {
  /** Appends in one write of which `bytes` land; the disk then refuses to cut them off. */
  async function leftOpen(bytes: number, count: number): Promise<{ log: ScratchLog; io: FaultyIo; errors: EventStoreError[]; store: Awaited<ReturnType<ScratchLog["open"]>>; before: Buffer }> {
    const log = await twoRecords();
    const before = log.bytes();
    const io = new FaultyIo().fail("append", "EIO", bytes).fail("truncate", "EIO");
    const store = await log.open({ io });
    const errors = await Promise.all(events(2, count).map((e) => refusal(store.appendWithRetry(e))));
    expect(io.left).toBe(0);
    return { log, io, errors, store, before };
  }

  it.each([0, 50, 270, 10_000])("with %i bytes on the disk: each append is told its own seq and hash, and settling writes them all", async (bytes) => {
    const { errors, store } = await leftOpen(bytes, 3);
    expect(errors.map(({ code, facts, action }) => [code, facts.seq, action])).toEqual([2, 3, 4].map((seq) => ["COMMIT_UNKNOWN", seq, "conflict"]));
    expect(new Set(errors.map(({ facts }) => facts.hash)).size).toBe(3);
    expect(errors[0]?.cause).toMatchObject({ code: "IO_FAILED" });
    expect(await store.settle()).toEqual({ committed: true, seq: 4, eventHash: errors[2]?.facts.hash });
    expect(await store.settle()).toBeNull();
    expect(await numbers(store)).toEqual([0, 1, 2, 3, 4]);
    for (const { facts } of errors) expect(await store.getEventHash(Number(facts.seq))).toBe(facts.hash);
    await store.close();
  });

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
    for (const [bytes, committed] of [[10_000, true], [60, false]] as const) {
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
    await log.with(async (store) => {
      expect(await refusal(store.appendBatch(events(2, 4)))).toMatchObject({ code: "COMMIT_UNKNOWN", facts: { seq: 5 } });
      expect((await store.head()).seq).toBe(1);
      expect((await store.verify()).error).toMatchObject({ code: "TORN_TAIL", seq: 2 });
      expect(await store.settle()).toMatchObject({ committed: true, seq: 5 });
      expect(await numbers(store)).toEqual([0, 1, 2, 3, 4, 5]);
    }, { io });
  });

  it("another process that saw its bytes is not fooled when others of the same length take their place", async () => {
    const log = await twoRecords();
    const other = await log.open();
    const io = new FaultyIo().fail("append", "EIO", 10_000).fail("truncate", "EIO");
    await log.with(async (store) => {
      await refusal(store.appendWithRetry(event(5)));
      // It looks (an expectation that fails writes nothing) and sees the bytes as they stand.
      expect(await other.append(event(8), { expectedPrevHash: "e".repeat(64) })).toMatchObject({ committed: false });
      io.fail("append", "ENOSPC", 3);
      expect(await store.settle()).toMatchObject({ committed: false });
      await store.appendWithRetry(event(6));
    }, { io });
    const { seq }: Committed = await other.appendWithRetry(event(7));
    expect(seq).toBe(3);
    expect(await numbers(other)).toEqual([0, 1, 6, 7]);
    await other.close();
  });
});
