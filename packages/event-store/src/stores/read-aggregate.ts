import { fetchPart } from "../log/index/index-file.js";
import { WIDTH, type LogIndex } from "../log/index/coverage.js";
import { readRef } from "../log/index/read-ref.js";
import type { AggregateRef } from "../log/index/table.js";
import type { Head } from "../core/event.js";
import type { RecordFields } from "../core/record-scan.js";
import type { SeqRange } from "../log/keys.js";
import type { WalkStep } from "../log/reader.js";
import { fetchAhead } from "../log/window.js";
import type { IndexPlan, PlanPart } from "./index-plan.js";
import type { RecordSource } from "./record-source.js";
import type { VersionCounter } from "./version-counter.js";

export interface AggregateRead {
  readonly aggregateId: string;
  /** What lies before is in the plan only to be counted. */
  readonly fromSeq: number;
  readonly counter: VersionCounter | null;
  /** The records that the log's own walks hand out. */
  readonly wanted: (fields: RecordFields) => boolean;
  readonly signal: AbortSignal | undefined;
}

type Task =
  | { readonly kind: "walk"; readonly range: SeqRange; readonly anchor: Head | undefined }
  /** So many records of the aggregate lie before the range; null: nobody knows how many. */
  | { readonly kind: "skip"; readonly count: number | null }
  | { readonly kind: "ref"; readonly key: string; readonly run: SeqRange; readonly ref: AggregateRef }
  | { readonly kind: "reached"; readonly head: Head };

/**
 * The records of an aggregate by a plan, in order, those of one run together, once they were all found to be good. A run whose index
 * cannot be used is walked instead. @throws VerificationError, of walks; BackendError
 */
export async function* readAggregate(
  source: RecordSource,
  index: LogIndex,
  { parts }: IndexPlan,
  read: AggregateRead,
): AsyncGenerator<WalkStep> {
  const { aggregateId, fromSeq, counter, wanted, signal } = read;
  const last = parts.at(-1)?.range.last ?? -1;
  // No likely end is given: behind an index a LIST costs less than keys that are computed in vain.
  const walk = ({ first, last: end }: SeqRange, anchor?: Head): AsyncIterable<WalkStep> =>
    source.walk({ fromSeq: first, toSeq: end, anchor, wanted, signal, onAnchor: () => undefined });
  const fetch = (task: Task, abort: AbortSignal): Promise<Buffer | null> =>
    task.kind === "ref" && task.ref.length <= index.layout.maxRefBytes
      ? index.attempt(task.key, () => fetchPart(index.objects, task.key, task.ref, abort))
      : Promise.resolve(null);
  const limits = {
    width: () => WIDTH,
    maxWeight: index.layout.maxRefBytes,
    weight: (task: Task) => (task.kind === "ref" ? task.ref.length : 0),
    signal,
  };
  const tasks = (abort: AbortSignal): AsyncIterable<Task> => tasksOf(index, parts, read, abort);
  for await (const fetched of fetchAhead(tasks, fetch, limits)) {
    for (const { item: task, result: bytes } of fetched) {
      if (task.kind === "reached") yield { records: [], head: task.head, count: 0 };
      else if (task.kind === "skip") {
        if (task.count === null) counter?.lose();
        else counter?.skip(task.count);
      } else if (task.kind === "walk") {
        let reached = task.range.first - 1;
        for await (const step of walk(task.range, task.anchor)) {
          reached = step.head.seq;
          yield step;
        }
        if (reached < task.range.last) return;
      } else {
        const { key, run, ref } = task;
        const records = bytes && (await index.attempt(key, () => readRef(bytes, aggregateId, run, ref)));
        if (records === null) {
          if (run.first < fromSeq) counter?.lose();
          yield* walk({ first: Math.max(run.first, fromSeq), last: Math.min(run.last, last) });
          continue;
        }
        counter?.skip(records.filter(({ seq }) => seq < fromSeq).length);
        const found = records.filter(({ seq }) => seq >= fromSeq && seq <= last);
        const end = found.at(-1);
        if (end) yield { records: found, head: { seq: end.seq, hash: end.eventHash }, count: found.length };
      }
    }
  }
}

async function* tasksOf(
  index: LogIndex,
  parts: readonly PlanPart[],
  { aggregateId, fromSeq }: AggregateRead,
  signal: AbortSignal,
): AsyncGenerator<Task> {
  const lookUp = async ({ file }: PlanPart, abort: AbortSignal): Promise<readonly AggregateRef[] | null> =>
    file && index.attempt(file.entry.key, () => file.aggregate(aggregateId, abort));
  const limits = { width: () => WIDTH, maxWeight: WIDTH, weight: () => 1, signal };
  for await (const found of fetchAhead(() => parts, lookUp, limits))
    for (const { item: part, result: refs } of found) yield* tasksOfPart(index, part, refs, fromSeq);
}

/** `refs`: null when the part has no index file, or one that cannot be used. */
function* tasksOfPart(
  index: LogIndex,
  part: PlanPart,
  refs: readonly AggregateRef[] | null,
  fromSeq: number,
): Generator<Task> {
  const { first, last } = part.range;
  if (refs === null || part.file === null) {
    if (first < fromSeq) yield { kind: "skip", count: null };
    const anchor = part.file === null && first >= fromSeq ? part.anchor : undefined;
    if (last >= fromSeq) yield { kind: "walk", range: { first: Math.max(first, fromSeq), last }, anchor };
    return;
  }
  const { root } = part.file;
  for (const ref of refs) {
    const run = root.runs[ref.run];
    if (run === undefined || ref.first > last) continue;
    if (ref.last < fromSeq) yield { kind: "skip", count: ref.count };
    else yield { kind: "ref", key: index.keys.indexFile("runs", run), run, ref };
  }
  yield { kind: "reached", head: { seq: root.last, hash: root.end } };
}
