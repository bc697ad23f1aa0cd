import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { VerificationError } from "../../src/core/errors.js";
import { GENESIS_HASH, type Head, type StoredRecord } from "../../src/core/event.js";
import { formatHead } from "../../src/core/head-check.js";
import { encodeRecord, prepareEvent } from "../../src/core/record.js";
import { MAX_OBJECT_BYTES, objectBody } from "../../src/log/event-object.js";
import { LogKeys } from "../../src/log/keys.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { ObjectMap } from "../../src/objects/object-map.js";
import { openS3Objects } from "../../src/objects/s3/index.js";
import type { EventStore, ReadOptions } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { SeededRandom } from "./random.js";

/*
 * A reader with a head computes keys; one without lists them. Both must give the same records and verdicts, whatever the log looks
 * like. To run one seed again: RYNXS_TEST_SEED=n.
 */

const given = process.env["RYNXS_TEST_SEED"];
const SEEDS = given === undefined ? Array.from({ length: 60 }, (_, seed) => seed) : [Number(given)];
const keys = new LogKeys("events");

interface Log {
  readonly bucket: ObjectMap;
  readonly records: readonly StoredRecord[];
  /** Seqs of the objects' keys. */
  readonly objects: readonly number[];
}

/** Objects of so many records, one behind the other; those of batches of a certain size. */
function logOf(sizes: readonly number[], fill = 0): Log {
  const bucket = new ObjectMap();
  const records: StoredRecord[] = [];
  const objects: number[] = [];
  let before = GENESIS_HASH;
  for (const size of sizes) {
    const from = records.length;
    for (let i = 0; i < size; i++) {
      const payload = { n: records.length, ...(size > 1 && fill > 0 && { fill: "x".repeat(fill) }) };
      const event = { type: `T${String(records.length % 3)}`, aggregateId: "a", payload };
      const record = encodeRecord(
        prepareEvent(event, 1, () => 0),
        records.length,
        before,
      );
      before = record.eventHash;
      records.push(record);
    }
    objects.push(from);
    bucket.put(keys.event(from), objectBody(records.slice(from)), { metadata: { "put-id": "x" } });
  }
  return { bucket, records, objects };
}

const headAt = ({ records }: Log, seq: number): Head => ({ seq, hash: records[seq]?.eventHash ?? GENESIS_HASH });

interface Outcome {
  readonly seqs: readonly number[];
  readonly anchor: unknown;
  readonly error: unknown;
}

const verdictOf = (error: unknown): unknown => {
  if (!(error instanceof VerificationError)) return error;
  const { code, seq, expected, actual, message, facts } = error;
  return { code, seq, expected, actual, message, facts };
};

async function read(store: EventStore, options: ReadOptions): Promise<Outcome> {
  const seqs: number[] = [];
  let anchor: unknown = null;
  try {
    for await (const { seq } of store.readRecords({ ...options, onAnchor: (found) => (anchor = found) }))
      seqs.push(seq);
    return { seqs, anchor, error: null };
  } catch (error) {
    return { seqs, anchor, error: verdictOf(error) };
  }
}

/** What a read must say that knows the head: what the one without says, and then what the head is worth. */
async function withHead(reference: EventStore, log: Log, head: Head | null, options: ReadOptions): Promise<Outcome> {
  const outcome = await read(reference, options);
  const { fromSeq = options.anchor ? options.anchor.seq + 1 : 0, toSeq = Infinity, aggregateId, type } = options;
  if (outcome.error !== null || head === null || aggregateId !== undefined || type !== undefined) return outcome;
  const end = outcome.seqs.at(-1) ?? fromSeq - 1;
  if (outcome.seqs.length > 0 && end >= toSeq) return outcome;
  let actual: string | null = null;
  try {
    if (head.seq <= end)
      actual = outcome.seqs.includes(head.seq)
        ? (log.records[head.seq]?.eventHash ?? null)
        : await reference.getEventHash(head.seq);
  } catch (error) {
    return { ...outcome, error: verdictOf(error) };
  }
  if (actual === head.hash) return outcome;
  // A contradiction names the log's end, which can be damaged itself.
  if (outcome.seqs.length === 0) {
    const broken = await reference.head().then(() => null, verdictOf);
    if (broken !== null) return { ...outcome, error: broken };
  }
  return { ...outcome, error: expect.objectContaining({ code: "HEAD_CONTRADICTS_LOG" }) };
}

