import { ChainWalk, gap } from "../core/chain.js";
import { VerificationError } from "../core/errors.js";
import type { Anchor, Head } from "../core/event.js";
import { verifyObject, verifyObjectAlone, type VerifiedRecord } from "./event-object.js";
import { lastEventUpTo, listEvents, type EventObject } from "./listing.js";
import { EMPTY, factsOf, type LogOnObjects } from "./tail.js";
import { fetchAhead } from "./window.js";

/** GETs that run ahead of the consumer … */
const WINDOW = 64;
/** … and the bytes that they may hold. */
const WINDOW_BYTES = 64 * 1024 * 1024;

export interface WalkRange {
  readonly fromSeq: number;
  /** Inclusive. */
  readonly toSeq: number;
  /** The record before `fromSeq`, when the caller knows it. */
  readonly anchor?: Head | undefined;
  /** Told once, before the first record, what the walk starts from. */
  readonly onAnchor: (anchor: Anchor) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The records fromSeq … toSeq in order, each verified. What lies before `fromSeq` is not fetched, save the one object that
 * holds the record before it. @throws VerificationError at the first fault
 */
export async function* walkObjects(log: LogOnObjects, range: WalkRange): AsyncGenerator<VerifiedRecord> {
  const { chain, after, rest } = await start(log, range);
  for (const record of rest) {
    if (record.view.seq > range.toSeq) return;
    yield record;
  }
  for await (const { item, result } of fetchObjects(log, after, range)) {
    const facts = factsOf(log, item.key);
    const expected = chain.head.seq + 1;
    if (item.seq > expected) throw gap(expected, item.seq, { facts });
    if (result === null) throw vanished(expected, facts);
    for (const record of verifyObject(chain, result, item.seq, facts)) {
      if (record.view.seq > range.toSeq) return;
      yield record;
    }
  }
}

interface Start {
  readonly chain: ChainWalk;
  /** Objects beyond this seq come next. */
  readonly after: number;
  /** Records of the range that share an object with the anchor. */
  readonly rest: readonly VerifiedRecord[];
}

async function start(log: LogOnObjects, { fromSeq, anchor, onAnchor, signal }: WalkRange): Promise<Start> {
  const known: Anchor | null = anchor ? { ...anchor, source: "caller" } : fromSeq === 0 ? { ...EMPTY, source: "genesis" } : null;
  if (known) onAnchor(known);
  if (fromSeq === 0) return { chain: new ChainWalk(), after: -1, rest: [] };
  const before = fromSeq - 1;
  const keySeq = await lastEventUpTo(log.objects, log.keys, known ? fromSeq : before, signal);
  if (known && (keySeq === null || keySeq === fromSeq)) return { chain: new ChainWalk(known), after: before, rest: [] };
  // Nothing up to the record before: a log that ends earlier, or, as the walk will find, a gap there.
  if (keySeq === null) return { chain: new ChainWalk({ seq: before - 1, hash: "" }), after: before - 1, rest: [] };

  const key = log.keys.event(keySeq);
  const object = await log.objects.get(key, { signal });
  if (object === null) throw vanished(keySeq, factsOf(log, key));
  const records = [...verifyObjectAlone(object.body, keySeq, factsOf(log, key))];
  const end = records.at(-1)?.view;
  const record = records.find(({ view }) => view.seq === before)?.view;
  if (known && !record) return { chain: new ChainWalk(known), after: before, rest: [] };
  if (known && record && record.eventHash !== known.hash) throw anchorDiffers(known, record.eventHash);
  if (record && !known) onAnchor({ seq: before, hash: record.eventHash, source: "record" });
  const chain = new ChainWalk(end ? { seq: end.seq, hash: end.eventHash } : EMPTY);
  return { chain, after: chain.head.seq, rest: records.filter(({ view }) => view.seq >= fromSeq) };
}

interface Fetched {
  readonly item: EventObject;
  readonly result: Buffer | null;
}

function fetchObjects(log: LogOnObjects, after: number, { toSeq, signal }: WalkRange): AsyncGenerator<Fetched> {
  const get = async (item: EventObject, abort: AbortSignal): Promise<Buffer | null> =>
    (await log.objects.get(item.key, { signal: abort }))?.body ?? null;
  return fetchAhead(upTo(listEvents(log.objects, log.keys, after, signal), toSeq), get, {
    width: WINDOW,
    maxWeight: WINDOW_BYTES,
    weight: (item) => item.size,
    signal,
  });
}

async function* upTo(events: AsyncIterable<EventObject>, toSeq: number): AsyncGenerator<EventObject> {
  for await (const event of events) {
    if (event.seq > toSeq) return;
    yield event;
  }
}

function vanished(seq: number, facts: ReturnType<typeof factsOf>): VerificationError {
  const at = { seq, expected: seq, actual: "no object" };
  return new VerificationError("GAP", at, `record ${String(seq)} is missing: its object was listed, but is gone`, { facts });
}

function anchorDiffers(anchor: Head, actual: string): VerificationError {
  const at = { seq: anchor.seq + 1, expected: anchor.hash, actual };
  return new VerificationError("CHAIN_BROKEN", at, `the log's record ${String(anchor.seq)} is not the anchor that was given`, {
    hint: "either the anchor belongs to another log, or this log was rewritten",
  });
}
