import { randomUUID } from "node:crypto";
import { appendFile, mkdtemp, readFile, rename, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { fsck, type FsckOptions } from "../../../src/stores/fsck/fsck.js";
import type { FsckFinding, FsckReport } from "../../../src/stores/fsck/finding.js";
import { FileEventStore } from "../../../src/stores/file/file-event-store.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { openS3Objects } from "../../../src/objects/s3/index.js";
import { LogKeys } from "../../../src/log/keys.js";
import type { ObjectVersion, ObjectVersions } from "../../../src/objects/versions.js";
import { eventVersions, original } from "../../../src/stores/fsck/scan-versions.js";
import type { BucketLog } from "../../../src/stores/bucket-upkeep.js";
import { startS3Emulator, type S3Emulator } from "../../../src/testing/s3-emulator/index.js";

interface Bed {
  readonly emulator: S3Emulator;
  readonly server: { endpoint: string; bucket: string; prefix: string; accessKeyId: string; secretAccessKey: string };
  readonly key: (seq: number) => string;
  readonly put: (name: string, body?: string) => void;
}

async function bed({ events = 5, versioned = false, batch = 1 } = {}): Promise<Bed> {
  const emulator = await startS3Emulator();
  onTestFinished(() => emulator.close());
  if (versioned) emulator.settings("events").enableObjectLock();
  const { endpoint, credentials } = emulator;
  const server = { endpoint, bucket: "events", prefix: "log", ...credentials };
  const store = await S3EventStore.open(server);
  for (let n = 0; n < events; n += batch)
    await store.appendBatch(
      Array.from({ length: batch }, (_, i) => ({ type: "T", aggregateId: "a", payload: { n: n + i } })),
    );
  await store.close();
  const key = (seq: number): string => `log/${String(seq).padStart(10, "0")}.json`;
  const put = (name: string, body = "x"): void => void emulator.objects("events").put(`log/${name}`, body);
  return { emulator, server, key, put };
}

async function look(log: BucketLog, options: FsckOptions = {}): Promise<{ found: FsckFinding[]; report: FsckReport }> {
  const found: FsckFinding[] = [];
  const findings = fsck(log, options);
  for (;;) {
    const next = await findings.next();
    if (next.done === true) {
      expect(next.value.evidence).toBe(found.filter(({ level }) => level === "evidence").length);
      expect(next.value.warnings).toBe(found.length - next.value.evidence);
      return { found, report: next.value };
    }
    found.push(next.value);
  }
}

const short = ({ code, key, seq, toSeq }: FsckFinding) => [
  code,
  key,
  ...(seq === undefined ? [] : [seq, toSeq ?? seq]),
];

describe("fsck of a bucket log: names", () => {
  it("finds nothing in a log that nobody touched, whatever stands beside it", async () => {
    const { server, put } = await bed();
    for (const name of [
      "_positions/mailer.json",
      "_imports/legacy.json",
      "_snapshots/balances/1/0000000004.json",
      "_tlog/checkpoint",
      "_tlog/checkpoints/5",
      "_tlog/tile/0/000.p/5",
      "_tlog/tile/entries/000.p/5",
    ])
      put(name);
    const { found, report } = await look(server, { versions: true });
    expect(found).toEqual([]);
    expect(report).toMatchObject({ objects: 14, events: 5, versions: 5, pruned: 0, evidence: 0, warnings: 0 });
  });

  it("an empty prefix has nothing", async () => {
    const { server } = await bed({ events: 0 });
    expect((await look({ ...server, prefix: "other" })).report).toMatchObject({ objects: 0, events: 0 });
  });

  it("names every stranger, with why it is none of ours; none of them is evidence", async () => {
    const { server, put } = await bed();
    const names = [
      "3.json",
      "+3.json",
      "0000000003.JSON",
      "readme.txt",
      "0000000001.json.tmp",
      "_segments/x",
      "_tlog/tile/0/1",
    ];
    for (const name of [...names, "0-probe-01.json", "_probe-1-a"]) put(name);
    const { found } = await look(server);
    expect(found.map(short).sort()).toEqual(
      [
        ["NEARLY_EVENT", "log/3.json"],
        ["NEARLY_EVENT", "log/+3.json"],
        ["NEARLY_EVENT", "log/0000000003.JSON"],
        ["STRANGER", "log/readme.txt"],
        ["TEMPORARY", "log/0000000001.json.tmp"],
        ["STRANGER", "log/_segments/x"],
        ["STRANGER", "log/_tlog/tile/0/1"],
        ["PROBE_LEFT", "log/0-probe-01.json"],
        ["PROBE_LEFT", "log/_probe-1-a"],
      ].sort(),
    );
    expect(found.every(({ level }) => level === "warning")).toBe(true);
  });

  it("a log within the log is one finding, however large; another log whose name merely begins alike is none", async () => {
    const { server, put, emulator } = await bed();
    for (let n = 0; n < 1500; n++) put(`in/side/${String(n).padStart(10, "0")}.json`);
    put("in/side/zzz");
    put("in/z.txt");
    emulator.objects("events").put("log2/0000000000.json", "x");
    const { found, report } = await look(server);
    expect(found).toMatchObject([
      { code: "NESTED_LOG", key: "log/in/side/0000000000.json", count: 1501 },
      { code: "STRANGER", key: "log/in/z.txt" },
    ]);
    expect(report.objects).toBe(7 + 1502);
  });

  it("a listing of many pages is walked page by page", async () => {
    const { server, put, emulator } = await bed();
    for (let n = 0; n < 2500; n++) put(`z${String(n)}`);
    emulator.requests.length = 0;
    const { found } = await look(server);
    expect(found).toHaveLength(2500);
    expect(emulator.requests.filter(({ operation }) => operation === "LIST").length).toBeLessThan(6);
    expect(emulator.requests.filter(({ operation }) => operation === "GET").length).toBeLessThan(4);
  });

  it("a consumer that stops early ends it", async () => {
    const { server, put } = await bed();
    for (let n = 0; n < 20; n++) put(`z${String(n)}`);
    for await (const { code } of fsck(server)) {
      expect(code).toBe("STRANGER");
      break;
    }
  });
});

describe("fsck of a bucket log: what is missing", () => {
  it("names gaps, and what is empty or too large", async () => {
    const { server, emulator, key } = await bed({ events: 12 });
    for (const seq of [0, 4, 5, 6, 9]) emulator.objects("events").delete(key(seq));
    emulator.objects("events").put(key(2), "");
    emulator.objects("events").put(key(10), Buffer.alloc(18 * 1024 * 1024));
    const { found } = await look(server);
    expect(found.map(short)).toEqual([
      ["GAP", key(1), 0, 0],
      ["EMPTY_EVENT", key(2), 2, 2],
      ["GAP", key(7), 4, 6],
      ["GAP", key(10), 9, 9],
      ["OVERSIZED_EVENT", key(10), 10, 10],
    ]);
  });

  it("tells a batch from a gap, by its end, and reads no more than that", async () => {
    const { server, emulator, key } = await bed({ events: 50, batch: 10 });
    expect((await look(server)).found).toEqual([]);
    emulator.objects("events").delete(key(20));
    expect((await look(server)).found.map(short)).toEqual([["GAP", key(30), 20, 29]]);
    emulator.objects("events").put(key(15), emulator.objects("events").get(key(10))?.body ?? "");
    const overlap = (await look(server)).found.map(short);
    expect(overlap[0]).toEqual(["OVERLAP", key(15), 15, 19]);
    emulator.objects("events").put(key(10), "nothing of a record");
    expect((await look(server)).found.map(({ code }) => code)).toContain("UNREADABLE_EVENT");
  });

  it("a cut tail shows by the head, and by a segment that reaches beyond it", async () => {
    const { server, emulator, key, put } = await bed();
    emulator.objects("events").delete(key(4));
    put("_segments/0000000000-0000009999.jsonl.gz");
    const { found } = await look(server);
    expect(found.map(short)).toEqual([
      ["SEGMENT_BEYOND_END", "log/_segments/0000000000-0000009999.jsonl.gz", 0, 9999],
      ["HEAD_AHEAD", "log/_head.json", 4, 4],
    ]);
    emulator.objects("events").put("log/_head.json", "{}");
    expect((await look(server)).found.map(({ code }) => code)).toEqual(["SEGMENT_BEYOND_END", "HEAD_UNREADABLE"]);
  });

  it("events behind the head are a warning", async () => {
    const { server, emulator, key } = await bed();
    const hash = "0".repeat(64);
    emulator.objects("events").put("log/_head.json", `{"last_hash":"${hash}","last_seq":2}`);
    const { found } = await look(server);
    expect(found).toMatchObject([{ code: "BEHIND_HEAD", level: "warning", key: key(3), seq: 3, toSeq: 4 }]);
  });

  it("what is appended during the look is no fault", async () => {
    const { server, emulator } = await bed();
    const store = await S3EventStore.open(server);
    const bucket = emulator.objects("events");
    const before = bucket.keys("log/");
    await store.append({ type: "T", aggregateId: "a" });
    await store.close();
    const event = bucket.keys("log/").find((key) => !before.includes(key)) ?? "";
    const head = "log/_head.json";
    const [grown, moved] = [bucket.get(event), bucket.get(head)];
    bucket.delete(event);
    bucket.put("log/_segments/0000000000-0000000009.jsonl.gz", "x");
    // The page was listed when this is called.
    const onProgress = (): void => {
      bucket.put(event, grown?.body ?? "");
      bucket.put(head, moved?.body ?? "");
    };
    expect((await look(server, { onProgress })).found).toEqual([]);
  });

  it("takes the caller's own key for the head", async () => {
    const { server, emulator } = await bed();
    const { body } = emulator.objects("events").get("log/_head.json") ?? { body: "" };
    emulator.objects("events").delete("log/_head.json");
    emulator.objects("events").put("log/_top.json", body);
    const log = { ...server, headKey: "log/_top.json" };
    expect((await look(log as BucketLog)).found).toEqual([]);
  });
});

describe("fsck of a bucket log: segments and index", () => {
  it("knows what was compacted and pruned; and what covers nothing", async () => {
    const { server, emulator, key, put } = await bed({ events: 21_000, batch: 1000 });
    const store = await S3EventStore.open(server);
    await store.compact();
    await store.close();
    emulator.requests.length = 0;
    expect((await look(server)).found).toEqual([]);
    // Of batches that segments hold nothing is read: only the last one's end, which no segment holds.
    const read = emulator.requests.filter(({ operation, key: name }) => operation === "GET" && /^log\/\d/.test(name));
    expect(read.map(({ key: name }) => name)).toEqual([key(20_000)]);
    // As pruning does.
    for (let seq = 0; seq < 10_000; seq += 1000) emulator.objects("events").delete(key(seq));
    expect((await look(server)).found).toEqual([]);
    put("_segments/0000000000-0000000999.jsonl.gz");
    put("_segments/0000000001-0000000999.jsonl.gz");
    put("_index/runs/0000030000-0000039999.idx");
    put("_index/runs/0000000000-0000000999.idx");
    put("_index/runs/0000001000-0000001999.idx");
    put("_index/directories/0000000000-0000999999.idx");
    put("_index/runs/0000010000-0000019999.idx", "");
    const { found } = await look(server);
    expect(found.map(short).sort()).toEqual(
      [
        ["COVERS_NOTHING", "log/_index/directories/0000000000-0000999999.idx"],
        ["COVERS_NOTHING", "log/_index/runs/0000030000-0000039999.idx"],
        ["COVERS_NOTHING", "log/_segments/0000000001-0000000999.jsonl.gz"],
        ["EMPTY_DERIVED", "log/_index/runs/0000010000-0000019999.idx"],
        ["SUPERSEDED", "log/_index/runs/0000001000-0000001999.idx"],
        ["SUPERSEDED", "log/_segments/0000000000-0000000999.jsonl.gz"],
      ].sort(),
    );
    // A gap that no segment covers.
    emulator.objects("events").delete("log/_segments/0000000000-0000009999.jsonl.gz");
    expect((await look(server)).found.map(short)).toContainEqual(["GAP", key(10_000), 1000, 9999]);
  });
});

describe("fsck of a versioned bucket", () => {
  it("names delete markers and what was put on top, oldest version first; the log's other objects may have versions", async () => {
    const { server, emulator, key } = await bed({ versioned: true });
    const objects = openS3Objects(server);
    const over = async (name: string, body: Buffer): Promise<void> => {
      const { etag = "" } = (await objects.get(name)) ?? {};
      expect((await objects.replaceIfMatch(name, body, etag)).outcome).toBe("stored");
    };
    await objects.delete(key(1));
    await over(key(2), Buffer.from("forged"));
    await over(key(3), (await objects.get(key(3)))?.body ?? Buffer.alloc(0));
    const first = emulator.versions("events", key(3)).at(-1);
    await objects.delete("log/_probe.json");
    await objects.close();
    const { found, report } = await look(server, { versions: true });
    expect(found.map(short)).toEqual([
      ["GAP", key(2), 1, 1],
      ["DELETE_MARKER", key(1), 1, 1],
      ["REPLACED", key(2), 2, 2],
      ["REWRITTEN", key(3), 3, 3],
    ]);
    expect(found.every(({ level }) => level === "evidence")).toBe(true);
    const [, marked, , same] = found;
    expect(marked?.versions?.map(({ deleteMarker }) => deleteMarker)).toEqual([false, true]);
    expect(same?.versions?.[0]?.versionId).toBe(first?.versionId);
    expect(report.versions).toBe(8);
    expect((await look(server)).found.map(({ code }) => code)).toEqual(["GAP"]);
  });

  it("a tail that was hidden by delete markers shows, though nothing else is left of it", async () => {
    const { server, emulator, key } = await bed({ versioned: true });
    const objects = openS3Objects(server);
    for (const name of [key(3), key(4), "log/_head.json"]) await objects.delete(name);
    await objects.close();
    expect((await look(server)).found).toEqual([]);
    expect((await look(server, { versions: true })).found.map(short)).toEqual([
      ["DELETE_MARKER", key(3), 3, 3],
      ["DELETE_MARKER", key(4), 4, 4],
    ]);
    expect(emulator.versions("events", key(4))).toHaveLength(2);
  });

  it("a read says where to look, and the oldest versions are the log as it was; they cannot be written", async () => {
    const { server, key } = await bed({ versioned: true });
    const objects = openS3Objects(server);
    await objects.delete(key(1));
    const { etag = "" } = (await objects.get(key(2))) ?? {};
    await objects.replaceIfMatch(key(2), Buffer.from("forged"), etag);
    await objects.delete(key(4));
    await objects.close();
    const store = await S3EventStore.open(server);
    const report = await store.verify();
    expect(report.error).toMatchObject({
      code: "GAP",
      seq: 1,
      hint: expect.stringContaining("fsck --versions") as string,
    });
    await store.close();
    const oldest = await S3EventStore.open({ ...server, oldestVersions: true });
    expect(await oldest.verify()).toMatchObject({ valid: true, events: 5 });
    const seen: unknown[] = [];
    for await (const { payload } of oldest.read({ fromSeq: 2 })) seen.push(payload);
    expect(seen).toEqual([{ n: 2 }, { n: 3 }, { n: 4 }]);
    await expect(oldest.append({ type: "T", aggregateId: "a" })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    await oldest.close();
    await expect(S3EventStore.open({ objects, oldestVersions: true })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
  });

  it("what pruning deleted is counted, and is no finding; of the last 10,000 records it never is", async () => {
    const { server, emulator, key } = await bed({ events: 21_000, batch: 1000, versioned: true });
    const store = await S3EventStore.open(server);
    await store.compact();
    await store.close();
    const objects = openS3Objects(server);
    for (const seq of [0, 1000, 12_000]) await objects.delete(key(seq));
    await objects.close();
    const { found, report } = await look(server, { versions: true });
    expect(found.map(short)).toEqual([["DELETE_MARKER", key(12_000), 12_000, 12_000]]);
    expect(report.pruned).toBe(2);
    expect(emulator.versions("events", key(0))).toHaveLength(2);
  });
});

describe("the versions of event keys", () => {
  const version = (key: string, versionId: string, deleteMarker = false): ObjectVersion => {
    return { key, versionId, latest: false, deleteMarker, size: 1, etag: "e" };
  };

  it("are joined across pages; of very many the newest and the oldest are kept", async () => {
    const keys = new LogKeys("p");
    const all = [
      version(keys.event(0), "0"),
      ...Array.from({ length: 3000 }, (_, i) => version(keys.event(1), String(3000 - i))),
      version(keys.event(2), "b", true),
      version(keys.event(2), "a"),
      version("p/_head.json", "h"),
      version("p/_head.json", "g"),
    ];
    let pages = 0;
    const versions: ObjectVersions = {
      list: ({ after }) => {
        pages += 1;
        const from = after === undefined ? 0 : Number(after.versionId);
        const next = from + 700 < all.length ? { key: "k", versionId: String(from + 700) } : null;
        return Promise.resolve({ versions: all.slice(from, from + 700), next });
      },
      get: () => Promise.resolve(null),
    };
    const found: string[] = [];
    for await (const versioned of eventVersions(versions, keys, -1)) {
      expect(versioned.versions.length).toBeLessThan(1002);
      found.push(
        `${String(versioned.seq)} ${versioned.versions[0]?.versionId ?? ""} ${original(versioned)?.versionId ?? ""}`,
      );
    }
    expect(found).toEqual(["0 0 0", "1 3000 1", "2 b a"]);
    expect(pages).toBe(5);
  });
});

describe("fsck and retention", () => {
  it("asks for the retention of each event, and joins neighbours", async () => {
    const { server } = await bed({ events: 3, versioned: true });
    for (const retain of ["30d", "7y"]) {
      const store = await S3EventStore.open({ ...server, retain });
      for (let n = 0; n < 2; n++) await store.append({ type: "T", aggregateId: "a" });
      await store.close();
    }
    const seven = await look(server, { retain: "7y" });
    expect(seven.found.map((each) => [...short(each), each.count, each.level])).toEqual([
      ["NOT_RETAINED", "log/0000000000.json", 0, 2, 3, "warning"],
      ["RETAINED_TOO_SHORT", "log/0000000003.json", 3, 4, 2, "warning"],
    ]);
    expect(seven.report.retained).toBe(7);
    expect((await look(server, { retain: "30d" })).found.map(({ code }) => code)).toEqual(["NOT_RETAINED"]);
    const strict = await look(server, { retain: "30d", retainMode: "COMPLIANCE" });
    expect(strict.found.map(short)).toEqual([
      ["NOT_RETAINED", "log/0000000000.json", 0, 2],
      ["RETAINED_TOO_SHORT", "log/0000000003.json", 3, 6],
    ]);
  });

  it("a bucket without Object Lock is an error that says so", async () => {
    const { server } = await bed();
    await expect(look(server, { retain: "7y" })).rejects.toMatchObject({ code: "NO_OBJECT_LOCK" });
  });
});

describe("fsck of a log in a file", () => {
  async function fileLog(events = 30, maxBytes = 1500): Promise<{ path: string; log: BucketLog }> {
    const folder = await mkdtemp(join(tmpdir(), "rynxs-fsck-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, `log-${randomUUID().slice(0, 4)}`);
    const store = await FileEventStore.open({ path, maxBytes });
    for (let n = 0; n < events; n++) await store.append({ type: "T", aggregateId: "a", payload: { n } });
    await store.close();
    return { path, log: { type: "file", path, maxBytes: undefined, hashVersion: 1 } };
  }

  it("finds nothing in a log that nobody touched, compressed or not", async () => {
    const { path, log } = await fileLog();
    expect((await look(log)).found).toEqual([]);
    const store = await FileEventStore.open({ path });
    await store.compact();
    await store.appendBatch([
      { type: "T", aggregateId: "a" },
      { type: "T", aggregateId: "a" },
    ]);
    await store.derived.objects.putIfAbsent("_positions/mailer.json", Buffer.from("x"));
    await store.close();
    const { found, report } = await look(log);
    expect(found).toEqual([]);
    expect(report.events).toBeGreaterThan(2);
  });

  it("names strangers, leftovers and a torn tail", async () => {
    const { path, log } = await fileLog(3, 1_000_000);
    for (const name of ["seg-1", "seg-0000001", "bak", "torn-0000000003-abcdef", "head.json.new", "seg-000001.gz.new"])
      await writeFile(`${path}.${name}`, "x");
    await writeFile(`${path}2`, "somebody else's");
    await appendFile(path, '{"event":{"agg');
    const store = await FileEventStore.open({ path });
    await store.derived.objects.putIfAbsent("_positions/a b.json", Buffer.from("x"));
    await store.close();
    const { found, report } = await look(log);
    expect(found.map(({ code, key }) => [code, key.slice(path.length)]).sort()).toEqual(
      [
        ["STRANGER", ".bak"],
        ["STRANGER", ".seg-0000001"],
        ["STRANGER", ".seg-1"],
        ["STRANGER", ".derived/_positions/a b.json"],
        ["TEMPORARY", ".head.json.new"],
        ["TEMPORARY", ".seg-000001.gz.new"],
        ["TORN", ""],
        ["TORN", ".torn-0000000003-abcdef"],
      ].sort(),
    );
    expect(report.evidence).toBe(0);
  });

  it("names rotated files that are missing, records that are missing between files, and an end that was cut off", async () => {
    const { path, log } = await fileLog();
    await rename(`${path}.seg-000002`, `${path}.gone`);
    expect((await look(log)).found.map(({ code, key }) => [code, key.slice(path.length)])).toEqual([
      ["STRANGER", ".gone"],
      ["GAP", ".seg-000003"],
      ["GAP", ".seg-000003"],
    ]);
    await rename(`${path}.gone`, `${path}.seg-000002`);
    const lines = (await readFile(`${path}.seg-000002`, "utf8")).split("\n");
    await writeFile(`${path}.seg-000002`, lines.slice(1).join("\n"));
    expect((await look(log)).found.map(({ code, key }) => [code, key.slice(path.length)])).toEqual([
      ["GAP", ".seg-000002"],
    ]);
    await writeFile(`${path}.seg-000002`, lines.join("\n"));
    await truncate(path, 0);
    const names = (await look(log)).found;
    expect(names).toEqual([]);
    for (let index = 2; index < 12; index++)
      await unlink(`${path}.seg-${String(index).padStart(6, "0")}`).catch(() => undefined);
    expect((await look(log)).found).toMatchObject([{ code: "HEAD_AHEAD", key: `${path}.head.json` }]);
  });

  it("has no versions and no retention", async () => {
    const { log } = await fileLog(1);
    await expect(look(log, { versions: true })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    await expect(look(log, { retain: "7y" })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });
});
