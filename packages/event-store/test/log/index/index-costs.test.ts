import { beforeAll, describe, expect, it } from "vitest";
import type { StoredRecord } from "../../../src/core/event.js";
import { ensureIndex } from "../../../src/log/index/ensure-index.js";
import { LAYOUT } from "../../../src/log/index/layout.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import { edited, type Content } from "./edit-file.js";
import { FakeIndex } from "./fake-index.js";
import { IndexReader } from "./index-reader.js";
import { bucketOf, chained, keys, segmentsOf, type Bucket } from "./sample-log.js";

/** A tenth of a million events, of a tenth of ten thousand aggregates: each has 100, spread evenly over ten runs, as at full size. */
const SCALED = { ...LAYOUT, mostOfRun: 10_000, leastDirectory: 100_000 };
const EVENTS = 101_234;
const AGGREGATES = 1000;
/** 1,000,000 records of 370 bytes in segments at a quarter of that. */
const SEGMENT_BYTES = 92_000_000;

describe("an aggregate of 100 events among many", () => {
  let records: StoredRecord[];
  let bucket: Bucket;

  beforeAll(async () => {
    records = chained(EVENTS, (n) => ({
      type: n % 20_011 === 0 ? "Rare" : `Type${String(n % 5)}`,
      aggregateId: `customer-${String((n * 7919) % AGGREGATES)}`,
      payload: {
        total: (n * 31) % 9973,
        note: "as it is written by many a program",
        reference: `r-${String((n * 7907) % 100_003)}`,
      },
    }));
    bucket = bucketOf(records);
    await ensureIndex({ objects: memoryObjects({ bucket }), keys }, segmentsOf(records.slice(0, 100_000), 10_000), {
      layout: SCALED,
    });
  }, 120_000);

  const cost = async (layout = SCALED): Promise<{ requests: number; bytes: number }> => {
    const reader = new IndexReader(bucket, layout);
    const events = await reader.read({ aggregateId: "customer-77", toSeq: 99_999 });
    expect(events).toHaveLength(100);
    expect(reader.warnings).toEqual([]);
    return { requests: reader.requests.length, bytes: reader.received };
  };

  it("costs at most 40 requests and 1 % of the segments' bytes, with a directory", async () => {
    const { requests, bytes } = await cost();
    expect(requests).toBeLessThanOrEqual(20);
    expect(bytes).toBeLessThan(SEGMENT_BYTES / 100);
  });

  it("and without one", async () => {
    // A larger one is looked for in vain.
    const { requests, bytes } = await cost({ ...SCALED, leastDirectory: 1_000_000 });
    expect(requests).toBeLessThanOrEqual(40);
    expect(bytes).toBeLessThan(SEGMENT_BYTES / 100);
  });

  it("a rare type costs the thousands that hold it", async () => {
    const reader = new IndexReader(bucket, SCALED);
    expect(await reader.seqs({ type: "Rare", toSeq: 99_999 })).toEqual([0, 20_011, 40_022, 60_033, 80_044]);
    // Each with the object before, where its anchor is.
    expect(reader.walked.length).toBeLessThanOrEqual(12);
    expect(reader.walked).not.toContain("GET events/0000050000.json");
    expect(reader.warnings).toEqual([]);
  });

  it.each<[string, (ref: [number, number, string]) => void]>([
    ["more records of it than there are", (ref) => (ref[1] += 1)],
    ["other thousands", (ref) => (ref[2] = ref[2] === "0100" ? "0200" : "0100")],
  ])("where a table states %s of a rare type, with every sum right, its run is read whole", async (_, edit) => {
    const wrong = memoryObjects().bucket;
    for (const key of bucket.keys()) wrong.put(key, bucket.get(key)?.body ?? "");
    for (const key of bucket.keys("events/_index/")) {
      const change = ({ types }: Content): void =>
        types.forEach(([type, refs]) => {
          if (type === "Rare") for (const ref of refs) if (ref[0] === 4 || refs.length === 1) edit(ref);
        });
      wrong.put(key, edited(Buffer.from(bucket.get(key)?.body ?? ""), change));
    }
    const reader = new IndexReader(wrong, SCALED);
    expect(await reader.seqs({ type: "Rare", toSeq: 99_999 })).toEqual([0, 20_011, 40_022, 60_033, 80_044]);
    expect(reader.warnings).toHaveLength(1);
    expect(reader.walked).not.toContain("GET events/0000050000.json");
  });

  it("a type that is everywhere is read in one walk", async () => {
    const reader = new IndexReader(bucket, SCALED);
    expect(await reader.seqs({ type: "Type3" })).toHaveLength(
      records.filter(({ seq }) => seq % 5 === 3 && seq % 20_011 !== 0).length,
    );
    expect(new Set(reader.walked).size).toBeGreaterThanOrEqual(102);
    expect(reader.walked.length).toBeLessThanOrEqual(106);
  });

  it("a page of aggregates costs tables, and the records behind what is indexed", async () => {
    const reader = new IndexReader(bucket, SCALED);
    const { aggregates, next } = await reader.aggregates({ limit: 3, prefix: "customer-5" });
    expect(aggregates.map(({ aggregateId, count }) => [aggregateId, count >= 101])).toEqual([
      ["customer-5", true],
      ["customer-50", true],
      ["customer-500", true],
    ]);
    expect(next).toBe("customer-500");
    expect(reader.walked.every((request) => request >= "GET events/0000099000.json")).toBe(true);
    expect(reader.requests.length).toBeLessThanOrEqual(14 + 64);
  });
});

describe("requests as the log grows", () => {
  const requests = async (records: number): Promise<{ total: number; lists: number }> => {
    const fake = new FakeIndex(records);
    const reader = new IndexReader(fake, LAYOUT);
    expect(await reader.seqs({ aggregateId: "wanted" })).toEqual(fake.wanted);
    expect(reader.warnings).toEqual([]);
    return {
      total: reader.requests.length,
      lists: reader.requests.filter((request) => request.startsWith("LIST")).length,
    };
  };

  it("a query costs no more than log N allows, at its best and at its worst lengths, up to ten thousand million", async () => {
    const best = await Promise.all([1e5, 1e6, 1e7, 1e8, 1e9].map((n) => requests(n + 500)));
    for (const { total } of best) expect(total).toBeLessThanOrEqual(14);
    const worst = await Promise.all([99_999, 999_999, 9_999_999, 99_999_999, 999_999_999].map((n) => requests(n)));
    for (const [i, { total, lists }] of worst.entries()) {
      // Nine runs or directories more for each digit: a root and a block of a table of each.
      expect(total).toBeLessThanOrEqual(14 + 18 * (i + 1));
      expect(lists).toBeLessThanOrEqual(5);
    }
  });
});
