import { parseHead } from "../../core/head-check.js";
import { kindOf, nearlyEvent } from "../../log/key-kind.js";
import type { LogKeys } from "../../log/keys.js";
import type { ListEntry, ObjectStore } from "../../objects/port.js";
import { judgeIndex, judgeSegment, type SegmentNames } from "./derived.js";
import { EventKeys } from "./event-keys.js";
import { finding, type FsckFinding } from "./finding.js";

/** What a log's objects are, as far as names, sizes and the head tell. */
export interface ScannedObjects {
  readonly objects: number;
  readonly bytes: number;
  readonly events: number;
  /** Seq of the last record; −1 when there is none. */
  readonly end: number;
}

export interface ScanOptions {
  readonly onProgress?: ((objects: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const REMOVE_PROBE = "it is safe to delete";
/** Longer keys than these need not be told apart by whoever reads of them. */
const TEMPORARY = /(?:\.(?:tmp|temp|part|partial|new|swp|bak|crdownload)|~)$|(?:^|\/)\.(?:[^/]*)$/i;

/** One walk through the listing of a prefix, a page at a time; nothing is kept of what was seen but counts. */
export async function* scanObjects(
  objects: ObjectStore,
  keys: LogKeys,
  segments: SegmentNames,
  { onProgress, signal }: ScanOptions,
): AsyncGenerator<FsckFinding, ScannedObjects> {
  const events = new EventKeys(objects, segments.coverage, signal);
  let [count, bytes] = [0, 0];
  let eventsEnded = false;
  let nested: { folder: string; key: string; count: number } | null = null;
  const leave = function* (key: string | null): Generator<FsckFinding> {
    if (nested === null || key?.startsWith(nested.folder) === true) return;
    yield finding("NESTED_LOG", nested.key, `another log's objects in ${nested.folder}`, {
      count: nested.count,
      hint: "whoever may write the one may write the other: give each log a prefix that is not within another's",
    });
    nested = null;
  };
  // What of the head is judged needs the end of the events; it is listed behind them.
  for await (const entry of listAll(objects, keys.root, signal)) {
    count += 1;
    bytes += entry.size;
    onProgress?.(count);
    yield* leave(entry.key);
    if (nested !== null) {
      nested.count += 1;
      continue;
    }
    if (!eventsEnded && keys.isPastEvents(entry.key)) {
      eventsEnded = true;
      yield* events.end();
    }
    const { kind, in: folder } = kindOf(keys, entry.key);
    switch (kind) {
      case "event":
        yield* events.take({ ...entry, seq: keys.seqOf(entry.key) ?? 0 });
        break;
      case "segment":
        yield* judgeSegment(keys, segments, entry, events.last, () => grownBeyond(objects, keys, events.last, signal));
        break;
      case "index":
        yield* judgeIndex(keys, segments, entry);
        break;
      case "leftover-probe":
        yield finding("PROBE_LEFT", entry.key, "a probe that a look at the bucket left behind", { hint: REMOVE_PROBE });
        break;
      case "nested":
        nested = { folder: folder ?? "", key: entry.key, count: 1 };
        break;
      case "stranger":
        yield judgeStranger(keys, entry);
        break;
      default:
        break;
    }
  }
  yield* leave(null);
  if (!eventsEnded) yield* events.end();
  yield* judgeHead(objects, keys, events, segments, signal);
  const { last: end, count: found } = events;
  return { objects: count, bytes, events: found, end };
}

async function* listAll(
  objects: ObjectStore,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ListEntry> {
  for (let startAfter = ""; ;) {
    const { entries, truncated } = await objects.list({ prefix, startAfter, signal });
    yield* entries;
    const last = entries.at(-1);
    if (!truncated || last === undefined) return;
    startAfter = last.key;
  }
}

/** The end of the log: that of the listing, or infinite when it has grown since. */
async function grownBeyond(
  objects: ObjectStore,
  keys: LogKeys,
  end: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const next = await objects.get(keys.event(end + 1), { range: { start: 0, end: 1 }, signal });
  return next === null ? end : Infinity;
}

function judgeStranger(keys: LogKeys, { key }: ListEntry): FsckFinding {
  const nearly = nearlyEvent(keys, key);
  if (nearly !== null) return finding("NEARLY_EVENT", key, `it looks like an event and is none: ${nearly}`);
  if (TEMPORARY.test(key)) return finding("TEMPORARY", key, "it looks like something half written, not by this log");
  const own = key.slice(keys.root.length).startsWith("_");
  return finding("STRANGER", key, own ? "no part of this log makes such a key" : "it is no part of this log");
}

async function* judgeHead(
  objects: ObjectStore,
  keys: LogKeys,
  events: EventKeys,
  segments: SegmentNames,
  signal: AbortSignal | undefined,
): AsyncGenerator<FsckFinding> {
  const object = await objects.get(keys.head, { signal });
  if (object === null) return;
  const head = parseHead(object.body);
  const { last: end } = events;
  if (head === null) {
    yield finding("HEAD_UNREADABLE", keys.head, "the stored head is none: readers go without", {
      hint: "the next append writes it anew",
    });
  } else if (head.seq > end) {
    // Appended to since it was listed: the key behind the end is there by now.
    if ((await grownBeyond(objects, keys, end, signal)) > end) return;
    const message = `the stored head names record ${String(head.seq)}, and the log ends at ${String(end)}`;
    yield finding("HEAD_AHEAD", keys.head, message, {
      seq: end + 1,
      toSeq: head.seq,
      hint: segments.coverage.has(head.seq)
        ? "the end was cut off; segments still hold records of it"
        : "the head is written behind its record: the log's end was cut off since",
    });
  } else if (head.seq < end) {
    yield finding(
      "BEHIND_HEAD",
      keys.event(head.seq + 1),
      "events behind the stored head: a writer was killed, or is at work",
      {
        seq: head.seq + 1,
        toSeq: end,
        hint: "it is no fault; the next append puts the head right",
      },
    );
  }
}
