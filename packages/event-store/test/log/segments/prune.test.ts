import { beforeAll, describe, expect, it } from "vitest";
import { BackendError, VerificationError } from "../../../src/core/errors.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import { ObjectMap } from "../../../src/objects/object-map.js";
import type { EventStore } from "../../../src/stores/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { systemRuntime } from "../../../src/system/runtime.js";
import { bucketOf, eventKeys, keys, recordsOf } from "./compacted-log.js";

const HOUR = 3_600_000;
const LONG = recordsOf(45_000);
const all = LONG.map(({ line }) => line.toString());

/** A machine with a clock of its own. */
class Machine {
  now = 100 * HOUR;

  open(bucket: ObjectMap, options: { batch?: boolean } = {}): Promise<EventStore> {
    const objects = memoryObjects({ bucket, clock: () => this.now });
    return S3EventStore.open({ objects, runtime: { ...systemRuntime, now: () => this.now }, ...options });
  }
}

async function linesOf(store: EventStore, options = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { line } of store.readRecords(options)) lines.push(line.toString());
  return lines;
}

const event = { type: "T", aggregateId: "a", payload: { late: true } };

describe("prune", () => {
  let compacted: ObjectMap;
  const machine = new Machine();

  function copy(bucket = compacted): ObjectMap {
    const copied = new ObjectMap();
    for (const key of bucket.keys()) {
      const { body, metadata, modifiedAt } = bucket.get(key)!;
      copied.put(key, body, { metadata, modifiedAt });
    }
    return copied;
  }

  beforeAll(async () => {
    compacted = bucketOf(LONG, 700);
    await (await machine.open(compacted)).compact();
  });

  it("only says what it would delete, unless told to", async () => {
    const bucket = copy();
    const store = await machine.open(bucket);
    const would = await store.prune();
    expect(would).toEqual({
      deleted: false,
      objects: 42,
      bytes: LONG.slice(0, 29_400).reduce((sum, { line }) => sum + line.length + 1, 0),
      range: { first: 0, last: 29_399 },
      keptFrom: 30_000,
    });
    expect(eventKeys(bucket)).toEqual(eventKeys(compacted));
    expect(await store.prune({ delete: true })).toEqual({ ...would, deleted: true });
    // the object that reaches beyond what segments must hold stays
    expect(eventKeys(bucket)[0]).toBe(keys.event(29_400));
    expect(await store.prune({ delete: true })).toMatchObject({ objects: 0, range: null });
    expect(await linesOf(store)).toEqual(all);
    expect(await store.verify()).toMatchObject({ valid: true, events: 45_000 });
  });

  it("deletes nothing that is younger than a day", async () => {
    const bucket = copy();
    const { body, metadata } = bucket.get(keys.event(7000))!;
    bucket.put(keys.event(7000), body, { metadata, modifiedAt: machine.now - 24 * HOUR + 1 });
    const store = await machine.open(bucket);
    // nor the one before it, whose end only the next key tells
    expect(await store.prune({ delete: true })).toMatchObject({ objects: 10, range: { first: 0, last: 6999 } });
    expect(eventKeys(bucket)[0]).toBe(keys.event(7000));
    await expect(store.prune({ olderThanHours: 23 })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    expect(await store.prune({ olderThanHours: 101 })).toMatchObject({ objects: 0 });
  });

  it("deletes nothing that a damaged, forged or missing segment holds", async () => {
    const damage: [string, (body: Buffer) => Buffer | null, number][] = [
      ["cut", (body) => body.subarray(0, body.length - 20), 10_000],
      ["flipped", (body) => Buffer.from(body).fill(0xff, 2000, 2004), 10_000],
      ["empty", () => Buffer.alloc(0), 10_000],
      ["swapped", () => compacted.get(keys.segment(0, 9999))!.body, 10_000],
      ["missing", () => null, 10_000],
    ];
    for (const [what, change, first] of damage) {
      const bucket = copy();
      const key = keys.segment(first, first + 9999);
      const changed = change(bucket.get(key)!.body);
      if (changed) bucket.put(key, changed);
      else bucket.delete(key);
      const store = await machine.open(bucket);
      const outcome = await store.prune({ delete: true }).catch((error: unknown) => error);
      if (changed) expect(outcome, what).toBeInstanceOf(VerificationError);
      expect(
        eventKeys(bucket).filter((each) => each >= keys.event(9800)),
        what,
      ).toEqual(eventKeys(compacted).filter((each) => each >= keys.event(9800)));
      expect(await linesOf(store), what).toEqual(all);
    }
  });

  it("deletes nothing when the record behind a segment does not link to it", async () => {
    const other = bucketOf(
      recordsOf(45_000, (i) => ({ other: i })),
      700,
    );
    const bucket = copy(other);
    for (const key of compacted.keys("events/_segments/")) bucket.put(key, compacted.get(key)!.body);
    const store = await machine.open(bucket);
    await expect(store.prune({ delete: true })).rejects.toMatchObject({ code: "CHAIN_BROKEN" });
    expect(eventKeys(bucket)).toEqual(eventKeys(other));
  });

  it("refuses a backend where nothing keeps a late write out", async () => {
    const objects = Object.assign(memoryObjects({ bucket: copy() }), { fence: undefined });
    const store = await S3EventStore.open({ objects });
    await expect(store.prune()).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it("goes on where it was interrupted", async () => {
    const bucket = copy();
    const store = await machine.open(bucket);
    const abort = new AbortController();
    let deletions = 0;
    const remove = bucket.delete.bind(bucket);
    bucket.delete = (key) => {
      if (++deletions === 10) abort.abort();
      return remove(key);
    };
    await expect(store.prune({ delete: true, signal: abort.signal })).rejects.toMatchObject({ code: "ABORTED" });
    expect(await linesOf(store)).toEqual(all);
    await store.prune({ delete: true });
    expect(eventKeys(bucket)[0]).toBe(keys.event(29_400));
    expect(await linesOf(store)).toEqual(all);
  });

  it("a writer that was suspended before it wrote finds the log's end anew, and loses nothing", async () => {
    for (const batch of [false, true]) {
      const asleep = new Machine();
      const bucket = copy(bucketOf(LONG.slice(0, 10_100), 700));
      const stalled = await asleep.open(bucket, { batch });
      expect(await stalled.append(event)).toMatchObject({ seq: 10_100 });
      // others go on, and a month later the key that it would have taken is pruned
      const rest = recordsOf(45_000);
      for (const key of bucket.keys("events/0000010100")) bucket.delete(key);
      const long = bucketOf(rest, 700);
      for (const key of eventKeys(long)) bucket.put(key, long.get(key)!.body, { ...long.get(key)!, modifiedAt: 0 });
      bucket.put(keys.head, long.get(keys.head)!.body);
      asleep.now += 700 * HOUR;
      const pruner = await asleep.open(bucket);
      await pruner.compact();
      await pruner.prune({ delete: true });
      expect(eventKeys(bucket)[0]).toBe(keys.event(29_400));
      const late = await stalled.append(event);
      expect(late).toMatchObject({ committed: true, seq: 45_000 });
      expect((await linesOf(pruner, { fromSeq: 45_000 }))[0]).toContain('"late":true');
      expect(await pruner.verify()).toMatchObject({ valid: true, events: 45_001 });
    }
  });

  it("an append that was left open and whose place was pruned is judged by what the log holds", async () => {
    for (const stored of [true, false]) {
      const asleep = new Machine();
      const bucket = copy(bucketOf(LONG.slice(0, 10_000), 1000));
      const objects = memoryObjects({ bucket, clock: () => asleep.now });
      const put = objects.putIfAbsent.bind(objects);
      let lose = false;
      objects.putIfAbsent = async (key, body, options) => {
        if (!lose || key.includes("_")) return put(key, body, options);
        if (stored) await put(key, body, options);
        const cause = new BackendError("UNAVAILABLE", "lost");
        return { outcome: "unknown", sent: true, cause };
      };
      const stalled = await S3EventStore.open({
        objects,
        appendTimeoutMs: 1,
        runtime: { ...systemRuntime, sleep: async () => {} },
      });
      expect(await stalled.head()).toMatchObject({ seq: 9999 });
      lose = true;
      await expect(stalled.append({ ...event, ts: 1 })).rejects.toMatchObject({ code: "COMMIT_UNKNOWN" });
      lose = false;
      const busy = await asleep.open(bucket, { batch: true });
      for (let at = 0; at < 35_000; at += 1000)
        await busy.appendBatch(Array.from({ length: 1000 }, (_, i) => ({ ...event, payload: { i } })));
      asleep.now += 700 * HOUR;
      await busy.compact();
      await busy.prune({ delete: true });
      expect(eventKeys(bucket)[0]! > keys.event(10_000)).toBe(true);
      expect(await stalled.settle()).toMatchObject({ committed: stored, seq: 10_000 });
      expect(eventKeys(bucket)[0]! > keys.event(10_000)).toBe(true);
      expect(await stalled.append(event)).toMatchObject({ committed: true, seq: stored ? 45_001 : 45_000 });
      expect(await busy.verify()).toMatchObject({ valid: true });
    }
  });
});
