import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectMap } from "../../../src/objects/object-map.js";
import type { EventStore } from "../../../src/stores/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { bucketOf, eventKeys, keys, recordsOf, segmentKeys } from "./compacted-log.js";

const LONG = recordsOf(123_456);

function open(bucket: ObjectMap, warnings: string[] = []): Promise<EventStore> {
  return S3EventStore.open({
    objects: memoryObjects({ bucket }),
    prefix: "events",
    onWarning: ({ code }) => warnings.push(code),
  });
}

async function linesOf(store: EventStore, options = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { line } of store.readRecords(options)) lines.push(line.toString());
  return lines;
}

describe("compaction", () => {
  it("makes a segment of each full run, and one of ten where that is small enough", async () => {
    const bucket = bucketOf(LONG);
    const store = await open(bucket);
    const report = await store.compact();
    expect(report).toMatchObject({ written: 3, merged: 0, records: 120_000, head: { seq: 123_455 } });
    expect(segmentKeys(bucket)).toEqual([
      "0000000000-0000099999.jsonl.gz",
      "0000100000-0000109999.jsonl.gz",
      "0000110000-0000119999.jsonl.gz",
    ]);
    const segment = bucket.get(keys.segment(100_000, 109_999));
    const text = gunzipSync(segment?.body ?? "").toString();
    expect(text).toBe(
      LONG.slice(100_000, 110_000)
        .map(({ line }) => `${line.toString()}\n`)
        .join(""),
    );
    expect(await store.compact()).toMatchObject({ written: 0, merged: 0, records: 120_000 });
  });

  it("reads through segments alone once the event objects are gone", async () => {
    const bucket = bucketOf(LONG);
    const store = await open(bucket);
    await store.compact();
    for (const key of eventKeys(bucket)) if (key < keys.event(110_000)) bucket.delete(key);
    const all = LONG.map(({ line }) => line.toString());
    expect(await linesOf(store)).toEqual(all);
    for (const fromSeq of [1, 999, 1000, 50_000, 99_999, 100_000, 109_999, 110_000, 110_001])
      expect(await linesOf(store, { fromSeq, toSeq: fromSeq + 1 })).toEqual(all.slice(fromSeq, fromSeq + 2));
    expect(await store.getEventHash(77_777)).toBe(LONG[77_777]?.eventHash);
    expect(await store.verify()).toMatchObject({ valid: true, events: 123_456 });
    expect((await open(bucket)).location).toBe("memory:/events/");
  });
});
