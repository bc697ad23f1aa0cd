import { describe, expect, it } from "vitest";
import type { StoredRecord } from "../../../src/core/event.js";
import type { ObjectMap } from "../../../src/objects/object-map.js";
import { bucketOf, bytesOf, copyOf, damage, deleteBefore, etagOf, eventKeys, keys } from "./compacted-log.js";
import { linesOf, open, recordsOf, segmentKeys, textOf } from "./compacted-log.js";

const LONG = recordsOf(105_000);
const all = textOf(LONG);
const FIRST = keys.segment(0, 9999);
const SECOND = keys.segment(10_000, 19_999);

async function compacted(records: readonly StoredRecord[], perObject = 1000): Promise<ObjectMap> {
  const bucket = bucketOf(records, perObject);
  await (await open(bucket)).compact();
  return bucket;
}

/** The whole log with the segments of its first 30,000 records: the next compaction merges those into a larger one. */
async function aboutToMerge(): Promise<ObjectMap> {
  const begun = await compacted(LONG.slice(0, 30_000));
  const bucket = bucketOf(LONG);
  for (const key of begun.keys("events/_segments/")) bucket.put(key, bytesOf(begun, key));
  return bucket;
}

describe("segments that are not what they should be, under compaction", () => {
  it.each([0.5, 0.999])("a damaged one that alone holds its records is not deleted, damage at %f", async (where) => {
    const bucket = await aboutToMerge();
    deleteBefore(bucket, 20_000);
    damage(bucket, SECOND, where);
    const damaged = etagOf(bucket, SECOND);
    await expect((await open(bucket)).compact()).rejects.toMatchObject({ code: "MALFORMED", facts: { key: SECOND } });
    expect(etagOf(bucket, SECOND)).toBe(damaged);
    expect(await linesOf(await open(bucket), { toSeq: 9999 })).toEqual(all.slice(0, 10_000));
  });

  it("one that holds other good records is not replaced: that is evidence", async () => {
    const other = await compacted(recordsOf(30_000, (i) => ({ other: i })));
    const bucket = await aboutToMerge();
    bucket.put(SECOND, bytesOf(other, SECOND));
    await expect((await open(bucket)).compact()).rejects.toMatchObject({
      code: "CHAIN_BROKEN",
      facts: { key: SECOND },
    });
    expect(etagOf(bucket, SECOND)).toBe(etagOf(other, SECOND));
    expect(await linesOf(await open(bucket), { toSeq: 30_000 })).toEqual(all.slice(0, 30_001));
  });

  it.each([
    ["of the first level", 25_000, FIRST, 0.05],
    ["that is the last, at its end", 25_000, SECOND, 0.999],
    ["of the top level", 105_000, keys.segment(0, 99_999), 0.05],
  ])("a damaged one %s is mended when compaction is to check, and stays otherwise", async (_, count, key, place) => {
    const bucket = await compacted(LONG.slice(0, count));
    const good = etagOf(bucket, key);
    damage(bucket, key, place);
    const damaged = etagOf(bucket, key);
    expect(damaged).not.toBe(good);
    await (await open(bucket)).compact();
    expect(etagOf(bucket, key)).toBe(damaged);
    const warnings: string[] = [];
    const store = await open(bucket, { onWarning: ({ code }) => warnings.push(code) });
    await store.compact({ check: true });
    expect(warnings).toContain("SEGMENT_UNUSABLE");
    expect(etagOf(bucket, key)).toBe(good);
    deleteBefore(bucket, 10_000);
    expect(await linesOf(await open(bucket), { toSeq: 9999 })).toEqual(all.slice(0, 10_000));
  });

  it.each([
    [1000, [[0, 20_000], [10_000, 30_000], [0], [10_000, 20_000]]],
    [1, [[0, 20_000]]],
  ])("those that were deleted are made again between those that were not, %i an object", async (perObject, cases) => {
    const whole = await compacted(LONG.slice(0, 45_000), perObject);
    for (const gone of cases) {
      const bucket = copyOf(whole);
      for (const first of gone) bucket.delete(keys.segment(first, first + 9999));
      expect(await (await open(bucket)).compact()).toMatchObject({ written: gone.length, records: 40_000 });
      expect(segmentKeys(bucket)).toEqual(segmentKeys(whole));
      for (const key of bucket.keys("events/_segments/")) expect(etagOf(bucket, key)).toBe(etagOf(whole, key));
    }
  });
});

describe("segments of a history that was rolled back", () => {
  /** The log ends with record 14,999, within what its second segment holds; its head says so. */
  async function rolledBack(): Promise<ObjectMap> {
    const bucket = await compacted(LONG.slice(0, 25_000));
    for (const key of eventKeys(bucket)) if (key >= keys.event(15_000)) bucket.delete(key);
    expect(await (await open(bucket)).resetHead()).toMatchObject({ after: { seq: 14_999 } });
    return bucket;
  }

  async function goOn(bucket: ObjectMap): Promise<void> {
    const store = await open(bucket, { batch: true });
    for (let at = 0; at < 10_000; at += 1000) {
      const payloads = Array.from({ length: 1000 }, (_, i) => ({ n: at + i }));
      await store.appendBatch(payloads.map((payload) => ({ type: "New", aggregateId: "new", ts: 1, payload })));
    }
    await store.close();
  }

  it("are not read at its end, with a stored head or without", async () => {
    const bucket = await rolledBack();
    for (const useHead of [true, false]) {
      const store = await open(bucket, { useHead });
      expect(await linesOf(store)).toEqual(all.slice(0, 15_000));
      expect(await linesOf(store, { fromSeq: 12_000 })).toEqual(all.slice(12_000, 15_000));
      expect(await store.getEventHash(15_000)).toBeNull();
      for (const segments of [false, true])
        expect(await store.verify({ segments })).toMatchObject({ valid: true, events: 15_000 });
    }
  });

  it("are not read once it has gone on; compaction names the one that is not of it", async () => {
    const bucket = await rolledBack();
    await goOn(bucket);
    for (const useHead of [true, false]) {
      const store = await open(bucket, { useHead });
      const read = await linesOf(store);
      expect(read.slice(0, 15_000)).toEqual(all.slice(0, 15_000));
      const news = read.slice(15_000).map((line) => JSON.parse(line) as { event: { payload: { n: number } } });
      expect(news.map(({ event }) => event.payload.n)).toEqual(Array.from({ length: 10_000 }, (_, n) => n));
      expect(await linesOf(store, { fromSeq: 10_000, toSeq: 16_000 })).toEqual(read.slice(10_000, 16_001));
      const { event_hash: hash } = JSON.parse(String(read[16_000])) as { event_hash: string };
      expect(await store.getEventHash(16_000)).toBe(hash);
      for (const segments of [false, true])
        expect(await store.verify({ segments })).toMatchObject({ valid: true, events: 25_000 });
    }
    const store = await open(bucket);
    const evidence = etagOf(bucket, SECOND);
    await expect(store.compact()).rejects.toMatchObject({ code: "CHAIN_BROKEN", facts: { key: SECOND } });
    expect(etagOf(bucket, SECOND)).toBe(evidence);
    // as the hint says
    bucket.delete(SECOND);
    await store.compact();
    const read = await linesOf(store);
    deleteBefore(bucket, 20_000);
    expect(await linesOf(store)).toEqual(read);
  });
});
