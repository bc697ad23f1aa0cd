import { closeSync, openSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { lockFile } from "../../../src/system/file-lock.js";
import { collect, event, events, numbers, refusal, ScratchLog } from "./scratch.js";

/** Holds the log's lock as another process would. */
async function held<T>(log: ScratchLog, work: () => Promise<T>): Promise<T> {
  const fd = openSync(log.path, "a");
  try {
    expect(await lockFile(fd, { mode: "exclusive", wait: false })).toBe(true);
    return await work();
  } finally {
    closeSync(fd);
  }
}

describe("appends while another process holds the lock", () => {
  it("wait for it", async () => {
    const log = new ScratchLog(undefined, Buffer.alloc(0));
    await log.with(async (store) => {
      let done = false;
      const append = await held(log, async () => {
        const waiting = store.appendWithRetry(event(0)).finally(() => (done = true));
        await new Promise((resolve) => setTimeout(resolve, 30));
        expect(done).toBe(false);
        return { waiting };
      });
      expect((await append.waiting).seq).toBe(0);
    });
  });

  it("give up after their time-out, all with nothing written, and later ones succeed", async () => {
    const log = new ScratchLog(undefined, Buffer.alloc(0));
    await log.with(
      async (store) => {
        await held(log, async () => {
          const errors = await Promise.all(events(0, 3).map((e) => refusal(store.appendWithRetry(e))));
          expect(errors.map(({ code, action }) => [code, action])).toEqual(Array(3).fill(["CONTENTION", "conflict"]));
          expect(errors[0]?.facts).toEqual({ file: log.path, operation: "lock" });
          expect(log.bytes()).toHaveLength(0);
        });
        expect((await store.appendWithRetry(event(3))).seq).toBe(0);
      },
      { appendTimeoutMs: 40 },
    );
  });

  it("end at once when their signal aborts; their neighbours do not", async () => {
    const log = new ScratchLog(undefined, Buffer.alloc(0));
    await log.with(async (store) => {
      const controller = new AbortController();
      const neighbour = await held(log, async () => {
        const waiting = store.appendWithRetry(event(1));
        const aborted = refusal(store.appendWithRetry(event(2), { signal: controller.signal }));
        controller.abort(new Error("enough"));
        expect(await aborted).toMatchObject({ code: "ABORTED", cause: { message: "enough" } });
        expect(await refusal(store.appendWithRetry(event(3), { signal: controller.signal }))).toMatchObject({
          code: "ABORTED",
        });
        return { waiting };
      });
      expect((await neighbour.waiting).seq).toBe(0);
      expect(await numbers(store)).toEqual([1]);
    });
  });

  it("readers do not wait, and do not call a write under way a fault", async () => {
    const log = new ScratchLog();
    await log.with((store) => store.appendWithRetry(event(0)));
    const whole = log.bytes();
    log.add(whole.subarray(0, 80));
    await log.with(async (store) => {
      await held(log, async () => expect(await numbers(store)).toEqual([0]));
      expect((await store.verify()).error).toMatchObject({ code: "TORN_TAIL", seq: 1 });
    });
  });
});

describe("many appends at once", () => {
  it("share writes, keep their order, and are each judged alone", async () => {
    const log = new ScratchLog();
    await log.with(async (store) => {
      const results = await Promise.allSettled(
        events(0, 600).map((e, n) => {
          if (n % 100 === 50) return store.append({ ...e, payload: { bad: NaN } });
          if (n % 100 === 70) return store.append(e, { expectedPrevHash: "a".repeat(64) });
          return n % 100 === 80 ? store.appendBatch([e, e]) : store.append(e);
        }),
      );
      expect(results.filter(({ status }) => status === "rejected")).toHaveLength(6);
      const expected = Array.from({ length: 600 }, (_, n) => n).flatMap((n) =>
        n % 100 === 50 || n % 100 === 70 ? [] : n % 100 === 80 ? [n, n] : [n],
      );
      expect(await numbers(store)).toEqual(expected);
    });
  });

  it("one that turns out too large only in its place fails alone, and leaves no trace", async () => {
    const log = new ScratchLog();
    await log.with(async (store) => {
      const results = await Promise.allSettled([
        store.append(event(0)),
        store.append(event(-1, 9 * 1024 * 1024)),
        store.appendBatch(events(1, 2)),
        store.appendBatch(events(-2, 3, 6 * 1024 * 1024)),
        store.append(event(3)),
      ]);
      expect(results).toMatchObject([
        { value: { seq: 0 } },
        { reason: { code: "TOO_LARGE" } },
        { value: { records: [{ seq: 1 }, { seq: 2 }] } },
        { reason: { code: "TOO_LARGE" } },
        { value: { seq: 3 } },
      ]);
      expect(await numbers(store)).toEqual([0, 1, 2, 3]);
    });
  });

  it("of many bytes are written a part at a time", async () => {
    const log = new ScratchLog();
    const sizes: number[] = [];
    const { systemIo } = await import("../../../src/stores/file/file-io.js");
    const io = {
      ...systemIo,
      append: async (...args: Parameters<typeof systemIo.append>) => {
        sizes.push(args[1].length);
        await systemIo.append(...args);
      },
    };
    await log.with(
      async (store) => {
        await Promise.all(events(0, 40, 500_000).map((e) => store.appendWithRetry(e)));
        expect((await collect(store)).map(({ payload }) => payload["n"])).toEqual(
          Array.from({ length: 40 }, (_, i) => i),
        );
      },
      { io },
    );
    expect(Math.max(...sizes)).toBeLessThan(5 * 1024 * 1024);
  });

  it("are all acknowledged or refused before close() returns, and none after it", async () => {
    const log = new ScratchLog();
    const store = await log.open({ maxBytes: 3000 });
    const appends = events(0, 50).map((e) => store.appendWithRetry(e));
    await store.close();
    expect((await Promise.all(appends)).map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(await refusal(store.appendWithRetry(event(50)))).toMatchObject({ code: "CLOSED" });
    await held(log, async () => undefined);
  });
});