/** Reads the ranges with the head and without. */
async function expectSame(
  log: Log,
  head: Head | null,
  ranges: readonly ReadOptions[],
  note: string,
): Promise<Outcome[]> {
  const { bucket } = log;
  bucket.delete(keys.head);
  const reference = await S3EventStore.open({ objects: memoryObjects({ bucket }), useHead: false });
  const outcomes: Outcome[] = [];
  for (const range of ranges) {
    bucket.delete(keys.head);
    const expected = await withHead(reference, log, head, range);
    if (head) bucket.put(keys.head, formatHead(head));
    const store = await S3EventStore.open({ objects: memoryObjects({ bucket }) });
    const found = await read(store, range);
    expect(found, `${note}, ${JSON.stringify(range)}, head ${String(head?.seq)}`).toEqual(expected);
    outcomes.push(found);
  }
  bucket.delete(keys.head);
  const report = await reference.verify();
  if (head) bucket.put(keys.head, formatHead(head));
  const store = await S3EventStore.open({ objects: memoryObjects({ bucket }) });
  const same = await store.verify();
  const contradicted = report.valid && (await withHead(reference, log, head, {})).error !== null;
  if (contradicted)
    expect(same, note).toMatchObject({
      valid: false,
      events: report.events,
      head: report.head,
      error: { code: "HEAD_CONTRADICTS_LOG" },
    });
  else expect({ ...same, error: verdictOf(same.error) }, note).toEqual({ ...report, error: verdictOf(report.error) });
  return outcomes;
}

function rangesOf(log: Log, random: SeededRandom): ReadOptions[] {
  const last = log.records.length - 1;
  const fromSeq = random.below(last + 3);
  const anchorSeq = random.below(last + 1);
  return [
    {},
    { toSeq: random.below(last + 3) },
    { fromSeq },
    { fromSeq, toSeq: fromSeq + random.below(6) },
    { anchor: headAt(log, anchorSeq) },
    { anchor: headAt(log, anchorSeq), toSeq: anchorSeq + 1 + random.below(5) },
    { anchor: { seq: anchorSeq, hash: "a".repeat(64) }, toSeq: anchorSeq + 3 },
  ];
}

const randomSizes = (random: SeededRandom): number[] => {
  const singles = random.pick([0.2, 0.5, 0.9, 1]);
  return Array.from({ length: 1 + random.below(20) }, () => (random.chance(singles) ? 1 : 2 + random.below(6)));
};

/** No head, or one that names a record: the last, or any. */
function randomHead(log: Log, random: SeededRandom): Head | null {
  return random.pick<() => Head | null>([
    () => null,
    () => headAt(log, log.records.length - 1),
    () => headAt(log, random.below(log.records.length)),
    () => headAt(log, random.below(log.records.length)),
  ])();
}

/** Over all cases: a run that met nothing of this would prove nothing. */
const met = new Set<string>();
const note = (outcomes: readonly Outcome[]): void => {
  for (const { error } of outcomes) met.add(error === null ? "good" : (error as { code: string }).code);
};

describe("reads by computed keys and by listing", () => {
  it.each(SEEDS)("of logs of singles and batches: seed %i", async (seed) => {
    const random = new SeededRandom(seed);
    for (let i = 0; i < 4; i++) {
      const log = logOf(randomSizes(random));
      const what = `seed ${String(seed)}, log ${String(i)}`;
      note(await expectSame(log, randomHead(log, random), rangesOf(log, random), what));
    }
  });

  it.each(SEEDS)("of logs that were tampered with: seed %i", async (seed) => {
    const random = new SeededRandom(seed + 1000);
    for (let i = 0; i < 4; i++) {
      const log = logOf(randomSizes(random));
      const { bucket, records, objects } = log;
      for (let k = 1 + random.below(2); k > 0; k--) {
        const seq = objects[random.below(objects.length)] ?? 0;
        const key = keys.event(seq);
        const body = bucket.get(key)?.body ?? Buffer.alloc(0);
        random.pick<() => void>([
          () => void bucket.delete(key),
          () => void bucket.put(key, ""),
          () => void bucket.put(key, "\n \n"),
          () => void bucket.put(key, body.toString().replace(/"n":(\d)/, '"n":1$1')),
          () => void bucket.put(key, body.subarray(0, body.length - 3)),
          () => void bucket.put(key, `${body.toString()}\n${body.toString()}`),
          // Another record under this key, and a stray within a batch.
          () => void bucket.put(key, records[random.below(records.length)]?.line ?? ""),
          () => {
            const stray = random.below(records.length);
            bucket.put(keys.event(stray), records[stray]?.line ?? "");
          },
          () => {
            // The rest of the log is gone.
            for (const later of objects) if (later >= seq) bucket.delete(keys.event(later));
          },
        ])();
      }
      const what = `seed ${String(seed)}, tampered log ${String(i)}`;
      note(await expectSame(log, randomHead(log, random), rangesOf(log, random), what));
    }
  });

  it("with a key deleted, or two, in every position", async () => {
    const sizes = [1, 1, 1, 3, 1, 1, 2, 2, 1, 1];
    const { objects, records } = logOf(sizes);
    const last = records.length - 1;
    for (const [i, first] of objects.entries()) {
      for (const second of new Set([
        first,
        objects[(i + 1) % objects.length] ?? 0,
        objects[(i + 4) % objects.length] ?? 0,
      ])) {
        const log = logOf(sizes);
        for (const seq of [first, second]) log.bucket.delete(keys.event(seq));
        for (const head of [last, 4, 0]) {
          const ranges = [{}, { fromSeq: 2 }, { fromSeq: 5, toSeq: 9 }, { toSeq: 6 }, { anchor: headAt(log, 3) }];
          note(await expectSame(log, headAt(log, head), ranges, `without ${String(first)} and ${String(second)}`));
        }
      }
    }
  });

  it("with a head that is ahead of the log, or of another one", async () => {
    for (const sizes of [[1, 1, 1, 1], [1, 3, 1], [5], []]) {
      const log = logOf(sizes);
      for (const head of [
        { seq: 400, hash: "b".repeat(64) },
        { seq: 2, hash: "b".repeat(64) },
      ])
        note(await expectSame(log, head, [{}, { toSeq: 1 }, { fromSeq: 1 }, { toSeq: 3000 }], `sizes ${sizes.join()}`));
    }
  });

  // One seed alone need not meet everything.
  if (given !== undefined) return;
  it.each([
    "good",
    "GAP",
    "MALFORMED",
    "MISPLACED",
    "DUPLICATE",
    "HASH_MISMATCH",
    "CHAIN_BROKEN",
    "HEAD_CONTRADICTS_LOG",
  ])("met on the way: %s", (what) => {
    expect([...met]).toContain(what);
  });
});

