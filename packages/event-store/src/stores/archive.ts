import { BackendError, ConfigError } from "../core/errors.js";
import { MAX_SEQ } from "../core/event.js";
import type { LogKeys } from "../log/keys.js";
import { RESTORE_TIERS, type ArchiveState, type RestoreAnswer, type RestoreTier } from "../objects/archive.js";
import type { ListEntry, ObjectStore } from "../objects/port.js";
import type { S3Upkeep } from "../objects/s3/open.js";
import { systemRuntime, type Runtime } from "../system/runtime.js";
import { openUpkeep, type BucketLog } from "./bucket-upkeep.js";

/** Segments of a log that are in an archive (GLACIER, DEEP_ARCHIVE, the archive tiers of INTELLIGENT_TIERING). */
export interface LogArchive {
  /** The segments that a read of the range would use, the largest where several hold a record, in order; with their state. */
  segments(options?: ArchiveRange): Promise<readonly SegmentState[]>;
  /**
   * Asks for copies of the archived ones among them, and for copies that end too early to be kept longer. Nothing is asked for
   * twice, however often this is called. The copies come after minutes to days.
   * @throws ConfigError before anything was asked for; BackendError
   */
  restore(options: RestoreOptions): Promise<readonly SegmentRestore[]>;
  /**
   * Resolves when all of them can be read. Asks every `pollMs` (default 60,000) for those that could not.
   * @throws BackendError ABORTED by the signal: what was asked for goes on; ARCHIVED when one is neither readable nor under way
   */
  untilReadable(segments: readonly SegmentState[], options?: WaitOptions): Promise<void>;
  close(): Promise<void>;
}

export interface ArchiveRange {
  /** Default 0. */
  readonly fromSeq?: number | undefined;
  /** Inclusive; default: to the last. */
  readonly toSeq?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RestoreOptions extends ArchiveRange {
  /** How long the copies are kept; 1 to 3650. */
  readonly days: number;
  readonly tier: RestoreTier;
}

export interface WaitOptions {
  readonly pollMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((readable: number, all: number) => void) | undefined;
}

export interface SegmentState extends ArchiveState {
  readonly key: string;
  readonly first: number;
  readonly last: number;
  /** Bytes. */
  readonly size: number;
}

export interface SegmentRestore extends SegmentState {
  /** `none`: it can be read for long enough as it is. */
  readonly answer: RestoreAnswer | "none";
}

/** The archived segments of a log in a bucket. @throws ConfigError for a log that is not in a bucket, or is reached by an `S3Client` */
export async function archiveOf(log: BucketLog): Promise<LogArchive> {
  const { keys, upkeep, options, runtime } = await openUpkeep(log, "archived segments");
  const { openS3Objects } = await import("../objects/s3/index.js");
  return new BucketLogArchive(keys, openS3Objects(options), upkeep, runtime ?? systemRuntime);
}

const DAY_MS = 86_400_000;
const MAX_DAYS = 3650;
const POLL_MS = 60_000;
const AT_ONCE = 16;
/** Of these a listing does not say whether they can be read. */
const MAYBE_ARCHIVED: ReadonlySet<string> = new Set(["GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"]);

class BucketLogArchive implements LogArchive {
  readonly #keys: LogKeys;
  readonly #objects: ObjectStore;
  readonly #upkeep: S3Upkeep;
  readonly #runtime: Runtime;

  constructor(keys: LogKeys, objects: ObjectStore, upkeep: S3Upkeep, runtime: Runtime) {
    this.#keys = keys;
    this.#objects = objects;
    this.#upkeep = upkeep;
    this.#runtime = runtime;
  }

