import { ChainWalk, type WalkedLines } from "../core/chain.js";
import type { Anchor } from "../core/event.js";
import { anchorDiffers } from "../core/head-check.js";
import { lastRecordOf, recordAlone, walkRest } from "./event-object.js";
import { eventsAround, firstEventAfter } from "./listing.js";
import { stepOf, vanished } from "./object-walk.js";
import { SegmentCatalog } from "./segments/catalog.js";
import { EMPTY, factsOf, type LogOnObjects } from "./log-on-objects.js";
import { LogWalk } from "./log-walk.js";
import { recordInSegments } from "./segments/segment-record.js";
import { recordAt } from "./tail.js";
import type { WalkRange, WalkStep } from "./walk.js";

export type { WalkRange, WalkStep } from "./walk.js";
/**
 * The records fromSeq … toSeq in order, each verified: from the fewest, largest segments that cover them, and from event objects where
 * there are none, or none that is whole. What lies before `fromSeq` is not fetched, save what holds the record before it.
 * @throws VerificationError at the first fault, behind the good records before it
 */
export async function* walkObjects(log: LogOnObjects, range: WalkRange): AsyncGenerator<WalkStep> {
  const catalog = new SegmentCatalog(log.objects, log.keys, range.signal);
  const { chain, after, rest, batches } = await start(log, catalog, range);
  if (rest) yield* stepOf(chain, rest);
  if (after !== null) yield* new LogWalk(log, chain, { ...range, batches }, catalog, after).steps();
}

interface Start {
  readonly chain: ChainWalk;
  /** Objects beyond this seq come next; null: the log does not reach `fromSeq`. */
  readonly after: number | null;
  /** Records of the range that share an object with the anchor. */
  readonly rest?: WalkedLines;
  /** The next object holds several records. */
  readonly batches?: boolean;
}

async function start(log: LogOnObjects, catalog: SegmentCatalog, range: WalkRange): Promise<Start> {
  const { fromSeq, anchor, onAnchor, signal } = range;
  if (range.unanchored === true) return unanchored(log, range);
  const known: Anchor | null = anchor
    ? { ...anchor, source: "caller" }
    : fromSeq === 0
      ? { ...EMPTY, source: "genesis" }
      : null;
  if (known) onAnchor(known);
  if (fromSeq === 0) return { chain: new ChainWalk(), after: -1 };
  const before = fromSeq - 1;
  const lookBefore = (): ReturnType<typeof eventsAround> =>
    eventsAround(log.objects, log.keys, known ? fromSeq : before, signal);
  const { last, next } = await lookBefore();
  let keySeq = last;
  if (known && (keySeq === null || keySeq === fromSeq)) {
    // What comes last holds all that is left.
    const batches = keySeq === fromSeq && (next === null || (next !== undefined && next > fromSeq + 1));
    return { chain: new ChainWalk(known), after: before, batches };
  }
  if (keySeq === null) {
    const compacted = known ? null : await anchorInSegment(log, catalog, range);
    if (compacted) return compacted;
    const chain = new ChainWalk({ seq: before - 1, hash: "" });
    if ((await firstEventAfter(log.objects, log.keys, before - 1, signal)) === null) return { chain, after: null };
    // Something lies beyond: the log has grown that far since, or, as the walk will find, there is a gap.
    keySeq = (await lookBefore()).last;
    if (keySeq === null) return { chain, after: before - 1 };
  }

  const key = log.keys.event(keySeq);
  const object = await log.objects.get(key, { signal });
  if (object === null) {
    // Pruned since it was listed.
    const compacted = known ? null : await anchorInSegment(log, catalog, range);
    if (compacted) return compacted;
    throw vanished(keySeq, factsOf(log, key));
  }
  const facts = factsOf(log, key);
  const record = recordAlone(object.body, keySeq, before, facts);
  if (known && !record) return { chain: new ChainWalk(known), after: before };
  if (!record) {
    const compacted = await anchorInSegment(log, catalog, range);
    return compacted ?? { chain: new ChainWalk(lastRecordOf(object.body, keySeq, facts)), after: keySeq };
  }
  const anchored = { seq: before, hash: record.eventHash };
  if (known && anchored.hash !== known.hash) throw anchorDiffers(known, anchored.hash);
  if (!known) onAnchor({ ...anchored, source: "record" });
  const chain = new ChainWalk(anchored);
  return { chain, after: keySeq, rest: walkRest(chain, object.body, keySeq, facts, range) };
}

/** The record before the range, where only a segment has it. */
async function anchorInSegment(log: LogOnObjects, catalog: SegmentCatalog, range: WalkRange): Promise<Start | null> {
  const record = await recordInSegments(log, catalog, range.fromSeq - 1, range.signal);
  if (record === null) return null;
  const anchored = { seq: record.seq, hash: record.eventHash };
  range.onAnchor({ ...anchored, source: "record" });
  return { chain: new ChainWalk(anchored), after: record.seq };
}

/** Begins behind whatever the first record says that it links to. */
async function unanchored(log: LogOnObjects, { fromSeq, signal }: WalkRange): Promise<Start> {
  const record = await recordAt(log, fromSeq, signal);
  return record === null
    ? { chain: new ChainWalk(), after: null }
    : { chain: new ChainWalk({ seq: fromSeq - 1, hash: record.prevHash }), after: fromSeq - 1 };
}
