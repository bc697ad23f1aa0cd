import type { SeqRange } from "../keys.js";
import type { LogOnObjects } from "../tail.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import { emitWarning, type OnWarning } from "../../system/warning.js";
import type { EnsuredIndex, IndexContext } from "./ensure-context.js";
import { buildRun, type SegmentRecords } from "./build-run.js";
import { ensureDirectories } from "./ensure-directories.js";
import { IndexFile, type IndexEntry } from "./index-file.js";
import { LAYOUT, type IndexLayout } from "./layout.js";
import { listIndex } from "./list-index.js";
import { placeFile } from "./place-file.js";
import { IndexUnusable } from "./unusable.js";

export interface EnsureOptions {
  /** Told of index files that were not as they should be, and were made anew. Default: Node's process warnings. */
  readonly onWarning?: OnWarning | undefined;
  readonly runtime?: Runtime | undefined;
  /** For tests. */
  readonly layout?: IndexLayout | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes the index of these segments complete: runs that are missing, or are not of these records, and the directories above
 * them; removes the runs within each segment that it has replaced. The segments are the log's newest, largest ones, in order and without
 * overlaps; to be called behind each that was written, and for all of them when a compaction begins, which mends what an interrupted one left. Several may do
 * so at once. @throws ConfigError when the records are not the segment's; BackendError; EventStoreError CONTENTION; ABORTED
 */
export async function ensureIndex(
  log: Pick<LogOnObjects, "objects" | "keys">,
  segments: readonly SegmentRecords[],
  options: EnsureOptions = {},
): Promise<EnsuredIndex> {
  const { onWarning = emitWarning, runtime = systemRuntime, layout = LAYOUT, signal } = options;
  const context = { log, onWarning, runtime, layout, signal };
  let written = 0;
  let removed = 0;
  const changed: SeqRange[] = [];
  for (const group of neighbours(segments)) {
    const known = await listIndex(log, "runs", span(group), signal);
    for (const segment of group) {
      const within = known.filter(({ first, last }) => segment.first <= first && last <= segment.last);
      const its = within.find(({ first, last }) => first === segment.first && last === segment.last);
      if (its === undefined || !(await isOf(context, its, segment))) {
        await placeFile(
          log.objects,
          log.keys.indexFile("runs", segment),
          await (segment.run?.() ?? buildRun(segment)),
          { runtime, signal },
        );
        changed.push(segment);
        written++;
      }
      const replaced = within.filter((entry) => entry !== its);
      if (replaced.length > 0) changed.push(segment);
      // The longer one is there, and is what readers take.
      for (const { key } of replaced) await log.objects.delete(key, { signal });
      removed += replaced.length;
    }
  }
  const directories = await ensureDirectories(context, segments, changed);
  return { written: written + directories.written, removed: removed + directories.removed };
}

/** Is a run that exists that of the segment? Its root tells: a hash at the end stands for all before it. */
async function isOf(
  { log, onWarning, signal }: IndexContext,
  run: IndexEntry,
  segment: SegmentRecords,
): Promise<boolean> {
  let reason: string;
  try {
    const { root } = await IndexFile.open(log.objects, run, signal);
    if (root.records !== null && root.before === segment.before.hash && root.end === segment.end.hash) return true;
    reason = "is of another log, or of this one before it was rewritten";
  } catch (error) {
    if (!(error instanceof IndexUnusable)) throw error;
    reason = error.message;
  }
  onWarning({ code: "INDEX_UNUSABLE", message: `the index file ${run.key} ${reason}: it is made anew` });
  return false;
}

/** Segments that one LIST is worth: pieces of at most a million records. */
function* neighbours(segments: readonly SegmentRecords[]): Generator<SegmentRecords[]> {
  let group: SegmentRecords[] = [];
  for (const segment of segments) {
    const [start] = group;
    if (start !== undefined && segment.last - start.first >= 1_000_000) {
      yield group;
      group = [];
    }
    group.push(segment);
  }
  if (group.length > 0) yield group;
}

function span(group: readonly SeqRange[]): SeqRange {
  return { first: group[0]?.first ?? 0, last: group.at(-1)?.last ?? 0 };
}
