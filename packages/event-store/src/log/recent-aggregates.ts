import type { Head, StoredRecord } from "../core/event.js";
import { aggregateKeyOf } from "../core/record.js";
import type { WalkRange, WalkStep } from "./walk.js";

/** Records that are remembered; whoever has counted an aggregate's events further back counts again. */
const REMEMBERED = 16_384;
/** Records that others wrote meanwhile are read, if they are no more than that. */
const CAUGHT_UP = 2048;

interface Seen {
  readonly hash: string;
  readonly key: string;
}

/**
 * Which aggregates the latest records of a log are of, without a gap up to the writer's tail: so that the number of an aggregate's events,
 * counted a while ago, is known at the tail without another read. It begins when it is first asked to reach the tail.
 */
export class RecentAggregates {
  readonly #walk: (range: WalkRange) => AsyncIterable<WalkStep>;
  /** The records behind `#before`, up to `#end`. */
  #seen: Seen[] = [];
  #before: Head | null = null;
  #end: Head | null = null;
  /** Seqs of the remembered records of each aggregate, ascending. */
  readonly #seqs = new Map<string, number[]>();

  /** `walk`: reads what others wrote. */
  constructor(walk: (range: WalkRange) => AsyncIterable<WalkStep>) {
    this.#walk = walk;
  }

  /** Somebody wants to know: records that come by are worth noting. */
  get following(): boolean {
    return this.#end !== null;
  }

  /** Records that are in the log. Those that do not come next are left for `reach` to read. */
  note(records: readonly StoredRecord[]): void {
    for (const record of records) {
      if (this.#end === null || record.seq !== this.#end.seq + 1 || record.prevHash !== this.#end.hash) return;
      const key = aggregateKeyOf(record);
      this.#seen.push({ hash: record.eventHash, key });
      const seqs = this.#seqs.get(key);
      if (seqs) seqs.push(record.seq);
      else this.#seqs.set(key, [record.seq]);
      this.#end = { seq: record.seq, hash: record.eventHash };
    }
    if (this.#seen.length > 2 * REMEMBERED) this.#forget(this.#seen.length - REMEMBERED);
  }

  /**
   * Makes it end at the writer's tail: reads what is missing, or begins anew there when that is too much, or cannot be read. What is wrong
   * with those records is not the affair of an append; whoever counts them will meet it.
   */
  async reach(tail: Head, signal?: AbortSignal): Promise<void> {
    const end = this.#end;
    if (end !== null && end.seq < tail.seq && tail.seq - end.seq <= CAUGHT_UP) {
      const range = { fromSeq: end.seq + 1, toSeq: tail.seq, anchor: end, likelyEnd: tail.seq, signal };
      try {
        for await (const { records } of this.#walk({ ...range, onAnchor: () => undefined })) this.note(records);
      } catch {
        // Below, it does not reach the tail.
      }
    }
    if (!isSame(this.#end, tail)) this.#begin(tail);
  }

  /** Events of an aggregate behind `after`, up to `end`; null when it does not know, or `after` is no record of this log. */
  count(key: string, after: Head, end: Head): number | null {
    if (this.#before === null || !isSame(this.#end, end)) return null;
    const { seq, hash } = this.#before;
    const there = after.seq === seq ? hash : this.#seen[after.seq - seq - 1]?.hash;
    if (there !== after.hash) return null;
    const seqs = this.#seqs.get(key) ?? [];
    let count = 0;
    while (count < seqs.length && (seqs[seqs.length - 1 - count] as number) > after.seq) count++;
    return count;
  }

  #begin(tail: Head): void {
    this.#seen = [];
    this.#seqs.clear();
    this.#before = this.#end = tail;
  }

  /** The first `count` of the records. */
  #forget(count: number): void {
    const gone = this.#seen.slice(0, count);
    const last = gone.at(-1);
    if (this.#before === null || last === undefined) return;
    this.#before = { seq: this.#before.seq + count, hash: last.hash };
    this.#seen = this.#seen.slice(count);
    for (const key of new Set(gone.map((each) => each.key))) {
      const left = (this.#seqs.get(key) ?? []).filter((seq) => seq > (this.#before?.seq ?? -1));
      if (left.length === 0) this.#seqs.delete(key);
      else this.#seqs.set(key, left);
    }
  }
}

function isSame(a: Head | null, b: Head): boolean {
  return a?.seq === b.seq && a.hash === b.hash;
}
