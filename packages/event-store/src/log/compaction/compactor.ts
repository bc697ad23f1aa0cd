import { EventStoreError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import type { Runtime } from "../../system/runtime.js";
import type { SeqRange } from "../keys.js";
import { EMPTY, vanished, type LogOnObjects } from "../log-on-objects.js";
import { walkObjects } from "../reader.js";
import { listSegments } from "../segments/catalog.js";
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
import { BadSegment } from "../segments/segment-proof.js";
import { findTail, recordAt } from "../tail.js";
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
  /** Built, and not written yet: the beginning of a top run that may be written at once. */
  #held: BuiltSegment[] = [];
  #written = 0;
  #merged = 0;

  constructor(log: LogOnObjects, runtime: Runtime, options: CompactOptions = {}) {
    this.#log = log;
    this.#store = new SegmentStore(log, runtime);
    this.#options = options;
  }

  /** @throws VerificationError when the log is not good, or a segment contradicts it; BackendError; EventStoreError ABORTED */
  async run(): Promise<CompactionReport> {
    const { signal, onProgress } = this.#options;
    const head = await findTail(this.#log, signal);
    const of = compactable(head.seq);
    for await (const page of listSegments(this.#log.objects, this.#log.keys, 0, signal)) this.#known.push(...page);
    for (let next = 0; next < of;) {
      throwIfAborted(signal);
      onProgress?.({ records: next, of });
      const covering = widest(this.#known, next);
      next = 1 + (covering ?? (await this.#build(runFrom(next)))).last;
      const top = runAt(next - 1, TOP_LEVEL);
      if (next - 1 === top.last) await this.#merge(top);
    }
    await this.#flush();
    onProgress?.({ records: of, of });
    return { written: this.#written, merged: this.#merged, records: of, head };
  }

  /** Makes a segment of a run; of its first part, when it is too large. */
  async #build(run: SeqRange): Promise<SeqRange> {
    const { signal } = this.#options;
    const before = this.#held.at(-1)?.end ?? (await this.#recordBefore(run.first));
    const builder = new SegmentBuilder(run, before);
    const range = { fromSeq: run.first, toSeq: run.last, objectsFirst: true, onAnchor: () => undefined, signal };
    let end = before;
    for await (const { records, head } of walkObjects(this.#log, {
      ...range,
      ...(run.first > 0 && { anchor: before }),
    })) {
      await builder.add(records);
      end = head;
      if (builder.tooLarge) break;
    }
    if (builder.tooLarge) return this.#build(partsOf(run)[0] ?? run);
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
      this.#held = [joinSegments(held)];
      await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    const held = this.#held;
    this.#held = [];
    for (const segment of held) await this.#write(segment);
  }

  async #write(segment: BuiltSegment): Promise<void> {
    if ((await this.#store.write(segment, this.#options.signal)) === "written") this.#written++;
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
    const before = await this.#recordBefore(top.first);
    if (!(whole ? await this.#isGood(top, before) : await this.#join(top, there, before))) return;
    for (const part of there) await this.#store.remove(part, signal);
    this.#merged += there.length;
  }

  /** Whether a segment of the top run stands in for its parts now. */
  async #join(top: SeqRange, parts: readonly Known[], before: Head): Promise<boolean> {
    const { signal } = this.#options;
    const bodies: Buffer[] = [];
    let end = before;
    for (const part of parts) {
      const proven = await this.#proved(part, end);
      // Somebody else was faster.
      if (proven === null) return false;
      bodies.push(proven.body);
      end = proven.end;
    }
    const outcome = await this.#store.write({ ...top, before, body: Buffer.concat(bodies) }, signal);
    if (outcome === "written") this.#written++;
    return outcome !== "gone";
  }

  /** A part, read in full; made anew from the log when it is damaged. */
  async #proved(part: Known, before: Head): Promise<{ readonly body: Buffer; readonly end: Head } | null> {
    const { signal } = this.#options;
    try {
      return await this.#store.read(part, before, signal);
    } catch (error) {
      if (!(error instanceof BadSegment)) throw error;
      this.#warn(part, error.message);
      await this.#store.remove(part, signal);
      await this.#build(part);
      await this.#flush();
      return this.#store.read(part, before, signal);
    }
  }

  async #isGood(segment: SeqRange, before: Head): Promise<boolean> {
    try {
      return (await this.#store.read(segment, before, this.#options.signal)) !== null;
    } catch (error) {
      if (!(error instanceof BadSegment)) throw error;
      this.#warn(segment, error.message);
      return false;
    }
  }

  async #recordBefore(seq: number): Promise<Head> {
    if (seq === 0) return EMPTY;
    const record = await recordAt(this.#log, seq - 1, this.#options.signal);
    if (record === null) throw vanished(this.#log, this.#log.keys.event(seq - 1), seq - 1);
    return { seq: record.seq, hash: record.eventHash };
  }

  #warn({ first, last }: SeqRange, problem: string): void {
    const key = this.#log.keys.segment(first, last);
    this.#log.onWarning?.({ code: "SEGMENT_UNUSABLE", message: `the segment ${key} cannot be used: ${problem}` });
  }
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
