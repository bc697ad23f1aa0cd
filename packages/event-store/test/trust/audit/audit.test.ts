import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  audit,
  checkpointText,
  CompactRange,
  formatNote,
  localCosigner,
  localSigner,
  recordLeaf,
  type AuditOptions,
  type AuditReport,
  type NoteSigner,
} from "../../../src/trust/index.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import { formatHead } from "../../../src/core/head-check.js";
import type { NewEvent } from "../../../src/core/event.js";
import { openEventStore } from "../../../src/stores/open.js";
import type { EventStore } from "../../../src/stores/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";

const VECTORS = join(import.meta.dirname, "../../vectors");
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rynxs-audit-"));
});
afterAll(() => rm(folder, { recursive: true }));

const auditFile = async (path: string, options: AuditOptions = {}): Promise<AuditReport> => {
  const store = await openEventStore({}, { store: `file:${path}`, readOnly: true });
  try {
    return await audit(store, options);
  } finally {
    await store.close();
  }
};

interface Case {
  readonly file: string;
  readonly expect: string;
  readonly seq: number;
}
const cases = JSON.parse(await readFile(join(VECTORS, "tampered/manifest.json"), "utf8")) as Case[];
/** What an audit says of each tampered log, beyond the chain's verdict: valid, invalid, missing, and valid behind the fault. */
const RECORDS: Readonly<Record<string, readonly [number, number[][], number[][], number[][]]>> = {
  "deleted-middle.jsonl": [59, [], [[25, 25]], [[26, 59]]],
  "swapped.jsonl": [59, [], [[40, 40]], [[41, 59]]],
  "duplicated.jsonl": [60, [], [], [[12, 59]]],
  "first-missing.jsonl": [59, [], [[0, 0]], [[1, 59]]],
  "partial-last-line.jsonl": [30, [], [], []],
  "bad-utf8.jsonl": [10, [[10, 10]], [], []],
};

describe("an audit of tampered logs", () => {
  it.each(cases)("says of $file: $expect, and looks behind the fault", async ({ file, expect: verdict, seq }) => {
    const report = await auditFile(join(VECTORS, "tampered", file));
    const { records, findings, chain } = report;
    if (verdict === "valid") {
      expect([report.verdict, findings, chain.isValid, chain.head.seq]).toEqual(["valid", [], true, seq]);
      expect([records.valid, records.invalid.count, records.missing.count]).toEqual([seq + 1, 0, 0]);
      return;
    }
    expect([report.verdict, chain.isValid]).toEqual(["invalid", false]);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ code: verdict.toUpperCase().replaceAll("-", "_"), seq });
    const [valid, invalid, missing, apart] = RECORDS[file] ?? [59, [[seq, seq]], [], [[seq + 1, 59]]];
    expect([records.valid, records.invalid.ranges, records.missing.ranges]).toEqual([valid, invalid, missing]);
    expect(records.apart.ranges).toEqual(apart);
  });

  it("names many faults, and gives up where there are too many", async () => {
    const lines = (await readFile(join(VECTORS, "tampered/base.jsonl"), "utf8")).trimEnd().split("\n");
    const path = join(folder, "many.jsonl");
    const spoilt = lines.map((line, i) =>
      [10, 11, 30].includes(i) ? line.replace('"payload":{', '"payload":{"x":1,') : line,
    );
    spoilt.splice(40, 5);
    await writeFile(path, `${spoilt.join("\n")}\n`);
    const { records, findings } = await auditFile(path);
    expect(findings.map(({ code, seq }) => `${code} ${String(seq)}`)).toEqual([
      "HASH_MISMATCH 10",
      "HASH_MISMATCH 11",
      "HASH_MISMATCH 30",
      "GAP 40",
    ]);
    expect([records.valid, records.invalid.ranges, records.missing.ranges]).toEqual([
      52,
      [
        [10, 11],
        [30, 30],
      ],
      [[40, 44]],
    ]);
    expect(records.apart.ranges).toEqual([
      [12, 29],
      [31, 39],
      [45, 59],
    ]);
    const rest = Array.from({ length: 200 }, () => "{}").join("\n");
    await writeFile(path, `${lines.slice(0, 3).join("\n")}\n${rest}\n`);
    const hopeless = await auditFile(path);
    expect(hopeless.chain.unexaminedFrom === null || hopeless.chain.unexaminedFrom > 3).toBe(true);
    expect([hopeless.verdict, hopeless.records.valid]).toEqual(["invalid", 3]);
    expect(hopeless.findings.length).toBeLessThanOrEqual(100);
  });
});

