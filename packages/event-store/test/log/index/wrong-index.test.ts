import { beforeAll, describe, expect, it } from "vitest";
import type { StoredRecord } from "../../../src/core/event.js";
import { ensureIndex } from "../../../src/log/index/ensure-index.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import { edited, type Content, type RootText } from "./edit-file.js";
import { IndexReader, SMALL } from "./index-reader.js";
import { bucketOf, chained, keys, putLog, segmentsOf, type Bucket } from "./sample-log.js";

const LAYOUT = { ...SMALL, leastDirectory: 300 };
const IDS = ["a", "b", "c", "d", "e", "f", "g"];
const sample = (salt: number, count = 650): StoredRecord[] =>
  chained(count, (n) => ({
    type: n % 97 === 0 ? "Rare" : "Common",
    aggregateId: IDS[(n * 5 + (n >> 3)) % 7] ?? "",
    payload: { n, salt },
  }));
const RECORDS = sample(0);
/** Runs of 100, of the last 350 records without a directory. */
const RUNS = [
  "000-0000000099",
  "100-0000000199",
  "200-0000000299",
  "300-0000000399",
  "400-0000000499",
  "500-0000000599",
].map((name) => `events/_index/runs/0000000${name}.idx`);
const DIRECTORIES = ["000-0000000299", "300-0000000599"].map((name) => `events/_index/directories/0000000${name}.idx`);

let good: Bucket;
/** Runs alone. */
let flat: Bucket;

async function indexed(records: readonly StoredRecord[], layout = LAYOUT, bucket = bucketOf(records)): Promise<Bucket> {
  await ensureIndex({ objects: memoryObjects({ bucket }), keys }, segmentsOf(records, 100), {
    layout,
    onWarning: () => undefined,
  });
  return bucket;
}

beforeAll(async () => {
  good = await indexed(RECORDS);
  flat = await indexed(RECORDS, SMALL);
  expect(good.keys("events/_index/")).toEqual([...DIRECTORIES, ...RUNS]);
  expect(flat.keys("events/_index/")).toEqual(RUNS);
});

function copied(bucket: Bucket): Bucket {
  const { bucket: copy } = memoryObjects();
  for (const key of bucket.keys()) copy.put(key, bucket.get(key)?.body ?? "");
  return copy;
}

function seqsOf(records: readonly StoredRecord[], field: "aggregate_id" | "type", value: string): number[] {
  return records.flatMap(({ line, seq }) => {
    const { event } = JSON.parse(line.toString()) as { event: Record<string, unknown> };
    return event[field] === value ? [seq] : [];
  });
}

/** All reads give what the log holds. @returns the codes of the warnings, and whether the index was used at all */
async function expectTruth(
  bucket: Bucket,
  records = RECORDS,
  layout = LAYOUT,
): Promise<{ warnings: string[]; used: boolean }> {
  const reader = new IndexReader(bucket, layout);
  for (const id of ["a", "g", "nobody"]) {
    const events = await reader.read({ aggregateId: id });
    expect(events.map(({ seq }) => seq)).toEqual(seqsOf(records, "aggregate_id", id));
    expect(events.map(({ aggregateVersion }) => aggregateVersion)).toEqual(events.map((_, i) => i + 1));
    for (const { seq, eventHash } of events) expect(eventHash).toBe(records[seq]?.eventHash);
  }
  for (const type of ["Rare", "Common", "None"])
    expect(await reader.seqs({ type })).toEqual(seqsOf(records, "type", type));
  const { aggregates } = await reader.aggregates();
  expect(aggregates.map(({ aggregateId }) => aggregateId)).toEqual(IDS);
  for (const { aggregateId, count, firstSeq, lastSeq } of aggregates) {
    const seqs = seqsOf(records, "aggregate_id", aggregateId);
    expect([count, firstSeq, lastSeq]).toEqual([seqs.length, seqs[0], seqs.at(-1)]);
  }
  expect(reader.warnings.every(({ code }) => code === "INDEX_UNUSABLE")).toBe(true);
  return {
    warnings: reader.warnings.map(({ message }) => message),
    used: reader.anchors.some(({ source }) => source === "index"),
  };
}

