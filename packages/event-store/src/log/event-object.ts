import { checkAlone, type ChainWalk, type LineOrigin, type WalkedLines } from "../core/chain.js";
import { VerificationError } from "../core/errors.js";
import { MAX_BATCH_BYTES, MAX_BATCH_RECORDS, type Head, type StoredRecord } from "../core/event.js";
import { linesOf } from "../core/lines.js";
import type { RecordFields } from "../core/record-scan.js";
import type { RecordView } from "../core/record-view.js";
import { encodeLines } from "../core/record.js";

/** The bytes of an object: one record stands alone, two or more end with a newline each (docs/SPEC.md, "Batch mode"). */
export function objectBody(records: readonly StoredRecord[]): Buffer {
  const [first] = records;
  return records.length === 1 && first !== undefined ? first.line : encodeLines(records);
}

/** How much of an object to verify, and what to hand out of it. */
export interface ObjectRange {
  /** Verify nothing behind this seq. */
  readonly toSeq?: number | undefined;
  readonly wanted?: ((fields: RecordFields) => boolean) | undefined;
}

/** The records of the object under the key of seq `keySeq`, each verified as the next of `chain`. */
export function walkObject(
  chain: ChainWalk,
  body: Buffer,
  keySeq: number,
  facts: LineOrigin["facts"],
  { toSeq = Infinity, wanted }: ObjectRange = {},
): WalkedLines {
  const room = toSeq - chain.head.seq;
  const walked = chain.acceptLines(body, { keySeq, facts, wanted, limit: Math.min(MAX_BATCH_RECORDS, room) });
  if (walked.fault || walked.count === room) return walked;
  const problem =
    walked.count === 0
      ? "an object without a record"
      : linesOf(body.subarray(walked.end)).next().done === true
        ? null
        : `more than ${String(MAX_BATCH_RECORDS)} records in one object`;
  return problem === null ? walked : { ...walked, fault: malformed(chain.head.seq + 1, problem, facts) };
}

/** The record of seq `seq` in an object, checked alone; null when the object ends before it. @throws VerificationError */
export function recordAlone(body: Buffer, keySeq: number, seq: number, facts: LineOrigin["facts"]): RecordView | null {
  const line = [...linesOf(body)][seq - keySeq];
  return line === undefined ? null : checkAlone(line, seq, placed(keySeq, seq, facts));
}

/** The last record of an object, checked alone. @throws VerificationError */
export function lastRecordOf(body: Buffer, keySeq: number, facts: LineOrigin["facts"]): Head {
  const lines = [...linesOf(body)];
  const line = lines.at(-1);
  if (line === undefined) throw malformed(keySeq, "an object without a record", facts);
  const seq = keySeq + lines.length - 1;
  return { seq, hash: checkAlone(line, seq, placed(keySeq, seq, facts)).eventHash };
}

/** Only the records behind the one that `chain` has come to, each verified as the next. */
export function walkRest(
  chain: ChainWalk,
  body: Buffer,
  keySeq: number,
  facts: LineOrigin["facts"],
  { toSeq = Infinity, wanted }: ObjectRange = {},
): WalkedLines {
  const next = [...linesOf(body)][chain.head.seq + 1 - keySeq];
  const from = next === undefined ? body.length : next.byteOffset - body.byteOffset;
  return chain.acceptLines(body, { from, facts, wanted, limit: toSeq - chain.head.seq });
}

/** Only the first record of an object is held against its key. */
function placed(keySeq: number, seq: number, facts: LineOrigin["facts"]): LineOrigin {
  return seq === keySeq ? { keySeq, facts } : { facts };
}

/** No writer makes a larger object: a full batch, with room for white space. */
export const MAX_OBJECT_BYTES: number = MAX_BATCH_BYTES + 1024 * 1024;

/** An object that is too large to be one of a log's; it is not even fetched. */
export function oversized(seq: number, size: number, facts: LineOrigin["facts"]): VerificationError {
  return malformed(seq, `an object of ${String(size)} bytes`, facts);
}

function malformed(seq: number, problem: string, facts: LineOrigin["facts"]): VerificationError {
  const at = { seq, expected: "1 to 1000 records", actual: problem };
  return new VerificationError("MALFORMED", at, `record ${String(seq)} is malformed: ${problem}`, facts && { facts });
}
