import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { NewEvent } from "../../src/core/event.js";
import { LinkNotebook } from "../../src/core/link-notes.js";
import { encodeChain, prepareEvent } from "../../src/core/record.js";
import { viewRecord, type RecordView } from "../../src/core/record-view.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { FileEventStore } from "../../src/stores/file/file-event-store.js";
import { LogFiles } from "../../src/stores/file/log-files.js";
import { FileSource } from "../../src/stores/file/file-source.js";
import { RunThreads, startRunThreads } from "../../src/stores/file/run-threads.js";
import { PointerCheck } from "../../src/stores/pointers.js";
import { ObjectMap } from "../../src/objects/object-map.js";
import type { EventStore, PointerReport, VerifyOptions } from "../../src/stores/port.js";
import { verifyLog } from "../../src/stores/reading.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { VECTORS } from "../core/vectors.js";

const scratch = mkdtempSync(join(tmpdir(), "rynxs-pointers-"));
let files = 0;
const newPath = (): string => join(scratch, `${String(files++)}.log`);
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const observed = (n: number): NewEvent => ({ type: "AgentObserved", aggregateId: "a", ts: n, payload: { n } });
const linked = (link: object): NewEvent => ({
  type: "Decided",
  aggregateId: "a",
  ts: 0,
  payload: { ...link },
});
const link = (seq: unknown, hash: unknown, type?: unknown): object => ({
  trigger_event_seq: seq,
  trigger_event_hash: hash,
  ...(type !== undefined && { trigger_event_type: type }),
});

const open: [string, () => Promise<EventStore>][] = [
  ["a file", () => FileEventStore.open({ path: newPath() })],
  ["a bucket", () => S3EventStore.open({ objects: memoryObjects() })],
  ["a bucket, batch mode", () => S3EventStore.open({ objects: memoryObjects(), batch: true })],
];

async function pointersOf(store: EventStore, options: VerifyOptions = {}): Promise<PointerReport | undefined> {
  const report = await store.verify({ ...options, pointers: true });
  expect(report.valid).toBe(true);
  return report.pointers;
}

describe.each(open)("verify with pointers, on %s", (_, openStore) => {
  it("counts links that hold, and names each that does not with what was expected and found", async () => {
    const store = await openStore();
    const first = await store.appendWithRetry(observed(0));
    const second = await store.appendWithRetry(observed(1));
    const [one, two] = [first.eventHash, second.eventHash];
    const x = "x".repeat(64);
    for (const payload of [
      link(0, one, "AgentObserved"), // 2
      link(1, two), // 3
      link(0, two), // 4
      link(1, two, "AgentDeleted"), // 5
      link(6, one), // 6: itself
      link(70, one), // 7
      { trigger_event_seq: 0 }, // 8
      { trigger_event_hash: one }, // 9
      link("0", one), // 10
      link(0.5, one), // 11
      link(0, one.toUpperCase()), // 12
      link(0, x), // 13
      link(0, one, 7), // 14
      link(null, null), // 15
      { trigger_event_type: "AgentObserved" }, // 16: no link
      { deep: link(0, two) }, // 17: no link
      link(12345678901234567890n, one), // 18
    ])
      await store.append(linked(payload));
    const report = await pointersOf(store);
    expect(report?.broken.map(({ seq, reason, triggerSeq }) => [seq, reason, triggerSeq])).toEqual([
      [4, "HASH_DIFFERS", 0],
      [5, "TYPE_DIFFERS", 1],
      [6, "NOT_BEFORE", 6],
      [7, "NOT_BEFORE", 70],
      [8, "INCOMPLETE", 0],
      [9, "INCOMPLETE", null],
      [10, "ILL_TYPED", null],
      [11, "ILL_TYPED", null],
      [12, "ILL_TYPED", 0],
      [13, "ILL_TYPED", 0],
      [14, "ILL_TYPED", 0],
      [15, "ILL_TYPED", null],
      [18, "ILL_TYPED", null],
    ]);
    expect(report).toMatchObject({ checked: 15, unverified: 0, brokenCount: 13 });
    expect(report?.broken[0]).toMatchObject({ expected: two, actual: one });
    expect(report?.broken[1]).toMatchObject({ expected: "AgentDeleted", actual: "AgentObserved" });
    expect(report?.broken[2]).toMatchObject({ expected: "a seq before 6", actual: 6 });
    expect(report?.broken[4]).toMatchObject({ actual: "trigger_event_seq without trigger_event_hash" });
    expect(report?.broken[8]).toMatchObject({ actual: `"${one.toUpperCase()}"` });
    expect(await store.verify()).not.toHaveProperty("pointers");
    await store.close();
  });

  it("looks up what lies before the range, and only that", async () => {
    const store = await openStore();
    const hashes: string[] = [];
    for (let n = 0; n < 5; n++) hashes.push((await store.appendWithRetry(observed(n))).eventHash);
    await store.append(linked(link(1, hashes[1], "AgentObserved")));
    await store.append(linked(link(1, hashes[2])));
    await store.append(linked(link(1, hashes[1], "Other")));
    const report = await pointersOf(store, { fromSeq: 5 });
    expect(report).toMatchObject({ checked: 3, brokenCount: 2 });
    expect(report?.broken).toEqual([
      { seq: 6, reason: "HASH_DIFFERS", triggerSeq: 1, expected: hashes[2], actual: hashes[1] },
      { seq: 7, reason: "TYPE_DIFFERS", triggerSeq: 1, expected: "Other", actual: "AgentObserved" },
    ]);
    expect(await pointersOf(store, { fromSeq: 7 })).toMatchObject({ checked: 1, brokenCount: 1 });
    await store.close();
  });
});

