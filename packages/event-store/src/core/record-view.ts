import { isUtf8 } from "node:buffer";
import type { Head, HashVersion } from "./event.js";
import { isHash } from "./hash.js";
import { withMargin } from "./json/canonical-scan.js";
import { canonicalizeText } from "./json/canonical-text.js";
import { JsonSyntaxError } from "./json/strict.js";
import { EVENT_HASH_FROM_END, PREV_HASH_FROM_END, RecordScan, type RecordFields } from "./record-scan.js";

/** A well-formed record in canonical bytes, its fields as byte ranges of them. Nothing is parsed. */
export class RecordView implements RecordFields {
  /** What holds the canonical record: the stored bytes themselves, or made from them when they are spelled otherwise. */
  readonly bytes: Buffer;
  readonly seq: number;
  readonly hashVersion: HashVersion;
  readonly eventHash: string;
  readonly prevHash: string;
  readonly start: number;
  readonly end: number;
  readonly aggregateIdStart: number;
  readonly aggregateIdEnd: number;
  readonly metaStart: number;
  readonly metaEnd: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  readonly tsStart: number;
  readonly tsEnd: number;
  readonly typeStart: number;
  readonly typeEnd: number;
  readonly longIntegers: boolean;
  readonly escapes: boolean;
  /** Its position within its aggregate, from 1, where the read that found it knows. */
  aggregateVersion: number | undefined = undefined;
  readonly #stored: Buffer | null;

  /** `fields`, moved by `shift` bytes, in `bytes`. `stored`: the line as it is stored, when it is spelled otherwise. */
  constructor(
    bytes: Buffer,
    fields: RecordFields,
    shift: number,
    eventHash: string,
    prevHash: string,
    stored: Buffer | null = null,
  ) {
    this.bytes = bytes;
    this.seq = fields.seq;
    this.hashVersion = fields.hashVersion;
    this.eventHash = eventHash;
    this.prevHash = prevHash;
    this.start = fields.start + shift;
    this.end = fields.end + shift;
    this.aggregateIdStart = fields.aggregateIdStart + shift;
    this.aggregateIdEnd = fields.aggregateIdEnd + shift;
    this.metaStart = fields.metaStart < 0 ? -1 : fields.metaStart + shift;
    this.metaEnd = fields.metaStart < 0 ? -1 : fields.metaEnd + shift;
    this.payloadStart = fields.payloadStart + shift;
    this.payloadEnd = fields.payloadEnd + shift;
    this.tsStart = fields.tsStart + shift;
    this.tsEnd = fields.tsEnd + shift;
    this.typeStart = fields.typeStart + shift;
    this.typeEnd = fields.typeEnd + shift;
    this.longIntegers = fields.longIntegers;
    this.escapes = fields.escapes;
    this.#stored = stored;
  }

  /** The line as it is stored, without its newline. */
  get line(): Buffer {
    return this.#stored ?? this.bytes.subarray(this.start, this.end);
  }
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
  return viewCanonical(line, null) ?? viewAnySpelling(line);
}

/** Where a line says that it belongs: what it links to; null when it is no record. */
export function placeBefore(line: Buffer): Head | null {
  try {
    const { seq, prevHash } = viewRecord(line);
    return { seq: seq - 1, hash: prevHash };
  } catch (error) {
    if (error instanceof MalformedRecord) return null;
    throw error;
  }
}

/** The way of any spelling, taken by every line that is not canonical. Exported so that tests can compare the two. */
export function viewAnySpelling(line: Buffer): RecordView {
  const text = canonicalText(line);
  const view = viewCanonical(Buffer.from(text), line);
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
function viewCanonical(bytes: Buffer, stored: Buffer | null): RecordView | null {
  if (!isUtf8(bytes)) return null;
  const scan = alone.use(withMargin(bytes));
  if (!scan.read(0) || scan.end !== bytes.length) return null;
  const hashAt = (fromEnd: number): string =>
    bytes.toString("latin1", scan.end - fromEnd, scan.end - fromEnd + HASH_DIGITS);
  const [eventHash, prevHash] = [hashAt(EVENT_HASH_FROM_END), hashAt(PREV_HASH_FROM_END)];
  return isHash(eventHash) && isHash(prevHash) ? new RecordView(bytes, scan, 0, eventHash, prevHash, stored) : null;
}

/** Of one line at a time. */
const alone = new RecordScan();

const HASH_DIGITS = 64;

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
