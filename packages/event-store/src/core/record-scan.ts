import type { HashVersion } from "./event.js";
import { MAX_SEQ } from "./event.js";
import { CanonicalScan, Literal } from "./json/canonical-scan.js";

/** Where the parts of a record stand in `bytes`, as offsets, ends exclusive. Strings and objects include their quotes and braces. */
export interface RecordFields {
  readonly bytes: Buffer;
  readonly seq: number;
  readonly hashVersion: HashVersion;
  /** The whole record, without a newline. */
  readonly start: number;
  readonly end: number;
  readonly aggregateIdStart: number;
  readonly aggregateIdEnd: number;
  /** −1 when there is no meta. */
  readonly metaStart: number;
  readonly metaEnd: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  readonly tsStart: number;
  readonly tsEnd: number;
  readonly typeStart: number;
  readonly typeEnd: number;
  /** Payload or meta hold an integer of 16 digits or more. */
  readonly longIntegers: boolean;
  /** Aggregate id or type hold an escape. */
  readonly escapes: boolean;
}

/** `{"event":` before the event … */
export const EVENT_START = 9;
/** … and `,"event_hash":"<64>","prev_hash":"<64>"}` behind it. */
export const EVENT_TAIL = 160;
/** From the record's end back to the first digit of a hash. */
export const EVENT_HASH_FROM_END = 145;
export const PREV_HASH_FROM_END = 66;

const BEFORE_AGGREGATE_ID = new Literal('{"event":{"aggregate_id":');
const VERSION_2 = new Literal(',"hash_version":"v2"');
const BEFORE_META = new Literal(',"meta":');
const BEFORE_PAYLOAD = new Literal(',"payload":');
const BEFORE_SEQ = new Literal(',"seq":');
const BEFORE_TS = new Literal(',"ts":');
const BEFORE_TYPE = new Literal(',"type":');
const BEFORE_EVENT_HASH = new Literal('},"event_hash":"');
const BEFORE_PREV_HASH = new Literal('","prev_hash":"');
const HASH_DIGITS = 64;
const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;

/** Payload and meta stand within the event within the record. */
const DEPTH = 2;

/**
 * Reads records in canonical form where they stand, in one pass and without decoding anything. What it accepts is a
 * well-formed record (docs/SPEC.md, "Record"), given that the bytes are valid UTF-8 and that what stands for its two hashes is
 * hex, which whoever compares them sees; what it does not accept may still be a record in another spelling. What
 * CanonicalScan wants behind a text must stand behind the last record.
 */
export class RecordScan implements RecordFields {
  seq = 0;
  hashVersion: HashVersion = 1;
  start = 0;
  end = 0;
  aggregateIdStart = 0;
  aggregateIdEnd = 0;
  metaStart = -1;
  metaEnd = -1;
  payloadStart = 0;
  payloadEnd = 0;
  tsStart = 0;
  tsEnd = 0;
  typeStart = 0;
  typeEnd = 0;
  longIntegers = false;
  escapes = false;
  readonly #json = new CanonicalScan();

  get bytes(): Buffer {
    return this.#json.bytes;
  }

  /** Reads in these bytes from now on. */
  use(bytes: Buffer): this {
    this.#json.use(bytes);
    return this;
  }

  /** Reads the record that begins at `at`; false, with the fields in disorder, when none in canonical form begins there. */
  read(at: number): boolean {
    const json = this.#json;
    json.longIntegers = false;
    let i = json.literal(at, BEFORE_AGGREGATE_ID);
    if (i < 0) return false;
    this.start = at;
    this.aggregateIdStart = i;
    i = json.string(i);
    // Empty strings are two quotes.
    if (i < this.aggregateIdStart + 3) return false;
    this.aggregateIdEnd = i;
    this.escapes = json.escaped;
    const version = json.literal(i, VERSION_2);
    this.hashVersion = version < 0 ? 1 : 2;
    i = this.#meta(version < 0 ? i : version);
    if (i < 0) return false;
    i = json.literal(i, BEFORE_PAYLOAD);
    if (i < 0) return false;
    this.payloadStart = i;
    i = json.object(i, DEPTH);
    if (i < 0) return false;
    this.payloadEnd = i;
    this.longIntegers = json.longIntegers;
    i = this.#seq(json.literal(i, BEFORE_SEQ));
    if (i < 0) return false;
    i = json.literal(i, BEFORE_TS);
    if (i < 0) return false;
    this.tsStart = i;
    i = json.integer(i);
    if (i < 0) return false;
    this.tsEnd = i;
    i = json.literal(i, BEFORE_TYPE);
    if (i < 0) return false;
    this.typeStart = i;
    i = json.string(i);
    if (i < this.typeStart + 3) return false;
    this.typeEnd = i;
    this.escapes ||= json.escaped;
    return this.#hashes(i);
  }

  /** Version 1 always states meta; version 2 leaves it out when it is empty. */
  #meta(at: number): number {
    const json = this.#json;
    const start = json.literal(at, BEFORE_META);
    if (start < 0) {
      this.metaStart = this.metaEnd = -1;
      return this.hashVersion === 2 ? at : -1;
    }
    const end = json.object(start, DEPTH);
    if (this.hashVersion === 2 && end === start + 2) return -1;
    this.metaStart = start;
    this.metaEnd = end;
    return end;
  }

  #seq(at: number): number {
    if (at < 0) return -1;
    const bytes = this.bytes;
    let seq = 0;
    let i = at;
    for (let c = bytes[i] as number; c >= 0x30 && c <= 0x39; c = bytes[++i] as number) {
      seq = seq * 10 + (c - 0x30);
      if (seq > MAX_SEQ) return -1;
    }
    if (i === at || (bytes[at] === 0x30 && i > at + 1)) return -1;
    this.seq = seq;
    return i;
  }

  #hashes(at: number): boolean {
    const json = this.#json;
    let i = json.literal(at, BEFORE_EVENT_HASH);
    if (i < 0) return false;
    i = json.literal(i + HASH_DIGITS, BEFORE_PREV_HASH);
    if (i < 0) return false;
    this.end = i + HASH_DIGITS + 2;
    return this.bytes[this.end - 2] === QUOTE && this.bytes[this.end - 1] === CLOSE_BRACE;
  }
}