  async segments({ fromSeq = 0, toSeq = MAX_SEQ, signal }: ArchiveRange = {}): Promise<readonly SegmentState[]> {
    if (!Number.isInteger(fromSeq) || !Number.isInteger(toSeq) || fromSeq < 0 || toSeq < fromSeq)
      throw new ConfigError(`seq ${String(fromSeq)} to ${String(toSeq)} is not a range`);
    const listed = (await this.#list(signal)).filter(({ first, last }) => first <= toSeq && last >= fromSeq);
    return inOrder(largest(listed), async (each) => ({ ...each, ...(await this.#state(each, signal)) }));
  }

  async restore({ days, tier, ...range }: RestoreOptions): Promise<readonly SegmentRestore[]> {
    if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS) {
      throw new ConfigError(`days is ${String(days)}`, { hint: `give a whole number from 1 to ${String(MAX_DAYS)}` });
    }
    if (!RESTORE_TIERS.includes(tier)) {
      throw new ConfigError(`${JSON.stringify(tier)} is not a tier`, { hint: `valid: ${RESTORE_TIERS.join(", ")}` });
    }
    const segments = await this.segments(range);
    const deep = segments.find(({ state, storageClass }) => state === "archived" && storageClass === "DEEP_ARCHIVE");
    if (tier === "Expedited" && deep !== undefined) {
      throw new ConfigError("objects in DEEP_ARCHIVE cannot be restored by the tier Expedited: nothing was asked for", {
        facts: { key: deep.key, storageClass: deep.storageClass },
        hint: "use Standard (within 12 hours) or Bulk (within 48)",
      });
    }
    const wantedUntil = this.#runtime.now() + days * DAY_MS;
    return inOrder(segments, async (segment) => {
      const { key, state, storageClass, readableUntil = Infinity } = segment;
      if (state === "restoring") return { ...segment, answer: "under-way" };
      if (state === "readable" && readableUntil >= wantedUntil) return { ...segment, answer: "none" };
      // Objects of this class are moved back: there is no copy that would have an end.
      const kept = storageClass === "INTELLIGENT_TIERING" ? undefined : days;
      const answer = await this.#upkeep.archive.restore(key, { days: kept, tier, signal: range.signal });
      return answer === "prolonged"
        ? { ...segment, state: "readable", readableUntil: wantedUntil, answer }
        : { ...segment, state: "restoring", answer };
    });
  }

  async untilReadable(segments: readonly SegmentState[], options: WaitOptions = {}): Promise<void> {
    const { pollMs = POLL_MS, signal, onProgress } = options;
    let waiting = segments.filter(({ state }) => state !== "readable");
    for (;;) {
      onProgress?.(segments.length - waiting.length, segments.length);
      if (waiting.length === 0) return;
      await this.#runtime.sleep(pollMs, signal);
      const states = await inOrder(waiting, (each) => this.#stateOf(each, signal));
      const lost = waiting.find((_, i) => states[i]?.state === "archived");
      if (lost !== undefined) {
        const { key, storageClass } = lost;
        throw new BackendError("ARCHIVED", `${key} is archived in ${storageClass}, and no restoration is under way`, {
          facts: { key, storageClass },
          hint: "run rynxs restore again: it asks for what is missing",
        });
      }
      waiting = waiting.filter((_, i) => states[i]?.state !== "readable");
    }
  }

  async close(): Promise<void> {
    await this.#objects.close();
    await this.#upkeep.close();
  }

  async #list(signal: AbortSignal | undefined): Promise<ListedSegment[]> {
    const segments: ListedSegment[] = [];
    for (let startAfter: string | undefined = ""; startAfter !== undefined;) {
      const page = await this.#objects.list({ prefix: this.#keys.segments, startAfter, signal });
      for (const entry of page.entries) {
        const range = this.#keys.segmentOf(entry.key);
        if (range !== null) segments.push({ ...entry, ...range });
      }
      startAfter = page.truncated ? page.entries.at(-1)?.key : undefined;
    }
    return segments;
  }

  #state(segment: ListedSegment, signal: AbortSignal | undefined): Promise<ArchiveState> | ArchiveState {
    const { storageClass = "STANDARD" } = segment;
    return MAYBE_ARCHIVED.has(storageClass) ? this.#stateOf(segment, signal) : { storageClass, state: "readable" };
  }

  async #stateOf({ key }: { readonly key: string }, signal: AbortSignal | undefined): Promise<ArchiveState> {
    const state = await this.#upkeep.archive.state(key, { signal });
    if (state !== null) return state;
    throw new BackendError("REQUEST_REFUSED", `${key} was listed, and is gone`, {
      facts: { key },
      hint: "somebody deletes segments: find out who, and run this again",
    });
  }
}

interface ListedSegment extends ListEntry {
  readonly first: number;
  readonly last: number;
}

/** Without those whose records all are in another, larger one. In order. */
function largest(segments: readonly ListedSegment[]): ListedSegment[] {
  const sorted = segments.toSorted((a, b) => a.first - b.first || b.last - a.last);
  let reached = -1;
  return sorted.filter(({ last }) => {
    if (last <= reached) return false;
    reached = last;
    return true;
  });
}

/** The results of `action`, a few at a time. */
async function inOrder<T, R>(items: readonly T[], action: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += AT_ONCE)
    results.push(...(await Promise.all(items.slice(i, i + AT_ONCE).map(action))));
  return results;
}
