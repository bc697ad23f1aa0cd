import { createCipheriv } from "node:crypto";
import { GENESIS_HASH, type StoredRecord } from "../../../src/core/event.js";
import { formatHead } from "../../../src/core/head-check.js";
import { encodeChain, prepareEvent } from "../../../src/core/record.js";
import { objectBody } from "../../../src/log/event-object.js";
import { LogKeys } from "../../../src/log/keys.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import { ObjectMap } from "../../../src/objects/object-map.js";
import type { EventStore, ReadOptions } from "../../../src/stores/port.js";
import { S3EventStore, type S3EventStoreOptions } from "../../../src/stores/s3-event-store.js";

export const keys = new LogKeys("events");

/** Consecutive records of 7 aggregates; `payload` may make some larger, `type` give them other types than three in turn. */
export function recordsOf(
  count: number,
  payload: (i: number) => object = (i) => ({ i }),
  type: (i: number) => string = (i) => `T${i % 3}`,
): StoredRecord[] {
  const events = Array.from({ length: count }, (_, i) =>
    prepareEvent({ type: type(i), aggregateId: `a-${i % 7}`, payload: payload(i) }, 1, () => 1_700_000_000_000 + i),
  );
  return encodeChain(events, { seq: -1, hash: GENESIS_HASH });
}

/** A payload that does not compress, of so many random bytes; always the same for record `i`. */
export function incompressible(i: number, bytes: number): { readonly x: string } {
  const iv = Buffer.alloc(16);
  iv.writeUInt32BE(i);
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), iv);
  return { x: cipher.update(Buffer.alloc(bytes)).toString("base64") };
}

/** Payloads of which the first `share` of each 10,000 are larger. None compresses. */
export function uneven(large: number, small: number, share = 5000): (i: number) => object {
  return (i) => incompressible(i, i % 10_000 < share ? large : small);
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

/** Deletes the event objects that begin before record `seq`: as pruning does, without waiting for a day. */
export function deleteBefore(bucket: ObjectMap, seq: number): void {
  for (const key of eventKeys(bucket)) if (key < keys.event(seq)) bucket.delete(key);
}

export function copyOf(bucket: ObjectMap): ObjectMap {
  const copied = new ObjectMap();
  for (const key of bucket.keys()) {
    const held = bucket.get(key);
    if (held) copied.put(key, held.body, held);
  }
  return copied;
}

/** The bytes of an object that is there. */
export function bytesOf(bucket: ObjectMap, key: string): Buffer {
  const held = bucket.get(key);
  if (!held) throw new Error(`${key} is not there`);
  return held.body;
}

/** Tells whether an object's bytes are the same as before. */
export function etagOf(bucket: ObjectMap, key: string): string | undefined {
  return bucket.get(key)?.etag;
}

/** Changes one bit, so far into an object: 0 is its beginning, 1 its end. */
export function damage(bucket: ObjectMap, key: string, where: number): void {
  const body = Buffer.from(bytesOf(bucket, key));
  const at = Math.floor((body.length - 1) * where);
  body.writeUInt8(body.readUInt8(at) ^ 1, at);
  bucket.put(key, body, { modifiedAt: bucket.get(key)?.modifiedAt });
}

/** A store of another process on the bucket. */
export function open(bucket: ObjectMap, options: Partial<S3EventStoreOptions> = {}): Promise<EventStore> {
  return S3EventStore.open({ objects: memoryObjects({ bucket }), onWarning: () => undefined, ...options });
}

/** The stored lines of a range. */
export async function linesOf(store: EventStore, options?: ReadOptions): Promise<string[]> {
  const lines: string[] = [];
  for await (const { line } of store.readRecords(options)) lines.push(line.toString());
  return lines;
}

export function textOf(records: readonly StoredRecord[]): string[] {
  return records.map(({ line }) => line.toString());
}