describe("an audit of a bucket's log", () => {
  const event = (i: number): NewEvent => ({ type: "T", aggregateId: `a-${String(i % 3)}`, ts: i, payload: { i } });
  const bucket = async (events = 20) => {
    const objects = memoryObjects();
    const store = await S3EventStore.open({ objects, prefix: "p" });
    for (let i = 0; i < events; i++) await store.append(event(i));
    return { objects, store };
  };
  const key = (seq: number): string => `p/${String(seq).padStart(10, "0")}.json`;

  it("names deleted objects in the middle, and a deleted end as a head that is older than expected", async () => {
    const { objects, store } = await bucket();
    for (const seq of [5, 6, 12]) await objects.delete(key(seq));
    const gaps = await audit(store);
    expect([gaps.verdict, gaps.records.missing.ranges, gaps.records.valid]).toEqual([
      "invalid",
      [
        [5, 6],
        [12, 12],
      ],
      17,
    ]);
    await store.close();
    const cut = await bucket();
    const head = Buffer.from(formatHead(await cut.store.head()));
    await cut.objects.delete("p/_head.json");
    await cut.objects.putIfAbsent("p/_head.json", head);
    for (const seq of [18, 19]) await cut.objects.delete(key(seq));
    const report = await audit(await S3EventStore.open({ objects: cut.objects, prefix: "p" }));
    expect([report.verdict, report.chain.isValid, report.chain.head.seq]).toEqual([
      "head_older_than_expected",
      true,
      17,
    ]);
    expect(report.findings[0]).toMatchObject({ code: "HEAD_CONTRADICTS_LOG", seq: 18 });
  });

  it("of a part finds that part, and knows the rest for what is expected", async () => {
    const { store } = await bucket();
    const head = await store.head();
    const part = await audit(store, { from: 5, to: 9, expectedHead: head, now: () => 7 });
    expect(part).toMatchObject({
      verdict: "valid",
      auditedAt: 7,
      range: { askedFrom: 5, askedTo: 9, first: 5, last: 9, firstTs: 5, lastTs: 9 },
      records: { valid: 5 },
      expectedHead: { ...head, status: "holds" },
    });
    const beyond = await audit(store, { from: 15, to: 30 });
    expect([beyond.verdict, beyond.range.last, beyond.records.missing.count]).toEqual(["valid", 19, 0]);
    const empty = await audit((await bucket(0)).store);
    expect([empty.verdict, empty.range.first, empty.chain.head.seq]).toEqual(["valid", null, -1]);
  });

  it("with an expected head that the log does not bear out", async () => {
    const { store } = await bucket();
    const { hash } = await store.head();
    for (const options of [{}, { from: 10, to: 12 }]) {
      const older = await audit(store, { ...options, expectedHead: { seq: 25, hash } });
      expect([older.verdict, older.expectedHead?.status]).toEqual(["head_older_than_expected", "beyond_the_end"]);
      const other = await audit(store, { ...options, expectedHead: { seq: 11, hash } });
      expect([other.verdict, other.expectedHead?.status]).toEqual(["invalid", "differs"]);
    }
    expect((await audit(store, { expectedHead: { seq: 25, hash } })).records.missing.ranges).toEqual([[20, 25]]);
    expect((await audit(store, { expectedHead: { seq: -1, hash: "0".repeat(64) } })).verdict).toBe("valid");
  });
});

