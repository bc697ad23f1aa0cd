import { MAX_SEQ } from "../../core/event.js";
import type { SeqRange } from "../keys.js";

/*
 * Which runs of records segments hold (docs/SPEC.md, "Segments"): a run of level k is the records [n·10^k, (n+1)·10^k − 1]. Base
 * segments are of level 4; ten of them become one of level 5 where that stays small enough; runs of records that are too large for a
 * base segment are cut into runs of lower levels.
 */

/** Level of the segments that compaction makes first. */
export const BASE_LEVEL = 4;
/** Level of the largest segments. */
export const TOP_LEVEL = 5;

/** What the records of a segment have at most that is made at once, in bytes with their newlines, unless it is a single record. */
export const MAX_RECORDS_BYTES: number = 64 * 1024 * 1024;
/** What a segment of the top level has at most, as it is stored: those that it is made of, one behind the other, are kept in memory. */
export const MAX_STORED_BYTES: number = 16 * 1024 * 1024;

/** No run of the top level begins between this seq and `seq`. */
export function topStart(seq: number): number {
  return runAt(seq, TOP_LEVEL).first;
}

/** The run of a level that holds `seq`. */
export function runAt(seq: number, level: number): SeqRange {
  const size = 10 ** level;
  const first = Math.floor(seq / size) * size;
  return { first, last: Math.min(first + size - 1, MAX_SEQ) };
}

/** The largest run up to the base level that begins at `seq`. */
export function runFrom(seq: number): SeqRange {
  let level = BASE_LEVEL;
  while (runAt(seq, level).first !== seq) level--;
  return runAt(seq, level);
}

/** The ten runs of the level below; none for a single record. */
export function partsOf(run: SeqRange): readonly SeqRange[] {
  const size = (run.last - run.first + 1) / 10;
  if (size < 1) return [];
  return Array.from({ length: 10 }, (_, i) => ({ first: run.first + i * size, last: run.first + (i + 1) * size - 1 }));
}

/** How many records are in the full base runs of a log that ends at `end`. */
export function compactable(end: number): number {
  return runAt(end + 1, BASE_LEVEL).first;
}

/** A run that a segment may hold. */
export function isRun({ first, last }: SeqRange): boolean {
  for (let level = 0; level <= TOP_LEVEL; level++) {
    const run = runAt(first, level);
    if (run.first === first && run.last === last) return true;
  }
  return false;
}

/** The one that reaches furthest of those that hold `seq`. */
export function widest<T extends SeqRange>(segments: readonly T[], seq: number): T | null {
  let found: T | null = null;
  for (const segment of segments)
    if (segment.first <= seq && seq <= segment.last && (found === null || segment.last > found.last)) found = segment;
  return found;
}
