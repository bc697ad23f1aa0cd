import { gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { BackendError } from "../../../src/core/errors.js";
import type { StoredRecord } from "../../../src/core/event.js";
import { viewRecord } from "../../../src/core/record-view.js";
import { buildRun, type SegmentRecords } from "../../../src/log/index/build-run.js";
import type { EnsuredIndex } from "../../../src/log/index/ensure-context.js";
import { ensureIndex } from "../../../src/log/index/ensure-index.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectStore } from "../../../src/objects/port.js";
import type { StoreWarning } from "../../../src/system/warning.js";
import { overriding } from "../overriding.js";
import { QuickRuntime } from "../fault-bench.js";
import { contentOf, edited, open } from "./edit-file.js";
import { IndexReader, SMALL } from "./index-reader.js";
import { bucketOf, chained, keys, segmentOf, segmentsOf, type Bucket } from "./sample-log.js";

const LAYOUT = { ...SMALL, leastDirectory: 200 };
const IDS = ["x", "y", "z-\u{1F600}", "z-\uFB33"];
const RECORDS = chained(2250, (n) => ({
  type: n % 3 === 0 ? "A" : "B",
  aggregateId: IDS[(n * 7) % 4] ?? "",
  payload: { n },
}));

const FEW = RECORDS.slice(0, 250);

interface Ensured extends EnsuredIndex {
  readonly warnings: string[];
}

async function ensure(
  on: Bucket | ObjectStore,
  segments: readonly SegmentRecords[],
  layout = LAYOUT,
): Promise<Ensured> {
  const warnings: StoreWarning[] = [];
  const objects = "putIfAbsent" in on ? on : memoryObjects({ bucket: on });
  const runtime = new QuickRuntime(() => "id");
  const done = await ensureIndex({ objects, keys }, segments, {
    layout,
    runtime,
    onWarning: (warning) => warnings.push(warning),
  });
  return { ...done, warnings: warnings.map(({ message }) => message) };
}

const names = (bucket: Bucket): string[] =>
  bucket.keys("events/_index/").map((key) => key.slice("events/_index/".length));
const name = (kind: string, first: number, last: number): string =>
  `${kind}/${String(first).padStart(10, "0")}-${String(last).padStart(10, "0")}.idx`;
const runs = (from: number, to: number, size: number): string[] =>
  Array.from({ length: (to - from) / size }, (_, i) => name("runs", from + i * size, from + (i + 1) * size - 1));

async function expectTruth(bucket: Bucket, records: readonly StoredRecord[] = RECORDS): Promise<IndexReader> {
  const reader = new IndexReader(bucket, LAYOUT);
  for (const [i, id] of IDS.entries()) {
    const truth = records.flatMap(({ seq }) => ((seq * 7) % 4 === i ? [seq] : []));
    expect(await reader.seqs({ aggregateId: id })).toEqual(truth);
  }
  expect((await reader.aggregates()).aggregates.reduce((sum, { count }) => sum + count, 0)).toBe(records.length);
  return reader;
}

describe("an index run", () => {
  const segment = segmentOf(RECORDS.slice(0, 1000));

  it("is gzip throughout: the records in order of aggregate and seq, then the tables, then the root", async () => {
    const file = await buildRun(segment);
    const { lines, aggregates, types } = contentOf(file);
    const { root } = open(file);
    const text = gunzipSync(file).toString();
    expect(text).toBe(
      `${[...lines, ...[...aggregates, ...types].map((entry) => JSON.stringify(entry))].join("\n")}\n${JSON.stringify(root)}`,
    );
    const sorted = IDS.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).flatMap((id) =>
      RECORDS.slice(0, 1000).filter(({ seq }) => IDS[(seq * 7) % 4] === id),
    );
    expect(lines).toEqual(sorted.map(({ line }) => line.toString()));
    expect(aggregates.map(([id, [ref]]) => [id, ref?.slice(0, 4)])).toEqual([
      ["x", [0, 250, 0, 996]],
      ["y", [0, 250, 3, 999]],
      ["z-\uFB33", [0, 250, 1, 997]],
      ["z-\u{1F600}", [0, 250, 2, 998]],
    ]);
    expect(types).toEqual([
      ["A", [[0, 334, "01"]]],
      ["B", [[0, 666, "01"]]],
    ]);
    expect(root).toMatchObject({
      index: 1,
      first: 0,
      last: 999,
      before: "0".repeat(64),
      end: RECORDS[999]?.eventHash,
      runs: [[0, 999]],
    });
  });

  it("has the same bytes each time, and the same records and counts when they are sorted in chunks", async () => {
    const file = await buildRun(segment);
    expect((await buildRun(segment)).equals(file)).toBe(true);
    for (const chunkBytes of [1, 5000, 50_000]) {
      const chunked = await buildRun(segment, chunkBytes);
      expect(contentOf(chunked).lines).toEqual(contentOf(file).lines);
      expect(contentOf(chunked).aggregates.map(([id, refs]) => [id, refs[0]?.slice(0, 4)])).toEqual(
        contentOf(file).aggregates.map(([id, refs]) => [id, refs[0]?.slice(0, 4)]),
      );
      expect(open(chunked).root.records?.content).toBe(open(file).root.records?.content);
    }
  });

  it("names the thousands of a type from the run's first seq on", async () => {
    const records = chained(3100, (n) => ({ type: n === 1999 || n === 3000 ? "Rare" : "T", aggregateId: "a" }));
    const whole = contentOf(await buildRun(segmentOf(records)));
    expect(whole.types).toEqual([
      ["Rare", [[0, 2, "0a"]]],
      ["T", [[0, 3098, "0f"]]],
    ]);
    expect(contentOf(await buildRun(segmentOf(records.slice(1900, 3050)))).types[0]).toEqual(["Rare", [[0, 2, "05"]]]);
  });

  it.each<[string, Partial<SegmentRecords>]>([
    ["of another end", { end: { seq: 999, hash: "1".repeat(64) } }],
    ["of another beginning", { before: { seq: -1, hash: "1".repeat(64) } }],
    ["too few", { records: segmentOf(RECORDS.slice(0, 999)).records }],
    ["too many", { records: segmentOf(RECORDS.slice(0, 1001)).records }],
    [
      "with a gap",
      {
        async *records() {
          yield await Promise.resolve([0, 2].map((n) => viewRecord(RECORDS[n]?.line ?? Buffer.alloc(0))));
        },
      },
    ],
  ])("is not made of records that are %s", async (_, parts) => {
    const bucket = bucketOf([]);
    await expect(ensure(bucket, [{ ...segment, ...parts }])).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    expect(names(bucket)).toEqual([]);
  });
});

