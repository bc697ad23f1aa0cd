import type { LogOnObjects } from "../tail.js";
import type { IndexKind, SeqRange } from "../keys.js";
import type { IndexEntry } from "./index-file.js";

/** The index files of a kind that begin within [from, to], in order of their first seq, and of their length. */
export async function listIndex(
  { objects, keys }: Pick<LogOnObjects, "objects" | "keys">,
  kind: IndexKind,
  { first: from, last: to }: SeqRange,
  signal?: AbortSignal,
): Promise<IndexEntry[]> {
  const found: IndexEntry[] = [];
  for (let startAfter = keys.beforeIndex(kind, from); ;) {
    const { entries, truncated } = await objects.list({ prefix: keys.indexPrefix(kind), startAfter, signal });
    for (const { key, size } of entries) {
      const range = keys.indexRangeOf(kind, key);
      if (range !== null && range.first > to) return found;
      if (range !== null) found.push({ ...range, key, size });
    }
    const end = entries.at(-1);
    if (!truncated || end === undefined) return found;
    startAfter = end.key;
  }
}

/** One behind the other, each time the longest: what stands within a longer one is left out. */
export function longest<T extends SeqRange>(files: readonly T[]): T[] {
  const sorted = files.toSorted((a, b) => a.first - b.first || b.last - a.last);
  const chosen: T[] = [];
  for (const file of sorted) if (file.first > (chosen.at(-1)?.last ?? -1)) chosen.push(file);
  return chosen;
}
