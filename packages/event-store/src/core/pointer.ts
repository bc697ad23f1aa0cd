import { decodeUtf8 } from "./decode.js";
import { MAX_SEQ } from "./event.js";
import { isHash } from "./hash.js";
import type { RecordFields } from "./record-scan.js";

/*
 * Links of an event to the one that caused it, as the Python system's decisions have them: three fields of the payload, beside
 * whatever else it says. docs/operations/decisions.md.
 */

export const TRIGGER_SEQ = "trigger_event_seq";
export const TRIGGER_HASH = "trigger_event_hash";
export const TRIGGER_TYPE = "trigger_event_type";

/** A link that is well-formed: whether it holds, the log says. */
export interface Pointer {
  /** Of the event that has it. */
  readonly seq: number;
  readonly triggerSeq: number;
  readonly triggerHash: string;
  readonly triggerType: string | null;
}

/** What is wrong with a link. */
export const POINTER_FAULTS = [
  /** One of trigger_event_seq and trigger_event_hash is missing. */
  "INCOMPLETE",
  /** A field is not what it should be: a seq, 64 lowercase hex digits, a string. */
  "ILL_TYPED",
  /** It names the event itself, or a later one. */
  "NOT_BEFORE",
  /** The log has no such record. */
  "NOT_FOUND",
  /** The record there is not whole: it does not have the hash it states. */
  "DAMAGED",
  /** The record there has another hash. */
  "HASH_DIFFERS",
  /** The record there has another type. */
  "TYPE_DIFFERS",
] as const;
export type PointerFault = (typeof POINTER_FAULTS)[number];

/** A link that does not hold. */
export interface BrokenPointer {
  /** Of the event that has it. */
  readonly seq: number;
  readonly reason: PointerFault;
  /** The seq that it names; null when it names none. */
  readonly triggerSeq: number | null;
  /** What the link says, or what should stand there. */
  readonly expected: string | number;
  /** What the log has, or what stands there. */
  readonly actual: string | number;
}

/** No byte of these is ever escaped in canonical JSON. */
const MARK = Buffer.from('"trigger_event_');

/** The link that a record's payload has, or what is wrong with it; null when it has none. */
export function pointerOf(fields: RecordFields): Pointer | BrokenPointer | null {
  const { bytes, payloadStart, payloadEnd, seq } = fields;
  if (bytes.subarray(payloadStart, payloadEnd).indexOf(MARK) < 0) return null;
  // Digits that a double does not hold make no seq anyway.
  const payload = JSON.parse(decodeUtf8(bytes, payloadStart, payloadEnd)) as Record<string, unknown>;
  const has = (name: string): boolean => Object.hasOwn(payload, name);
  // The type alone is no link.
  if (!has(TRIGGER_SEQ) && !has(TRIGGER_HASH)) return null;
  const { [TRIGGER_SEQ]: triggerSeq, [TRIGGER_HASH]: triggerHash, [TRIGGER_TYPE]: type = null } = payload;
  const named = isSeq(triggerSeq) ? triggerSeq : null;
  const broken = (reason: PointerFault, expected: string | number, actual: string | number): BrokenPointer => {
    return { seq, reason, triggerSeq: named, expected, actual };
  };
  if (!has(TRIGGER_SEQ) || !has(TRIGGER_HASH)) {
    const [missing, there] = has(TRIGGER_SEQ) ? [TRIGGER_HASH, TRIGGER_SEQ] : [TRIGGER_SEQ, TRIGGER_HASH];
    return broken("INCOMPLETE", `${TRIGGER_SEQ} and ${TRIGGER_HASH}`, `${there} without ${missing}`);
  }
  const illTyped = (name: string, what: string, value: unknown): BrokenPointer =>
    broken("ILL_TYPED", `${name}: ${what}`, shown(value));
  if (named === null) return illTyped(TRIGGER_SEQ, `an integer from 0 to ${String(MAX_SEQ)}`, triggerSeq);
  if (!isHash(triggerHash)) return illTyped(TRIGGER_HASH, "64 lowercase hex digits", triggerHash);
  if (has(TRIGGER_TYPE) && typeof type !== "string") return illTyped(TRIGGER_TYPE, "a string", type);
  if (named >= seq) return broken("NOT_BEFORE", `a seq before ${String(seq)}`, named);
  return { seq, triggerSeq: named, triggerHash, triggerType: typeof type === "string" ? type : null };
}

function isSeq(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_SEQ;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
