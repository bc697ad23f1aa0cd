import type { LogKeys, SeqRange } from "../../log/keys.js";
import { isRun } from "../../log/segments/layout.js";
import type { ListEntry, ObjectStore } from "../../objects/port.js";
import { Coverage } from "./coverage.js";
import { finding, type FsckFinding } from "./finding.js";

/** The segments of a log, by their names; a hundred for each million records. */
export class SegmentNames {
  readonly coverage: Coverage = new Coverage();
  readonly #segments: SeqRange[] = [];

  static async of(objects: ObjectStore, keys: LogKeys, signal: AbortSignal | undefined): Promise<SegmentNames> {
    const names = new SegmentNames();
    for (let startAfter = ""; ;) {
      const { entries, truncated } = await objects.list({ prefix: keys.segments, startAfter, signal });
      for (const { key } of entries) {
        const range = keys.segmentOf(key);
        if (range === null || !isRun(range)) continue;
        names.#segments.push(range);
        names.coverage.add(range);
      }
      const last = entries.at(-1);
      if (!truncated || last === undefined) return names;
      startAfter = last.key;
    }
  }

  /** A segment of exactly these records. */
  has({ first, last }: SeqRange): boolean {
    return this.#segments.some((each) => each.first === first && each.last === last);
  }

  /** A longer one that holds all of these records. */
  around({ first, last }: SeqRange): SeqRange | undefined {
    return this.#segments.find(
      (each) => each.first <= first && last <= each.last && each.last - each.first > last - first,
    );
  }

  /** The segments that hold a record of the range. */
  within({ first, last }: SeqRange): readonly SeqRange[] {
    return this.#segments.filter((each) => each.first <= last && first <= each.last);
  }
}

/** What is wrong with a segment. `seen`: the log's last record, as a listing had it; `endNow`: asks again. */
export async function* judgeSegment(
  keys: LogKeys,
  segments: SegmentNames,
  { key, size }: ListEntry,
  seen: number,
  endNow: () => Promise<number>,
): AsyncGenerator<FsckFinding> {
  const range = keys.segmentOf(key);
  if (range === null) return;
  if (!isRun(range)) {
    yield finding("COVERS_NOTHING", key, "a segment of a range that no segment has: readers skip it");
    return;
  }
  if (size === 0)
    yield finding("EMPTY_DERIVED", key, "a segment without a byte", { hint: "rynxs compact --check makes it anew" });
  const end = range.last > seen ? await endNow() : seen;
  if (range.last > end) {
    yield finding(
      "SEGMENT_BEYOND_END",
      key,
      `it holds records up to ${String(range.last)}, and the log ends at ${String(end)}`,
      {
        seq: range.first,
        toSeq: range.last,
        hint: "segments are made of what the log holds: its end was cut off since. The segment can be read with zcat",
      },
    );
    return;
  }
  const larger = segments.around(range);
  if (larger !== undefined)
    yield finding("SUPERSEDED", key, `${keys.segment(larger.first, larger.last)} holds the same records`, {
      hint: "rynxs compact removes it",
    });
}

/** What is wrong with an index file. */
export function* judgeIndex(keys: LogKeys, segments: SegmentNames, { key, size }: ListEntry): Generator<FsckFinding> {
  const runs = keys.indexRangeOf("runs", key);
  const range = runs ?? keys.indexRangeOf("directories", key);
  if (range === null) return;
  const hint = "it can be deleted; rynxs compact makes what is missing";
  if (size === 0) yield finding("EMPTY_DERIVED", key, "an index file without a byte", { hint });
  else if (runs !== null && !segments.has(runs)) {
    const larger = segments.around(runs);
    if (larger === undefined) yield finding("COVERS_NOTHING", key, "there is no segment of these records", { hint });
    else
      yield finding("SUPERSEDED", key, `the records are in ${keys.segment(larger.first, larger.last)} now`, { hint });
  } else if (runs === null && segments.coverage.missing(range).length > 0)
    yield finding("COVERS_NOTHING", key, "there are no segments of all of these records", { hint });
}
