import { beforeAll, describe, expect, it } from "vitest";
import { BackendError } from "../../../src/core/errors.js";
import { Compactor } from "../../../src/log/compaction/compactor.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import { ObjectMap } from "../../../src/objects/object-map.js";
import type { ObjectStore, PutOutcome } from "../../../src/objects/port.js";
import type { EventStore } from "../../../src/stores/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { systemRuntime } from "../../../src/system/runtime.js";
import { bucketOf, eventKeys, keys, recordsOf, segmentKeys } from "./compacted-log.js";

const LONG = recordsOf(105_000);
const all = LONG.map(({ line }) => line.toString());
const DONE = ["0000000000-0000099999.jsonl.gz"];

/** The process ends here. */
class Crash extends Error {}

function copyOf(bucket: ObjectMap): ObjectMap {
  const copied = new ObjectMap();
  for (const key of bucket.keys()) copied.put(key, bucket.get(key)!.body, { ...bucket.get(key)! });
  return copied;
}

type Step = "crash before" | "crash after" | "lost" | "never stored" | "refused";

/** A store whose nth write goes wrong. */
function faulty(bucket: ObjectMap, nth: number, step: Step): { objects: ObjectStore; writes: () => number } {
  const objects = memoryObjects({ bucket });
  let writes = 0;
  const put = objects.putIfAbsent.bind(objects);
  const remove = objects.delete.bind(objects);
  const unknown: PutOutcome = { outcome: "unknown", sent: true, cause: new BackendError("UNAVAILABLE", "no answer") };
  objects.putIfAbsent = async (key, body, options) => {
    if (writes++ !== nth) return put(key, body, options);
    if (step === "crash before") throw new Crash();
    if (step === "refused") throw new BackendError("ACCESS_DENIED", "no");
    if (step === "never stored") return unknown;
    await put(key, body, options);
    if (step === "lost") return unknown;
    throw new Crash();
  };
  objects.delete = async (key, options) => {
    if (writes++ !== nth) return remove(key, options);
    if (step === "crash before" || step === "never stored") throw new Crash();
    if (step === "refused") throw new BackendError("ACCESS_DENIED", "no");
    await remove(key, options);
    throw new Crash();
  };
  return { objects, writes: () => writes };
}

function compactor(objects: ObjectStore): Compactor {
  return new Compactor({ objects, keys, useHead: true }, { ...systemRuntime, sleep: async () => {} });
}

async function linesOf(store: EventStore, options = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { line } of store.readRecords(options)) lines.push(line.toString());
  return lines;
}

