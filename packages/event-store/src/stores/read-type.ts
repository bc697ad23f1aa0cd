import { WIDTH, type LogIndex } from "../log/index/coverage.js";
import { THOUSAND } from "../log/index/layout.js";
import type { TypeRef } from "../log/index/table.js";
import type { Head } from "../core/event.js";
import type { RecordFields } from "../core/record-scan.js";
import type { RecordView } from "../core/record-view.js";
import type { SeqRange } from "../log/keys.js";
import type { WalkRange, WalkStep } from "../log/reader.js";
import { fetchAhead } from "../log/window.js";
import type { IndexPlan, PlanPart } from "./index-plan.js";
import type { RecordSource } from "./record-source.js";

export interface TypeRead {
  readonly type: string;
  readonly wanted: (fields: RecordFields) => boolean;
  readonly signal: AbortSignal | undefined;
}

/** What is held of one run until it is complete; beyond that, the whole run is walked. Bytes. */
const MAX_HELD: number = 16 * 1024 * 1024;

type Task =
  | { readonly kind: "walk"; readonly range: SeqRange; readonly anchor: Head | undefined }
  | {
      readonly kind: "thousands";
      readonly key: string;
      readonly range: SeqRange;
      readonly run: SeqRange;
      readonly ref: TypeRef;
    }
  | { readonly kind: "reached"; readonly head: Head };

/**
 * The records of a type by a plan: of each run only the thousands that hold it, read from the log itself; the whole run where half of
 * them do, or where they turn out to hold another number of them than the index says. @throws VerificationError; BackendError
 */
export async function* readType(
  source: RecordSource,
  index: LogIndex,
  { parts }: IndexPlan,
  { type, wanted, signal }: TypeRead,
): AsyncGenerator<WalkStep> {
  const walk = ({ first, last }: SeqRange, start: Partial<WalkRange>) =>
    source.walk({ ...start, fromSeq: first, toSeq: last, wanted, signal, onAnchor: () => undefined });
  for await (const task of joined(tasksOf(index, parts, type, signal))) {
    if (task.kind === "reached") {
      yield { records: [], head: task.head, count: 0 };
      continue;
    }
    if (task.kind === "thousands") {
      const held = await holdThousands(task, (range) => walk(range, { unanchored: true }));
      if (held.records !== null) {
        const end = held.records.at(-1);
        if (end)
          yield { records: held.records, head: { seq: end.seq, hash: end.eventHash }, count: held.records.length };
        continue;
      }
      if (held.wrong) index.warn(task.key, "does not name the records that hold a type");
    }
    let reached = task.range.first - 1;
    const anchor = task.kind === "walk" ? task.anchor : undefined;
    for await (const step of walk(task.range, { anchor })) {
      reached = step.head.seq;
      yield step;
    }
    if (reached < task.range.last) return;
  }
}

/** The records in the thousands that a run is said to have some in; null when they are too large to hold, or (`wrong`) not as many as is said. */
async function holdThousands(
  { range, run, ref }: Extract<Task, { kind: "thousands" }>,
  walk: (range: SeqRange) => AsyncIterable<WalkStep>,
): Promise<{ readonly records: readonly RecordView[] | null; readonly wrong: boolean }> {
  const records: RecordView[] = [];
  let bytes = 0;
  for (const stretch of stretchesOf(run, ref.thousands)) {
    const first = Math.max(stretch.first, range.first);
    const last = Math.min(stretch.last, range.last);
    if (first > last) continue;
    for await (const step of walk({ first, last })) {
      for (const record of step.records) {
        records.push(record);
        bytes += record.line.length;
      }
      if (bytes > MAX_HELD) return { records: null, wrong: false };
    }
  }
  const whole = range.first === run.first && range.last === run.last;
  const wrong = whole ? records.length !== ref.count : records.length > ref.count;
  return { records: wrong ? null : records, wrong };
}

/** Neighbouring thousands as one range. */
function stretchesOf(run: SeqRange, thousands: Buffer): SeqRange[] {
  const stretches: { first: number; last: number }[] = [];
  for (let bit = 0, at = Math.floor(run.first / THOUSAND); at * THOUSAND <= run.last; bit++, at++) {
    if (!has(thousands, bit)) continue;
    const first = Math.max(at * THOUSAND, run.first);
    const last = Math.min((at + 1) * THOUSAND - 1, run.last);
    const before = stretches.at(-1);
    if (before?.last === first - 1) before.last = last;
    else stretches.push({ first, last });
  }
  return stretches;
}

function has(thousands: Buffer, bit: number): boolean {
  return ((thousands[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
}

/** Is the run so full of the type that all of it is better read in one go? */
function isCommon(run: SeqRange, thousands: Buffer): boolean {
  const records = stretchesOf(run, thousands).reduce((sum, { first, last }) => sum + last - first + 1, 0);
  return 2 * records >= run.last - run.first + 1;
}

async function* tasksOf(
  index: LogIndex,
  parts: readonly PlanPart[],
  type: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Task> {
  const lookUp = async ({ file }: PlanPart, abort: AbortSignal): Promise<readonly TypeRef[] | null> =>
    file && index.attempt(file.entry.key, () => file.type(type, abort));
  const limits = { width: () => WIDTH, maxWeight: WIDTH, weight: () => 1, signal };
  for await (const found of fetchAhead(() => parts, lookUp, limits))
    for (const { item: part, result: refs } of found) yield* tasksOfPart(index, part, refs);
}

function* tasksOfPart(index: LogIndex, part: PlanPart, refs: readonly TypeRef[] | null): Generator<Task> {
  if (refs === null || part.file === null) {
    yield { kind: "walk", range: part.range, anchor: part.file === null ? part.anchor : undefined };
    return;
  }
  const { root } = part.file;
  for (const ref of refs) {
    const run = root.runs[ref.run];
    if (run === undefined || run.last < part.range.first || run.first > part.range.last) continue;
    const range = { first: Math.max(run.first, part.range.first), last: Math.min(run.last, part.range.last) };
    yield isCommon(run, ref.thousands)
      ? { kind: "walk", range, anchor: undefined }
      : { kind: "thousands", key: part.file.entry.key, range, run, ref };
  }
  yield { kind: "reached", head: { seq: root.last, hash: root.end } };
}

/** Walks that continue one another as one, as a walk has a beginning that costs. */
async function* joined(tasks: AsyncIterable<Task>): AsyncGenerator<Task> {
  let held = null as Task | null;
  for await (const task of tasks) {
    if (held?.kind === "walk" && task.kind === "reached" && task.head.seq === held.range.last) continue;
    if (held?.kind === "walk" && task.kind === "walk" && task.range.first === held.range.last + 1) {
      held = { kind: "walk", range: { first: held.range.first, last: task.range.last }, anchor: held.anchor };
      continue;
    }
    if (held) yield held;
    held = task;
  }
  if (held) yield held;
}
