import { describe, expect, it } from "vitest";
import { VerificationError } from "../../src/core/errors.js";
import { GENESIS_HASH, type Head, type NewEvent } from "../../src/core/event.js";
import { encodeChain, prepareEvent } from "../../src/core/record.js";
import { RecentAggregates } from "../../src/log/recent-aggregates.js";
import { aggregateKey } from "../../src/core/record.js";
import { memoryObjects, type MemoryObjects } from "../../src/objects/memory.js";
import type { AppendOutcome, ExpectedVersion } from "../../src/log/append-job.js";
import { AggregateVersions } from "../../src/stores/aggregate-versions.js";
import type { EventStore, ReadOptions } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { ScratchLog } from "./file/scratch.js";

const event = (aggregateId: string, n = 0): NewEvent => ({ type: "T", aggregateId, ts: 5, payload: { n } });
const EMPTY: Head = { seq: -1, hash: GENESIS_HASH };

function bucketStore(objects: MemoryObjects = memoryObjects(), batch = false): Promise<EventStore> {
  return S3EventStore.open({ objects, batch, useHead: false, skipBackendProof: true, skipBucketCheck: true });
}

const stores: readonly (readonly [string, () => Promise<EventStore>])[] = [
  ["on a bucket", () => bucketStore()],
  ["on a bucket, in batch mode", () => bucketStore(memoryObjects(), true)],
  ["in a file", () => new ScratchLog().open()],
];

