import { ChainWalk, gap } from "../core/chain.js";
import { VerificationError } from "../core/errors.js";
import type { Anchor, Head } from "../core/event.js";
import { anchorDiffers } from "../core/head-check.js";
import {
  lastRecordOf,
  MAX_OBJECT_BYTES,
  oversized,
  recordAlone,
  verifyObject,
  verifyRest,
  type VerifiedRecord,
} from "./event-object.js";
import { firstEventAfter, lastEventUpTo, listEvents, type EventObject } from "./listing.js";
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
  if (after === null || chain.head.seq >= range.toSeq) return;
  for (const record of rest) {
    yield record;
    if (record.view.seq >= range.toSeq) return;
  }
  for await (const { item, result } of fetchObjects(log, after, range)) {
    const facts = factsOf(log, item.key);
    const expected = chain.head.seq + 1;
    if (item.seq > expected) throw gap(expected, item.seq, { facts });
    if (item.size > MAX_OBJECT_BYTES) throw oversized(expected, item.size, facts);
    if (result === null) throw vanished(expected, facts);
    for (const record of verifyObject(chain, result, item.seq, facts)) {
      const { seq, eventHash } = record.view;
      // The log ended before `fromSeq` and has grown since: these records are on the way there.
      if (seq === range.fromSeq - 1) range.onAnchor({ seq, hash: eventHash, source: "record" });
      if (seq >= range.fromSeq) yield record;
      if (seq >= range.toSeq) return;
    }
  }
}

interface Start {
  readonly chain: ChainWalk;
  /** Objects beyond this seq come next; null: the log does not reach `fromSeq`. */
  readonly after: number | null;
  /** Records of the range that share an object with the anchor. */
  readonly rest: Iterable<VerifiedRecord>;
}

async function start(log: LogOnObjects, { fromSeq, anchor, onAnchor, signal }: WalkRange): Promise<Start> {
  const known: Anchor | null = anchor
    ? { ...anchor, source: "caller" }
    : fromSeq === 0
      ? { ...EMPTY, source: "genesis" }
      : null;
  if (known) onAnchor(known);
  if (fromSeq === 0) return { chain: new ChainWalk(), after: -1, rest: [] };
  const before = fromSeq - 1;
  const lookBefore = (): Promise<number | null> =>
    lastEventUpTo(log.objects, log.keys, known ? fromSeq : before, signal);
  let keySeq = await lookBefore();
  if (known && (keySeq === null || keySeq === fromSeq)) return { chain: new ChainWalk(known), after: before, rest: [] };
  if (keySeq === null) {
    const unlinked = { chain: new ChainWalk({ seq: before - 1, hash: "" }), rest: [] };
    if ((await firstEventAfter(log.objects, log.keys, before - 1, signal)) === null)
      return { ...unlinked, after: null };
    // Something lies beyond: the log has grown that far since, or, as the walk will find, there is a gap.
    keySeq = await lookBefore();
    if (keySeq === null) return { ...unlinked, after: before - 1 };
  }

  const key = log.keys.event(keySeq);
  const object = await log.objects.get(key, { signal });
  if (object === null) throw vanished(keySeq, factsOf(log, key));
  const facts = factsOf(log, key);
  const record = recordAlone(object.body, keySeq, before, facts);
  if (known && !record) return { chain: new ChainWalk(known), after: before, rest: [] };
  if (!record) {
    const chain = new ChainWalk(lastRecordOf(object.body, keySeq, facts));
    return { chain, after: keySeq, rest: [] };
  }
  const anchored = { seq: before, hash: record.view.eventHash };
  if (known && anchored.hash !== known.hash) throw anchorDiffers(known, anchored.hash);
  if (!known) onAnchor({ ...anchored, source: "record" });
  const chain = new ChainWalk(anchored);
  return { chain, after: keySeq, rest: verifyRest(chain, object.body, keySeq, facts) };
}

interface Fetched {
  readonly item: EventObject;
  readonly result: Buffer | null;
}

function fetchObjects(log: LogOnObjects, after: number, { toSeq, signal }: WalkRange): AsyncGenerator<Fetched> {
  // What lies beyond the range is not fetched; that it is there shows a gap at the range's end.
  const get = async (item: EventObject, abort: AbortSignal): Promise<Buffer | null> =>
    item.seq > toSeq || item.size > MAX_OBJECT_BYTES
      ? null
      : ((await log.objects.get(item.key, { signal: abort }))?.body ?? null);
  return fetchAhead((abort) => upToFirstBeyond(listEvents(log.objects, log.keys, after, abort), toSeq), get, {
    width: WINDOW,
    maxWeight: WINDOW_BYTES,
    weight: (item) => item.size,
    signal,
  });
}

async function* upToFirstBeyond(events: AsyncIterable<EventObject>, toSeq: number): AsyncGenerator<EventObject> {
  for await (const event of events) {
    yield event;
    if (event.seq > toSeq) return;
  }
}

function vanished(seq: number, facts: ReturnType<typeof factsOf>): VerificationError {
  const at = { seq, expected: seq, actual: "no object" };
  return new VerificationError("GAP", at, `record ${String(seq)} is missing: its object was listed, but is gone`, {
    facts,
  });
}
