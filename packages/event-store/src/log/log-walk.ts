import type { ChainWalk, WalkedLines } from "../core/chain.js";
import { EventStoreError, VerificationError } from "../core/errors.js";
import { linesOf } from "../core/lines.js";
import { placeBefore } from "../core/record-view.js";
import { walkRest } from "./event-object.js";
import { lastEventUpTo } from "./listing.js";
import { factsOf, type LogOnObjects } from "./log-on-objects.js";
import { stepOf, walkEventObjects } from "./object-walk.js";
import type { SegmentCatalog, SegmentEntry } from "./segments/catalog.js";
import { compactable } from "./segments/layout.js";
import { SegmentUnusable } from "./segments/segment-file.js";
import { segmentObject } from "./segments/segment-object.js";
import { SegmentTrust } from "./segments/segment-trust.js";
import type { WalkRange, WalkStep } from "./walk.js";

/** Fewer records than that are not worth a look for segments, as long as their event objects are there. */
const WORTHWHILE = 256;

/** Why event objects end. `gap`: null at the log's end. */
interface Stop {
  readonly gap: VerificationError | null;
}

/**
 * Walks the records behind those that `chain` has come to: through segments where they are, else through event objects. A segment that
 * is damaged, gone or archived is left out, said, and made up for by what else holds its records; only when nothing does, what is
 * wrong with it is the verdict on the log.
 */
export class LogWalk {
  readonly #log: LogOnObjects;
  readonly #chain: ChainWalk;
  readonly #range: WalkRange;
  readonly #catalog: SegmentCatalog;
  /** Key of the last event object taken up. */
  #after: number;
  /** What was wrong with the segments that were left out. */
  readonly #left: { readonly segment: SegmentEntry; readonly fault: EventStoreError; readonly foreign: boolean }[] = [];
  /** There is none of the event objects before this seq that the walk has yet to come to. */
  #objectsFrom = 0;
  /** What was walked last may have ended within an event object. */
  #inside = false;
  readonly #trust: SegmentTrust;
  /** Segments that were gone when they were read. */
  readonly #gone = new Set<string>();

  constructor(log: LogOnObjects, chain: ChainWalk, range: WalkRange, catalog: SegmentCatalog, after: number) {
    this.#log = log;
    this.#chain = chain;
    this.#range = range;
    this.#catalog = catalog;
    this.#after = after;
    this.#inside = range.unanchored === true;
    this.#trust = new SegmentTrust(log, range.signal);
  }

