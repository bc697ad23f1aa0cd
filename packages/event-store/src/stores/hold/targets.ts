import { MAX_BATCH_RECORDS, MAX_SEQ } from "../../core/event.js";
import { linesOf } from "../../core/lines.js";
import { MalformedRecord, viewRecord } from "../../core/record-view.js";
import type { LogKeys, SeqRange } from "../../log/keys.js";
import type { ObjectStore } from "../../objects/port.js";
import type { ObjectVersions, VersionMarker } from "../../objects/versions.js";
import { SegmentNames } from "../fsck/derived.js";
import { eventVersions } from "../fsck/scan-versions.js";

/** A version of an object that holds records of the range. */
export interface HoldTarget {
  readonly kind: "event" | "segment";
  readonly key: string;
  readonly versionId: string;
  /** GET sees this version. */
  readonly latest: boolean;
  /** Of the key; of a segment, its range's beginning. */
  readonly seq: number;
}

/**
 * All versions (but delete markers) of the event objects that hold records of the range, in order; then those of the segments that hold
 * a record of it which has no event key of its own: it was pruned, or is within a batch.
 */
export async function* holdTargets(
  objects: ObjectStore,
  versions: ObjectVersions,
  keys: LogKeys,
  { first: from, last: to }: SeqRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<HoldTarget> {
  const segments = await SegmentNames.of(objects, keys, signal);
  const needed = new Map<number, SeqRange>();
  const unkeyed = (first: number, last: number): void => {
    const range = { first: Math.max(first, from), last: Math.min(last, to) };
    if (range.first > range.last) return;
    for (const segment of segments.within(range)) {
      const longest = needed.get(segment.first);
      if (longest === undefined || longest.last < segment.last) needed.set(segment.first, segment);
    }
  };
  let before: readonly HoldTarget[] = [];
  let last = from - MAX_BATCH_RECORDS - 1;
  for await (const { key, seq, versions: all } of eventVersions(versions, keys, Math.max(-1, last), signal)) {
    if (seq > from && (await reaches(versions, before, from, signal))) yield* before;
    before = [];
    unkeyed(last + 1, seq - 1);
    last = seq;
    if (seq > to) break;
    const targets = all
      .filter(({ deleteMarker }) => !deleteMarker)
      .map(({ versionId, latest }) => ({ kind: "event" as const, key, versionId, latest, seq }));
    if (seq < from) before = targets;
    else yield* targets;
  }
  if (last < from && (await reaches(versions, before, from, signal))) yield* before;
  unkeyed(last + 1, MAX_SEQ);
  for (const [, segment] of [...needed].sort(([a], [b]) => a - b)) {
    const key = keys.segment(segment.first, segment.last);
    for await (const { versionId, latest } of versionsOf(versions, key, signal))
      yield { kind: "segment", key, versionId, latest, seq: segment.first };
  }
}

/** Whether the object before the range is a batch that reaches into it, by its first version; one that cannot be read does. */
async function reaches(
  versions: ObjectVersions,
  before: readonly HoldTarget[],
  from: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const oldest = before.at(-1);
  if (oldest === undefined) return false;
  const object = await versions.get(oldest.key, oldest.versionId, { signal });
  const line = object === null ? undefined : [...linesOf(object.body)].at(-1);
  try {
    return line === undefined || viewRecord(line).seq >= from;
  } catch (error) {
    if (error instanceof MalformedRecord) return true;
    throw error;
  }
}

async function* versionsOf(
  versions: ObjectVersions,
  key: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly versionId: string; readonly latest: boolean }> {
  let marker: VersionMarker | null = null;
  do {
    const page: Awaited<ReturnType<ObjectVersions["list"]>> = await versions.list({
      prefix: key,
      ...(marker && { after: marker }),
      signal,
    });
    for (const version of page.versions) if (version.key === key && !version.deleteMarker) yield version;
    marker = page.next;
  } while (marker !== null);
}