describe("an object far too large to be one of a log's", () => {
  let emulator: S3Emulator;
  beforeAll(async () => {
    emulator = await startS3Emulator();
  });
  afterAll(() => emulator.close());

  const HUGE = 40 * 1024 * 1024;

  async function readHuge(
    at: number,
    useHead: boolean,
  ): Promise<{ outcome: Outcome; whole: string[]; ranged: string[] }> {
    const log = logOf([1, 1, 1, 1, 1, 1, 1, 1]);
    const bucket = emulator.objects("events");
    for (const key of bucket.keys()) bucket.delete(key);
    for (const key of log.bucket.keys()) bucket.put(key, log.bucket.get(key)?.body ?? "");
    bucket.put(keys.event(at), Buffer.concat([log.records[at]?.line ?? Buffer.alloc(0), Buffer.alloc(HUGE, 0x20)]));
    bucket.put(keys.head, formatHead(headAt(log, 7)));
    emulator.requests.length = 0;
    const objects = openS3Objects({ bucket: "events", endpoint: emulator.endpoint, credentials: emulator.credentials });
    const store = await S3EventStore.open({ objects, useHead });
    const outcome = await read(store, {});
    await store.close();
    const gets = emulator.requests.filter(({ operation, key }) => operation === "GET" && key === keys.event(at));
    const ranged = gets.flatMap(({ headers }) => headers["range"] ?? []);
    const whole = gets.filter(({ headers }) => headers["range"] === undefined).map(({ key }) => key);
    return { outcome, whole, ranged };
  }

  it.each([0, 3, 7])("under a computed key, of record %i: no more of it is fetched than shows that", async (at) => {
    const { outcome, whole, ranged } = await readHuge(at, true);
    expect(outcome.seqs).toEqual(Array.from({ length: at }, (_, seq) => seq));
    expect(outcome.error).toMatchObject({ code: "MALFORMED", seq: at, facts: { key: keys.event(at) } });
    expect(whole).toEqual([]);
    expect(ranged.length).toBeGreaterThan(0);
    for (const range of ranged) {
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
      expect(Number(from)).toBe(0);
      expect(Number(to)).toBeLessThan(MAX_OBJECT_BYTES + 1024);
    }
  });

  it("that was listed is not fetched at all, and has the same verdict", async () => {
    const listed = await readHuge(3, false);
    expect([listed.whole, listed.ranged]).toEqual([[], []]);
    const computed = await readHuge(3, true);
    expect(computed.outcome.seqs).toEqual(listed.outcome.seqs);
    for (const { outcome } of [listed, computed])
      expect(outcome.error).toMatchObject({ code: "MALFORMED", seq: 3, expected: "1 to 1000 records" });
  });

  it("but one of the largest size that there can be is read", async () => {
    const log = logOf([1, 2, 1], 8 * 1024 * 1024 - 400);
    const { bucket } = log;
    const body = bucket.get(keys.event(1))?.body ?? Buffer.alloc(0);
    expect(body.length).toBeGreaterThan(15 * 1024 * 1024);
    bucket.put(keys.event(1), Buffer.concat([body, Buffer.alloc(MAX_OBJECT_BYTES - body.length, 0x20)]));
    const [outcome] = await expectSame(log, headAt(log, 3), [{}], "largest");
    expect(outcome).toMatchObject({ seqs: [0, 1, 2, 3], error: null });
  });
});
