import { ChainWalk, checkAlone, type LineOrigin } from "../core/chain.js";
import { VerificationError } from "../core/errors.js";
import { MAX_BATCH_RECORDS, type Head, type StoredRecord } from "../core/event.js";
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

/**
 * As `verifyObject` for an object met without what lies before it: its first record is checked alone, the others as
 * linking to it. Seqs in verdicts count from the key's.
 */
export function* verifyObjectAlone(
  body: Buffer,
  keySeq: number,
  facts: LineOrigin["facts"],
): Generator<VerifiedRecord> {
  const [first] = linesOf(body);
  if (first === undefined) throw malformed(keySeq, "an object without a record", facts);
  const view = checkAlone(first, keySeq, { keySeq, facts });
  const chain = new ChainWalk({ seq: keySeq - 1, hash: view.prevHash });
  yield* verifyObject(chain, body, keySeq, facts);
}

/** Last record of an object that is checked alone. */
export function lastRecordOf(body: Buffer, keySeq: number, facts: LineOrigin["facts"]): Head {
  let head: Head = { seq: keySeq - 1, hash: "" };
  for (const { view } of verifyObjectAlone(body, keySeq, facts)) head = { seq: view.seq, hash: view.eventHash };
  return head;
}

function malformed(seq: number, problem: string, facts: LineOrigin["facts"]): VerificationError {
  const at = { seq, expected: "1 to 1000 records", actual: problem };
  return new VerificationError("MALFORMED", at, `record ${String(seq)} is malformed: ${problem}`, facts && { facts });
}
