import { mkdirSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { vectorJson } from "../../core/vectors.js";
import { count, event, events, numbers, refusal, ScratchLog, verdict } from "./scratch.js";

/** The states of the bucket's head object in which nothing else was touched, but for the heads that name its hashes. */
const CASES = vectorJson<{ cases: { name: string; ops: { put?: string; body?: string }[] }[] }>(
  "s3-tampered.json",
).cases;
const UNREADABLE = [
  "head-empty-object",
  "head-array",
  "head-null",
  "head-empty-body",
  "head-not-json",
  "head-no-hash",
  "head-seq-string",
  "head-seq-float",
  "head-negative",
  "head-short-hash",
];

function headBody(name: string): string {
  const body = CASES.find((c) => c.name === name)?.ops.find(({ put }) => put === "events/_head.json")?.body;
  if (body === undefined) throw new Error(`no case ${name}`);
  return body;
}

/** A log of 25 events in two segments and a live file, and no head. */
async function written(): Promise<{ files: [suffix: string, bytes: Buffer][]; hashes: string[] }> {
  const log = new ScratchLog();
  const hashes: string[] = [];
  for (const [from, to] of [
    [0, 10],
    [10, 20],
    [20, 25],
  ] as const) {
    await log.with(
      async (store) => {
        for (const each of events(from, to - from)) hashes.push((await store.appendWithRetry(each)).eventHash);
      },
      { maxBytes: 2400 },
    );
    if (to < 25) expect(log.bytes().length).toBeGreaterThan(2400);
  }
  log.remove(".head.json");
  expect(log.suffixes()).toEqual(["", ".seg-000001", ".seg-000002"]);
  return { files: log.suffixes().map((suffix) => [suffix, log.bytes(suffix)]), hashes };
}

const original = written();

async function log25(): Promise<{ log: ScratchLog; hashes: string[] }> {
  const { files, hashes } = await original;
  const log = new ScratchLog();
  for (const [suffix, bytes] of files) log.write(bytes, suffix);
  return { log, hashes };
}

const headText = (seq: number, hash: string): string =>
  JSON.stringify({ last_hash: hash, last_seq: seq, segment_index: 2 });

describe("a head file that cannot be read as a head", () => {
  it.each(UNREADABLE.map((name) => [name]))("%s: is ignored, whatever the log", async (name) => {
    const { log } = await log25();
    log.write(headBody(name), ".head.json");
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: 25, code: undefined, seq: undefined });
      expect((await store.head()).seq).toBe(24);
      expect((await store.appendWithRetry(event(25))).seq).toBe(25);
    });
    expect(log.bytes(".head.json").toString()).toBe(headBody(name));
  });

  it("nor does a very large one, or one of no UTF-8", async () => {
    const { log } = await log25();
    for (const body of [Buffer.alloc(50_000_000, "["), Buffer.from([0xff, 0xfe]), Buffer.from("\ufeff{}")]) {
      log.write(body, ".head.json");
      await log.with(async (store) => expect((await store.head()).seq).toBe(24));
    }
  });

  it("is replaced by the next rotation", async () => {
    const { log, hashes } = await log25();
    log.write("{}", ".head.json");
    await log.with((store) => store.appendWithRetry(event(25)), { maxBytes: 1 });
    expect(JSON.parse(log.bytes(".head.json").toString())).toEqual({
      last_hash: hashes[24],
      last_seq: 24,
      segment_index: 3,
    });
  });
});

describe("a head that the log bears out", () => {
  it.each([0, 9, 10, 19, 20, 23, 24])("at seq %i of 24: reads, verification and appends go on", async (seq) => {
    const { log, hashes } = await log25();
    log.write(headText(seq, String(hashes[seq])), ".head.json");
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: 25, code: undefined, seq: undefined });
      expect((await store.appendWithRetry(event(25))).seq).toBe(25);
    });
  });
});

