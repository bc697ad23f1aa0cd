import { isUtf8 } from "node:buffer";
import { MAX_SEQ, type HashVersion } from "./event.js";
import { isHash } from "./hash.js";
import { canonicalizeText } from "./json/canonical-text.js";
import { CanonicalScanner } from "./json/canonical-scan.js";
import { JsonSyntaxError } from "./json/strict.js";

/** `{"event":` before the event … */
export const EVENT_START = 9;
/** … and `,"event_hash":"<64>","prev_hash":"<64>"}` behind it. */
export const EVENT_TAIL = 160;

type Range = readonly [start: number, end: number];

/** A well-formed record in canonical bytes, its fields as byte ranges. Nothing is parsed, no hash was checked yet. */
export interface RecordView {
  /** The canonical record: the stored bytes themselves, or made from them when they are spelled otherwise. */
  readonly bytes: Buffer;
  readonly seq: number;
  readonly hashVersion: HashVersion;
  readonly eventHash: string;
  readonly prevHash: string;
  readonly aggregateId: Range;
  readonly meta: Range | null;
  readonly payload: Range;
  readonly ts: Range;
  readonly type: Range;
  /** Payload or meta hold an integer of 16 digits or more. */
  readonly longIntegers: boolean;
}

/** A line that is not one record. `reason` is for people. */
export class MalformedRecord extends Error {
  /** The line is the beginning of some JSON text: it just stops too early. */
  readonly incomplete: boolean;

  constructor(reason: string, incomplete = false) {
    super(reason);
    this.incomplete = incomplete;
  }
}

/**
 * Reads one stored line (without its newline). Canonical bytes are read as they are; any other spelling of the same JSON
 * (key order, spaces, escapes) is canonicalised first and read by the same scan, so that both ways give one verdict.
 * @throws MalformedRecord
 */
export function viewRecord(line: Buffer): RecordView {
  return viewCanonical(line) ?? viewAnySpelling(line);
}

/** The way of any spelling, taken by every line that is not canonical. Exported so that tests can compare the two. */
export function viewAnySpelling(line: Buffer): RecordView {
  const text = canonicalText(line);
  const view = viewCanonical(Buffer.from(text));
  if (view === null) throw new MalformedRecord(describeMismatch(text));
  return view;
}

function canonicalText(line: Buffer): string {
  const validUtf8 = isUtf8(line);
  try {
    const text = canonicalizeText(decode(line));
    if (validUtf8) return text;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    if (validUtf8 || error.atEnd) {
      throw new MalformedRecord(
        `${error.message} (at ${error.path}, character ${String(error.offset + 1)})`,
        error.atEnd,
      );
    }
  }
  throw new MalformedRecord("not valid UTF-8");
}

/** Bytes of a character that is cut off by the end are left out, so that a line torn within a character shows as incomplete. */
function decode(line: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line, { stream: true });
  } catch {
    throw new MalformedRecord("not valid UTF-8");
  }
}

/** Null when the bytes are not a record in canonical form. */
function viewCanonical(bytes: Buffer): RecordView | null {
  const end = bytes.length - EVENT_TAIL;
  if (end <= EVENT_START || !isUtf8(bytes)) return null;
  if (bytes.toString("latin1", 0, EVENT_START) !== '{"event":') return null;
  const tail = bytes.toString("latin1", end);
  const eventHash = tail.slice(15, 79);
  const prevHash = tail.slice(94, 158);
  if (tail !== `,"event_hash":"${eventHash}","prev_hash":"${prevHash}"}` || !isHash(eventHash) || !isHash(prevHash))
    return null;
  return viewEvent(bytes, new CanonicalScanner(bytes, EVENT_START, end, 2), eventHash, prevHash);
}

/** The event's fields stand in the one order that canonical form allows. */
function viewEvent(bytes: Buffer, scan: CanonicalScanner, eventHash: string, prevHash: string): RecordView | null {
  const field = (accepted: () => boolean): Range | null => {
    const start = scan.at;
    return accepted() ? [start, scan.at] : null;
  };
  const string = (): boolean => {
    const start = scan.at;
    return scan.string() && scan.at - start > 2;
  };
  if (!scan.text('{"aggregate_id":')) return null;
  const aggregateId = field(string);
  const hashVersion = scan.text(',"hash_version":"v2"') ? 2 : 1;
  const meta = scan.text(',"meta":') ? field(() => scan.object()) : null;
  if (!scan.text(',"payload":')) return null;
  const payload = field(() => scan.object());
  if (!scan.text(',"seq":')) return null;
  const seq = field(() => scan.integer());
  if (!scan.text(',"ts":')) return null;
  const longIntegers = scan.longIntegers;
  const ts = field(() => scan.integer());
  if (!scan.text(',"type":')) return null;
  const type = field(string);
  if (!scan.text("}") || !scan.done || !aggregateId || !payload || !seq || !ts || !type) return null;
  // Version 1 always states meta; version 2 leaves it out when it is empty.
  if (hashVersion === 1 ? meta === null : meta !== null && meta[1] - meta[0] === 2) return null;
  const seqValue = Number(bytes.toString("latin1", ...seq));
  if (seqValue < 0 || seqValue > MAX_SEQ) return null;
  return { bytes, seq: seqValue, hashVersion, eventHash, prevHash, aggregateId, meta, payload, ts, type, longIntegers };
}

const EVENT_FIELDS: Record<string, (value: unknown) => boolean> = {
  aggregate_id: (v) => typeof v === "string" && v !== "",
  hash_version: (v) => v === "v2",
  meta: isObject,
  payload: isObject,
  seq: (v) => typeof v === "number",
  ts: (v) => typeof v === "number",
  type: (v) => typeof v === "string" && v !== "",
};

/** Says what is wrong with a JSON text that is not a record. Called only for those. */
function describeMismatch(canonicalText: string): string {
  const record: unknown = JSON.parse(canonicalText);
  if (!isObject(record)) return "not a JSON object";
  for (const key of ["event", "event_hash", "prev_hash"])
    if (!Object.hasOwn(record, key)) return `field "${key}" is missing`;
  for (const key of Object.keys(record))
    if (!["event", "event_hash", "prev_hash"].includes(key)) return `unknown field ${JSON.stringify(key)}`;
  if (!isHash(record["event_hash"])) return "event_hash is not 64 lowercase hex digits";
  if (!isHash(record["prev_hash"])) return "prev_hash is not 64 lowercase hex digits";
  const event = record["event"];
  if (!isObject(event)) return "event is not an object";
  for (const key of Object.keys(event))
    if (!Object.hasOwn(EVENT_FIELDS, key)) return `unknown event field ${JSON.stringify(key)}`;
  for (const [key, valid] of Object.entries(EVENT_FIELDS)) {
    if (!Object.hasOwn(event, key)) {
      if (key === "hash_version" || (key === "meta" && event["hash_version"] === "v2")) continue;
      return `event field "${key}" is missing`;
    }
    if (!valid(event[key])) return `event field "${key}" has a value that is not allowed`;
  }
  if (event["hash_version"] === "v2" && isObject(event["meta"]) && Object.keys(event["meta"]).length === 0)
    return "a version-2 event states an empty meta";
  return "seq or ts is not an integer in range";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