  async *steps(): AsyncGenerator<WalkStep> {
    const { toSeq, likelyEnd } = this.#range;
    /** Event objects do not go on here: only a segment can. */
    let stop: Stop | null = null;
    while (this.#chain.head.seq < toSeq) {
      const next = this.#chain.head.seq + 1;
      const look: boolean = stop !== null || this.#mayBeCompacted(next);
      const segment = look && next >= this.#range.fromSeq ? await this.#catalog.covering(next) : null;
      if (segment !== null) {
        stop = null;
        yield* this.#walkSegment(segment, next);
        continue;
      }
      if (stop !== null) {
        const { gap } = stop;
        // At the log's end, a segment of another log says nothing of this one.
        const left = this.#left.find(({ segment: { first, last }, foreign }) => {
          return first <= next && next <= last && !(gap === null && foreign);
        });
        const fault = left?.fault ?? gap;
        if (fault === null) return;
        throw fault;
      }
      const until: number = look ? Math.min(toSeq, ((await this.#catalog.nextStart(next)) ?? Infinity) - 1) : toSeq;
      stop = yield* this.#walkObjects(until);
      if (stop !== null && this.#inside && this.#chain.head.seq < next) {
        // Nothing begins here; but what a segment gave before may have ended within an object.
        yield* this.#enter(next);
        if (this.#chain.head.seq >= next) stop = null;
      }
      // What the log may reach beyond the end of the event objects is in segments.
      if (stop?.gap === null && likelyEnd !== undefined && this.#chain.head.seq >= likelyEnd) return;
    }
  }

  /** Null when they reach so far; else why they end before: a gap, or the log's end. */
  async *#walkObjects(until: number): AsyncGenerator<WalkStep, Stop | null> {
    const range = { ...this.#range, toSeq: until, batches: this.#inside || this.#range.batches === true };
    const gap = yield* walkEventObjects(this.#log, this.#chain, range, this.#after);
    if (gap !== null) this.#objectsFrom = Number(gap.actual) || 0;
    const { seq } = this.#chain.head;
    if (seq > this.#after) this.#inside = seq >= until;
    this.#after = seq;
    return seq >= until ? null : { gap };
  }

  /** The rest of the event object that record `next` stands in, and does not begin. */
  async *#enter(next: number): AsyncGenerator<WalkStep> {
    const { objects, keys } = this.#log;
    const { signal } = this.#range;
    this.#inside = false;
    const keySeq = await lastEventUpTo(objects, keys, next, signal);
    if (keySeq === null || keySeq === next) return;
    const key = keys.event(keySeq);
    const object = await objects.get(key, { signal });
    if (object === null) return;
    yield* stepOf(this.#chain, walkRest(this.#chain, object.body, keySeq, factsOf(this.#log, key), this.#range));
    this.#after = this.#chain.head.seq;
  }

  /** Without a stored head nothing is known of how far the log reaches. */
  #mayBeCompacted(next: number): boolean {
    const { fromSeq, toSeq, likelyEnd, objectsFirst } = this.#range;
    if (next < fromSeq) return false;
    if (next < this.#objectsFrom) return true;
    if (objectsFirst === true) return false;
    return likelyEnd === undefined || Math.min(compactable(likelyEnd), toSeq + 1) - next >= WORTHWHILE;
  }

  async *#walkSegment(segment: SegmentEntry, next: number): AsyncGenerator<WalkStep> {
    const { objects } = this.#log;
    const { signal, objectsFirst } = this.#range;
    // Where event objects come first, they go on where there is one again.
    const objectsFrom = objectsFirst === true && this.#objectsFrom > next ? this.#objectsFrom : Infinity;
    const toSeq = Math.min(this.#range.toSeq, segment.last, objectsFrom - 1);
    try {
      await this.#trust.check(segment);
      for await (const block of segmentObject(objects, segment).blocks({ fromSeq: next, toSeq, signal })) {
        yield* stepOf(this.#chain, this.#walkBlock(segment, block, toSeq));
        if (this.#chain.head.seq >= toSeq) break;
      }
      if (this.#chain.head.seq < toSeq) throw new SegmentUnusable(segment.key, "it ends before its last record");
    } catch (error) {
      await this.#leave(segment, error);
    }
    this.#after = this.#chain.head.seq;
    this.#inside = true;
  }

  #walkBlock(segment: SegmentEntry, block: Buffer, toSeq: number): WalkedLines {
    const chain = this.#chain;
    const next = chain.head.seq + 1;
    const { wanted } = this.#range;
    const facts = factsOf(this.#log, segment.key);
    return chain.acceptLines(block, { from: offsetOf(block, next), limit: toSeq - next + 1, wanted, facts });
  }

  /** Goes on without it. @throws what is no fault of the segment */
  async #leave(segment: SegmentEntry, error: unknown): Promise<void> {
    if (error instanceof SegmentUnusable && error.gone && !this.#gone.has(segment.key)) {
      this.#gone.add(segment.key);
      await this.#catalog.refresh();
      return;
    }
    const fault = error instanceof SegmentUnusable ? this.#unreadable(segment, error) : error;
    const itsOwn =
      fault instanceof VerificationError || (fault instanceof EventStoreError && fault.code === "ARCHIVED");
    if (!itsOwn) throw error;
    this.#catalog.drop(segment);
    this.#left.push({ segment, fault, foreign: error instanceof SegmentUnusable && error.foreign });
    const why = error instanceof SegmentUnusable ? error.message : `the segment ${segment.key}: ${fault.message}`;
    this.#log.onWarning?.({ code: "SEGMENT_UNUSABLE", message: `${why}; its records are read from elsewhere` });
  }

  #unreadable({ key }: SegmentEntry, error: SegmentUnusable): VerificationError {
    const seq = this.#chain.head.seq + 1;
    const at = { seq, expected: "a segment of records", actual: error.message };
    return new VerificationError("MALFORMED", at, `record ${String(seq)} is in no readable object: ${error.message}`, {
      facts: factsOf(this.#log, key),
      hint: "the event objects of this range were pruned: take the segment from a backup or a copy of the bucket",
    });
  }
}

/** Where in a block of consecutive records the line of record `seq` begins; 0 for a block that begins with it or behind it, or with none. */
function offsetOf(block: Buffer, seq: number): number {
  let found: number | null = null;
  for (const line of linesOf(block)) {
    found ??= (placeBefore(line)?.seq ?? seq) + 1;
    if (found >= seq) return line.byteOffset - block.byteOffset;
    found++;
  }
  return block.length;
}
