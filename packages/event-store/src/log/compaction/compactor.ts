import { EventStoreError, VerificationError } from "../../core/errors.js";
import { MAX_SEQ, type Head } from "../../core/event.js";
import type { Runtime } from "../../system/runtime.js";
import type { SeqRange } from "../keys.js";
import { EMPTY, factsOf, vanished, type LogOnObjects } from "../log-on-objects.js";
import { RunBuilder, type SegmentRecords } from "../index/build-run.js";
import { ensureIndex } from "../index/ensure-index.js";
import { listIndex, longest } from "../index/list-index.js";
import { walkObjects } from "../reader.js";
import { listSegments, type SegmentEntry } from "../segments/catalog.js";
import {
  compactable,
  MAX_RECORDS_BYTES,
  MAX_STORED_BYTES,
  partsOf,
  runAt,
  runFrom,
  TOP_LEVEL,
  widest,
} from "../segments/layout.js";
import { BadSegment, recordsOf, type ProvenSegment } from "../segments/segment-proof.js";
import { SegmentUnusable } from "../segments/segment-file.js";
import { SegmentTrust } from "../segments/segment-trust.js";
import { findTail, recordBefore } from "../tail.js";
import type { CompactionReport, CompactOptions } from "../upkeep.js";
import { joinSegments, SegmentBuilder, type BuiltSegment } from "./segment-builder.js";
import { SegmentStore } from "./segment-store.js";

/** A segment that is there, as a LIST or its making said. */
interface Known extends SeqRange {
  readonly size: number;
}

/**
 * Makes segments of all full base runs of a log, and larger ones of those (docs/SPEC.md, "Segments"). What is made depends on the
 * records alone, and each step leaves a log that reads the same: so it may be interrupted anywhere, and run elsewhere at the same time.
 */
export class Compactor {
  readonly #log: LogOnObjects;
  readonly #store: SegmentStore;
  readonly #options: CompactOptions;
  #known: Known[] = [];
  /** Built, and not written yet: the beginning of a top run that may be written at once … */
  #held: BuiltSegment[] = [];
  /** … and its index run, made beside it. */
  #topIndex: RunBuilder | null = null;
  readonly #runtime: Runtime;
  readonly #indexes: boolean;
  /** First seqs of segments that were found damaged, and of those whose index is complete. */
  readonly #damaged = new Set<number>();
  readonly #indexed = new Set<number>();
  #written = 0;
  #merged = 0;

  constructor(log: LogOnObjects, runtime: Runtime, options: CompactOptions = {}) {
    this.#log = log;
    this.#store = new SegmentStore(log, runtime);
    this.#options = options;
    this.#runtime = runtime;
    this.#indexes = options.index ?? true;
  }