describe.each(stores)("expectedVersion %s", (_, open) => {
  it("commits at the version that it names, and nowhere else", async () => {
    const store = await open();
    expect(await store.append(event("a"), { expectedVersion: 0 })).toMatchObject({
      committed: true,
      seq: 0,
      version: 1,
    });
    await store.append(event("b"));
    const { hash } = await store.head();
    for (const expectedVersion of [0, 2, 99]) {
      const answer = await store.append(event("a"), { expectedVersion });
      expect(answer).toEqual({ committed: false, conflict: true, observedPrevHash: hash, observedVersion: 1 });
    }
    expect(await store.append(event("a"), { expectedVersion: 1 })).toMatchObject({ seq: 2, version: 2 });
    expect(await store.append(event("b"), { expectedVersion: 1 })).toMatchObject({ seq: 3, version: 2 });
    const plain = await store.append(event("a"));
    expect(plain).not.toHaveProperty("version");
    expect(await store.append(event("a"), { expectedVersion: 2 })).toMatchObject({ observedVersion: 3 });
    expect((await store.head()).seq).toBe(4);
  });

  it("takes a batch of one aggregate", async () => {
    const store = await open();
    const batch = await store.appendBatch([event("a", 1), event("a", 2), event("a", 3)], { expectedVersion: 0 });
    expect(batch).toMatchObject({ committed: true, records: [{ version: 1 }, { version: 2 }, { version: 3 }] });
    const late = await store.appendBatch([event("a"), event("a")], { expectedVersion: 2 });
    expect(late).toMatchObject({ committed: false, observedVersion: 3 });
    const mixed = store.appendBatch([event("a"), event("b")], { expectedVersion: 3 });
    await expect(mixed).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    for (const expectedVersion of [-1, 1.5, Number.NaN, "1" as never, 2 ** 60])
      await expect(store.append(event("a"), { expectedVersion })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    const bad = store.append({ type: "T", aggregateId: "" }, { expectedVersion: 0 });
    await expect(bad).rejects.toMatchObject({ code: "INVALID_EVENT" });
    expect((await store.head()).seq).toBe(2);
  });

  it("lets callers of one tick follow each other, and one of each version win", async () => {
    const store = await open();
    const chain = await Promise.all([0, 1, 2, 3].map((n) => store.append(event("a", n), { expectedVersion: n })));
    expect(chain.map(({ committed }) => committed)).toEqual([true, true, true, true]);
    const race = await Promise.all([0, 1, 2, 3].map((n) => store.append(event("a", n), { expectedVersion: 4 })));
    expect(race.filter(({ committed }) => committed)).toHaveLength(1);
    for (const answer of race) if (!answer.committed) expect(answer.observedVersion).toBe(5);
  });

  it("holds together with expectedPrevHash: both must", async () => {
    const store = await open();
    await store.append(event("a"));
    const { hash } = await store.head();
    const options = { expectedPrevHash: hash, expectedVersion: 1 };
    expect(await store.append(event("a"), { ...options, expectedVersion: 0 })).toMatchObject({ observedVersion: 1 });
    expect(await store.append(event("a"), { ...options, expectedPrevHash: GENESIS_HASH })).toMatchObject({
      committed: false,
      observedPrevHash: hash,
    });
    expect(await store.append(event("a"), options)).toMatchObject({ committed: true, version: 2 });
  });

  it("knows aggregates by their exact ids, however they are written", async () => {
    const store = await open();
    const ids = [
      "a",
      'a"',
      "a\\",
      "\u00e9",
      "e\u0301",
      "😀",
      "\u0001",
      "__proto__",
      "x".repeat(300),
      `${"x".repeat(300)}y`,
    ];
    for (let version = 0; version < 2; version++)
      for (const id of ids)
        expect(await store.append(event(id), { expectedVersion: version }), id).toMatchObject({ version: version + 1 });
    // What the store has written itself since it last counted.
    for (const id of ids) await store.append(event(id));
    for (const id of ids)
      expect(await store.append(event(id), { expectedVersion: 2 }), id).toMatchObject({ observedVersion: 3 });
    const other = await open();
    for await (const record of store.readRecords()) await other.importRecords([record]);
    for (const id of ids)
      expect(await other.append(event(id), { expectedVersion: 0 }), id).toMatchObject({ observedVersion: 3 });
  });

  it("counts what others import and append in between", async () => {
    const store = await open();
    await store.append(event("a"), { expectedVersion: 0 });
    const head = await store.head();
    const prepared = [event("b"), event("a")].map((one) => prepareEvent(one, 1, () => 0));
    await store.importRecords(encodeChain(prepared, head));
    expect(await store.append(event("a"), { expectedVersion: 1 })).toMatchObject({ observedVersion: 2 });
    expect(await store.append(event("a"), { expectedVersion: 2 })).toMatchObject({ version: 3 });
  });

  it("ends with its signal", async () => {
    const store = await open();
    const run = store.append(event("a"), { expectedVersion: 0, signal: AbortSignal.abort() });
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
    expect((await store.head()).seq).toBe(-1);
  });
});

/** Writes down what a store asks for. */
function watched(objects: MemoryObjects): { readonly asked: string[]; readonly objects: MemoryObjects } {
  const asked: string[] = [];
  const { get, list, putIfAbsent } = objects;
  objects.get = (...args) => (asked.push(`GET ${args[0]}`), get.apply(objects, args));
  objects.list = (...args) => (asked.push("LIST"), list.apply(objects, args));
  objects.putIfAbsent = (...args) => (asked.push(`PUT ${args[0]}`), putIfAbsent.apply(objects, args));
  return { asked, objects };
}

describe("what expectedVersion costs", () => {
  it("is one request an append, once the aggregate was counted, whatever else the store appends", async () => {
    const { asked, objects } = watched(memoryObjects());
    const store = await bucketStore(objects);
    for (let n = 0; n < 20; n++) await store.append(event(`other-${String(n)}`));
    await store.append(event("a"), { expectedVersion: 0 });
    asked.length = 0;
    for (let version = 1; version <= 10; version++) {
      expect(await store.append(event("a"), { expectedVersion: version })).toMatchObject({ committed: true });
      await store.append(event("other"));
      await store.appendBatch([event("other"), event("more")]);
    }
    expect(asked).toHaveLength(30);
    expect(asked.every((what) => what.startsWith("PUT"))).toBe(true);
  });

  it("stays small while others win every race: nothing is counted again, and it comes to its turn", async () => {
    const shared = memoryObjects();
    const { asked, objects } = watched(memoryObjects({ bucket: shared.bucket }));
    const other = await bucketStore(shared);
    const store = await bucketStore(objects);
    await store.append(event("a"), { expectedVersion: 0 });
    let races = 0;
    const { putIfAbsent } = objects;
    objects.putIfAbsent = async (...args) => {
      if (races++ < 30) await other.append(event("unrelated", races));
      return putIfAbsent.apply(objects, args);
    };
    asked.length = 0;
    expect(await store.append(event("a"), { expectedVersion: 1 })).toMatchObject({ seq: 31, version: 2 });
    // A put and the winner's GET for each race; at every fourth one a look for the end.
    expect(asked.filter((what) => what.startsWith("PUT"))).toHaveLength(31);
    expect(asked.filter((what) => what === "LIST").length).toBeLessThanOrEqual(8);
    // Of the aggregate itself: that is a conflict, told at the first race that is lost to it.
    races = 0;
    objects.putIfAbsent = async (...args) => {
      if (races++ < 3) await other.append(event(races === 3 ? "a" : "unrelated", races));
      return putIfAbsent.apply(objects, args);
    };
    const answer = await store.append(event("a"), { expectedVersion: 2 });
    expect(answer).toMatchObject({ committed: false, observedVersion: 3 });
    expect(races).toBe(3);
  });

  it("is a read of what others wrote, when that is found at once: it is not counted again", async () => {
    const shared = memoryObjects();
    const { asked, objects } = watched(memoryObjects({ bucket: shared.bucket }));
    const other = await bucketStore(shared);
    const store = await bucketStore(objects);
    await store.append(event("a"), { expectedVersion: 0 });
    await other.appendBatch(Array.from({ length: 500 }, (_, n) => event(n === 250 ? "a" : "b", n)));
    await other.append(event("a"));
    asked.length = 0;
    expect(await store.append(event("a"), { expectedVersion: 1 })).toMatchObject({ observedVersion: 3 });
    expect(asked.length).toBeLessThanOrEqual(8);
    // More than is followed: it is counted anew, from where it was known.
    for (let n = 0; n < 4; n++) await other.appendBatch(Array.from({ length: 1000 }, () => event("b")));
    await other.append(event("a"));
    expect(await store.append(event("a"), { expectedVersion: 4 })).toMatchObject({ version: 5 });
    expect(await store.append(event("a"), { expectedVersion: 5 })).toMatchObject({ version: 6 });
  });

  it("is no second count, when other processes append to a file in between", async () => {
    const log = new ScratchLog();
    const [store, other] = [await log.open(), await log.open()];
    for (let n = 0; n < 6; n++) {
      expect(await store.append(event("a"), { expectedVersion: 2 * n })).toMatchObject({ version: 2 * n + 1 });
      await other.append(event("b"));
      expect(await other.append(event("a"), { expectedVersion: 2 * n + 1 })).toMatchObject({ version: 2 * n + 2 });
    }
  });
});

describe("many who wait for the same count", () => {
  it("share it, and go on in their order; one who leaves does not end it for the others", async () => {
    const shared = memoryObjects();
    const { asked, objects } = watched(memoryObjects({ bucket: shared.bucket }));
    const other = await bucketStore(shared);
    await other.appendBatch(Array.from({ length: 5 }, () => event("a")));
    const store = await bucketStore(objects, true);
    const abort = new AbortController();
    const left = store.append(event("a"), { expectedVersion: 5, signal: abort.signal });
    const run = Array.from({ length: 50 }, (_, i) => store.append(event("a", i), { expectedVersion: 5 + i }));
    abort.abort();
    await expect(left).rejects.toMatchObject({ code: "ABORTED" });
    const versions = (await Promise.all(run)).map((answer) => answer.committed && answer.version);
    expect(versions).toEqual(Array.from({ length: 50 }, (_, i) => 6 + i));
    expect(asked.length).toBeLessThanOrEqual(10);
  });

  it("leave nothing behind when all of them leave", async () => {
    const shared = memoryObjects();
    const other = await bucketStore(shared);
    for (let n = 0; n < 5; n++) await other.append(event("a"));
    const { asked, objects } = watched(memoryObjects({ bucket: shared.bucket }));
    const store = await bucketStore(objects);
    const abort = new AbortController();
    const both = [5, 5].map((expectedVersion) => store.append(event("a"), { expectedVersion, signal: abort.signal }));
    const { get } = objects;
    objects.get = (...args) => {
      abort.abort();
      return get.apply(objects, args);
    };
    for (const one of both) await expect(one).rejects.toMatchObject({ code: "ABORTED" });
    objects.get = get;
    asked.length = 0;
    expect(await store.append(event("a"), { expectedVersion: 5 })).toMatchObject({ committed: true, version: 6 });
    await store.close();
  });
});

describe("a count that does not fit the log any more", () => {
  const at = (seq: number, digit: string): Head => ({ seq, hash: digit.repeat(64) });

  /** What is counted from where, and what the writer is asked. */
  function versions(heads: Head[], reads: (options: ReadOptions) => number): [AggregateVersions, ReadOptions[]] {
    const asked: ReadOptions[] = [];
    async function* records(options: ReadOptions): AsyncGenerator<readonly unknown[]> {
      asked.push(options);
      yield await Promise.resolve(Array.from({ length: reads(options) }));
    }
    const refresh = (): Promise<Head> => Promise.resolve(heads.shift() ?? EMPTY);
    return [new AggregateVersions({ refresh, records }), asked];
  }

  const conflict = (version: number, head: Head) => (): Promise<AppendOutcome> =>
    Promise.resolve({ conflict: head, version });

  it("is made anew from the beginning when its record was taken back", async () => {
    const [one, asked] = versions([at(9, "1"), at(4, "2")], () => 3);
    const told: ExpectedVersion[] = [];
    await one.append("a", 7, undefined, conflict(3, at(9, "1")));
    await one.append("a", 7, undefined, (version) => {
      told.push(version);
      return told.length === 1 ? Promise.resolve({ stale: true }) : conflict(3, at(4, "2"))();
    });
    expect(told).toMatchObject([
      { known: 3, at: at(9, "1") },
      { known: 3, at: at(4, "2") },
    ]);
    expect(asked.map(({ anchor, toSeq }) => [anchor, toSeq])).toEqual([
      [undefined, 9],
      [undefined, 4],
    ]);
  });

  it("is made anew from the beginning when another record stands in its place", async () => {
    const [one, asked] = versions([at(9, "1"), at(12, "2")], ({ anchor }) => {
      if (!anchor) return 5;
      throw new VerificationError("CHAIN_BROKEN", { seq: 10, expected: "x", actual: "y" }, "played");
    });
    await one.append("a", 7, undefined, conflict(5, at(9, "1")));
    let calls = 0;
    const outcome = await one.append("a", 7, undefined, () =>
      ++calls === 1 ? Promise.resolve({ stale: true }) : conflict(5, at(12, "2"))(),
    );
    expect(outcome).toEqual({ conflict: at(12, "2"), version: 5 });
    expect(asked.map(({ anchor }) => anchor?.seq)).toEqual([undefined, 9, undefined]);
  });

  it("ends in CONTENTION when it never fits", async () => {
    const [one] = versions([], () => 0);
    const run = one.append("a", 0, undefined, () => Promise.resolve({ stale: true }));
    await expect(run).rejects.toMatchObject({ code: "CONTENTION" });
  });
});

describe("what is remembered of a log's latest records", () => {
  const none = (): AsyncIterable<never> => ({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
  });

  it("is bounded, and what lies before is not known", async () => {
    const recent = new RecentAggregates(none);
    const key = aggregateKey("a-1");
    expect(recent.count(key, EMPTY, EMPTY)).toBeNull();
    await recent.reach(EMPTY);
    expect(recent.count(key, EMPTY, EMPTY)).toBe(0);
    const events = Array.from({ length: 40_000 }, (_, n) => prepareEvent(event(`a-${String(n % 3)}`), 1, () => 0));
    const records = encodeChain(events, EMPTY);
    for (let i = 0; i < records.length; i += 1000) recent.note(records.slice(i, i + 1000));
    const headAt = (seq: number): Head => ({ seq, hash: records[seq]?.eventHash ?? "" });
    const end = headAt(39_999);
    for (const seq of [39_999, 39_998, 39_000, 30_001])
      expect(recent.count(key, headAt(seq), end), String(seq)).toBe(
        records.filter((record) => record.seq > seq && record.seq % 3 === 1).length,
      );
    expect(recent.count(key, EMPTY, end)).toBeNull();
    expect(recent.count(key, headAt(100), end)).toBeNull();
    expect(recent.count(key, { seq: 39_000, hash: "e".repeat(64) }, end)).toBeNull();
    expect(recent.count(key, headAt(39_000), headAt(39_500))).toBeNull();
    // What does not come next is not taken for what does.
    recent.note(encodeChain(events.slice(0, 1), headAt(39_998)));
    recent.note(encodeChain(events.slice(0, 1), { seq: 39_999, hash: "e".repeat(64) }));
    expect(recent.count(key, headAt(39_000), end)).toBe(333);
    const later = { seq: 50_000, hash: "f".repeat(64) };
    await recent.reach(later);
    expect(recent.count(key, end, later)).toBeNull();
    expect(recent.count(key, later, later)).toBe(0);
  });
});