describe("verify with pointers", () => {
  it("checks the decisions of the Python system", async () => {
    for (const version of ["v1", "v2"])
      for (const name of ["small", "weird"]) {
        const path = new URL(`original-fixtures/${version}/operator_log_${name}.jsonl`, VECTORS).pathname;
        const store = await FileEventStore.open({ path, mustExist: true });
        const decisions = readFileSync(path, "utf8").split('"type":"ActionsDecided"').length - 1;
        const report = await pointersOf(store);
        expect(decisions).toBeGreaterThan(0);
        expect(report).toEqual({ checked: decisions, unverified: 0, brokenCount: 0, broken: [] });
        await store.close();
      }
  });

  it("names a hundred broken links, and counts all", async () => {
    const store = await FileEventStore.open({ path: newPath() });
    await store.append(observed(0));
    await store.appendBatch(Array.from({ length: 250 }, () => linked(link(0, "0".repeat(64)))));
    const report = await pointersOf(store);
    expect(report).toMatchObject({ checked: 250, brokenCount: 250 });
    expect(report?.broken.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    await store.close();
  });

  it("says of links before a given anchor, where the log is gone, that nothing was compared", async () => {
    const path = newPath();
    const store = await FileEventStore.open({ path });
    const { eventHash } = await store.appendWithRetry(observed(0));
    const anchor = await store.appendWithRetry(observed(1));
    await store.append(linked(link(0, eventHash)));
    await store.close();
    writeFileSync(path, readFileSync(path, "utf8").split("\n").slice(2).join("\n"));
    const rest = await FileEventStore.open({ path });
    const report = await pointersOf(rest, { anchor: { seq: anchor.seq, hash: anchor.eventHash } });
    expect(report).toEqual({ checked: 1, unverified: 1, brokenCount: 0, broken: [] });
    await rest.close();
  });

  it("says of a link to a damaged record before the range that it is damaged", async () => {
    const path = newPath();
    const store = await FileEventStore.open({ path });
    const { eventHash } = await store.appendWithRetry(observed(0));
    await store.append(observed(1));
    await store.append(linked(link(0, eventHash)));
    await store.close();
    writeFileSync(path, readFileSync(path, "utf8").replace('"n":0', '"n":9'));
    const forged = await FileEventStore.open({ path });
    expect((await pointersOf(forged, { fromSeq: 2 }))?.broken).toEqual([
      { seq: 2, reason: "DAMAGED", triggerSeq: 0, expected: eventHash, actual: "HASH_MISMATCH at seq 0" },
    ]);
    // Read whole, the chain is at fault; the links of the good records before are reported all the same.
    expect(await forged.verify({ pointers: true })).toMatchObject({ valid: false, pointers: { checked: 0 } });
    await forged.close();
  });

  it("gives the same report from segments, also of one that turns out to be damaged, and looks records up in them", async () => {
    const bucket = new ObjectMap();
    const store = await S3EventStore.open({
      objects: memoryObjects({ bucket }),
      batch: true,
      onWarning: () => undefined,
    });
    const hashes: string[] = [];
    for (let n = 0; n < 21; n++) {
      const batch = Array.from({ length: 1000 }, (_, i) => {
        const seq = Math.floor(((n * 1000 + i) * 7) / 8) - 1000;
        if (i % 10 !== 5 || seq < 0 || seq >= hashes.length) return observed(i);
        return linked(link(seq, i === 995 ? "c".repeat(64) : hashes[seq], "AgentObserved"));
      });
      const done = await store.appendBatch(batch);
      if (done.committed) hashes.push(...done.records.map(({ eventHash }) => eventHash));
    }
    const plain = await store.verify({ pointers: true });
    expect(plain.pointers?.checked).toBeGreaterThan(1000);
    expect(plain.pointers?.brokenCount).toBeGreaterThan(10);
    await store.compact();
    expect(await store.verify({ pointers: true, segments: true })).toEqual(plain);
    const late = await store.verify({ pointers: true, fromSeq: 20_500 });
    // Second segment damaged in its middle: the walk leaves it there, and goes on among the event objects.
    const key = "events/_segments/0000010000-0000019999.jsonl.gz";
    const body = Buffer.from(bucket.get(key)?.body ?? []);
    body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 0xff;
    const whole = bucket.get(key)?.body ?? Buffer.alloc(0);
    bucket.put(key, body, {});
    expect(await store.verify({ pointers: true, segments: true })).toEqual(plain);
    bucket.put(key, whole, {});
    // As after pruning: only the segments have them.
    for (let seq = 0; seq < 20_000; seq += 1000) bucket.delete(`events/${String(seq).padStart(10, "0")}.json`);
    expect(await store.verify({ pointers: true })).toEqual(plain);
    expect(await store.verify({ pointers: true, fromSeq: 20_500 })).toEqual(late);
    expect(late.pointers?.checked).toBeGreaterThan(10);
    await store.close();
  }, 30_000);

  it("gives the same report with threads, across their runs", async () => {
    const path = newPath();
    const store = await FileEventStore.open({ path });
    const hashes: string[] = [];
    for (let n = 0; n < 40; n++) {
      const batch = Array.from({ length: 20 }, (_, i) => observed(n * 25 + i));
      const links = Array.from({ length: 5 }, (_, i) => {
        const seq = Math.floor((hashes.length * i) / 5);
        return linked(
          link(seq, i === 3 && n % 7 === 3 ? "a".repeat(64) : (hashes[seq] ?? "b".repeat(64)), "AgentObserved"),
        );
      });
      const done = await store.appendBatch([...batch, ...links]);
      if (done.committed) hashes.push(...done.records.map(({ eventHash }) => eventHash));
    }
    const alone = await store.verify({ pointers: true });
    expect(alone.pointers?.checked).toBe(200);
    expect(new Set(alone.pointers?.broken.map(({ reason }) => reason))).toEqual(
      new Set(["HASH_DIFFERS", "TYPE_DIFFERS"]),
    );
    let used = 0;
    const source = new FileSource(new LogFiles(path), {
      worthBytes: 1,
      start: () => {
        const threads = new RunThreads(startRunThreads(1), 5000);
        const walk = threads.walk.bind(threads);
        threads.walk = async function* (...args) {
          for await (const step of walk(...args)) {
            used++;
            yield step;
          }
        };
        return Promise.resolve(threads);
      },
    });
    expect(await verifyLog(source, () => store.head(), { workers: 2, pointers: true })).toEqual(alone);
    expect(used).toBeGreaterThan(20);
    await store.close();
  });
});

describe("PointerCheck", () => {
  const records = (events: NewEvent[]): RecordView[] =>
    encodeChain(
      events.map((event) => prepareEvent(event, 1, () => 0)),
      { seq: -1, hash: "0".repeat(64) },
    ).map(({ line }) => viewRecord(line));

  it("remembers the last records only, and looks older ones up, few at a time", async () => {
    const first = records([observed(0), observed(1)]);
    const hash = (seq: number): string => first[seq]?.eventHash ?? "";
    const all = records([
      observed(0),
      observed(1),
      ...Array.from({ length: 200 }, () => linked(link(1, hash(1), "AgentObserved"))),
    ]);
    const asked: number[] = [];
    let [under, most] = [0, 0];
    const check = new PointerCheck({
      beginsBehind: -1,
      remembered: 100,
      recordOf: async (seq) => {
        asked.push(seq);
        most = Math.max(most, ++under);
        await new Promise((resolve) => setImmediate(resolve));
        under--;
        return all[seq] ?? null;
      },
    });
    for (const record of all) {
      check.notebook.add(record);
      await check.take();
    }
    expect(await check.conclude()).toEqual({ checked: 200, unverified: 0, brokenCount: 0, broken: [] });
    // Records 101 … 201 come when record 1 is forgotten.
    expect(asked).toEqual(Array.from({ length: 101 }, () => 1));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(32);
  });

  it("takes notes that outlast the bytes they were taken from", () => {
    const notebook = new LinkNotebook();
    const views = records(Array.from({ length: 1000 }, (_, n) => ({ ...observed(n), type: `T${String(n % 3)}` })));
    for (const view of views) notebook.add(view);
    const notes = notebook.take();
    expect(notes).toMatchObject({ first: 0, count: 1000, typeNames: ['"T0"', '"T1"', '"T2"'], pointers: [] });
    expect(Buffer.from(notes?.hashes ?? []).toString("hex")).toBe(views.map(({ eventHash }) => eventHash).join(""));
    expect([...(notes?.types ?? [])]).toEqual(views.map((_, n) => n % 3));
    expect(notebook.take()).toBeNull();
  });
});
