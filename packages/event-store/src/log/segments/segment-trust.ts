import { checkAlone } from "../../core/chain.js";
import { EventStoreError, VerificationError } from "../../core/errors.js";
import { linesOf } from "../../core/lines.js";
import type { RecordView } from "../../core/record-view.js";
import { recordAlone } from "../event-object.js";
import { firstEventAfter } from "../listing.js";
import { factsOf, type LogOnObjects } from "../log-on-objects.js";
import { objectAt } from "../object-at.js";
import { SegmentCatalog, type SegmentEntry } from "./catalog.js";
import { SegmentUnusable } from "./segment-file.js";
import { segmentObject } from "./segment-object.js";

/** Enough of an event object to see its first record, as a rule. */
const PROBE_BYTES = 16 * 1024;

/**
 * Whether a segment is of the log as it is now, and not of one that was rolled back or rewritten since: the record behind its last one
 * must link to it, or, where there is none yet, the log must have that last record itself. What is not is never read. For segments in
 * the order of their seqs.
 */
export class SegmentTrust {
  readonly #log: LogOnObjects;
  readonly #signal: AbortSignal | undefined;
  readonly #catalog: SegmentCatalog;
  readonly #checked = new Set<string>();

  constructor(log: LogOnObjects, signal?: AbortSignal) {
    this.#log = log;
    this.#signal = signal;
    this.#catalog = new SegmentCatalog(log.objects, log.keys, signal);
  }

  /** @throws SegmentUnusable when it is not of the log; VerificationError when its last record is not good in itself; BackendError */
  async check(segment: SegmentEntry): Promise<void> {
    if (this.#checked.has(segment.key)) return;
    const line = await segmentObject(this.#log.objects, segment).lastLine(this.#signal);
    if (line === null) throw new SegmentUnusable(segment.key, "it holds no record");
    const { eventHash } = checkAlone(line, segment.last, { facts: factsOf(this.#log, segment.key) });
    const expected = await this.#hashOf(segment);
    if (expected !== null && expected !== eventHash)
      throw new SegmentUnusable(segment.key, "the log does not go on from its last record", { foreign: true });
    this.#checked.add(segment.key);
  }

  /** What the log says that the hash of the segment's last record is; null when there is no event object that could. */
  async #hashOf(segment: SegmentEntry): Promise<string | null> {
    const { objects, keys } = this.#log;
    const next = (await this.#begins(segment.last + 1)) ?? (await this.#inObject(segment.last + 1));
    if (next) return next.prevHash;
    const behind = await this.#inSegment(segment.last + 1);
    if (behind) return behind.prevHash;
    const last = await this.#inObject(segment.last);
    if (last) return last.eventHash;
    // What lies beyond, behind a gap, is another's to judge.
    if ((await firstEventAfter(objects, keys, segment.last, this.#signal)) !== null) return null;
    if ((await firstEventAfter(objects, keys, segment.first - 1, this.#signal)) === null) return null;
    throw new SegmentUnusable(segment.key, "the log ends before its last record", { foreign: true });
  }

  /** Record `seq`, where a segment has it; one that cannot be read says nothing. */
  async #inSegment(seq: number): Promise<RecordView | null> {
    const segment = await this.#catalog.covering(seq);
    if (segment === null) return null;
    try {
      const line = await segmentObject(this.#log.objects, segment).line(seq, this.#signal);
      return line && checkAlone(line, seq, { facts: factsOf(this.#log, segment.key) });
    } catch (error) {
      const archived = error instanceof EventStoreError && error.code === "ARCHIVED";
      if (archived || error instanceof SegmentUnusable || error instanceof VerificationError) return null;
      throw error;
    }
  }

  /** Record `seq`, where an event object begins with it. */
  async #begins(seq: number): Promise<RecordView | null> {
    const key = this.#log.keys.event(seq);
    const options = { range: { start: 0, end: PROBE_BYTES }, signal: this.#signal };
    const body = (await this.#log.objects.get(key, options))?.body;
    if (!body || (body.length === PROBE_BYTES && !body.includes(NEWLINE))) return null;
    const [line] = linesOf(body);
    return line ? checkAlone(line, seq, { keySeq: seq, facts: factsOf(this.#log, key) }) : null;
  }

  async #inObject(seq: number): Promise<RecordView | null> {
    const object = await objectAt(this.#log, seq, this.#signal);
    return object && recordAlone(object.body, object.keySeq, seq, object.facts);
  }
}

const NEWLINE = 0x0a;