describe("an audit tells of", () => {
  it("writers, leaders, redacted records, types and aggregates", async () => {
    const store = await S3EventStore.open({ objects: memoryObjects(), prefix: "p" });
    const by = (writer: string | undefined, more: Partial<NewEvent> = {}): NewEvent => ({
      type: "T",
      aggregateId: "a",
      ts: 1,
      payload: {},
      ...(writer !== undefined && { meta: { writer_id: writer } }),
      ...more,
    });
    const led = (epoch: number, holder: string): NewEvent =>
      by(holder, { type: "LeaderElected", payload: { epoch, holder } });
    const events = [
      led(1, "w-1"),
      by("w-1"),
      by(undefined, { aggregateId: "b" }),
      by("w-1", { payload: { $enc: "x" } }),
      by("w-1", { payload: { $enc: "y" } }),
      by("w-1", { payload: { nested: { $enc: "z" } } }),
      led(2, "w-2"),
      led(2, "w-3"),
      by("w-2", { type: "SubjectShredded", payload: { subject: "s" } }),
      by("w-1", { type: "LeaderElected", payload: { epoch: "3" } }),
    ];
    for (const event of events) await store.append(event);
    const { contents, records, verdict } = await audit(store);
    expect(verdict).toBe("valid");
    expect(contents.writers).toEqual([
      { id: "w-1", count: 6, firstSeq: 0, lastSeq: 9 },
      { id: "w-2", count: 2, firstSeq: 6, lastSeq: 8 },
      { id: "w-3", count: 1, firstSeq: 7, lastSeq: 7 },
    ]);
    expect([contents.withoutWriter, contents.moreWriters, contents.leaderChanges]).toEqual([1, false, 4]);
    expect(contents.leaders.map(({ seq, epoch, holder, isNext }) => [seq, epoch, holder, isNext])).toEqual([
      [0, 1, "w-1", true],
      [6, 2, "w-2", true],
      [7, 2, "w-3", false],
      [9, null, null, false],
    ]);
    expect([records.redacted.ranges, records.shredded.ranges]).toEqual([[[3, 4]], [[8, 8]]]);
    expect(contents.types).toEqual({
      distinct: 3,
      isComplete: true,
      top: [
        { name: "T", count: 5 },
        { name: "LeaderElected", count: 4 },
        { name: "SubjectShredded", count: 1 },
      ],
    });
    expect(contents.aggregates.top).toEqual([
      { name: "a", count: 9 },
      { name: "b", count: 1 },
    ]);
  });

  it("no more than bounded lists", async () => {
    const store = await S3EventStore.open({ objects: memoryObjects(), prefix: "p" });
    const events = Array.from({ length: 500 }, (_, i) => ({
      type: `T${String(i % 50)}`,
      aggregateId: "a",
      payload: i % 2 ? { $enc: "x" } : {},
      meta: { writer_id: `w-${String(i)}` },
    }));
    await store.appendBatch(events);
    const { contents, records } = await audit(store);
    expect([contents.writers.length, contents.moreWriters, contents.types.distinct, contents.types.top.length]).toEqual(
      [100, true, 50, 20],
    );
    expect([records.redacted.count, records.redacted.ranges.length, records.redacted.isComplete]).toEqual([
      250,
      100,
      false,
    ]);
  });
});

