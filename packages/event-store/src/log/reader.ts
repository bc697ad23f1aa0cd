import { ChainWalk, gap, type WalkedLines } from "../core/chain.js";
import { VerificationError, type ErrorFacts } from "../core/errors.js";
import type { Anchor, Head } from "../core/event.js";
import { anchorDiffers } from "../core/head-check.js";
import type { RecordFields } from "../core/record-scan.js";
import type { RecordView } from "../core/record-view.js";
import { lastRecordOf, MAX_OBJECT_BYTES, oversized, recordAlone, walkObject, walkRest } from "./event-object.js";
import { firstEventAfter, lastEventUpTo, listEvents } from "./listing.js";
import { PROBE_BYTES, ReadWindow, WINDOW_BYTES, WINDOW_LEAST } from "./read-window.js";
import { EMPTY, factsOf, type LogOnObjects } from "./tail.js";
import { fetchAhead } from "./window.js";

export interface WalkRange {
  readonly fromSeq: number;
  /** Inclusive. */
  readonly toSeq: number;
  /** The record before `fromSeq`, when the caller knows it. */
  readonly anchor?: Head | undefined;
  /** Check the first record alone, not its link; only where no anchor is given. A source that cannot may anchor it all the same. */
  readonly unanchored?: boolean | undefined;
  /** Told once, before the first record, what the walk starts from. */
  readonly onAnchor: (anchor: Anchor) => void;
  /** The records to hand out, told by their bytes; default: all. Every record is verified. */
  readonly wanted?: ((fields: RecordFields) => boolean) | undefined;
  /** The log is likely to reach this seq: a hint, of no consequence when it is wrong. */
  readonly likelyEnd?: number | undefined;
  /** Verify with so many threads, where the store can; of no consequence to the verdicts. */
  readonly threads?: number | undefined;
  /** With threads: seqs whose hashes are wanted, whatever `wanted` says. */
  readonly marks?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Some records of a walk, verified together. */
export interface WalkStep {
  /** Those that are wanted, in order. */
  readonly records: readonly RecordView[];
  /** The last good record so far. */
  readonly head: Head;
  /** How many of the range were verified in this step. */
  readonly count: number;
  /** With threads, which hand out no records: the marks that they came by. */
  readonly seen?: readonly Head[];
}

/**
 * The records fromSeq … toSeq in order, each verified. What lies before `fromSeq` is not fetched, save the one object that
 * holds the record before it. As long as each object holds one record, keys are computed, up to where the log is likely to
 * end; from the first that holds more, is large, or is missing, and to find the end, they are listed.
 * @throws VerificationError at the first fault, behind the good records before it
 */
export async function* walkObjects(log: LogOnObjects, range: WalkRange): AsyncGenerator<WalkStep> {
  const { chain, after, rest } = await start(log, range);
  if (rest) yield* stepOf(chain, rest);
  if (after === null || chain.head.seq >= range.toSeq) return;
  const walk = new ObjectWalk(log, chain, range, after);
  const window = new ReadWindow();
  // Behind a batch there may be others.
  if (chain.head.seq === after) {
    const computed = (): Iterable<Candidate> => computedKeys(log, after, Math.min(range.toSeq, range.likelyEnd ?? -1));
    for await (const objects of fetchWindow(log, window, range, computed)) {
      yield* walk.take(objects, true);
      if (walk.ended() || !walk.singles) break;
    }
  }
  if (walk.ended()) return;
  const listed = (signal: AbortSignal): AsyncIterable<Candidate> =>
    upToFirstBeyond(listEvents(log.objects, log.keys, walk.after, signal), range.toSeq);
  for await (const objects of fetchWindow(log, window, range, listed)) {
    yield* walk.take(objects, false);
    if (walk.ended()) return;
  }
}

/** Takes up objects as they come. */
class ObjectWalk {
  /** Key of the last object taken up. */
  after: number;
  /** So far each object was there, was small, and held one record. */
  singles = true;
  readonly #log: LogOnObjects;
  readonly #chain: ChainWalk;
  readonly #range: WalkRange;

  constructor(log: LogOnObjects, chain: ChainWalk, range: WalkRange, after: number) {
    this.#log = log;
    this.#chain = chain;
    this.#range = range;
    this.after = after;
  }

  /** The range's last record was verified. */
  ended(): boolean {
    return this.#chain.head.seq >= this.#range.toSeq;
  }