describe("a head that the log contradicts", () => {
  it.each<[string, (hashes: string[]) => [number, string], (log: ScratchLog) => void, number]>([
    ["it is ahead of the log", () => [1000, "a".repeat(64)], () => undefined, 25],
    ["right seq, wrong hash", () => [24, "b".repeat(64)], () => undefined, 25],
    ["an earlier seq, wrong hash", () => [5, "b".repeat(64)], () => undefined, 25],
    [
      "the last record is gone",
      (hashes) => [24, String(hashes[24])],
      (log) => {
        const lines = log.bytes();
        log.cut(lines.lastIndexOf(0x0a, lines.length - 2) + 1);
      },
      24,
    ],
    [
      "the live file is gone",
      (hashes) => [24, String(hashes[24])],
      (log) => {
        log.remove("");
      },
      20,
    ],
    [
      "the live file is empty",
      (hashes) => [24, String(hashes[24])],
      (log) => {
        log.cut(0);
      },
      20,
    ],
    [
      "the last segment is gone, too",
      (hashes) => [19, String(hashes[19])],
      (log) => {
        log.remove("");
        log.remove(".seg-000002");
      },
      10,
    ],
    [
      "everything is gone",
      (hashes) => [24, String(hashes[24])],
      (log) => {
        log.remove("");
        log.remove(".seg-000002");
        log.remove(".seg-000001");
      },
      0,
    ],
  ])(
    "%s: reads to the end, verification, head and appends refuse, until it is reset",
    async (_what, head, damage, left) => {
      const { log, hashes } = await log25();
      damage(log);
      const [seq, hash] = head(hashes);
      log.write(headText(seq, hash), ".head.json");
      await log.with(async (store) => {
        expect(await verdict(store)).toEqual({ good: left, code: "HEAD_CONTRADICTS_LOG", seq: left });
        for (const work of [() => store.appendWithRetry(event(25)), () => store.head(), () => store.getLastHash()]) {
          const error = await refusal(work());
          expect([error.code, error.facts.seq, error.facts.expected, error.action]).toEqual([
            "HEAD_CONTRADICTS_LOG",
            left,
            `${seq}:${hash}`,
            "evidence",
          ]);
          expect(error.hint).toContain("rynxs head --reset");
        }
        // A read that stops before the end says nothing of it; one that meets it does.
        if (left > 3) expect(await count(store.read({ toSeq: 3 }))).toBe(4);
        else expect((await refusal(count(store.read({ toSeq: 3 })))).code).toBe("HEAD_CONTRADICTS_LOG");

        const { before, after } = await store.resetHead();
        expect(before).toEqual({ seq, hash });
        expect(after).toEqual({ seq: left - 1, hash: left === 0 ? "0".repeat(64) : hashes[left - 1] });
        expect(await verdict(store)).toEqual({ good: left, code: undefined, seq: undefined });
        expect((await store.appendWithRetry(event(left))).seq).toBe(left);
        expect(await numbers(store)).toEqual(Array.from({ length: left + 1 }, (_, i) => i));
      });
    },
  );

  it("record faults come before it", async () => {
    const { log } = await log25();
    log.write(log.bytes(".seg-000002").toString().replace('"n":15', '"n":16'), ".seg-000002");
    log.write(headText(1000, "a".repeat(64)), ".head.json");
    await log.with(async (store) => expect(await verdict(store)).toEqual({ good: 15, code: "HASH_MISMATCH", seq: 15 }));
  });
});

describe("resetting the head", () => {
  it("keeps the segment index, and removes the head of an empty log", async () => {
    const { log, hashes } = await log25();
    await log.with((store) => store.resetHead());
    expect(JSON.parse(log.bytes(".head.json").toString())).toEqual({
      last_hash: hashes[24],
      last_seq: 24,
      segment_index: 2,
    });
    const empty = new ScratchLog();
    empty.write(headText(3, "c".repeat(64)), ".head.json");
    await empty.with((store) => store.resetHead());
    expect(empty.has(".head.json")).toBe(false);
  });

  it("sets an unfinished write aside first, and waits for those who write", async () => {
    const { log } = await log25();
    log.add('{"event":');
    await log.with(async (store) => {
      const append = store.appendWithRetry(event(25));
      const [{ after }, { seq }] = await Promise.all([store.resetHead(), append]);
      expect([after.seq, seq]).toEqual([25, 25]);
    });
    expect(log.asides()).toEqual([Buffer.from('{"event":')]);
  });

  it("a head file that is a directory is said, by reads as by resets", async () => {
    const { log } = await log25();
    mkdirSync(`${log.path}.head.json`);
    await log.with(async (store) => {
      expect(await refusal(store.head())).toMatchObject({
        code: "PATH_UNUSABLE",
        facts: { file: `${log.path}.head.json` },
      });
      expect(await refusal(store.resetHead())).toMatchObject({
        code: "PATH_UNUSABLE",
        facts: { file: `${log.path}.head.json` },
      });
    });
    rmSync(`${log.path}.head.json`, { recursive: true });
  });
});
