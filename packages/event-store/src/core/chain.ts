import { VerificationError, type ErrorFacts } from "./errors.js";
import { GENESIS_HASH, MAX_RECORD_BYTES, type Head } from "./event.js";
import { eventHashOfSlice } from "./hash.js";
import { isBlank } from "./lines.js";
import { EVENT_START, EVENT_TAIL, type RecordFields } from "./record-scan.js";
import { MalformedRecord, viewRecord, type RecordView } from "./record-view.js";
import { Stride } from "./stride.js";

/** Where a line was found: for the facts of an error, and for what only some stores can judge. */
export interface LineOrigin {
  /** The seq that the object's key names, for the first record of an object. */
  readonly keySeq?: number | undefined;
  /** The line is the last of a file and has no newline: if it is incomplete it is torn, not malformed. */
  readonly unterminated?: boolean | undefined;
  readonly facts?: ErrorFacts | undefined;
}

/** Which lines of a block to walk, and what to hand out of them. */
export interface LineRange {
  /** Bytes [from, to) of the block: whole lines, the last one perhaps without its newline. Default: all. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** At most so many records. */
  readonly limit?: number | undefined;
  /** The records to hand out, told by their bytes; default: all. Every record is verified. */
  readonly wanted?: ((fields: RecordFields) => boolean) | undefined;
  /** The seq that the object's key names, where the range begins with its first record. */
  readonly keySeq?: number | undefined;
  /** The range ends where the log does: a last line without a newline may be torn. */
  readonly atEnd?: boolean | undefined;
  readonly facts?: ErrorFacts | undefined;
}

export interface WalkedLines {
  /** The good records that were wanted, up to the fault. */
  readonly records: readonly RecordView[];
  /** Good records. */
  readonly count: number;
  /** Offset behind the last line that was passed. */
  readonly end: number;
  /** Why the walk ended before the range did. */
  readonly fault: VerificationError | null;
}

const NEWLINE = 0x0a;

/**
 * The verdicts on a log's records, in docs/SPEC.md's order; the first that applies is thrown. Feed it every record in
 * order of storage. Everything that verifies records goes through here: reads, `verify`, `copy`, and (with `checkAlone`) the appender's look at the tail.
 */
export class ChainWalk {
  #seq: number;
  #hash: string;
  #stride: Stride | null = null;

  /** `after`: the record that the first one must link to; seq −1 with 64 zeros at the beginning. */
  constructor(after: Head = { seq: -1, hash: GENESIS_HASH }) {
    this.#seq = after.seq;
    this.#hash = after.hash;
  }