describe("an audit with keys", async () => {
  const log = localSigner("example.com/log", Buffer.alloc(32, 1));
  const [w1, w2] = [1, 2].map((n) =>
    localCosigner(`witness.example/w${String(n)}`, Buffer.alloc(32, 10 + n), () => 5000),
  ) as [NoteSigner, NoteSigner];
  const objects = memoryObjects();
  const store: EventStore = await S3EventStore.open({ objects, prefix: "p" });
  const hashes: string[] = [];
  for (let i = 0; i < 20; i++) {
    const result = await store.append({ type: "T", aggregateId: "a", payload: { i } });
    if (result.committed) hashes.push(result.eventHash);
  }
  const root = (size: number): Buffer => {
    const range = CompactRange.empty();
    for (const hash of hashes.slice(0, size)) range.append(recordLeaf(hash));
    return range.root();
  };
  const signed = async (size: number, signers: NoteSigner[] = [log], made = root(size), origin = log.key.name) => {
    const text = checkpointText({ origin, size, root: made });
    return formatNote({ text, signatures: await Promise.all(signers.map((signer) => signer.sign(text))) });
  };
  const stored = async (note: string | null): Promise<void> => {
    await objects.delete("p/_tlog/checkpoint");
    if (note !== null) await objects.putIfAbsent("p/_tlog/checkpoint", Buffer.from(note));
  };
  const keys = [log.key];

  it("finds a signed tree to be that of the records, with who has cosigned it", async () => {
    await stored(await signed(17, [log, w1]));
    const report = await audit(store, { keys, witnesses: [w1.key, w2.key], quorum: 1, checkpoint: await signed(9) });
    expect([report.verdict, report.findings]).toEqual(["valid", []]);
    expect(report.checkpoints).toEqual([
      {
        ...{
          source: "stored",
          status: "verified",
          origin: "example.com/log",
          size: 17,
          root: root(17).toString("hex"),
        },
        ...{ signers: ["example.com/log"], tree: "matches" },
        witnesses: [
          { name: "witness.example/w1", cosignedAt: 5000 },
          { name: "witness.example/w2", cosignedAt: null },
        ],
      },
      expect.objectContaining({ source: "given", size: 9, tree: "matches" }),
    ]);
    const part = await audit(store, { keys, from: 3 });
    expect([part.verdict, part.checkpoints[0]?.tree]).toEqual(["valid", "not_checked"]);
    const short = await audit(store, { keys, to: 10 });
    expect([short.verdict, short.checkpoints[0]?.tree]).toEqual(["valid", "not_checked"]);
    const without = await audit(store);
    expect([without.verdict, without.checkpoints[0]?.status, without.checkpoints[0]?.size]).toEqual([
      "valid",
      "unverified",
      17,
    ]);
  });

  it.each<[string, () => Promise<string | null>, string, string, AuditOptions?]>([
    ["that is missing", () => Promise.resolve(null), "SIGNATURE_INVALID", "invalid"],
    ["that is garbage", () => Promise.resolve("x"), "SIGNATURE_INVALID", "invalid"],
    ["of a stranger", () => signed(9, [localSigner("x", randomBytes(32))]), "SIGNATURE_INVALID", "invalid"],
    ["of another log", () => signed(9, [log], root(9), "example.com/other"), "ORIGIN_MISMATCH", "invalid"],
    ["of another tree", () => signed(9, [log], root(8)), "TREE_MISMATCH", "invalid"],
    ["of an empty tree with a root", () => signed(0, [log], root(8)), "TREE_MISMATCH", "invalid"],
    ["of more records than there are", () => signed(25, [log], root(8)), "ROLLED_BACK", "head_older_than_expected"],
    [
      "cosigned by too few",
      () => signed(9, [log, w1]),
      "NOT_WITNESSED",
      "not_witnessed",
      { witnesses: [w1.key, w2.key] },
    ],
  ])("names a checkpoint %s", async (_, note, code, verdict, options = {}) => {
    await stored(await note());
    const report = await audit(store, { keys, ...options });
    expect([report.verdict, report.findings.map((finding) => finding.code)]).toEqual([verdict, [code]]);
  });

  it("finds a kept checkpoint to be newer than the log's, or to contradict it", async () => {
    await stored(await signed(9));
    const back = await audit(store, { keys, checkpoint: await signed(17) });
    expect([back.verdict, back.findings.map(({ code }) => code)]).toEqual([
      "head_older_than_expected",
      ["ROLLED_BACK"],
    ]);
    const fork = await audit(store, { keys, checkpoint: await signed(9, [log], root(8)) });
    expect([fork.verdict, fork.findings.map(({ code }) => code)]).toEqual(["invalid", ["TREE_MISMATCH", "FORKED"]]);
    expect(fork.checkpoints.map(({ tree }) => tree)).toEqual(["matches", "differs"]);
  });

  it("says the worst first", async () => {
    await stored(await signed(25, [log], root(8)));
    const options = { keys, witnesses: [w1.key], checkpoint: await signed(9, [log], root(8)) };
    const report = await audit(store, options);
    expect([report.verdict, report.findings.map(({ code }) => code)]).toEqual([
      "invalid",
      ["TREE_MISMATCH", "ROLLED_BACK", "NOT_WITNESSED"],
    ]);
    expect(report.records.missing.ranges).toEqual([[20, 24]]);
  });

  it("needs them for what is signed", async () => {
    const refused = { code: "INVALID_CONFIG" };
    await expect(audit(store, { checkpoint: await signed(9) })).rejects.toMatchObject(refused);
    await expect(audit(store, { witnesses: [w1.key] })).rejects.toMatchObject(refused);
    await expect(audit(store, { keys: [w1.key], origin: "example.com/log" })).rejects.toMatchObject(refused);
    await expect(audit(store, { keys, witnesses: [w1.key], quorum: 2 })).rejects.toMatchObject(refused);
  });
});
