import { VerificationError } from "../core/errors.js";
import type { Head } from "../core/event.js";
import { headContradiction, parseHead } from "../core/head-check.js";
import type { RecordView } from "../core/record-view.js";
import { lastRecordOf, recordAlone } from "./event-object.js";
import { lastEventAfter } from "./listing.js";
import { objectAt } from "./object-at.js";
import { EMPTY, factsOf, vanished, type LogOnObjects } from "./log-on-objects.js";
import { SegmentCatalog } from "./segments/catalog.js";
import { recordInSegments } from "./segments/segment-record.js";

export { EMPTY, factsOf, type LogOnObjects } from "./log-on-objects.js";

/** The stored head, when there is one that can be read. */
export async function readHead(log: LogOnObjects, signal?: AbortSignal): Promise<Head | null> {
  if (!log.useHead) return null;
  const object = await log.objects.get(log.keys.head, { signal });
  return object && parseHead(object.body);
}

/**
 * The last record, itself verified. With a head: the record it names is checked against it, then the log's end is looked
 * for from there; a contradiction throws. Without: from the beginning, in O(log N) requests. The end is always confirmed
 * by a LIST, never by a missing next key alone: an append into the hole of a deleted key would fork the log.
 * @throws VerificationError
 */
export async function findTail(log: LogOnObjects, signal?: AbortSignal): Promise<Head> {
  const hint = await readHead(log, signal);
  if (hint === null) return advanceTail(log, EMPTY, signal);
  const holder = await objectAt(log, hint.seq, signal);
  const held = holder && recordAlone(holder.body, holder.keySeq, hint.seq, holder.facts);
  const record = held ?? (await compactedRecord(log, hint.seq, signal));
  const from = holder && held ? lastRecordOf(holder.body, holder.keySeq, holder.facts) : headOf(record);
  const tail = await advanceTail(log, from, signal);
  const actual = record?.eventHash ?? null;
  if (actual !== hint.hash) throw headContradiction(hint, tail, actual, factsOf(log, log.keys.head));
  return tail;
}

/** The tail when `known` is a record of the log (or EMPTY): one LIST when nothing was appended since. */
export async function advanceTail(log: LogOnObjects, known: Head, signal?: AbortSignal): Promise<Head> {
  const last = await lastEventAfter(log.objects, log.keys, known.seq, signal);
  if (last === null) return known.seq < 0 ? withoutSegments(log, signal) : known;
  const key = log.keys.event(last);
  const object = await log.objects.get(key, { signal });
  if (object === null) throw vanished(log, key, last);
  return lastRecordOf(object.body, last, factsOf(log, key));
}

/** Record `seq`, checked alone; null when the log has none. */
export async function recordAt(log: LogOnObjects, seq: number, signal?: AbortSignal): Promise<RecordView | null> {
  const object = await objectAt(log, seq, signal);
  const record = object && recordAlone(object.body, object.keySeq, seq, object.facts);
  return record ?? compactedRecord(log, seq, signal);
}

/** Where the record before `seq` stands in the chain, itself checked. @throws BackendError when it is missing */
export async function recordBefore(log: LogOnObjects, seq: number, signal?: AbortSignal): Promise<Head> {
  if (seq === 0) return EMPTY;
  const record = await recordAt(log, seq - 1, signal);
  if (record === null) throw vanished(log, log.keys.event(seq - 1), seq - 1);
  return headOf(record);
}

/** Record `seq` where only a segment holds it: its event object was pruned. */
function compactedRecord(log: LogOnObjects, seq: number, signal?: AbortSignal): Promise<RecordView | null> {
  return recordInSegments(log, new SegmentCatalog(log.objects, log.keys, signal), seq, signal);
}

/** A log without an event object has no segment either: what made one kept the last 10,000 records as they were. @throws VerificationError */
async function withoutSegments(log: LogOnObjects, signal?: AbortSignal): Promise<Head> {
  const { objects, keys } = log;
  const { entries } = await objects.list({ prefix: keys.segments, maxKeys: 1, signal });
  const [first] = entries;
  if (first === undefined) return EMPTY;
  const at = { seq: 0, expected: "event objects behind the segments", actual: "segments alone" };
  throw new VerificationError("TRUNCATED", at, "the log has segments, but no event object: its end was deleted", {
    facts: factsOf(log, first.key),
    hint: "look for the event objects in a backup; the segments can be read (rynxs read, rynxs copy) and say how far they reach",
  });
}

function headOf(record: RecordView | null): Head {
  return record ? { seq: record.seq, hash: record.eventHash } : EMPTY;
}
