import { MAX_SEQ } from "../../core/event.js";
import { ConfigError } from "../../core/errors.js";
import type { LogKeys, SeqRange } from "../../log/keys.js";
import { fetchAhead } from "../../log/window.js";
import type { Retention } from "../../objects/locks.js";
import type { ObjectStore } from "../../objects/port.js";
import type { S3Upkeep } from "../../objects/s3/open.js";
import { openUpkeep, type BucketLog } from "../bucket-upkeep.js";
import { holdTargets, type HoldTarget } from "./targets.js";

/** Requests under way at a time. */
const AT_ONCE = 16;

/**
 * Legal hold of a range of a log: no version of its event objects can be deleted by anybody until it is lifted. Failures as of the
 * store; NO_OBJECT_LOCK where the server or the bucket has none.
 */
export interface LogHold {
  /** What `set` would change, in numbers; asks the first object whether it can be held at all. */
  plan(range?: HoldRange): Promise<HoldReport>;
  /** Sets or lifts it, in order of seqs; it may be done again, and is then the same. Ended early, it has done what it reported. */
  set(on: boolean, range?: HoldRange): Promise<HoldReport>;
  /** The locks of each version, in order. Segments come last. */
  show(range?: HoldRange): AsyncGenerator<HoldState, void>;
  close(): Promise<void>;
}

export interface HoldRange {
  /** Default 0. */
  readonly fromSeq?: number | undefined;
  /** Inclusive; default: to the last. */
  readonly toSeq?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of `set` how many versions are done, and the seq up to which all are. */
  readonly onProgress?: ((versions: number, seq: number) => void) | undefined;
}

export interface HoldReport {
  /** Event objects, by their keys. */
  readonly events: number;
  readonly segments: number;
  /** Versions of both. */
  readonly versions: number;
}

export interface HoldState {
  readonly kind: "event" | "segment";
  readonly key: string;
  readonly versionId: string;
  readonly latest: boolean;
  /** That the key names; the first one of a segment. */
  readonly seq: number;
  readonly hold: boolean;
  readonly retention: Retention | "none";
}

/** @throws ConfigError for a log that is not in a bucket, or is reached by an `S3Client` */
export async function holdOf(log: BucketLog): Promise<LogHold> {
  const { keys, upkeep, options } = await openUpkeep(log, "legal hold");
  const { openS3Objects } = await import("../../objects/s3/index.js");
  return new BucketLogHold(keys, openS3Objects(options), upkeep);
}

class BucketLogHold implements LogHold {
  readonly #keys: LogKeys;
  readonly #objects: ObjectStore;
  readonly #upkeep: S3Upkeep;

  constructor(keys: LogKeys, objects: ObjectStore, upkeep: S3Upkeep) {
    this.#keys = keys;
    this.#objects = objects;
    this.#upkeep = upkeep;
  }

  async plan(range: HoldRange = {}): Promise<HoldReport> {
    const tally = new Tally();
    for await (const target of this.#targets(range, range.signal)) {
      if (tally.report().versions === 0) {
        const { key, versionId } = target;
        await this.#upkeep.locks.legalHold(key, versionId, { signal: range.signal });
      }
      tally.add(target);
    }
    return tally.report();
  }

  async set(on: boolean, range: HoldRange = {}): Promise<HoldReport> {
    const tally = new Tally();
    const { locks } = this.#upkeep;
    const done = this.#each(range, ({ key, versionId }, signal) => locks.setLegalHold(key, versionId, on, { signal }));
    for await (const { item, result } of done) {
      // False: it was deleted meanwhile.
      if (result) tally.add(item);
      range.onProgress?.(tally.report().versions, item.seq);
    }
    return tally.report();
  }

  async *show(range: HoldRange = {}): AsyncGenerator<HoldState, void> {
    const { locks } = this.#upkeep;
    const states = this.#each(range, async ({ key, versionId }, signal) => {
      const [hold, retention] = await Promise.all([
        locks.legalHold(key, versionId, { signal }),
        locks.retention(key, versionId, { signal }),
      ]);
      return hold === null || retention === null ? null : { hold, retention };
    });
    for await (const { item, result } of states) if (result !== null) yield { ...item, ...result };
  }

  async close(): Promise<void> {
    await this.#objects.close();
    await this.#upkeep.close();
  }

  #targets(range: HoldRange, signal: AbortSignal | undefined): AsyncGenerator<HoldTarget> {
    return holdTargets(this.#objects, this.#upkeep.versions, this.#keys, checkRange(range), signal);
  }

  /** What `action` gives for each target, in order, a few at a time. */
  async *#each<R>(
    range: HoldRange,
    action: (target: HoldTarget, signal: AbortSignal) => Promise<R>,
  ): AsyncGenerator<{ readonly item: HoldTarget; readonly result: R }> {
    const limits = { width: () => AT_ONCE, maxWeight: 4 * AT_ONCE, weight: () => 1, signal: range.signal };
    for await (const batch of fetchAhead((signal) => this.#targets(range, signal), action, limits)) yield* batch;
  }
}

function checkRange({ fromSeq = 0, toSeq = MAX_SEQ }: HoldRange): SeqRange {
  if (!Number.isInteger(fromSeq) || !Number.isInteger(toSeq) || fromSeq < 0 || toSeq < fromSeq) {
    throw new ConfigError(`${String(fromSeq)} to ${String(toSeq)} is not a range of seqs`, {
      hint: "give the first and the last, from 0 on",
    });
  }
  return { first: fromSeq, last: toSeq };
}

class Tally {
  #events = 0;
  #segments = 0;
  #versions = 0;
  #key = "";

  add({ key, kind }: HoldTarget): void {
    this.#versions += 1;
    if (key === this.#key) return;
    this.#key = key;
    if (kind === "event") this.#events += 1;
    else this.#segments += 1;
  }

  report(): HoldReport {
    return { events: this.#events, segments: this.#segments, versions: this.#versions };
  }
}
