import type { ObjectStore } from "../../objects/port.js";
import type { LogKeys, SeqRange } from "../keys.js";
import { isRun, topStart, widest } from "./layout.js";

export interface SegmentEntry extends SeqRange {
  readonly key: string;
  /** Bytes, as a LIST said. */
  readonly size: number;
  /** As a LIST said: `GLACIER` … */
  readonly storageClass?: string | undefined;
}

/** The segments that begin at `from` or later, in order of their first seq, and of their length. */
export async function* listSegments(
  objects: ObjectStore,
  keys: LogKeys,
  from = 0,
  signal?: AbortSignal,
): AsyncGenerator<readonly SegmentEntry[]> {
  for (let startAfter = keys.beforeSegments(from); ;) {
    const { entries, truncated } = await objects.list({ prefix: keys.segments, startAfter, signal });
    yield entries.flatMap(({ key, size, storageClass }) => {
      const range = keys.segmentOf(key);
      return range && isRun(range) ? [{ ...range, key, size, storageClass }] : [];
    });
    const last = entries.at(-1);
    if (!truncated || last === undefined) return;
    startAfter = last.key;
  }
}

/** The segments of a log as one reader gets to know them, page by page: asked for in order, it holds what lies ahead of the reader. */
export class SegmentCatalog {
  readonly #objects: ObjectStore;
  readonly #keys: LogKeys;
  readonly #signal: AbortSignal | undefined;
  /** Segments that turned out not to be usable. */
  readonly #dropped = new Set<string>();
  #pages: AsyncGenerator<readonly SegmentEntry[]> | null = null;
  #known: SegmentEntry[] = [];
  #ended = false;

  constructor(objects: ObjectStore, keys: LogKeys, signal?: AbortSignal) {
    this.#objects = objects;
    this.#keys = keys;
    this.#signal = signal;
  }

  /** The segment that holds `seq` and reaches furthest; null when none does. */
  async covering(seq: number): Promise<SegmentEntry | null> {
    await this.#load(seq);
    return widest(this.#known, seq);
  }

  /** Where the next segment begins behind `seq`, which none holds; null when none follows. */
  async nextStart(seq: number): Promise<number | null> {
    for (;;) {
      await this.#load(seq);
      const next = this.#known.find(({ first }) => first > seq);
      if (next) return next.first;
      if (this.#ended) return null;
      await this.#page();
    }
  }

  /** Leaves one out from now on. */
  drop(segment: SegmentEntry): void {
    this.#dropped.add(segment.key);
    this.#known = this.#known.filter(({ key }) => key !== segment.key);
  }

  /** Lists anew when it is asked next: a segment was merged into another meanwhile. */
  async refresh(): Promise<void> {
    await this.#pages?.return(undefined);
    this.#pages = null;
  }

  /** Until all are known that can hold `seq`. */
  async #load(seq: number): Promise<void> {
    if (this.#pages === null) {
      this.#pages = listSegments(this.#objects, this.#keys, topStart(seq), this.#signal);
      this.#known = [];
      this.#ended = false;
    }
    this.#known = this.#known.filter(({ last }) => last >= seq);
    while (!this.#ended && (this.#known.at(-1)?.first ?? -1) <= seq) await this.#page();
  }

  async #page(): Promise<void> {
    const page = await this.#pages?.next();
    if (page === undefined || page.done === true) this.#ended = true;
    else this.#known.push(...page.value.filter(({ key }) => !this.#dropped.has(key)));
  }
}
