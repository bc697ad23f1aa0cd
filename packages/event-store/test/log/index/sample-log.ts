import { GENESIS_HASH, type NewEvent, type StoredRecord } from "../../../src/core/event.js";
import { formatHead } from "../../../src/core/head-check.js";
import { viewRecord, type RecordView } from "../../../src/core/record-view.js";
import { encodeChain, prepareEvent } from "../../../src/core/record.js";
import { objectBody } from "../../../src/log/event-object.js";
import type { SegmentRecords } from "../../../src/log/index/build-run.js";
import { LogKeys } from "../../../src/log/keys.js";
import { memoryObjects } from "../../../src/objects/memory.js";

export type Bucket = ReturnType<typeof memoryObjects>["bucket"];

export const keys = new LogKeys("events");

/** The records of `count` events, chained. */
export function chained(count: number, eventAt: (n: number) => NewEvent): StoredRecord[] {
  const prepared = Array.from({ length: count }, (_, n) => prepareEvent(eventAt(n), 1, () => n));
  return encodeChain(prepared, { seq: -1, hash: GENESIS_HASH });
}

/** A log of these records on a bucket of its own, in objects of `perObject`, with its head. */
export function bucketOf(records: readonly StoredRecord[], perObject = 1000, head = true): Bucket {
  const { bucket } = memoryObjects();
  putLog(bucket, records, perObject, head);
  return bucket;
}

export function putLog(bucket: Bucket, records: readonly StoredRecord[], perObject = 1000, head = true): void {
  for (let at = 0; at < records.length; at += perObject)
    bucket.put(keys.event(at), objectBody(records.slice(at, at + perObject)));
  const last = records.at(-1);
  if (last && head) bucket.put(keys.head, formatHead({ seq: last.seq, hash: last.eventHash }));
}

/** The segments of a log: of `size` records each, the last ones that do not fill one left out; or as `sizes` says. */
export function segmentsOf(records: readonly StoredRecord[], size: number | readonly number[]): SegmentRecords[] {
  const sizes = typeof size === "number" ? Array.from({ length: Math.floor(records.length / size) }, () => size) : size;
  let first = 0;
  return sizes.map((length) => {
    const its = records.slice(first, first + length);
    const segment = segmentOf(its);
    first += length;
    return segment;
  });
}

export function segmentOf(records: readonly StoredRecord[]): SegmentRecords {
  const [first] = records;
  const last = records.at(-1);
  if (!first || !last) throw new Error("a segment has records");
  return {
    first: first.seq,
    last: last.seq,
    before: { seq: first.seq - 1, hash: first.prevHash },
    end: { seq: last.seq, hash: last.eventHash },
    async *records() {
      for (let at = 0; at < records.length; at += 1000) {
        yield await Promise.resolve(records.slice(at, at + 1000).map(({ line }): RecordView => viewRecord(line)));
      }
    },
  };
}
