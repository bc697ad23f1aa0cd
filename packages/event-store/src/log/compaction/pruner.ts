import { ConfigError, EventStoreError, VerificationError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import type { ObjectStore, PutFence } from "../../objects/port.js";
import type { SeqRange } from "../keys.js";
import { firstEventAfter, listEvents, type EventObject } from "../listing.js";
import { factsOf, vanished, type LogOnObjects } from "../log-on-objects.js";
import { SegmentCatalog, type SegmentEntry } from "../segments/catalog.js";
import { BASE_LEVEL, compactable } from "../segments/layout.js";
import { BadSegment, proveBody } from "../segments/segment-proof.js";
import { findTail, recordAt, recordBefore } from "../tail.js";
import type { PruneOptions, PruneReport } from "../upkeep.js";
import { fetchAhead } from "../window.js";

/** Event objects of the last so many records are never deleted: writers and followers work there. */
const KEPT_RECORDS = 10 ** BASE_LEVEL;
/** Nor are younger ones: how late a put can be stored behind a tail that was true (log/appender.ts) is far less than that. */
const LEAST_HOURS = 24;
const HOUR_MS = 3_600_000;
/** DELETEs at a time … */
const WIDTH = 16;
/** … and in one go. */
const AT_ONCE = 1000;

/** An event object, and the seqs of its records. */
interface OldObject extends SeqRange {
  readonly key: string;
  readonly size: number;
}

/**
 * Deletes event objects whose records a segment holds. Before the first of a segment's is deleted, the segment was read in full, its
 * records link to those before it, and the record behind it links to them. May be interrupted anywhere.
 */
export class Pruner {
  readonly #log: LogOnObjects;
  readonly #options: PruneOptions;
  readonly #fence: PutFence;
  readonly #hours: number;
  #objects = 0;
  #bytes = 0;
  #range: SeqRange | null = null;

  /** @throws ConfigError */
  constructor(log: LogOnObjects, options: PruneOptions) {
    this.#log = log;
    this.#options = options;
    this.#fence = checkFence(log.objects);
    this.#hours = checkHours(options.olderThanHours);
  }

  /** @throws VerificationError when a segment is not good, or the log does not go on behind it; BackendError; EventStoreError ABORTED */
  async run(): Promise<PruneReport> {
    const { signal, onProgress, delete: really = false } = this.#options;
    const { objects, keys } = this.#log;
    const { seq } = await findTail(this.#log, signal);
    // Read behind an answer of the server, which puts a wrong clock right.
    const writtenBefore = this.#fence.now() - this.#hours * HOUR_MS;
    const keptFrom = compactable(Math.max(-1, seq - KEPT_RECORDS));
    const start = (await firstEventAfter(objects, keys, -1, signal)) ?? keptFrom;
    const catalog = new SegmentCatalog(objects, keys, signal);
    /** The last record of the segments that were proven. */
    let proven: Head | null = null;
    let old: OldObject[] = [];
    for await (const object of this.#oldObjects(start, writtenBefore)) {
      if (object.last >= keptFrom) break;
      while (proven === null || proven.seq < object.last) {
        const segment = await catalog.covering(proven === null ? object.first : proven.seq + 1);
        if (segment === null || segment.last >= keptFrom) break;
        proven = await this.#prove(
          segment,
          proven ?? (await recordBefore(this.#log, segment.first, this.#options.signal)),
        );
      }
      if (proven === null || proven.seq < object.last) break;
      old.push(object);
      if (old.length < AT_ONCE) continue;
      await this.#done(old, really);
      old = [];
      onProgress?.({ records: object.last + 1, of: keptFrom });
    }
    await this.#done(old, really);
    return { deleted: really, objects: this.#objects, bytes: this.#bytes, range: this.#range, keptFrom };
  }

  /** The objects from record `first` on that are old enough, up to the first that is not. */
  async *#oldObjects(first: number, writtenBefore: number): AsyncGenerator<OldObject> {
    const { objects, keys } = this.#log;
    let held: EventObject | null = null;
    for await (const event of listEvents(objects, keys, first - 1, this.#options.signal)) {
      throwIfAborted(this.#options.signal);
      if (held !== null) yield { key: held.key, size: held.size, first: held.seq, last: event.seq - 1 };
      if (event.modifiedAt === undefined) throw noTimes(objects);
      if (event.modifiedAt > writtenBefore) return;
      held = event;
    }
  }

  /** @returns its last record */
  async #prove(segment: SegmentEntry, before: Head): Promise<Head> {
    const { signal } = this.#options;
    const facts = factsOf(this.#log, segment.key);
    const object = await this.#log.objects.get(segment.key, { signal });
    if (object === null) throw vanished(this.#log, segment.key, segment.first);
    try {
      const { end } = await proveBody(segment, before, object.body, facts);
      const behind = await recordAt(this.#log, segment.last + 1, signal);
      if (behind?.prevHash === end.hash) return end;
      throw new BadSegment(`the record behind it, ${String(segment.last + 1)}, does not link to its last one`);
    } catch (error) {
      if (!(error instanceof BadSegment)) throw error;
      const at = { seq: segment.first, expected: "a segment that links on both sides", actual: error.message };
      throw new VerificationError(
        "CHAIN_BROKEN",
        at,
        `nothing was pruned from the segment ${segment.key} on: ${error.message}`,
        {
          facts,
          hint: "the event objects are all there: run rynxs verify; if the log is good, delete the segment and run rynxs compact",
        },
      );
    }
  }

  async #done(old: readonly OldObject[], really: boolean): Promise<void> {
    const [first, last] = [old[0], old.at(-1)];
    if (!first || !last) return;
    if (really) await this.#delete(old);
    this.#objects += old.length;
    this.#bytes += old.reduce((sum, { size }) => sum + size, 0);
    this.#range = { first: this.#range?.first ?? first.first, last: last.last };
  }

  async #delete(old: readonly OldObject[]): Promise<void> {
    const { signal } = this.#options;
    const remove = ({ key }: OldObject): Promise<void> => this.#log.objects.delete(key, { signal });
    const limits = { width: () => WIDTH, maxWeight: Infinity, weight: () => 1, signal };
    for await (const _ of fetchAhead(() => old, remove, limits)) throwIfAborted(signal);
  }
}

function checkHours(hours = LEAST_HOURS): number {
  if (Number.isFinite(hours) && hours >= LEAST_HOURS) return hours;
  throw new ConfigError(`olderThanHours must be at least ${String(LEAST_HOURS)}, not ${String(hours)}`, {
    hint: "a writer that was suspended for hours must still find the key taken that it is about to write",
  });
}

function checkFence(objects: ObjectStore): PutFence {
  if (objects.fence) return objects.fence;
  throw new ConfigError(`${objects.identity} cannot keep a late write out of the place of a deleted object`, {
    hint: "only logs on S3 servers can be pruned: those refuse requests that were signed too long ago",
  });
}

function noTimes(objects: ObjectStore): ConfigError {
  return new ConfigError(`${objects.identity} does not say when its objects were written`, {
    hint: "a log can be pruned only where a LIST says LastModified",
  });
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new EventStoreError("ABORTED", "pruning was interrupted; run it again to go on", { cause: signal.reason });
}
