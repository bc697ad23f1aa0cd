import { GENESIS_HASH, type StoredRecord } from "../../../src/core/event.js";
import { formatHead } from "../../../src/core/head-check.js";
import { encodeChain, prepareEvent } from "../../../src/core/record.js";
import { objectBody } from "../../../src/log/event-object.js";
import { LogKeys } from "../../../src/log/keys.js";
import { ObjectMap } from "../../../src/objects/object-map.js";

export const keys = new LogKeys("events");

/** Consecutive records of 7 aggregates and 3 types; `payload` may make some larger. */
export function recordsOf(count: number, payload: (i: number) => object = (i) => ({ i })): StoredRecord[] {
  const events = Array.from({ length: count }, (_, i) =>
    prepareEvent({ type: `T${i % 3}`, aggregateId: `a-${i % 7}`, payload: payload(i) }, 1, () => 1_700_000_000_000 + i),
  );
  return encodeChain(events, { seq: -1, hash: GENESIS_HASH });
}

/** A bucket with a log of these records, so many in an object, and its head. */
export function bucketOf(records: readonly StoredRecord[], perObject = 1000, modifiedAt = 0): ObjectMap {
  const bucket = new ObjectMap();
  for (let at = 0; at < records.length; at += perObject) {
    const body = objectBody(records.slice(at, at + perObject));
    bucket.put(keys.event(at), body, { metadata: { "put-id": String(at) }, modifiedAt });
  }
  const last = records.at(-1);
  if (last) bucket.put(keys.head, formatHead({ seq: last.seq, hash: last.eventHash }));
  return bucket;
}

export function eventKeys(bucket: ObjectMap): readonly string[] {
  return bucket.keys("events/0");
}

export function segmentKeys(bucket: ObjectMap): string[] {
  return bucket.keys("events/_segments/").map((key) => key.slice("events/_segments/".length));
}
