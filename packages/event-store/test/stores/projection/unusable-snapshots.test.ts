import { hash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectMap } from "../../../src/objects/object-map.js";
import { FileEventStore } from "../../../src/stores/file/file-event-store.js";
import type { EventStore } from "../../../src/stores/port.js";
import { project } from "../../../src/stores/projection/project.js";
import { listSnapshots } from "../../../src/stores/projection/snapshots.js";
import { expected, fill, listening, onBucket, totals } from "./counter.js";

const EVENTS = 40;
/** Of the newest snapshot. */
const NEWEST = 29;
const KEY = `events/_snapshots/totals/1/${String(NEWEST).padStart(10, "0")}.json`;

/** A log of 40 events with snapshots at 9, 19 and 29. */
async function withSnapshots(bucket: ObjectMap): Promise<EventStore> {
  const store = await onBucket(bucket);
  await fill(store, 0, EVENTS);
  await project(store, totals, { snapshotEvery: 10, toSeq: NEWEST });
  return store;
}

function text(bucket: ObjectMap): string {
  return bucket.get(KEY)?.body.toString() ?? "";
}

/** Another state, and whatever is needed for it to be a snapshot. */
function withState(body: string, state: string): string {
  return body
    .replace(/"state":.*,"state_hash"/, `"state":${state},"state_hash"`)
    .replace(/"state_hash":"[0-9a-f]+"/, `"state_hash":"${hash("sha256", state)}"`);
}

const STATE = '{"byAggregate":{},"count":5,"seen":[]}';

/** What becomes of the newest one, and what is said of it. */
const bad: Readonly<Record<string, readonly [change: (body: string) => string | Buffer, why: RegExp]>> = {
  "is empty": [() => "", /not a snapshot/],
  "is garbage": [() => Buffer.from([0xff, 0, 0xfe, 0x7b]), /not a snapshot/],
  "is another JSON": [() => "{}", /not a snapshot/],
  "is cut off": [(body) => body.slice(0, -10), /not a snapshot/],
  "has something behind it": [(body) => `${body}\n`, /not a snapshot/],
  "has a state that was changed": [(body) => body.replace('"count":30', '"count":31'), /hash that it states/],
  "has a hash that was changed": [(body) => withState(body, STATE).replace(STATE, "{}"), /hash that it states/],
  "overlaps itself": [(body) => body.replace(/"state":.*,"state_hash"/, '"state":,"state_hash"'), /hash that it/],
  "has an unknown format": [(body) => body.replace('"format":1', '"format":2'), /format is 2/],
  "is of another projection": [(body) => body.replace('"totals"', '"others"'), /projection others/],
  "is of another version": [(body) => body.replace('"version":1', '"version":2'), /version 2/],
  "says another seq": [(body) => body.replace(`"seq":${String(NEWEST)}`, '"seq":28'), /of seq 28/],
  "is of another log": [
    (body) => body.replace(/"event_hash":"[0-9a-f]+"/, `"event_hash":"${"e".repeat(64)}"`),
    /another record/,
  ],
  "has a state in another spelling": [(body) => withState(body, '{"count": 5}'), /not canonical/],
  "has a state with a key twice": [(body) => withState(body, '{"count":5,"count":5}'), /not canonical/],
  "has a state that is no JSON": [(body) => withState(body, "NaN"), /not canonical/],
  "has a number that is spelled otherwise": [(body) => withState(body, "1e0"), /not canonical/],
};

