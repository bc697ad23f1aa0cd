import { decodeUtf8 } from "./decode.js";
import { InvalidEventError } from "./errors.js";
import type { HashVersion, StoredRecord } from "./event.js";
import { MalformedRecord, viewRecord, type RecordView } from "./record-view.js";
import { string } from "./recorded-event.js";

/** A record as texts in which no number loses a digit: for exports, and for telling whether two events are the same. */
export interface RecordTexts {
  readonly seq: number;
  readonly type: string;
  readonly aggregateId: string;
  /** The digits of an integer of any size. */
  readonly ts: string;
  /** Canonical JSON text of an object. */
  readonly payload: string;
  /** Canonical JSON text of an object; `{}` when there is none. */
  readonly meta: string;
  readonly hashVersion: HashVersion;
  readonly eventHash: string;
  readonly prevHash: string;
}

/**
 * The parts of a record that `readRecords` gave. The record is not verified again.
 * @throws InvalidEventError when the line is no record at all
 */
export function recordTexts({ line }: Pick<StoredRecord, "line">): RecordTexts {
  const view = viewOf(line);
  const { bytes, tsStart, tsEnd, payloadStart, payloadEnd, metaStart, metaEnd } = view;
  return {
    seq: view.seq,
    type: string(view, view.typeStart, view.typeEnd),
    aggregateId: string(view, view.aggregateIdStart, view.aggregateIdEnd),
    ts: decodeUtf8(bytes, tsStart, tsEnd),
    payload: decodeUtf8(bytes, payloadStart, payloadEnd),
    meta: metaStart < 0 ? "{}" : decodeUtf8(bytes, metaStart, metaEnd),
    hashVersion: view.hashVersion,
    eventHash: view.eventHash,
    prevHash: view.prevHash,
  };
}

function viewOf(line: Buffer): RecordView {
  try {
    return viewRecord(line);
  } catch (error) {
    if (!(error instanceof MalformedRecord)) throw error;
    throw new InvalidEventError("$", `not a stored record: ${error.message}`, "give what readRecords() gave");
  }
}