  /** @throws VerificationError when the log is not good, or a segment contradicts it; BackendError; EventStoreError ABORTED */
  async run(): Promise<CompactionReport> {
    const { signal, onProgress } = this.#options;
    const head = await findTail(this.#log, signal);
    const of = compactable(head.seq);
    const segments: SegmentEntry[] = [];
    for await (const page of listSegments(this.#log.objects, this.#log.keys, 0, signal)) segments.push(...page);
    await this.#check(segments);
    this.#known = segments;
    for (let next = 0; next < of;) {
      throwIfAborted(signal);
      onProgress?.({ records: next, of });
      const covering = widest(this.#known, next);
      if (covering) await this.#flush();
      next = 1 + (covering ?? (await this.#build(runFrom(next)))).last;
      const top = runAt(next - 1, TOP_LEVEL);
      if (next - 1 === top.last) await this.#merge(top);
    }
    await this.#flush();
    if (this.#options.check === true) await this.#mendSegments();
    if (this.#indexes) await this.#mendIndex();
    onProgress?.({ records: of, of });
    return { written: this.#written, merged: this.#merged, records: of, head };
  }

  /** The last segment, or with the option all of them, must be of this log. @throws VerificationError */
  async #check(segments: readonly SegmentEntry[]): Promise<void> {
    const trust = new SegmentTrust(this.#log, this.#options.signal);
    for (const segment of longest(segments).slice(this.#options.check === true ? 0 : -1)) {
      throwIfAborted(this.#options.signal);
      try {
        await trust.check(segment);
      } catch (error) {
        // Damage, an archive, or somebody else's merge, says nothing about the log.
        if (isOwnTrouble(error)) continue;
        if (!(error instanceof SegmentUnusable)) throw error;
        const at = { seq: segment.last, expected: "a segment of this log", actual: error.message };
        throw new VerificationError("CHAIN_BROKEN", at, error.message, {
          facts: factsOf(this.#log, segment.key),
          hint: "the log was rolled back or rewritten since the segment was made, or the segment was: find out which; then delete the one that is wrong",
        });
      }
    }
  }

  /** Makes a segment of a run; of its first part, when it is too large. */
  async #build(run: SeqRange): Promise<SeqRange> {
    const { signal } = this.#options;
    const held = this.#held.at(-1);
    const before =
      held?.last === run.first - 1 ? held.end : await recordBefore(this.#log, run.first, this.#options.signal);
    const builder = new SegmentBuilder(run, before);
    const top = runAt(run.first, TOP_LEVEL);
    if (run.first === top.first && this.#indexes) this.#topIndex = new RunBuilder(top, before);
    else if (held?.last !== run.first - 1) this.#topIndex = null;
    const range = { fromSeq: run.first, toSeq: run.last, objectsFirst: true, onAnchor: () => undefined, signal };
    let end = before;
    for await (const { records, head } of walkObjects(this.#log, {
      ...range,
      ...(run.first > 0 && { anchor: before }),
    })) {
      await builder.add(records);
      await this.#topIndex?.add(records);
      end = head;
      if (builder.tooLarge) break;
    }
    if (builder.tooLarge) {
      this.#topIndex = null;
      return this.#build(partsOf(run)[0] ?? run);
    }
    if (end.seq < run.last) throw vanished(this.#log, this.#log.keys.event(end.seq + 1), end.seq + 1);
    await this.#hold(await builder.end(end));
    return run;
  }

  /** Keeps a segment as long as it may become part of a larger one at once. */
  async #hold(segment: BuiltSegment): Promise<void> {
    const top = runAt(segment.first, TOP_LEVEL);
    const held = [...this.#held, segment];
    const parts = partsOf(top);
    const fits =
      held.every(({ first, last }, i) => parts[i]?.first === first && parts[i].last === last) &&
      held.reduce((sum, { body }) => sum + body.length, 0) <= MAX_STORED_BYTES &&
      held.reduce((sum, { bytes }) => sum + bytes, 0) <= MAX_RECORDS_BYTES;
    this.#held = held;
    if (!fits) await this.#flush();
    else if (held.length === parts.length) {
      this.#held = [];
      const [whole, index] = [joinSegments(held), this.#topIndex];
      await this.#write(whole, index ? () => index.end(whole.end) : undefined);
      this.#topIndex = null;
    }
  }

  async #flush(): Promise<void> {
    const held = this.#held;
    this.#held = [];
    this.#topIndex = null;
    for (const segment of held) await this.#write(segment);
  }

  async #write(segment: BuiltSegment, run?: () => Promise<Buffer>): Promise<void> {
    if ((await this.#store.write(segment, this.#options.signal)) === "written") this.#written++;
    await this.#index({ ...segment, records: () => recordsOf(segment), run });
    this.#known.push({ first: segment.first, last: segment.last, size: segment.body.length });
  }

  /** Makes one segment of the ten of a top run, where that is small enough. */
  async #merge(top: SeqRange): Promise<void> {
    const { signal } = this.#options;
    const parts = partsOf(top).map((part) => this.#known.find((known) => isSame(known, part)));
    const there = parts.filter((part) => part !== undefined);
    const whole = this.#known.some((known) => isSame(known, top));
    if (there.length === 0 || (!whole && there.length < parts.length)) return;
    if (!whole && there.reduce((sum, { size }) => sum + size, 0) > MAX_STORED_BYTES) return;
    await this.#flush();
    const before = await recordBefore(this.#log, top.first, this.#options.signal);
    const proven = whole ? await this.#readable(top, before) : await this.#join(top, there, before);
    if (proven === null) return;
    await this.#index({ ...proven, records: () => recordsOf(proven) });
    for (const part of there) await this.#store.remove(part, signal);
    this.#known = this.#known.filter((known) => !there.includes(known));
    if (!whole) this.#known.push({ ...top, size: proven.body.length });
    this.#merged += there.length;
  }

  /** Reads every segment in full; those that are damaged are made anew. */
  async #mendSegments(): Promise<void> {
    let before: Head = EMPTY;
    for (const segment of longest(this.#known)) {
      throwIfAborted(this.#options.signal);
      if (before.seq !== segment.first - 1) before = await recordBefore(this.#log, segment.first, this.#options.signal);
      const proven = (await this.#readable(segment, before)) ?? (await this.#anew(segment, before));
      before = proven?.end ?? EMPTY;
    }
  }

  /** Segments that have no index run: from before there was an index, or from a run that was interrupted. */
  async #mendIndex(): Promise<void> {
    const { signal } = this.#options;
    const runs = await listIndex(this.#log, "runs", { first: 0, last: MAX_SEQ }, signal);
    for (const segment of longest(this.#known)) {
      throwIfAborted(signal);
      if (runs.some((run) => isSame(run, segment)) || this.#indexed.has(segment.first)) continue;
      const proven = await this.#readable(segment, await recordBefore(this.#log, segment.first, this.#options.signal));
      if (proven) await this.#index({ ...proven, records: () => recordsOf(proven) });
    }
  }

  async #index(segment: SegmentRecords): Promise<void> {
    if (!this.#indexes) return;
    const { onWarning } = this.#log;
    await ensureIndex(this.#log, [segment], { onWarning, runtime: this.#runtime, signal: this.#options.signal });
    this.#indexed.add(segment.first);
  }

  /** The segment of a top run that stands in for its parts now; null when it does not, or somebody else was faster. */
  async #join(top: SeqRange, parts: readonly Known[], before: Head): Promise<ProvenSegment | null> {
    const bodies: Buffer[] = [];
    let end = before;
    for (const part of parts) {
      const proven = (await this.#readable(part, end)) ?? (await this.#anew(part, end));
      if (proven === null) return null;
      bodies.push(proven.body);
      end = proven.end;
    }
    const segment = { ...top, before, end, body: Buffer.concat(bodies) };
    const outcome = await this.#store.write(segment, this.#options.signal);
    if (outcome === "written") this.#written++;
    return outcome === "gone" ? null : segment;
  }

  /** A damaged part, made anew from the log, and only then replaced. @throws VerificationError when the log cannot give its records */
  async #anew(part: Known, before: Head): Promise<ProvenSegment | null> {
    if (!this.#damaged.delete(part.first)) return null;
    await this.#build(part);
    await this.#flush();
    return this.#readable(part, before);
  }

  /** A segment, read in full; null, and said, when it cannot be, or is not good. */
  async #readable(segment: SeqRange, before: Head): Promise<ProvenSegment | null> {
    try {
      return await this.#store.read(segment, before, this.#options.signal);
    } catch (error) {
      const archived = error instanceof EventStoreError && error.code === "ARCHIVED";
      if (!archived && !(error instanceof BadSegment)) throw error;
      if (!archived) this.#damaged.add(segment.first);
      const key = this.#log.keys.segment(segment.first, segment.last);
      const message = `the segment ${key} cannot be used: ${error.message}`;
      this.#log.onWarning?.({ code: "SEGMENT_UNUSABLE", message });
      return null;
    }
  }
}

/** Of a segment that may well be of this log. */
function isOwnTrouble(error: unknown): boolean {
  if (error instanceof SegmentUnusable) return !error.foreign;
  return error instanceof VerificationError || (error instanceof EventStoreError && error.code === "ARCHIVED");
}

function isSame(a: SeqRange, b: SeqRange): boolean {
  return a.first === b.first && a.last === b.last;
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new EventStoreError("ABORTED", "the compaction was interrupted; run it again to go on", {
      cause: signal.reason,
    });
}