  /** One step for all of them. `computed`: of keys that need not exist; the first that shows that it is none of them ends it. */
  *take(objects: readonly FetchedObject[], computed: boolean): Generator<WalkStep> {
    const records: RecordView[] = [];
    let count = 0;
    let fault: VerificationError | null = null;
    for (const object of objects) {
      if (computed && (object.body === null || object.body.length > PROBE_BYTES)) {
        this.singles = false;
        break;
      }
      const walked = this.#walk(object);
      this.after = object.seq;
      for (const record of walked.records) records.push(record);
      count += walked.count;
      fault = walked.fault;
      this.singles &&= this.#chain.head.seq === object.seq;
      if (fault !== null || this.ended() || (computed && !this.singles)) break;
    }
    yield* stepOf(this.#chain, { records, count, fault });
  }

  #walk({ seq, key, size, body }: FetchedObject): Walked {
    const { fromSeq } = this.#range;
    const chain = this.#chain;
    const facts = factsOf(this.#log, key);
    const expected = chain.head.seq + 1;
    if (seq > expected) return faulty(gap(expected, seq, { facts }));
    if (size > MAX_OBJECT_BYTES) return faulty(oversized(expected, size, facts));
    if (body === null) return faulty(vanished(expected, facts));
    if (expected >= fromSeq) return walkObject(chain, body, seq, facts, this.#range);
    // The log ended before `fromSeq` and has grown since: these records are on the way there.
    const { fault } = walkObject(chain, body, seq, facts, { toSeq: fromSeq - 1, wanted: () => false });
    if (fault !== null || chain.head.seq < fromSeq - 1) return { records: [], count: 0, fault };
    this.#range.onAnchor({ ...chain.head, source: "record" });
    return walkRest(chain, body, seq, facts, this.#range);
  }
}

type Walked = Omit<WalkedLines, "end">;

function faulty(fault: VerificationError): Walked {
  return { records: [], count: 0, fault };
}

/** A step for what was walked, then the fault that ended it. */
function* stepOf(chain: ChainWalk, { records, count, fault }: Walked): Generator<WalkStep> {
  if (count > 0) yield { records, count, head: chain.head };
  if (fault) throw fault;
}

interface Start {
  readonly chain: ChainWalk;
  /** Objects beyond this seq come next; null: the log does not reach `fromSeq`. */
  readonly after: number | null;
  /** Records of the range that share an object with the anchor. */
  readonly rest?: WalkedLines;
}

async function start(log: LogOnObjects, range: WalkRange): Promise<Start> {
  const { fromSeq, anchor, onAnchor, signal } = range;
  const known: Anchor | null = anchor
    ? { ...anchor, source: "caller" }
    : fromSeq === 0
      ? { ...EMPTY, source: "genesis" }
      : null;
  if (known) onAnchor(known);
  if (fromSeq === 0) return { chain: new ChainWalk(), after: -1 };
  const before = fromSeq - 1;
  const lookBefore = (): Promise<number | null> =>
    lastEventUpTo(log.objects, log.keys, known ? fromSeq : before, signal);
  let keySeq = await lookBefore();
  if (known && (keySeq === null || keySeq === fromSeq)) return { chain: new ChainWalk(known), after: before };
  if (keySeq === null) {
    const chain = new ChainWalk({ seq: before - 1, hash: "" });
    if ((await firstEventAfter(log.objects, log.keys, before - 1, signal)) === null) return { chain, after: null };
    // Something lies beyond: the log has grown that far since, or, as the walk will find, there is a gap.
    keySeq = await lookBefore();
    if (keySeq === null) return { chain, after: before - 1 };
  }

  const key = log.keys.event(keySeq);
  const object = await log.objects.get(key, { signal });
  if (object === null) throw vanished(keySeq, factsOf(log, key));
  const facts = factsOf(log, key);
  const record = recordAlone(object.body, keySeq, before, facts);
  if (known && !record) return { chain: new ChainWalk(known), after: before };
  if (!record) return { chain: new ChainWalk(lastRecordOf(object.body, keySeq, facts)), after: keySeq };
  const anchored = { seq: before, hash: record.eventHash };
  if (known && anchored.hash !== known.hash) throw anchorDiffers(known, anchored.hash);
  if (!known) onAnchor({ ...anchored, source: "record" });
  const chain = new ChainWalk(anchored);
  return { chain, after: keySeq, rest: walkRest(chain, object.body, keySeq, facts, range) };
}

/** An object that can hold the next records. */
interface Candidate {
  readonly seq: number;
  readonly key: string;
  /** Bytes, as a LIST said; undefined for a key that was computed. */
  readonly size?: number | undefined;
}

interface FetchedObject extends Candidate {
  readonly size: number;
  readonly body: Buffer | null;
}

async function* fetchWindow(
  { objects }: LogOnObjects,
  window: ReadWindow,
  { toSeq, signal }: WalkRange,
  source: (signal: AbortSignal) => AsyncIterable<Candidate> | Iterable<Candidate>,
): AsyncGenerator<readonly FetchedObject[]> {
  const get = async ({ seq, key, size }: Candidate, abort: AbortSignal): Promise<Buffer | null> => {
    // What lies beyond the range is not fetched; that it is there shows a gap at the range's end.
    if (seq > toSeq || (size ?? 0) > MAX_OBJECT_BYTES) return null;
    const { onSlowDown, answered } = window.begin();
    const range = size === undefined ? PROBE : {};
    const body = (await objects.get(key, { ...range, signal: abort, onSlowDown }))?.body ?? null;
    answered();
    return body;
  };
  const limits = {
    width: () => window.width,
    maxWeight: WINDOW_BYTES,
    least: WINDOW_LEAST,
    weight: ({ size }: Candidate) => size ?? PROBE_BYTES,
    signal,
  };
  for await (const fetched of fetchAhead(source, get, limits))
    yield fetched.map(({ item: { seq, key, size }, result: body }) => ({
      seq,
      key,
      size: size ?? body?.length ?? 0,
      body,
    }));
}

/** One byte more shows that there is more. */
const PROBE = { range: { start: 0, end: PROBE_BYTES + 1 } };

function* computedKeys({ keys }: LogOnObjects, after: number, to: number): Generator<Candidate> {
  for (let seq = after + 1; seq <= to; seq++) yield { seq, key: keys.event(seq) };
}

async function* upToFirstBeyond(events: AsyncIterable<Candidate>, toSeq: number): AsyncGenerator<Candidate> {
  for await (const event of events) {
    yield event;
    if (event.seq > toSeq) return;
  }
}

function vanished(seq: number, facts: ErrorFacts): VerificationError {
  const at = { seq, expected: seq, actual: "no object" };
  return new VerificationError("GAP", at, `record ${String(seq)} is missing: its object was listed, but is gone`, {
    facts,
  });
}