describe("compaction that goes wrong", () => {
  /** Three base segments are there; ten are made and merged. */
  let begun: ObjectMap;
  let writes = 0;

  beforeAll(async () => {
    begun = bucketOf(LONG.slice(0, 30_000));
    await compactor(memoryObjects({ bucket: begun })).run();
    const whole = bucketOf(LONG);
    for (const key of begun.keys("events/_segments/")) whole.put(key, begun.get(key)!.body);
    begun = whole;
    const { objects, writes: counted } = faulty(copyOf(begun), -1, "lost");
    await compactor(objects).run();
    writes = counted();
  });

  it.each<Step>(["crash before", "crash after", "lost", "never stored", "refused"])(
    "at every write, %s: reads stay the same, and the next run finishes",
    async (step) => {
      expect(writes).toBe(33);
      // seven segments and their index runs, the one made of ten, its run, seven runs and ten segments that it replaced
      for (const nth of [0, 1, 14, 15, 18, 28]) {
        const bucket = copyOf(begun);
        const failed = await compactor(faulty(bucket, nth, step).objects)
          .run()
          .catch((error: unknown) => error);
        if (step.startsWith("crash")) expect(failed).toBeInstanceOf(Crash);
        const store = await S3EventStore.open({ objects: memoryObjects({ bucket }) });
        expect(await linesOf(store, { fromSeq: 29_000, toSeq: 41_000 })).toEqual(all.slice(29_000, 41_001));
        await store.compact();
        expect(segmentKeys(bucket), `${step} at write ${nth}`).toEqual(DONE);
        expect(bucket.keys("events/_index/")).toEqual(["events/_index/runs/0000000000-0000099999.idx"]);
        for (const key of eventKeys(bucket)) if (key < keys.event(95_000)) bucket.delete(key);
        expect(await linesOf(store)).toEqual(all);
      }
    },
    120_000,
  );

  it("twice at once, beside readers: the same segments, the same records", async () => {
    const bucket = copyOf(begun);
    const reads: Promise<string[]>[] = [];
    const reader = await S3EventStore.open({ objects: memoryObjects({ bucket }), onWarning: () => {} });
    const runs = [1, 2, 3].map(() => compactor(memoryObjects({ bucket })).run());
    for (let i = 0; i < 4; i++) {
      reads.push(linesOf(reader, { fromSeq: i * 20_000 }));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await Promise.all(runs);
    expect(segmentKeys(bucket)).toEqual(DONE);
    for (const [i, read] of (await Promise.all(reads)).entries()) expect(read).toEqual(all.slice(i * 20_000));
    expect(await linesOf(reader)).toEqual(all);
  });

  it("reads that find a segment gone, since it was merged meanwhile, go on in the larger one", async () => {
    const bucket = copyOf(begun);
    const parts = copyOf(begun);
    await compactor(memoryObjects({ bucket })).run();
    for (const key of eventKeys(bucket)) if (key < keys.event(95_000)) bucket.delete(key);
    const objects = memoryObjects({ bucket });
    const list = objects.list.bind(objects);
    let old = 1;
    objects.list = async (options) => {
      if (!options.prefix.endsWith("_segments/") || old-- <= 0) return list(options);
      return memoryObjects({ bucket: parts }).list(options);
    };
    const warnings: string[] = [];
    const store = await S3EventStore.open({ objects, onWarning: ({ code }) => warnings.push(code) });
    expect(await linesOf(store)).toEqual(all);
    expect(warnings).toEqual([]);
  });

  it("a damaged segment is made up for by event objects, and made anew by the next merge", async () => {
    const key = keys.segment(10_000, 19_999);
    const good = begun.get(key)!.body;
    const damages = [
      good.subarray(0, good.length / 2),
      Buffer.concat([good, good]),
      Buffer.from(good).fill(0x20, 5000, 5008),
      begun.get(keys.segment(20_000, 29_999))!.body,
      Buffer.from("not gzip"),
    ];
    for (const [i, damage] of damages.entries()) {
      const bucket = copyOf(begun);
      bucket.put(key, damage);
      const warnings: string[] = [];
      const objects = memoryObjects({ bucket });
      const store = await S3EventStore.open({ objects, onWarning: ({ code }) => warnings.push(code) });
      expect(await linesOf(store), `damage ${i}`).toEqual(all);
      await store.compact();
      expect(warnings).toContain("SEGMENT_UNUSABLE");
      expect(segmentKeys(bucket)).toEqual(DONE);
      for (const event of eventKeys(bucket)) if (event < keys.event(95_000)) bucket.delete(event);
      expect(await linesOf(store)).toEqual(all);
    }
  }, 120_000);

  it("a damaged segment whose event objects are gone is the verdict", async () => {
    const bucket = copyOf(begun);
    const key = keys.segment(10_000, 19_999);
    bucket.put(key, Buffer.from(bucket.get(key)!.body).fill(0x20, 3000, 3008));
    for (const event of eventKeys(bucket)) if (event < keys.event(25_000)) bucket.delete(event);
    const store = await S3EventStore.open({ objects: memoryObjects({ bucket }), onWarning: () => {} });
    await expect(linesOf(store)).rejects.toMatchObject({ code: "MALFORMED", facts: { key } });
    expect(await store.verify()).toMatchObject({ valid: false, error: { code: "MALFORMED" } });
    await expect(store.compact()).rejects.toMatchObject({ code: "MALFORMED" });
  });

  it("does not write over a segment that holds other records: that is evidence", async () => {
    const bucket = bucketOf(recordsOf(30_000, (i) => ({ other: i })));
    const key = keys.segment(10_000, 19_999);
    bucket.put(key, begun.get(key)!.body);
    const objects = memoryObjects({ bucket });
    const list = objects.list.bind(objects);
    // it comes to be there between the look and the write
    objects.list = async (options) => {
      const page = await list(options);
      return { ...page, entries: page.entries.filter((entry) => entry.key !== key) };
    };
    await expect(compactor(objects).run()).rejects.toMatchObject({ code: "CHAIN_BROKEN", facts: { key } });
    expect(bucket.get(key)!.body).toEqual(begun.get(key)!.body);
  });
});
