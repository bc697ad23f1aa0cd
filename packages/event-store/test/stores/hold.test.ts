import { describe, expect, it, onTestFinished } from "vitest";
import { openS3Objects } from "../../src/objects/s3/index.js";
import { holdOf, type HoldState, type LogHold } from "../../src/stores/hold/hold.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { FAULTS, startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";

interface Bed {
  readonly emulator: S3Emulator;
  readonly server: { endpoint: string; bucket: string; prefix: string; accessKeyId: string; secretAccessKey: string };
  readonly hold: LogHold;
}

async function bed({ batches = [1, 1, 1, 1, 1], locking = true, compact = false } = {}): Promise<Bed> {
  const emulator = await startS3Emulator();
  onTestFinished(() => emulator.close());
  if (locking) emulator.settings("events").enableObjectLock();
  const { endpoint, credentials } = emulator;
  const server = { endpoint, bucket: "events", prefix: "log", ...credentials };
  const store = await S3EventStore.open(server);
  for (const size of batches)
    await store.appendBatch(Array.from({ length: size }, () => ({ type: "T", aggregateId: "a" })));
  if (compact) await store.compact();
  await store.close();
  const hold = await holdOf(server);
  onTestFinished(() => hold.close());
  return { emulator, server, hold };
}

const key = (seq: number): string => `log/${String(seq).padStart(10, "0")}.json`;

/** Keys with a version that is held. */
const held = ({ emulator }: Bed, keys: readonly string[]): string[] =>
  keys.filter((each) => emulator.versions("events", each).some(({ legalHold }) => legalHold));

async function states(hold: LogHold, range = {}): Promise<HoldState[]> {
  const found: HoldState[] = [];
  for await (const state of hold.show(range)) found.push(state);
  return found;
}

describe("legal hold", () => {
  const keys = [0, 1, 2, 3, 4].map(key);

  it("is set for a range and lifted again, any number of times; the plan changes nothing", async () => {
    const all = await bed();
    const { hold } = all;
    const range = { fromSeq: 1, toSeq: 3 };
    expect(await hold.plan(range)).toEqual({ events: 3, segments: 0, versions: 3 });
    expect(held(all, keys)).toEqual([]);
    for (let again = 0; again < 2; again++) {
      expect(await hold.set(true, range)).toEqual({ events: 3, segments: 0, versions: 3 });
      expect(held(all, keys)).toEqual(keys.slice(1, 4));
    }
    expect((await states(hold)).map(({ seq, hold: on, retention }) => [seq, on, retention])).toEqual(
      [0, 1, 2, 3, 4].map((seq) => [seq, seq >= 1 && seq <= 3, "none"]),
    );
    await hold.set(false, { fromSeq: 2 });
    expect(held(all, keys)).toEqual([key(1)]);
    await hold.set(true);
    expect(held(all, keys)).toEqual(keys);
    expect(all.emulator.versions("events", "log/_head.json").some(({ legalHold }) => legalHold)).toBe(false);
  });

  it("covers the batch that reaches into the range, and none that ends before it", async () => {
    const all = await bed({ batches: [10, 10, 10, 1] });
    await all.hold.set(true, { fromSeq: 15, toSeq: 20 });
    expect(held(all, [0, 10, 20, 30].map(key))).toEqual([key(10), key(20)]);
    await all.hold.set(false);
    await all.hold.set(true, { fromSeq: 10, toSeq: 19 });
    expect(held(all, [0, 10, 20, 30].map(key))).toEqual([key(10)]);
    await all.hold.set(false);
    expect(await all.hold.set(true, { fromSeq: 31 })).toEqual({ events: 0, segments: 0, versions: 0 });
    await all.hold.set(true, { fromSeq: 30, toSeq: 99 });
    expect(held(all, [0, 10, 20, 30].map(key))).toEqual([key(30)]);
  });

  it("holds all versions of a key, also below a delete marker", async () => {
    const all = await bed();
    const objects = openS3Objects(all.server);
    const { etag = "" } = (await objects.get(key(2))) ?? {};
    await objects.replaceIfMatch(key(2), Buffer.from("forged"), etag);
    await objects.delete(key(2));
    await objects.close();
    expect(await all.hold.set(true, { fromSeq: 2, toSeq: 2 })).toEqual({ events: 1, segments: 0, versions: 2 });
    const versions = all.emulator
      .versions("events", key(2))
      .map(({ held: body, legalHold }) => [body !== null, legalHold]);
    expect(versions).toEqual([
      [false, false],
      [true, true],
      [true, true],
    ]);
  });

  it("holds segments where event objects were pruned, and only those", async () => {
    const all = await bed({ batches: Array.from({ length: 31 }, () => 1000), compact: true });
    // What was pruned long ago, and whose versions have expired since.
    for (let seq = 10_000; seq < 20_000; seq += 1000) all.emulator.objects("events").delete(key(seq));
    const segments = [0, 10_000, 20_000].map(
      (first) => `log/_segments/${String(first).padStart(10, "0")}-${String(first + 9999).padStart(10, "0")}.jsonl.gz`,
    );
    await all.hold.set(true, { fromSeq: 12_000, toSeq: 12_500 });
    expect(held(all, segments)).toEqual([segments[1]]);
    expect(held(all, [9000, 20_000].map(key))).toEqual([]);
  });

  it("is set a few at a time, and says how far it is", async () => {
    const all = await bed({ batches: Array.from({ length: 100 }, () => 1) });
    const told: number[][] = [];
    await all.hold.set(true, { onProgress: (versions, seq) => void told.push([versions, seq]) });
    expect(told).toEqual(Array.from({ length: 100 }, (_, i) => [i + 1, i]));
  });

  it("ends at a signal, and what it told is done", async () => {
    const all = await bed({ batches: Array.from({ length: 200 }, () => 1) });
    const abort = new AbortController();
    let done = -1;
    const setting = all.hold.set(true, {
      signal: abort.signal,
      onProgress: (_, seq) => {
        done = seq;
        if (seq === 20) abort.abort();
      },
    });
    await expect(setting).rejects.toMatchObject({ code: "ABORTED" });
    expect(done).toBeLessThan(150);
    expect(
      held(
        all,
        Array.from({ length: done + 1 }, (_, seq) => key(seq)),
      ),
    ).toHaveLength(done + 1);
    await all.hold.set(true, { fromSeq: done });
    expect(
      held(
        all,
        Array.from({ length: 200 }, (_, seq) => key(seq)),
      ),
    ).toHaveLength(200);
  });

  it("waits out what passes, and says when there is no Object Lock, or no such log", async () => {
    const all = await bed();
    all.emulator.faults.add({ when: { operation: "PUT_LEGAL_HOLD", count: 2 }, do: FAULTS.internalError });
    await all.hold.set(true);
    expect(held(all, keys)).toEqual(keys);
    const none = await bed({ locking: false });
    for (const ask of [() => none.hold.plan(), () => none.hold.set(true), () => states(none.hold)])
      await expect(ask()).rejects.toMatchObject({
        code: "NO_OBJECT_LOCK",
        hint: expect.stringContaining("worm.md") as string,
      });
    const empty = await holdOf({ ...all.server, prefix: "other" });
    expect(await empty.set(true)).toEqual({ events: 0, segments: 0, versions: 0 });
    await empty.close();
    await expect(all.hold.plan({ fromSeq: 3, toSeq: 2 })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    const file = { type: "file", path: "/x", maxBytes: undefined, hashVersion: 1 } as const;
    await expect(holdOf(file)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });
});