describe("a snapshot that", () => {
  it.each(Object.entries(bad))("%s is not used, is said, and goes with the next that is written", async (_, change) => {
    const { bucket } = memoryObjects();
    const store = await withSnapshots(bucket);
    const [alter, why] = change;
    const before = text(bucket);
    bucket.put(KEY, alter(before));
    expect(text(bucket)).not.toBe(before);
    const options = listening();
    expect(await project(store, totals, options)).toMatchObject({ from: 19, events: 20, state: expected(EVENTS) });
    expect(options.warnings).toMatchObject([
      { code: "SNAPSHOT_UNUSABLE", message: expect.stringMatching(why) as string },
    ]);
    expect(options.warnings[0]?.message).toContain(KEY);
    // read only: it is still there
    expect(bucket.get(KEY)).toBeDefined();
    await project(store, totals, listening({ snapshot: true }));
    expect(bucket.get(KEY)).toBeUndefined();
    const again = listening();
    expect(await project(store, totals, again)).toMatchObject({ from: 39, events: 0, state: expected(EVENTS) });
    expect(again.warnings).toEqual([]);
  });

  it.each(Object.entries(bad))("%s is replaced by the one that belongs there", async (_, [alter]) => {
    const { bucket } = memoryObjects();
    const store = await withSnapshots(bucket);
    const before = text(bucket);
    bucket.put(KEY, alter(before));
    const options = listening({ snapshot: true, toSeq: NEWEST });
    expect(await project(store, totals, options)).toMatchObject({ from: 19, snapshot: { seq: NEWEST } });
    expect(text(bucket)).toBe(before);
  });

  it("lies beyond the log's end is not used", async () => {
    const { bucket } = memoryObjects();
    const store = await withSnapshots(bucket);
    const ahead = KEY.replace("0000000029", "0000000040");
    bucket.put(ahead, text(bucket).replace('"seq":29', '"seq":40'));
    const options = listening();
    expect(await project(store, totals, options)).toMatchObject({ from: NEWEST, state: expected(EVENTS) });
    expect(options.warnings).toMatchObject([{ message: expect.stringContaining("does not reach") as string }]);
  });

  it("is larger than any state is not fetched", async () => {
    const { bucket } = memoryObjects();
    const store = await withSnapshots(bucket);
    bucket.put(KEY, Buffer.alloc(65 * 1024 * 1024, 0x20));
    const options = listening();
    expect(await project(store, totals, options)).toMatchObject({ from: 19 });
    expect(options.warnings).toMatchObject([{ message: expect.stringContaining("more than any state") as string }]);
  });

  it("holds another state of the same record is evidence, once the state was built without it", async () => {
    const { bucket } = memoryObjects();
    const store = await withSnapshots(bucket);
    const forged = withState(text(bucket), STATE);
    bucket.put(KEY, forged);
    // A snapshot is worth what its place is worth: nothing in it shows that it was forged …
    expect(await project(store, totals)).toMatchObject({ from: NEWEST, state: { count: 15 } });
    // … but the log does.
    const run = project(store, totals, { useSnapshots: false, toSeq: NEWEST, snapshot: true });
    await expect(run).rejects.toMatchObject({
      code: "NOT_DETERMINISTIC",
      facts: { seq: NEWEST, expected: hash("sha256", STATE), key: KEY },
    });
    expect(text(bucket)).toBe(forged);
  });
});

