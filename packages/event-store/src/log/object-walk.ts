import type { ChainWalk } from "../core/chain.js";
import { gap, type WalkedLines } from "../core/chain.js";
import { VerificationError, type ErrorFacts } from "../core/errors.js";
import type { RecordView } from "../core/record-view.js";
import { MAX_OBJECT_BYTES, oversized, walkObject, walkRest } from "./event-object.js";
import { listEvents } from "./listing.js";
import { PROBE_BYTES, ReadWindow, WINDOW_BYTES, WINDOW_LEAST } from "./read-window.js";
import { factsOf, type LogOnObjects } from "./log-on-objects.js";
import type { WalkRange, WalkStep } from "./walk.js";
import { fetchAhead } from "./window.js";

/**
 * The records behind those that `chain` has come to, up to `range.toSeq` or the log's end, from their event objects: those beyond the
 * key `after`. As long as each object holds one record, keys are computed, up to where the log is likely to end; from the first that
 * holds more, is large, or is missing, and to find the end, they are listed.
 * @returns why it ended before `range.toSeq`: an object that is missing, or null at the log's end
 * @throws VerificationError at the first fault within an object, behind the good records before it
 */
export async function* walkEventObjects(
  log: LogOnObjects,
  chain: ChainWalk,
  range: WalkRange,
  after: number,
): AsyncGenerator<WalkStep, VerificationError | null> {
  const walk = new ObjectWalk(log, chain, range, after);
  const window = new ReadWindow();
  // Behind a batch there may be others.
  if (chain.head.seq === after && range.batches !== true) {
    const computed = (): Iterable<Candidate> => computedKeys(log, after, Math.min(range.toSeq, range.likelyEnd ?? -1));
    for await (const objects of fetchWindow(log, window, range, computed)) {
      yield* walk.take(objects, true);
      if (walk.ended() || !walk.singles) break;
    }
  }
  if (walk.ended()) return walk.gap;
  const listed = (signal: AbortSignal): AsyncIterable<Candidate> =>
    upToFirstBeyond(listEvents(log.objects, log.keys, walk.after, signal), range.toSeq);
  for await (const objects of fetchWindow(log, window, range, listed)) {
    yield* walk.take(objects, false);
    if (walk.ended()) break;
  }
  return walk.gap;
}

/** Takes up objects as they come. */
class ObjectWalk {
  /** Key of the last object taken up. */
  after: number;
  /** So far each object was there, was small, and held one record. */
  singles = true;
  /** An object that is missing, and with it the next record. */
  gap: VerificationError | null = null;
  readonly #log: LogOnObjects;
  readonly #chain: ChainWalk;
  readonly #range: WalkRange;

  constructor(log: LogOnObjects, chain: ChainWalk, range: WalkRange, after: number) {
    this.#log = log;
    this.#chain = chain;
    this.#range = range;
    this.after = after;
  }

  /** The range's last record was verified, or the next one is missing. */
  ended(): boolean {
    return this.gap !== null || this.#chain.head.seq >= this.#range.toSeq;
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
      if (this.gap !== null) break;
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
    if (seq > expected) return this.#missing(gap(expected, seq, { facts }, GAP_HINT));
    if (size > MAX_OBJECT_BYTES) return faulty(oversized(expected, size, facts));
    if (body === null) return this.#missing(vanished(expected, facts));
    if (expected >= fromSeq) return walkObject(chain, body, seq, facts, this.#range);
    // The log ended before `fromSeq` and has grown since: these records are on the way there.
    const { fault } = walkObject(chain, body, seq, facts, { toSeq: fromSeq - 1, wanted: () => false });
    if (fault !== null || chain.head.seq < fromSeq - 1) return { records: [], count: 0, fault };
    this.#range.onAnchor({ ...chain.head, source: "record" });
    return walkRest(chain, body, seq, facts, this.#range);
  }

  #missing(gap: VerificationError): Walked {
    this.gap = gap;
    return { records: [], count: 0, fault: null };
  }
}

export type Walked = Omit<WalkedLines, "end">;

function faulty(fault: VerificationError): Walked {
  return { records: [], count: 0, fault };
}

/** A step for what was walked, then the fault that ended it. */
export function* stepOf(chain: ChainWalk, { records, count, fault }: Walked): Generator<WalkStep> {
  if (count > 0) yield { records, count, head: chain.head };
  if (fault) throw fault;
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

/** In a versioned bucket a delete marker hides an object from GET and LIST, and leaves it where it is. */
const GAP_HINT =
  "its object is gone: where the bucket keeps versions, rynxs fsck --versions says whether a delete marker hides it, and rynxs verify --oldest-versions reads what is below";

export function vanished(seq: number, facts: ErrorFacts): VerificationError {
  const at = { seq, expected: seq, actual: "no object" };
  return new VerificationError("GAP", at, `record ${String(seq)} is missing: its object was listed, but is gone`, {
    facts,
    hint: GAP_HINT,
  });
}