describe("ensureIndex", () => {
  let expectedNames: string[];
  let complete: Bucket;

  beforeAll(async () => {
    complete = bucketOf(RECORDS);
    await ensure(complete, segmentsOf(RECORDS, 100));
    expectedNames = names(complete);
  });

  it("makes a run of each segment, and directories, ten of which become one", () => {
    expect(expectedNames).toEqual([
      name("directories", 0, 1999),
      name("directories", 2000, 2199),
      ...runs(0, 2200, 100),
    ]);
  });

  it("does nothing twice", async () => {
    const before = expectedNames.map((key) => complete.get(`events/_index/${key}`)?.etag);
    expect(await ensure(complete, segmentsOf(RECORDS, 100))).toEqual({ written: 0, removed: 0, warnings: [] });
    expect(expectedNames.map((key) => complete.get(`events/_index/${key}`)?.etag)).toEqual(before);
  });

  it("segment by segment comes to the same as all at once", async () => {
    const bucket = bucketOf(RECORDS);
    for (const segment of segmentsOf(RECORDS, 100)) await ensure(bucket, [segment]);
    expect(names(bucket)).toEqual(expectedNames);
    for (const key of expectedNames)
      expect(bucket.get(`events/_index/${key}`)?.etag).toBe(complete.get(`events/_index/${key}`)?.etag);
  });

  it("does not merge directories that would become too large", async () => {
    const bucket = bucketOf(RECORDS);
    await ensure(bucket, segmentsOf(RECORDS, 100), { ...LAYOUT, maxDirectoryBytes: 1000 });
    expect(names(bucket).filter((key) => key.startsWith("directories"))).toHaveLength(11);
    await expectTruth(bucket);
  });

  it("a longer segment's run replaces those within it, and directories speak of it", async () => {
    const bucket = bucketOf(RECORDS);
    await ensure(bucket, segmentsOf(RECORDS, 10));
    expect(names(bucket).filter((key) => key.startsWith("runs"))).toEqual(runs(0, 2250, 10));
    const done = await ensure(bucket, segmentsOf(RECORDS, 100));
    expect(names(bucket)).toEqual([...expectedNames, ...runs(2200, 2250, 10)]);
    expect(done.warnings).toEqual([]);
    const reader = await expectTruth(bucket);
    expect(reader.warnings).toEqual([]);
  });

  it.each(["runs/0000000500-0000000599", "directories/0000000000-0000001999"])(
    "makes %s anew when it cannot be read, is another log's, or is gone",
    async (key) => {
      const path = `events/_index/${key}.idx`;
      const good = complete.get(path)?.body ?? Buffer.alloc(0);
      const foreign = edited(
        Buffer.from(good),
        () => undefined,
        (root) => (root.end = "1".repeat(64)),
      );
      for (const file of [null, Buffer.from("junk"), good.subarray(0, 500), foreign]) {
        const bucket = memoryObjects().bucket;
        for (const each of complete.keys()) bucket.put(each, complete.get(each)?.body ?? "");
        if (file === null) bucket.delete(path);
        else bucket.put(path, file);
        const { warnings } = await ensure(bucket, segmentsOf(RECORDS, 100));
        expect(warnings.length).toBe(file === null || (file === foreign && key.startsWith("dir")) ? 0 : 1);
        expect(names(bucket)).toEqual(expectedNames);
        expect(bucket.get(path)?.body.equals(good)).toBe(true);
        expect((await expectTruth(bucket)).warnings).toEqual([]);
      }
    },
  );

  it("removes what a merge left that was interrupted: smaller directories, and shorter runs, within longer ones", async () => {
    const bucket = bucketOf(RECORDS);
    await ensure(bucket, segmentsOf(RECORDS, 10).slice(0, 20));
    const unmerged = bucketOf(RECORDS);
    await ensure(unmerged, segmentsOf(RECORDS, 100), { ...LAYOUT, maxDirectoryBytes: 1000 });
    const small = name("directories", 400, 599);
    const left = names(bucket).map(
      (key) => [`events/_index/${key}`, bucket.get(`events/_index/${key}`)?.body] as const,
    );
    await ensure(bucket, segmentsOf(RECORDS, 100));
    for (const [key, body] of left) bucket.put(key, body ?? "");
    bucket.put(`events/_index/${small}`, unmerged.get(`events/_index/${small}`)?.body ?? "");
    expect((await expectTruth(bucket)).warnings).toEqual([]);
    expect((await ensure(bucket, segmentsOf(RECORDS, 100))).removed).toBeGreaterThanOrEqual(21);
    expect(names(bucket)).toEqual(expectedNames);
    expect((await expectTruth(bucket)).warnings).toEqual([]);
    bucket.put(`events/_index/${small}`, unmerged.get(`events/_index/${small}`)?.body ?? "");
    expect(await ensure(bucket, segmentsOf(RECORDS, 100))).toEqual({ written: 0, removed: 1, warnings: [] });
    expect(names(bucket)).toEqual(expectedNames);
  });

  it("keeps a run that another zlib compressed otherwise", async () => {
    const path = "events/_index/runs/0000000000-0000000099.idx";
    const bucket = bucketOf(RECORDS);
    const otherwise = edited(Buffer.from(complete.get(path)?.body ?? ""), (content) => {
      content.lines = [...content.lines];
    });
    expect(otherwise.equals(complete.get(path)?.body ?? otherwise)).toBe(false);
    const objects = memoryObjects({ bucket });
    // It appears behind the LIST.
    const late = overriding(objects, {
      list: async (options) => {
        const page = await objects.list(options);
        if (bucket.get(path) === undefined) bucket.put(path, otherwise);
        return page;
      },
    });
    await ensure(late, segmentsOf(RECORDS, 100).slice(0, 1));
    expect(contentOf(bucket.get(path)?.body ?? Buffer.alloc(0)).lines).toHaveLength(100);
    expect(bucket.get(path)?.body.equals(otherwise)).toBe(true);
  });

  it("several at once come to the same, whatever they find of one another", async () => {
    const bucket = bucketOf(RECORDS);
    await ensure(bucket, segmentsOf(RECORDS.slice(0, 1000), 10));
    const all = segmentsOf(RECORDS, 100);
    await Promise.all([ensure(bucket, all), ensure(bucket, all), ensure(bucket, all.slice(5, 15))]);
    await ensure(bucket, all);
    expect(names(bucket)).toEqual(expectedNames);
    expect((await expectTruth(bucket)).warnings).toEqual([]);
  });

  it("readers meanwhile always get the truth", async () => {
    const bucket = bucketOf(RECORDS);
    await ensure(bucket, segmentsOf(RECORDS, 10));
    const state = { working: true };
    const work = ensure(bucket, segmentsOf(RECORDS, 100)).finally(() => (state.working = false));
    while (state.working) await expectTruth(bucket);
    await work;
  });

  it.each(["before", "behind", "unknown"] as const)(
    "a process that dies at any write, %s it, leaves an index that is right, and that the next one completes",
    async (when) => {
      let more = true;
      for (let step = 1; more && step <= 60; step++) {
        const bucket = bucketOf(FEW);
        await ensure(bucket, segmentsOf(RECORDS.slice(0, 100), 10));
        let left = step;
        const objects = memoryObjects({ bucket });
        const died = new BackendError("UNAVAILABLE", "the process died");
        const dying = async <T>(write: () => Promise<T>): Promise<T> => {
          left--;
          if (left < 0 || (left === 0 && when === "before")) throw died;
          const outcome = await write();
          if (left === 0 && when === "behind") throw died;
          return left === 0 && when === "unknown" && outcome !== undefined
            ? ({ outcome: "unknown", sent: true, cause: died } as T)
            : outcome;
        };
        const done = await ensure(
          overriding(objects, {
            putIfAbsent: (...args) => dying(() => objects.putIfAbsent(...args)),
            replaceIfMatch: (...args) => dying(() => objects.replaceIfMatch(...args)),
            delete: (...args) => dying(() => objects.delete(...args)),
          }),
          segmentsOf(FEW, 100),
        ).catch((error: unknown) => {
          expect(error).toBe(died);
          return null;
        });
        await expectTruth(bucket, FEW);
        await ensure(bucket, segmentsOf(FEW, 100));
        expect(names(bucket)).toEqual([name("directories", 0, 199), ...runs(0, 200, 100)]);
        expect((await expectTruth(bucket, FEW)).warnings).toEqual([]);
        // It ended before that write came.
        more = left <= 0 && (done === null || when === "unknown");
      }
    },
    120_000,
  );

  it("gives up with a clear error where another log's index keeps coming back", async () => {
    const bucket = bucketOf(RECORDS);
    const objects = memoryObjects({ bucket });
    const stubborn = overriding(objects, {
      get: async (key, options) => {
        const found = await objects.get(key, options);
        return found && key.includes("_index/runs") ? { ...found, body: Buffer.from("another") } : found;
      },
    });
    await expect(ensure(stubborn, segmentsOf(RECORDS, 100))).rejects.toMatchObject({ code: "CONTENTION" });
  });
});
