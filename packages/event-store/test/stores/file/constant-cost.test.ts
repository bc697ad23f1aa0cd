import { open, type FileHandle } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { encodeChain, prepareEvent } from "../../../src/core/record.js";
import { event, events, ScratchLog } from "./scratch.js";

/** A log of `count` events, made without the store. */
function logOf(count: number): ScratchLog {
  const prepared = events(0, count, 100).map((e) => prepareEvent(e, 1, () => 0));
  const records = encodeChain(prepared, { seq: -1, hash: "" });
  return new ScratchLog(undefined, Buffer.concat(records.flatMap(({ line }) => [line, Buffer.from("\n")])));
}

/** Bytes read through file handles. */
let bytesRead = 0;
let restore = (): void => undefined;

beforeAll(async () => {
  const handle = await open(process.execPath, "r");
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const read = prototype.read as (...args: unknown[]) => Promise<{ bytesRead: number }>;
  const spy = vi.spyOn(prototype, "read").mockImplementation(async function (this: FileHandle, ...args: unknown[]) {
    const result = await read.apply(this, args);
    bytesRead += result.bytesRead;
    return result as never;
  });
  restore = () => {
    spy.mockRestore();
  };
});
afterAll(() => {
  restore();
});

async function cost(work: () => Promise<unknown>): Promise<number> {
  const before = bytesRead;
  await work();
  return bytesRead - before;
}

const LARGE = 100_000;

describe("what an operation reads", () => {
  const small = logOf(1_000);
  const large = logOf(LARGE);
  const size = large.bytes().length;

  it("is counted: reading a log reads all of it", async () => {
    await large.with(async (store) => {
      const all = await cost(() => store.verify());
      expect(all).toBeGreaterThanOrEqual(size);
      expect(all).toBeLessThan(size + 100_000);
    });
  });

  it("open, head and append: the same for 1,000 events and for 100,000", async () => {
    const costs = async (log: ScratchLog): Promise<number[]> => {
      let appended = 0;
      let head = 0;
      const opened = await cost(async () =>
        log.with(async (store) => {
          head = await cost(() => store.head());
          appended = await cost(() => store.appendWithRetry(event(0, 100)));
        }),
      );
      return [opened, head, appended];
    };
    const [a, b] = [await costs(small), await costs(large)];
    for (const [i, bytes] of b.entries()) {
      expect(bytes).toBeLessThan(200_000);
      expect(Math.abs(bytes - (a[i] ?? 0))).toBeLessThan(2_000);
    }
  });

  it("an append to a log whose lock we hold: nothing", async () => {
    await large.with(async (store) => {
      const costs: number[] = [];
      for (let n = 0; n < 20; n++) costs.push(await cost(() => store.appendWithRetry(event(n))));
      // A machine that is busy elsewhere may let the lock go in between.
      expect(Math.min(...costs)).toBe(0);
    });
  });

  it("one record in the middle of 100,000: a small part of the log", async () => {
    await large.with(async (store) => {
      for (const seq of [0, 1, 49_999, 77_777, LARGE - 1]) {
        let hash: string | null = null;
        expect(await cost(async () => (hash = await store.getEventHash(seq)))).toBeLessThan(600_000);
        expect(hash).toMatch(/^[0-9a-f]{64}$/);
        let found = -1;
        const read = await cost(async () => {
          for await (const recorded of store.read({ fromSeq: seq, toSeq: seq })) found = recorded.seq;
        });
        expect(found).toBe(seq);
        expect(read).toBeLessThan(900_000);
      }
    });
    expect(size).toBeGreaterThan(30_000_000);
  });

  it("the end of a log with a rotated past: only its last file", async () => {
    const log = logOf(10_000);
    await log.with(
      async (store) => {
        await store.appendWithRetry(event(0));
        await store.appendWithRetry(event(1));
      },
      { maxBytes: 1 },
    );
    await log.with(async (store) => {
      expect(await cost(() => store.appendWithRetry(event(2)))).toBeLessThan(1_000_000);
      expect(await cost(() => store.getEventHash(10_001))).toBeLessThan(200_000);
    });
  });
});
