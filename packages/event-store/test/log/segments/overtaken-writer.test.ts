import { describe, expect, it } from "vitest";
import type { EventStoreError } from "../../../src/core/errors.js";
import { objectBody } from "../../../src/log/event-object.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import { systemRuntime } from "../../../src/system/runtime.js";
import { overriding } from "../overriding.js";
import { bucketOf, eventKeys, keys, linesOf, open, recordsOf } from "./compacted-log.js";

const HOUR = 3_600_000;
const event = { type: "T", aggregateId: "a", payload: { late: true } };

describe("pruning, and clocks", () => {
  it("a writer that loses a race an hour, for a day, is not told that its append into a pruned place was stored", async () => {
    const records = recordsOf(25_000);
    let now = 1000 * HOUR;
    const bucket = bucketOf(records.slice(0, 10), 1, now);
    const objects = memoryObjects({ bucket, clock: () => now });
    const runtime = { ...systemRuntime, now: () => now, sleep: () => Promise.resolve() };
    let abort: AbortController | null = null;
    const lagging = overriding(objects, {
      get: async (key, options) => {
        const object = await objects.get(key, options);
        abort?.abort();
        return object;
      },
    });
    const slow = await open(bucket, { objects: lagging, runtime, useHead: false });
    const sees = await slow.append(event, { expectedPrevHash: "1".repeat(64) });
    expect(sees).toMatchObject({ conflict: true, observedPrevHash: records[9]?.eventHash });
    for (let at = 10; at < records.length; at += at < 100 ? 1 : 1000) {
      const next = at < 100 ? at + 1 : at + 1000;
      const metadata = { "put-id": String(at) };
      bucket.put(keys.event(at), objectBody(records.slice(at, next)), { metadata, modifiedAt: now });
    }
    /** What it was told. */
    const acknowledged: number[] = [];
    const append = async (options = {}): Promise<void> => {
      const result = await slow.append(event, options).catch((error: unknown) => error as EventStoreError);
      if ("committed" in result && result.committed) acknowledged.push(result.seq);
      else expect(result).toMatchObject({ code: "ABORTED" });
    };
    for (let i = 0; i < 30; i++) {
      now += HOUR - 600_000;
      abort = new AbortController();
      await append({ signal: abort.signal });
    }
    abort = null;
    const other = await open(bucket, { objects, useHead: false });
    await other.compact({ index: false });
    expect(await other.prune({ delete: true })).toMatchObject({ range: { first: 0 } });
    expect(eventKeys(bucket)[0]).toBe(keys.event(9100));
    await append();
    const late = (await linesOf(other)).flatMap((line, seq) => (line.includes('"late":true') ? [seq] : []));
    expect(acknowledged).toEqual(late);
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(eventKeys(bucket)[0]).toBe(keys.event(9100));
    expect(await other.verify()).toMatchObject({ valid: true, events: 25_000 + late.length });
  });

  it("prune takes the time from a clock that the server has put right", async () => {
    const bucket = bucketOf(recordsOf(25_000), 1000, 1000 * HOUR);
    await (await open(bucket)).compact({ index: false });
    for (const right of [true, false]) {
      let ahead = 48 * HOUR;
      const objects = memoryObjects({ bucket, clock: () => 1000 * HOUR + ahead });
      // The first answer says what time it is.
      const answered = (): void => {
        if (right) ahead = 0;
      };
      const corrected = overriding(objects, {
        get: (...args) => objects.get(...args).finally(answered),
        list: (...args) => objects.list(...args).finally(answered),
      });
      const store = await open(bucket, { objects: corrected, skipBucketCheck: true });
      expect(await store.prune()).toMatchObject({ objects: right ? 0 : 10 });
    }
  });
});
