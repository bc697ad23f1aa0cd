import { beforeEach, describe, expect, it } from "vitest";
import type { Anchor } from "../../../src/core/event.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectMap } from "../../../src/objects/object-map.js";
import type { EventStore } from "../../../src/stores/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { overriding } from "../../log/overriding.js";
import { Collected, event, ManualRuntime, openAlone, range, settle, type CountingObjects } from "./bench.js";

let bucket: ObjectMap;
let writer: EventStore;
let store: EventStore;
let objects: CountingObjects;
let runtime: ManualRuntime;

beforeEach(async () => {
  ({ bucket } = memoryObjects());
  runtime = new ManualRuntime();
  ({ store: writer } = await openAlone(bucket));
  ({ store, objects } = await openAlone(bucket, { runtime }));
});

async function append(from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await writer.append(event(n));
}

const key = (seq: number): string => `events/${String(seq).padStart(10, "0")}.json`;

describe("a subscription", () => {
  it("gives what is there, then what is appended elsewhere, in order and once", async () => {
    await append(0, 9);
    const subscription = store.subscribe();
    const got = new Collected(subscription);
    await settle();
    expect(got.seqs).toEqual(range(0, 9));
    expect(await subscription.whenCaughtUp).toEqual(await writer.head());
    for (let n = 10; n < 40; n += 3) {
      await append(n, n + 2);
      await runtime.pass(1_000);
      expect(got.seqs).toEqual(range(0, n + 2));
    }
    expect(got.events.map(({ payload }) => payload["n"])).toEqual(range(0, 39));
    await subscription.close();
    expect(await got.ended).toBeNull();
    expect(runtime.asleep).toBe(0);
  });

  it("delivers an append of another process at its next look, in one request", async () => {
    await append(0, 2);
    const got = new Collected(store.subscribe());
    await runtime.pass(60_000);
    objects.asked.length = 0;
    await append(3, 3);
    // At most one pause, and the look's own answer.
    await runtime.pass(1_000);
    expect(got.seqs).toEqual(range(0, 3));
    expect(objects.asked.slice(0, 2)).toEqual([`GET ${key(3)}`, `GET ${key(4)}`]);
  });

  it("asks at most once a second while nothing happens", async () => {
    await append(0, 4);
    const got = new Collected(store.subscribe());
    await runtime.pass(10_000);
    objects.asked.length = 0;
    await runtime.pass(600_000);
    expect(objects.asked.length).toBeLessThanOrEqual(600);
    expect(objects.asked.length).toBeGreaterThan(590);
    expect(objects.asked.filter((what) => what === "LIST")).toHaveLength(10);
    expect(new Set(objects.asked)).toEqual(new Set([`GET ${key(5)}`, "LIST"]));
    expect(got.isEnded).toBe(false);
  });

  it("looks sooner after something was found, then ever more rarely", async () => {
    await append(0, 0);
    const got = new Collected(store.subscribe({ pollMs: 400 }));
    await runtime.pass(10_000);
    await append(1, 1);
    await runtime.pass(400);
    expect(got.seqs).toEqual([0, 1]);
    objects.asked.length = 0;
    // After 50, 100, 200, 400, 400 … ms.
    await runtime.pass(1_150);
    expect(objects.asked.length).toBeLessThanOrEqual(5);
    expect(objects.asked.length).toBeGreaterThanOrEqual(4);
  });

  it("is woken at once by appends of this process, through this store or another on the same log", async () => {
    const got = new Collected(store.subscribe());
    await runtime.pass(100_000);
    await store.append(event(0));
    await settle();
    expect(got.seqs).toEqual([0]);
    await store.appendBatch([event(1), event(2)]);
    await settle();
    expect(got.seqs).toEqual([0, 1, 2]);
    const { identity } = objects;
    const beside = await S3EventStore.open({ objects: memoryObjects({ bucket, identity }), skipBackendProof: true });
    await beside.append(event(3));
    await settle();
    expect(got.seqs).toEqual(range(0, 3));
    // What another process appends waits for a look.
    await append(4, 4);
    await settle();
    expect(got.seqs).toEqual(range(0, 3));
    await runtime.pass(1_000);
    expect(got.seqs).toEqual(range(0, 4));
  });

  it("filters, and moves its position over what it leaves out", async () => {
    await append(0, 8);
    const positions: number[] = [];
    const subscription = store.subscribe({
      filter: { aggregateId: "a-1", type: "T" },
      onProgress: ({ seq }) => void positions.push(seq),
    });
    const got = new Collected(subscription);
    await settle();
    expect(got.seqs).toEqual([1, 4, 7]);
    expect(subscription.position).toEqual(await writer.head());
    await append(9, 12);
    await runtime.pass(3_000);
    expect(got.seqs).toEqual([1, 4, 7, 10]);
    expect(subscription.position?.seq).toBe(12);
    expect(positions.at(-1)).toBe(12);
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  });

  it("must find that what the filter leaves out links, too", async () => {
    await append(0, 3);
    const got = new Collected(store.subscribe({ filter: { type: "None" } }));
    await runtime.pass(10_000);
    const other = await openAlone(memoryObjects().bucket);
    for (let n = 100; n < 106; n++) await other.store.append(event(n));
    bucket.put(key(4), (await other.objects.get(key(4)))?.body ?? "");
    await runtime.pass(1_000);
    expect(await got.ended).toMatchObject({ code: "CHAIN_BROKEN", seq: 4 });
  });

  it("takes batches up whole, also a bad one: its good records, then the verdict", async () => {
    await append(0, 1);
    const got = new Collected(store.subscribe());
    await settle();
    await writer.appendBatch(range(2, 6).map((n) => event(n)));
    await runtime.pass(2_000);
    await append(7, 7);
    await runtime.pass(2_000);
    expect(got.seqs).toEqual(range(0, 7));
    await writer.appendBatch(range(8, 12).map((n) => event(n)));
    const body = bucket.get(key(8))?.body.toString() ?? "";
    bucket.put(key(8), body.replace('"n":10', '"n":99'));
    await runtime.pass(2_000);
    expect(await got.ended).toMatchObject({ code: "HASH_MISMATCH", seq: 10 });
    expect(got.seqs).toEqual(range(0, 9));
  });

  it("finds by the list that the log went on when its next key is gone, and gives the verdict of a read", async () => {
    await append(0, 5);
    const got = new Collected(store.subscribe());
    await runtime.pass(100_000);
    await append(6, 8);
    bucket.delete(key(6));
    await runtime.pass(1_000);
    expect(got.isEnded).toBe(false);
    await runtime.pass(60_000);
    expect(await got.ended).toMatchObject({ code: "GAP", seq: 6, actual: 7 });
    expect(got.seqs).toEqual(range(0, 5));
  });

  it("reads many at once when it has fallen behind", async () => {
    await append(0, 0);
    const got = new Collected(store.subscribe());
    await runtime.pass(10_000);
    await append(1, 200);
    objects.asked.length = 0;
    await runtime.pass(1_000);
    expect(got.seqs).toEqual(range(0, 200));
    expect(objects.asked.length).toBeLessThan(225);
  });

  it("begins behind an anchor, which the log must hold", async () => {
    await append(0, 9);
    const anchors: Anchor[] = [];
    const hash = (await writer.getEventHash(6)) ?? "";
    const anchored = store.subscribe({ anchor: { seq: 6, hash }, onAnchor: (found) => anchors.push(found) });
    const got = new Collected(anchored);
    await settle();
    expect(got.seqs).toEqual([7, 8, 9]);
    expect(anchors).toEqual([{ seq: 6, hash, source: "caller" }]);
    const end = async (seq: number, other: string): Promise<unknown> =>
      await new Collected(store.subscribe({ anchor: { seq, hash: other } })).ended;
    expect(await end(6, "1".repeat(64))).toMatchObject({ code: "CHAIN_BROKEN", seq: 7, actual: hash });
    expect(await end(9, "1".repeat(64))).toMatchObject({ code: "CHAIN_BROKEN" });
    expect(await end(10, "1".repeat(64))).toMatchObject({ code: "TRUNCATED", seq: 10 });
  });

  it("begins in the middle, or beyond the end: what comes until then is verified and left out", async () => {
    await append(0, 4);
    const middle = store.subscribe({ from: 3 });
    const [ahead, empty] = [store.subscribe({ from: 7 }), (await openAlone(memoryObjects().bucket)).store];
    const beyond = new Collected(ahead);
    const inMiddle = new Collected(middle);
    await settle();
    expect(inMiddle.seqs).toEqual([3, 4]);
    expect([beyond.seqs, ahead.position?.seq]).toEqual([[], 4]);
    await append(5, 9);
    await runtime.pass(2_000);
    expect(inMiddle.seqs).toEqual(range(3, 9));
    expect(beyond.seqs).toEqual([7, 8, 9]);
    const fromNothing = empty.subscribe({ from: 2 });
    const got = new Collected(fromNothing);
    await fromNothing.whenCaughtUp;
    for (let n = 0; n < 4; n++) await empty.append(event(n));
    await settle();
    expect(got.seqs).toEqual([2, 3]);
    await fromNothing.close();
  });

  it("leaves nothing out when the log comes to `from` while its end is looked for", async () => {
    await append(0, 4);
    const real = memoryObjects({ bucket, identity: "another process" });
    let heads = 0;
    const other = await S3EventStore.open({
      objects: overriding(real, {
        get: async (key, options) => {
          // First the read asks for the stored head, then the look for the log's end does.
          if (key === "events/_head.json" && ++heads === 2) await append(5, 9);
          return real.get(key, options);
        },
      }),
      runtime,
    });
    const got = new Collected(other.subscribe({ from: 7 }));
    await runtime.pass(2_000);
    expect(got.seqs).toEqual([7, 8, 9]);
    await other.close();
  });

  it("ends behind `to`, in a batch as well, whatever the filter leaves out", async () => {
    await append(0, 4);
    const short = store.subscribe({ from: 1, to: 3 });
    const got = new Collected(short);
    expect(await got.ended).toBeNull();
    expect(got.seqs).toEqual([1, 2, 3]);
    expect((await short.whenCaughtUp).seq).toBe(3);
    const later = new Collected(store.subscribe({ to: 6 }));
    const filtered = new Collected(store.subscribe({ to: 6, filter: { type: "None" } }));
    await runtime.pass(10_000);
    await writer.appendBatch(range(5, 9).map((n) => event(n)));
    await runtime.pass(2_000);
    expect([await later.ended, await filtered.ended]).toEqual([null, null]);
    expect(later.seqs).toEqual(range(0, 6));
  });

  it("says how far behind it is", async () => {
    await append(0, 20);
    await writer.close();
    const subscription = store.subscribe();
    const events = subscription[Symbol.asyncIterator]();
    await events.next();
    expect([subscription.position?.seq, subscription.lag]).toEqual([0, 20]);
    for (let n = 1; n <= 20; n++) await events.next();
    expect(subscription.lag).toBe(0);
    await store.append(event(21));
    expect(subscription.lag).toBe(1);
    await subscription.close();
  });

  it("ends without an error by its signal, by close, by leaving the loop and with its store; and hands out nothing more", async () => {
    await append(0, 9);
    const abort = new AbortController();
    const bySignal = store.subscribe({ signal: abort.signal });
    const seen: number[] = [];
    for await (const { seq } of bySignal) {
      seen.push(seq);
      if (seq === 3) abort.abort();
    }
    expect(seen).toEqual([0, 1, 2, 3]);
    expect(bySignal.position?.seq).toBe(3);
    await expect(bySignal.whenCaughtUp).rejects.toMatchObject({ code: "ABORTED" });

    const left = store.subscribe();
    for await (const { seq } of left) if (seq === 2) break;
    expect(left.position?.seq).toBe(2);

    const closed = store.subscribe();
    const waiting = new Collected(closed);
    const late = store.subscribe({ signal: abort.signal });
    const nothing = new Collected(late);
    await settle();
    await closed.close();
    expect([await waiting.ended, await nothing.ended, nothing.seqs]).toEqual([null, null, []]);

    const withStore = new Collected(store.subscribe());
    await settle();
    await store.close();
    expect(await withStore.ended).toBeNull();
    expect(runtime.asleep).toBe(0);
    expect(() => store.subscribe()).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });

  it("gives stored bytes as well; and is read once", async () => {
    await append(0, 2);
    const subscription = store.subscribe({ to: 2 });
    const lines: string[] = [];
    for await (const { line } of subscription.records()) lines.push(line.toString());
    expect(lines).toEqual(range(0, 2).map((seq) => bucket.get(key(seq))?.body.toString()));
    expect(() => subscription.records()).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }));
  });

  it("refuses what it cannot do, at once", () => {
    const anchor = { seq: 3, hash: "0".repeat(64) };
    for (const options of [
      { from: -1 },
      { from: 1.5 },
      { to: -1 },
      { pollMs: 0 },
      { pollMs: Number.NaN },
      { anchor: { seq: 3, hash: "x" } },
      { anchor, from: 3 },
    ])
      expect(() => store.subscribe(options)).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }));
  });

  it("fails at the end of its catch-up when the stored head shows that there was more", async () => {
    await append(0, 9);
    await writer.close();
    bucket.delete(key(9));
    const subscription = store.subscribe();
    const got = new Collected(subscription);
    expect(await got.ended).toMatchObject({ code: "HEAD_CONTRADICTS_LOG" });
    expect(got.seqs).toEqual(range(0, 8));
    await expect(subscription.whenCaughtUp).rejects.toMatchObject({ code: "HEAD_CONTRADICTS_LOG" });
  });

  it("ends with what its hook throws", async () => {
    await append(0, 1);
    const problem = new Error("no more");
    const got = new Collected(store.subscribe({ onProgress: () => Promise.reject(problem) }));
    expect(await got.ended).toBe(problem);
    expect(got.seqs).toEqual([0]);
  });
});
