import { compareCodePoints } from "../core/json/strings.js";
import type { RecordView } from "../core/record-view.js";
import { aggregateIdOf } from "../log/index/run-sorter.js";
import type { AggregateSummary } from "./port.js";

/** Which ids are asked for: the first `limit` of those. */
export interface AggregateFilter {
  readonly after: string;
  readonly prefix: string;
  readonly limit: number;
}

export function isAsked(id: string, { after, prefix }: AggregateFilter): boolean {
  return id.startsWith(prefix) && compareCodePoints(id, after) > 0;
}

/** Counts the records of the first aggregates of those that are asked for, one more than `limit`; those behind are forgotten again. */
export class AggregateTally {
  readonly #filter: AggregateFilter;
  readonly #counted = new Map<string, { count: number; readonly firstSeq: number; lastSeq: number }>();
  /** Of no use are ids behind this one. */
  #last: string | null = null;

  constructor(filter: AggregateFilter) {
    this.#filter = filter;
  }

  add(record: RecordView): void {
    const id = aggregateIdOf(record);
    const known = this.#counted.get(id);
    if (known !== undefined) {
      known.count++;
      known.lastSeq = record.seq;
    } else if (isAsked(id, this.#filter) && (this.#last === null || compareCodePoints(id, this.#last) <= 0)) {
      this.#counted.set(id, { count: 1, firstSeq: record.seq, lastSeq: record.seq });
      if (this.#counted.size > 4 * this.#filter.limit + 1000) this.#forget();
    }
  }

  /** In order of ids. */
  summaries(): AggregateSummary[] {
    return this.#sorted().flatMap((aggregateId) => {
      const counted = this.#counted.get(aggregateId);
      return counted ? [{ aggregateId, ...counted }] : [];
    });
  }

  #sorted(): string[] {
    return [...this.#counted.keys()].sort(compareCodePoints);
  }

  #forget(): void {
    const sorted = this.#sorted();
    this.#last = sorted[this.#filter.limit] ?? null;
    for (const id of sorted.slice(this.#filter.limit + 1)) this.#counted.delete(id);
  }
}
