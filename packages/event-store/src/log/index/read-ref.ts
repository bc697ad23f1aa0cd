import { checkAlone } from "../../core/chain.js";
import { VerificationError } from "../../core/errors.js";
import { linesOf } from "../../core/lines.js";
import { MalformedRecord, viewRecord, type RecordView } from "../../core/record-view.js";
import type { SeqRange } from "../keys.js";
import { decodeMembers } from "./members.js";
import { aggregateIdOf } from "./run-sorter.js";
import type { AggregateRef } from "./table.js";
import { IndexUnusable } from "./unusable.js";

/** Decompressed: more of one run is read from the log itself. */
const MAX_BYTES: number = 64 * 1024 * 1024;

/**
 * The records of an aggregate from the bytes that a table names: each checked alone, all of them there, in order.
 * @throws IndexUnusable
 */
export async function readRef(bytes: Buffer, id: string, run: SeqRange, ref: AggregateRef): Promise<RecordView[]> {
  const records: RecordView[] = [];
  let before = run.first - 1;
  for (const line of linesOf(await decodeMembers(bytes, MAX_BYTES))) {
    const record = viewOf(line);
    if (aggregateIdOf(record) !== id) continue;
    if (record.seq <= before || record.seq > run.last) throw new IndexUnusable("has records in disorder");
    before = record.seq;
    records.push(checked(line, record.seq));
  }
  if (records.length !== ref.count || records[0]?.seq !== ref.first || before !== ref.last)
    throw new IndexUnusable("does not hold the records that its table names");
  return records;
}

function viewOf(line: Buffer): RecordView {
  try {
    return viewRecord(line);
  } catch (error) {
    if (!(error instanceof MalformedRecord)) throw error;
    throw new IndexUnusable("holds what is no record", { cause: error });
  }
}

function checked(line: Buffer, seq: number): RecordView {
  try {
    return checkAlone(line, seq);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw new IndexUnusable("holds a record that was changed", { cause: error });
  }
}
