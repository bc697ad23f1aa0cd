import type { Head } from "../core/event.js";
import type { LogIndex } from "../log/index/coverage.js";
import type { IndexFile } from "../log/index/index-file.js";
import type { SeqRange } from "../log/keys.js";

/** What an indexed read does with a part of its range: look into an index file, or walk the log. */
export type PlanPart =
  | { readonly file: IndexFile; readonly range: SeqRange }
  | {
      readonly file: null;
      readonly range: SeqRange;
      /** The record before, when it is known to be the log's. */
      readonly anchor: Head | undefined;
    };

export interface IndexPlan {
  /** In order, without a gap, from the range's first seq to its last. */
  readonly parts: readonly PlanPart[];
  /** The last record that the index covers. */
  readonly covered: Head;
}

/** How to read a range through the index; null when no part of it is indexed. */
export async function planIndexed(
  index: LogIndex,
  range: SeqRange,
  likelyEnd: number | undefined,
  signal: AbortSignal | undefined,
): Promise<IndexPlan | null> {
  const files = await index.covering(range, likelyEnd, signal);
  const parts: PlanPart[] = [];
  let at = range.first;
  let covered: Head | undefined;
  const walkTo = (last: number): void => {
    if (at > last) return;
    parts.push({ file: null, range: { first: at, last }, anchor: covered?.seq === at - 1 ? covered : undefined });
    at = last + 1;
  };
  for (const file of files) {
    const { first, last, end } = file.root;
    if (last < at || first > range.last) continue;
    walkTo(first - 1);
    covered = { seq: last, hash: end };
    parts.push({ file, range: { first: at, last: Math.min(last, range.last) } });
    at = last + 1;
  }
  if (covered === undefined) return null;
  walkTo(range.last);
  return { parts, covered };
}
