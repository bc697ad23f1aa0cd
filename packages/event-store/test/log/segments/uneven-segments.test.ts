import { describe, expect, it } from "vitest";
import type { StoredRecord } from "../../../src/core/event.js";
import { formatHead } from "../../../src/core/head-check.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectMap } from "../../../src/objects/object-map.js";
import type { EventStore } from "../../../src/stores/port.js";
import { ScratchLog } from "../../stores/file/scratch.js";
import { overriding } from "../overriding.js";
import { bucketOf, bytesOf, deleteBefore, incompressible, keys, linesOf } from "./compacted-log.js";
import { open, recordsOf, textOf, uneven } from "./compacted-log.js";

/** Larger than one look for a place within a segment. */
const LOOK_BYTES = 256 * 1024;

/** Which records are looked up, of each 10,000. */
const PLACES = [0, 999, 1000, 2500, 4999, 6000, 7500, 9999];

const KINDS: readonly (readonly [string, (i: number) => object])[] = [
  ["of one size", uneven(100, 100)],
  ["three times as large in their first half", uneven(150, 50)],
  ["far larger in their first tenth", uneven(2500, 5, 1000)],
  ["in members beyond one look", (i) => incompressible(i, 400)],
  ["in members far beyond one look", (i) => incompressible(i, 1000)],
];

async function expectPlaces(
  store: EventStore,
  records: readonly StoredRecord[],
  seqs: readonly number[],
): Promise<void> {
  const lines = textOf(records);
  for (const seq of seqs) {
    expect(await store.getEventHash(seq), `hash of ${String(seq)}`).toBe(records[seq]?.eventHash);
    const read = await linesOf(store, { fromSeq: seq, toSeq: seq + 1 });
    expect(read, `from ${String(seq)}`).toEqual(lines.slice(seq, seq + 2));
  }
}

/** A log whose segments alone hold their records. */
async function pruned(records: readonly StoredRecord[]): Promise<ObjectMap> {
  const bucket = bucketOf(records);
  await (await open(bucket)).compact({ index: false });
  deleteBefore(bucket, records.length - 100);
  return bucket;
}

describe("places within a segment", () => {
  it.each(KINDS)("whose records do not compress, and are %s", async (_, payload) => {
    const records = recordsOf(20_100, payload);
    const bucket = await pruned(records);
    const keysOfSegments = bucket.keys("events/_segments/");
    expect(keysOfSegments).toEqual([keys.segment(0, 9999), keys.segment(10_000, 19_999)]);
    for (const key of keysOfSegments) expect(bytesOf(bucket, key).length).toBeGreaterThan(2 * LOOK_BYTES);
    const store = await open(bucket);
    await expectPlaces(store, records, PLACES.concat(PLACES.map((seq) => 10_000 + seq)));
    expect(await linesOf(store, { fromSeq: 4500, toSeq: 12_500 })).toEqual(textOf(records.slice(4500, 12_501)));
  });

  it("a look-up in members beyond one look reads a few of them, not all before", async () => {
    const records = recordsOf(10_100, (i) => incompressible(i, 1000));
    const bucket = await pruned(records);
    const size = bytesOf(bucket, keys.segment(0, 9999)).length;
    let bytes = 0;
    const objects = memoryObjects({ bucket });
    const counted = overriding(objects, {
      get: async (key, options) => {
        const object = await objects.get(key, options);
        if (key.includes("_segments/")) bytes += object?.body.length ?? 0;
        return object;
      },
    });
    const store = await open(bucket, { objects: counted });
    for (const seq of [2500, 6000, 9000, 9999]) {
      bytes = 0;
      expect(await store.getEventHash(seq)).toBe(records[seq]?.eventHash);
      expect(bytes, `for ${String(seq)}`).toBeLessThan(0.67 * size);
    }
  });

  it("a writer whose stored head is of long ago finds the log's end", async () => {
    const records = recordsOf(20_100, uneven(150, 50));
    const bucket = await pruned(records);
    for (const seq of [4900, 5500, 15_500]) {
      bucket.put(keys.head, formatHead({ seq, hash: records[seq]?.eventHash ?? "" }));
      const store = await open(bucket);
      const { seq: last } = await store.head();
      const appended = await store.append({ type: "T", aggregateId: "a", payload: {} });
      expect(appended).toMatchObject({ committed: true, seq: last + 1 });
      await store.close();
    }
    expect((await linesOf(await open(bucket))).slice(0, 20_100)).toEqual(textOf(records));
    expect(await (await open(bucket)).verify()).toMatchObject({ valid: true, events: 20_103 });
  });

  it.each([
    ["larger in their first part", uneven(400, 50, 2500), 2_800_000],
    ["far larger in their first tenth", uneven(2500, 5, 1000), 4_000_000],
    ["in members beyond one look", (i: number) => incompressible(i, 400), 4_000_000],
  ])("of compressed files, whose records are %s", async (_, payload, maxBytes) => {
    const records = recordsOf(12_500, payload);
    const log = new ScratchLog();
    await log.with(
      async (store) => {
        for (let at = 0; at < records.length; at += 500) await store.importRecords(records.slice(at, at + 500));
        expect(await store.compact()).toMatchObject({ written: 1 });
        expect(log.bytes(".seg-000001.gz").length).toBeGreaterThan(2 * LOOK_BYTES);
        await expectPlaces(store, records, PLACES);
      },
      { maxBytes },
    );
  });
});