describe("a good index", () => {
  it("is used: of what it covers, only the last record is read from the log", async () => {
    for (const bucket of [good, flat]) {
      const reader = new IndexReader(bucketOf(RECORDS, 1), LAYOUT);
      const separate = copied(bucket);
      for (const key of separate.keys("events/0")) separate.delete(key);
      putLog(separate, RECORDS, 1);
      const it = new IndexReader(separate, LAYOUT);
      expect(await it.seqs({ aggregateId: "c" })).toEqual(await reader.seqs({ aggregateId: "c" }));
      const before599 = it.walked.filter((request) => request < "GET events/0000000599");
      expect(before599).toEqual([]);
      expect(it.anchors).toEqual([{ seq: 599, hash: RECORDS[599]?.eventHash, source: "index" }]);
    }
    expect(await expectTruth(good)).toEqual({ warnings: [], used: true });
  });

  it("is not asked for short logs, for short ranges, with an anchor, or for a chain", async () => {
    const asked = async (options: Parameters<IndexReader["read"]>[0], layout = LAYOUT): Promise<boolean> => {
      const reader = new IndexReader(good, layout);
      await reader.read(options);
      return reader.requests.some((request) => request.includes("_index"));
    };
    expect(await asked({ aggregateId: "a" })).toBe(true);
    expect(await asked({ aggregateId: "a" }, { ...LAYOUT, leastLog: 651 })).toBe(false);
    expect(await asked({ aggregateId: "a", fromSeq: 100, toSeq: 108 })).toBe(false);
    expect(await asked({ aggregateId: "a", fromSeq: 645 })).toBe(false);
    expect(await asked({ aggregateId: "a", verify: "chain" })).toBe(false);
    expect(await asked({ aggregateId: "a", anchor: { seq: 99, hash: RECORDS[99]?.eventHash ?? "" } })).toBe(false);
    expect(await asked({})).toBe(false);
  });

  it("refuses another word for verify", async () => {
    const verify = "none" as "chain";
    await expect(new IndexReader(good, LAYOUT).read({ verify })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it("gives versions from a later seq on, too", async () => {
    for (const bucket of [good, flat])
      for (const fromSeq of [1, 99, 100, 299, 300, 301, 555]) {
        const events = await new IndexReader(bucket, LAYOUT).read({ aggregateId: "b", fromSeq });
        const all = seqsOf(RECORDS, "aggregate_id", "b");
        expect(events.map(({ seq, aggregateVersion }) => [seq, aggregateVersion])).toEqual(
          all.flatMap((seq, i) => (seq >= fromSeq ? [[seq, i + 1]] : [])),
        );
      }
  });
});

describe("a wrong index never gives a wrong answer", () => {
  const change = async (
    key: string,
    make: (file: Buffer) => Buffer | null,
    from = good,
  ): ReturnType<typeof expectTruth> => {
    const bucket = copied(from);
    const file = make(Buffer.from(bucket.get(key)?.body ?? ""));
    if (file === null) bucket.delete(key);
    else bucket.put(key, file);
    return expectTruth(bucket, RECORDS, from === flat ? SMALL : LAYOUT);
  };

  it.each([
    ["a run", RUNS[1] ?? "", 1],
    ["a run without a directory", RUNS[4] ?? "", 2],
    ["a directory", DIRECTORIES[0] ?? "", 1],
  ])(
    "any byte of %s changed",
    async (_, key, which) => {
      const from = which === 2 ? flat : good;
      const size = from.get(key)?.body.length ?? 0;
      let noticed = 0;
      for (let at = 0; at < size; at += 1 + (at % 151)) {
        const { warnings } = await change(
          key,
          (file) => Buffer.from(file.fill((file[at] ?? 0) ^ (1 << (at & 7)), at, at + 1)),
          from,
        );
        noticed += warnings.length > 0 ? 1 : 0;
      }
      expect(noticed).toBeGreaterThan(3);
    },
    120_000,
  );

  it("a root's sum changed: it is noticed, whatever the root says", async () => {
    for (const [key = "", from] of [[RUNS[1], flat] as const, [DIRECTORIES[0], good] as const]) {
      const at = (from.get(key)?.body.length ?? 0) - 20;
      const { warnings } = await change(key, (file) => file.fill((file[at] ?? 0) ^ 1, at, at + 1), from);
      expect(warnings).toEqual([expect.stringContaining("has a root that was changed")]);
    }
  });

  it.each([0, 1, 61, 62, 63, 200, -1, -62, -500])("cut to %i bytes, or so many more", async (bytes) => {
    for (const key of [RUNS[0], RUNS[5], DIRECTORIES[1]]) {
      await change(key ?? "", (file) => file.subarray(0, bytes));
      await change(key ?? "", (file) => file.subarray(bytes));
      await change(key ?? "", (file) => Buffer.concat([file, Buffer.alloc(Math.abs(bytes))]));
    }
  });

  it("missing files", async () => {
    for (const key of [...RUNS, ...DIRECTORIES]) {
      await change(key, () => null);
      await change(key, () => null, flat);
    }
  });

  it("files that swapped their places", async () => {
    const bucket = copied(flat);
    const [a = "", b = ""] = [RUNS[1], RUNS[2]];
    bucket.put(a, flat.get(b)?.body ?? "");
    bucket.put(b, flat.get(a)?.body ?? "");
    const { warnings } = await expectTruth(bucket, RECORDS, SMALL);
    expect(warnings).toHaveLength(2);
  });

  it("another log's files: one, the last, all", async () => {
    const others = await indexed(sample(1), SMALL);
    for (const [mine, theirs, sets] of [
      [flat, others, [[RUNS[1]], [RUNS[5]], RUNS]],
      [
        good,
        await indexed(sample(1)),
        [[DIRECTORIES[0]], [DIRECTORIES[1]], [RUNS[1]], [RUNS[5]], DIRECTORIES, [...RUNS, ...DIRECTORIES]],
      ],
    ] as const)
      for (const set of sets) {
        const bucket = copied(mine);
        for (const key of set) bucket.put(key ?? "", theirs.get(key ?? "")?.body ?? "");
        const { warnings } = await expectTruth(bucket, RECORDS, mine === flat ? SMALL : LAYOUT);
        expect(warnings.length).toBeGreaterThan(0);
      }
  });

  it("an index of the log before it was rewritten, from some record on, or cut", async () => {
    for (const [length, from] of [
      [650, 0],
      [650, 350],
      [650, 599],
      [650, 600],
      [600, 700],
      [599, 700],
      [340, 700],
    ] as const) {
      const rewritten = chained(length, (n) => {
        const { event } = JSON.parse(RECORDS[n]?.line.toString() ?? "") as {
          event: { type: string; aggregate_id: string; payload: object };
        };
        return {
          type: event.type,
          aggregateId: event.aggregate_id,
          ts: n,
          payload: n >= from ? { rewritten: n } : (event.payload as never),
        };
      });
      const bucket = copied(good);
      for (const key of bucket.keys("events/0")) bucket.delete(key);
      putLog(bucket, rewritten);
      const { used } = await expectTruth(bucket, rewritten);
      expect(used).toBe(from >= 600 && length >= 600);
    }
  });

  it.each<[string, (root: RootText) => void]>([
    ["another version", (root) => (root.index = 2)],
    ["another hash before", (root) => (root.before = "1".repeat(64))],
    ["another hash at the end", (root) => (root.end = "1".repeat(64))],
    ["another range", (root) => (root.last += 1)],
    ["runs with a gap", (root) => root.runs.push([root.last + 2, root.last + 3])],
    ["no runs", (root) => (root.runs = [])],
    ["parts elsewhere", (root) => (root.aggregates.blocks[0] ?? [0])[0]++],
    ["a key that is not the first", (root) => ((root.aggregates.blocks[0] ?? [0, 0, "", ""])[3] = "A")],
    ["a sum that is not right", (root) => ((root.types.blocks[0] ?? [0, 0, "", ""])[2] = "1".repeat(64))],
  ])("a root that says %s, with every sum right", async (_, edit) => {
    for (const key of [RUNS[2] ?? "", DIRECTORIES[0] ?? ""])
      for (const from of key.includes("runs") ? [flat] : [good]) {
        const { warnings } = await change(key, (file) => edited(file, () => undefined, edit), from);
        expect(warnings.length).toBeGreaterThan(0);
      }
  });

  const each =
    (edit: (ref: [number, number, number, number, number, number], line: Content["aggregates"][number]) => void) =>
    (content: Content) => {
      for (const line of content.aggregates) for (const ref of line[1]) edit(ref, line);
    };
  it.each<[string, (content: Content) => void]>([
    ["one record fewer", each((ref) => ref[1]--)],
    ["one record more", each((ref) => ref[1]++)],
    ["another first seq", each((ref) => ref[2]++)],
    ["another last seq", each((ref) => ref[3]++)],
    ["another place", each((ref) => ref[4]++)],
    ["a shorter place", each((ref) => ref[5]--)],
    ["a place behind the end", each((ref) => (ref[4] = 1e9))],
    ["another run", each((ref) => (ref[0] += 7))],
    ["what is no ref", each((ref) => ref.pop())],
    ["a run twice", (content) => content.aggregates.forEach(([, refs]) => refs.push(...refs))],
    ["nothing of an aggregate that it lists", (content) => content.aggregates.forEach((line) => (line[1] = []))],
    ["ids in disorder", (content) => content.aggregates.reverse()],
    [
      "a type's records by the wrong number",
      (content) => content.types.forEach(([, refs]) => refs[0] && (refs[0][1] += 1)),
    ],
  ])("a table that states %s, with every sum right: reads", async (_, edit) => {
    for (const [key, from] of [
      [RUNS[2] ?? "", flat],
      [DIRECTORIES[0] ?? "", good],
    ] as const) {
      const bucket = copied(from);
      bucket.put(key, edited(Buffer.from(from.get(key)?.body ?? ""), edit));
      const reader = new IndexReader(bucket, from === flat ? SMALL : LAYOUT);
      for (const id of ["a", "g"])
        expect(await reader.seqs({ aggregateId: id })).toEqual(seqsOf(RECORDS, "aggregate_id", id));
      for (const type of ["Rare", "Common"]) expect(await reader.seqs({ type })).toEqual(seqsOf(RECORDS, "type", type));
    }
  });

  it.each<[string, (lines: string[]) => void]>([
    ["left out", (lines) => lines.splice(3, 1)],
    ["twice", (lines) => lines.splice(3, 0, lines[3] ?? "")],
    ["in another order", (lines) => lines.reverse()],
    ["replaced by another aggregate's", (lines) => (lines[3] = lines.at(-1) ?? "")],
    ["in its neighbour's place", (lines) => lines.splice(3, 2, lines[4] ?? "", lines[3] ?? "")],
    ["there twice, and its neighbour not", (lines) => (lines[4] = lines[3] ?? "")],
    ["changed", (lines) => (lines[3] = (lines[3] ?? "").replace('"salt":0', '"salt":1'))],
    ["no record", (lines) => (lines[3] = "{}")],
    ["from behind the run", (lines) => (lines[3] = RECORDS.at(-1)?.line.toString() ?? "")],
  ])("a run in which a record is %s, with every sum right", async (_, edit) => {
    for (const from of [flat, good]) {
      const { warnings } = await change(RUNS[2] ?? "", (file) => edited(file, ({ lines }) => edit(lines)), from);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain("_index/");
    }
  });

  it("more of one run than is held at once is read from the log, without a warning", async () => {
    const { warnings, used } = await expectTruth(good, RECORDS, { ...LAYOUT, maxRefBytes: 10 });
    expect([warnings, used]).toEqual([[], true]);
  });
});
