import { checkAlone, type ChainWalk, type LineOrigin } from "../core/chain.js";
import { VerificationError } from "../core/errors.js";
import { MAX_BATCH_BYTES, MAX_BATCH_RECORDS, type Head, type StoredRecord } from "../core/event.js";
import { linesOf } from "../core/lines.js";
import type { RecordView } from "../core/record-view.js";

/** One record of an object, verified. `line` is what is stored, `view` what it says. */
export interface VerifiedRecord {
  readonly line: Buffer;
  readonly view: RecordView;
}

/** The bytes of an object: one record stands alone, two or more end with a newline each (docs/SPEC.md, "Batch mode"). */
export function objectBody(records: readonly StoredRecord[]): Buffer {
  const [first] = records;
  if (records.length === 1 && first !== undefined) return first.line;
  return Buffer.concat(records.flatMap(({ line }) => [line, NEWLINE]));
}

const NEWLINE = Buffer.from("\n");

/** The records of the object under the key of seq `keySeq`, each verified as the next of `chain`. @throws VerificationError */
export function* verifyObject(
  chain: ChainWalk,
  body: Buffer,
  keySeq: number,
  facts: LineOrigin["facts"],
): Generator<VerifiedRecord> {
  let count = 0;
  for (const line of linesOf(body)) {
    if (count === MAX_BATCH_RECORDS)
      throw malformed(chain.head.seq + 1, `more than ${String(MAX_BATCH_RECORDS)} records in one object`, facts);
    const origin = count === 0 ? { keySeq, facts } : { facts };
    yield { line, view: chain.accept(line, origin) };
    count++;
  }
  if (count === 0) throw malformed(chain.head.seq + 1, "an object without a record", facts);
}

/** The record of seq `seq` in an object, checked alone; null when the object ends before it. @throws VerificationError */
export function recordAlone(
  body: Buffer,
  keySeq: number,
  seq: number,
  facts: LineOrigin["facts"],
): VerifiedRecord | null {
  const line = [...linesOf(body)][seq - keySeq];
  return line === undefined ? null : { line, view: checkAlone(line, seq, placed(keySeq, seq, facts)) };
}

/** The last record of an object, checked alone. @throws VerificationError */
export function lastRecordOf(body: Buffer, keySeq: number, facts: LineOrigin["facts"]): Head {
  const lines = [...linesOf(body)];
  const line = lines.at(-1);
  if (line === undefined) throw malformed(keySeq, "an object without a record", facts);
  const seq = keySeq + lines.length - 1;
  return { seq, hash: checkAlone(line, seq, placed(keySeq, seq, facts)).eventHash };
}

/** The records behind the one that `chain` has come to, each verified as the next. */
export function* verifyRest(
  chain: ChainWalk,
  body: Buffer,
  keySeq: number,
  facts: LineOrigin["facts"],
): Generator<VerifiedRecord> {
  for (const line of [...linesOf(body)].slice(chain.head.seq + 1 - keySeq))
    yield { line, view: chain.accept(line, { facts }) };
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
