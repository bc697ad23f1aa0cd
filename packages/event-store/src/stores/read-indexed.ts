import type { Head } from "../core/event.js";
import type { RecordFields } from "../core/record-scan.js";
import type { LogIndex } from "../log/index/coverage.js";
import type { WalkStep } from "../log/reader.js";
import { planIndexed } from "./index-plan.js";
import type { ReadOptions } from "./port.js";
import { readAggregate } from "./read-aggregate.js";
import { readType } from "./read-type.js";
import type { RecordSource } from "./record-source.js";
import type { VersionCounter } from "./version-counter.js";

export interface IndexedRange {
  readonly fromSeq: number;
  readonly toSeq: number;
  /** The caller's. */
  readonly anchor?: Head;
  /** A seq that the log is known to reach. */
  readonly likelyEnd?: number;
  readonly wanted: (fields: RecordFields) => boolean;
  readonly counter: VersionCounter | null;
}

export interface IndexedRead {
  readonly steps: AsyncIterable<WalkStep>;
  /** The last record that is indexed: the log has it. */
  readonly covered: Head;
}

/**
 * The records of an aggregate, or of a type, through the log's index; null where there is none to use, where it is not worth its
 * requests, or where the caller wants a verified chain. May give others, too. @throws VerificationError; BackendError
 */
export async function readIndexed(
  source: RecordSource,
  { aggregateId, type, verify, signal, onAnchor }: ReadOptions,
  { fromSeq, toSeq, anchor, likelyEnd, wanted, counter }: IndexedRange,
): Promise<IndexedRead | null> {
  const { index } = source;
  if (index === undefined || verify === "chain" || anchor !== undefined) return null;
  if (!isWorthIt(index, fromSeq, toSeq, likelyEnd)) return null;
  // Versions count what lies before.
  const first = aggregateId !== undefined && counter !== null ? 0 : fromSeq;
  const plan = await planIndexed(index, { first, last: toSeq }, likelyEnd, signal);
  if (plan === null || plan.covered.seq < fromSeq) return null;
  if (aggregateId === undefined && type === undefined) return null;
  onAnchor?.({ ...plan.covered, source: "index" });
  if (fromSeq > 0) counter?.begin();
  const steps =
    aggregateId === undefined
      ? readType(source, index, plan, { type: type ?? "", wanted, signal })
      : readAggregate(source, index, plan, { aggregateId, fromSeq, counter, wanted, signal });
  return { steps, covered: plan.covered };
}

function isWorthIt({ layout }: LogIndex, fromSeq: number, toSeq: number, likelyEnd: number | undefined): boolean {
  const end = Math.min(toSeq, likelyEnd ?? toSeq);
  return (likelyEnd ?? Infinity) + 1 >= layout.leastLog && end - fromSeq + 1 >= layout.leastRange;
}