describe("a log that was rewritten", () => {
  it("makes the snapshots behind the change useless, and no others", async () => {
    const { bucket } = memoryObjects();
    await withSnapshots(bucket);
    for (const key of bucket.keys("events/0")) bucket.delete(key);
    bucket.delete("events/_head.json");
    const store = await onBucket(bucket);
    await fill(store, 0, 15);
    await fill(store, 100, 130);
    const options = listening();
    const seen = [...expected(15).seen, ...Array.from({ length: 30 }, (_, i) => 100 + i)];
    expect(await project(store, totals, options)).toMatchObject({ from: 9, state: { seen } });
    expect(options.warnings.map(({ code }) => code)).toEqual(["SNAPSHOT_UNUSABLE", "SNAPSHOT_UNUSABLE"]);
    // What is too many is counted without those that are of no use.
    await project(store, totals, listening({ snapshot: true, keepSnapshots: 2 }));
    expect((await listSnapshots(store, "totals")).map(({ seq }) => seq)).toEqual([9, 44]);
  });

  it("just after its snapshot was checked is seen: what comes behind must link to the snapshot's record", async () => {
    const { bucket } = memoryObjects();
    const store = await withSnapshots(bucket);
    const other = await onBucket(memoryObjects().bucket);
    await fill(other, 100, 100 + EVENTS);
    const rewritten: EventStore = Object.create(other, {
      derived: { value: store.derived },
      getEventHash: { value: (seq: number) => store.getEventHash(seq) },
      read: { value: other.read.bind(other) },
    }) as EventStore;
    await expect(project(rewritten, totals)).rejects.toMatchObject({
      code: "CHAIN_BROKEN",
      facts: { seq: NEWEST + 1 },
    });
  });

  it("to a shorter one cannot hide new snapshots behind those of the old", async () => {
    const { bucket } = memoryObjects();
    const store = await withSnapshots(bucket);
    for (const key of bucket.keys("events/0")) if (key > "events/0000000000.json") bucket.delete(key);
    bucket.delete("events/_head.json");
    bucket.delete("events/0000000000.json");
    const shorter = await onBucket(bucket);
    await fill(shorter, 0, 5);
    await project(shorter, totals, listening({ snapshot: true, keepSnapshots: 1 }));
    expect(await project(shorter, totals, listening())).toMatchObject({ from: 4, state: expected(5) });
    expect((await listSnapshots(store, "totals")).map(({ seq }) => seq)).toEqual([4]);
  });
});

describe("more snapshots than a LIST shows at once", () => {
  it.each([1, 7, 1000])("of every %i-th event: the newest ones are found with few requests", async (step) => {
    const { bucket } = memoryObjects();
    const store = await onBucket(bucket);
    await fill(store, 0, 3);
    await project(store, totals, { snapshot: true });
    const name = (seq: number): string => `events/_snapshots/totals/1/${String(seq).padStart(10, "0")}.json`;
    for (let i = 1; i <= 4321; i++) bucket.put(name(2 - step + i * step), bucket.get(name(2))?.body ?? "");
    let lists = 0;
    const counted = memoryObjects({ bucket });
    const { list } = counted;
    counted.list = (options) => {
      if (options.prefix.includes("_snapshots")) lists++;
      return list.call(counted, options);
    };
    const other = await onBucket(bucket, counted);
    const options = listening();
    expect(await project(other, totals, options)).toMatchObject({ state: expected(3), from: -1 });
    expect(options.warnings[0]?.message).toContain(name(2 + 4320 * step));
    expect(lists).toBeLessThanOrEqual(40);
    lists = 0;
    // exactly the last one up to the limit
    const limited = listening({ toSeq: 2 + 2500 * step + step - 1 });
    await project(other, totals, limited);
    expect(limited.warnings[0]?.message).toContain(name(2 + 2500 * step));
    expect(lists).toBeLessThanOrEqual(40);
  });
});

describe("a snapshot beside a file", () => {
  it("is checked as one on a bucket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rynxs-snapshots-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "events.log");
    const store = await FileEventStore.open({ path });
    await fill(store, 0, EVENTS);
    await project(store, totals, { snapshotEvery: 10, toSeq: NEWEST });
    await store.close();
    const reopened = await FileEventStore.open({ path });
    expect(await project(reopened, totals)).toMatchObject({ from: NEWEST, state: expected(EVENTS) });
    const [, , newest] = await listSnapshots(reopened, "totals");
    const key = newest?.key ?? "";
    const { objects } = reopened.derived;
    const body = await objects.get(key);
    await objects.delete(key);
    await objects.putIfAbsent(key, Buffer.from(body?.body.toString().replace('"count":30', '"count":31') ?? ""));
    const options = listening();
    expect(await project(reopened, totals, options)).toMatchObject({ from: 19, state: expected(EVENTS) });
    expect(options.warnings).toMatchObject([{ code: "SNAPSHOT_UNUSABLE" }]);
    await reopened.close();
  });
});