  /** The last good record. */
  get head(): Head {
    return { seq: this.#seq, hash: this.#hash };
  }

  /** @throws VerificationError */
  accept(line: Buffer, origin: LineOrigin = {}): RecordView {
    const seq = this.#seq + 1;
    const view = viewInPlace(line, seq, origin);
    if (view.prevHash !== this.#hash) throw unlinked(view, seq, this.#hash, origin);
    checkHash(view, seq, origin);
    if (view.seq !== seq) throw wrongSeq(view, seq, origin);
    this.#seq = seq;
    this.#hash = view.eventHash;
    return view;
  }

  /** As `accept`, for the lines of a block; blank ones stand for nothing. A fault is answered behind the good records before it. */
  acceptLines(block: Buffer, range: LineRange = {}): WalkedLines {
    const { from = 0, to = block.length, limit = Infinity, wanted, facts } = range;
    const stride = (this.#stride ??= new Stride());
    const loaded = stride.load(block, from, to);
    const records: RecordView[] = [];
    let count = 0;
    let at = from;
    try {
      while (at < to && count < limit) {
        const prevHash = this.#hash;
        const seq = this.#seq + 1;
        const keySeq = count === 0 ? range.keySeq : undefined;
        const eventHash = loaded && (keySeq === undefined || keySeq === seq) ? stride.accept(at, seq, prevHash) : null;
        if (eventHash !== null) {
          this.#seq = seq;
          this.#hash = eventHash;
          if (wanted === undefined || wanted(stride.fields)) records.push(stride.view(block, prevHash));
          at = Math.min(stride.end + 1, to);
          count++;
          continue;
        }
        const newline = block.indexOf(NEWLINE, at);
        const end = newline < 0 || newline >= to ? to : newline;
        const line = block.subarray(at, end);
        if (!isBlank(line)) {
          const view = this.accept(line, { keySeq, unterminated: range.atEnd === true && end === to, facts });
          if (wanted === undefined || wanted(view)) records.push(view);
          count++;
        }
        at = Math.min(end + 1, to);
      }
    } catch (error) {
      if (error instanceof VerificationError) return { records, count, end: at, fault: error };
      throw error;
    }
    return { records, count, end: at, fault: null };
  }
}

/** Checks one record on its own: form, place, own hash and seq; not its link. @throws VerificationError */
export function checkAlone(line: Buffer, seq: number, origin: LineOrigin = {}): RecordView {
  const view = viewInPlace(line, seq, origin);
  checkHash(view, seq, origin);
  if (view.seq !== seq) throw wrongSeq(view, seq, origin);
  return view;
}

function viewInPlace(line: Buffer, seq: number, origin: LineOrigin): RecordView {
  const view = wellFormed(line, seq, origin);
  if (origin.keySeq !== undefined && view.seq !== origin.keySeq) {
    const at = { seq, expected: origin.keySeq, actual: view.seq };
    throw new VerificationError(
      "MISPLACED",
      at,
      `the object under the key of seq ${String(origin.keySeq)} holds seq ${String(view.seq)}`,
      evidence(origin),
    );
  }
  return view;
}

function wellFormed(line: Buffer, seq: number, origin: LineOrigin): RecordView {
  if (line.length > MAX_RECORD_BYTES) {
    // A reader may have cut it: how much longer it is, it does not say.
    const at = { seq, expected: MAX_RECORD_BYTES, actual: `more than ${String(MAX_RECORD_BYTES)}` };
    throw new VerificationError(
      "MALFORMED",
      at,
      `record ${String(seq)} is malformed: more than ${String(MAX_RECORD_BYTES)} bytes`,
      evidence(origin),
    );
  }
  try {
    return viewRecord(line);
  } catch (error) {
    if (!(error instanceof MalformedRecord)) throw error;
    if (origin.unterminated && (error.incomplete || endsInNuls(line))) throw tornTail(seq, line.length, origin.facts);
    const at = { seq, expected: "one record in strict JSON", actual: error.message };
    const message = `record ${String(seq)} is malformed: ${error.message}`;
    if (seq === 0) throw new VerificationError("MALFORMED", at, message, { ...evidence(origin), hint: NO_LOG_HINT });
    throw new VerificationError("MALFORMED", at, message, evidence(origin));
  }
}

/** A crash may leave the end of a file as zeros: everything from the first NUL on is NUL. */
function endsInNuls(line: Buffer): boolean {
  const first = line.indexOf(0);
  return first >= 0 && line.subarray(first).every((byte) => byte === 0);
}

export function tornTail(seq: number, bytes: number, facts?: ErrorFacts): VerificationError {
  const at = { seq, expected: "a complete line", actual: `${String(bytes)} bytes of an unfinished write` };
  return new VerificationError(
    "TORN_TAIL",
    at,
    `the log ends in an unfinished write where record ${String(seq)} would stand`,
    {
      ...(facts && { facts }),
      hint: "a writer died in the middle of a write that it had not acknowledged, or the file was cut; a noted head (--expect-head) tells which. The next append sets the bytes aside in a side file and goes on",
    },
  );
}

function unlinked(view: RecordView, seq: number, hash: string, origin: LineOrigin): VerificationError {
  if (view.seq !== seq) return wrongSeq(view, seq, origin);
  const message = `record ${String(seq)} does not link to the record before it: it, or that record, was changed`;
  return new VerificationError(
    "CHAIN_BROKEN",
    { seq, expected: hash, actual: view.prevHash },
    message,
    evidence(origin),
  );
}

function wrongSeq(view: RecordView, seq: number, origin: LineOrigin): VerificationError {
  return view.seq > seq ? gap(seq, view.seq, origin) : duplicate(view, seq, origin);
}

/** Where `seq` belongs stands `actual`, a later record. `hint`: where else to look for it. */
export function gap(seq: number, actual: number, origin: LineOrigin = {}, hint?: string): VerificationError {
  const message = `record ${String(seq)} is missing: seq ${String(actual)} stands in its place`;
  const details = { ...evidence(origin), ...(hint !== undefined && { hint }) };
  return new VerificationError("GAP", { seq, expected: seq, actual }, message, details);
}

function duplicate(view: RecordView, seq: number, origin: LineOrigin): VerificationError {
  const message = `where record ${String(seq)} belongs, seq ${String(view.seq)} stands again`;
  return new VerificationError("DUPLICATE", { seq, expected: seq, actual: view.seq }, message, evidence(origin));
}

function checkHash(view: RecordView, seq: number, origin: LineOrigin): void {
  const recomputed = eventHashOfSlice(view.prevHash, view.bytes, view.start + EVENT_START, view.end - EVENT_TAIL);
  if (recomputed === view.eventHash) return;
  const at = { seq, expected: view.eventHash, actual: recomputed };
  throw new VerificationError(
    "HASH_MISMATCH",
    at,
    `record ${String(seq)} was changed: its content does not have the hash it states`,
    evidence(origin),
  );
}

const NO_LOG_HINT =
  "this does not look like an event log of this format (JSON lines of event, event_hash and prev_hash); if it was one, its beginning was changed";

function evidence(origin: LineOrigin): { facts?: ErrorFacts; hint: string } {
  const hint =
    "the log was changed after it was written, or copied badly: keep it as it is and compare it with a backup or a copy";
  return origin.facts ? { facts: origin.facts, hint } : { hint };
}
