import { hash } from "node:crypto";
import { EventStoreError, InvalidEventError } from "./errors.js";
import { GENESIS_HASH, MAX_RECORD_BYTES, MAX_SEQ, type HashVersion, type StoredRecord } from "./event.js";
import { withByteWriter, type ByteWriter } from "./json/byte-writer.js";
import { writeValue } from "./json/canonical-value.js";
import { quote } from "./json/strings.js";
import { RecordView, viewRecord } from "./record-view.js";

/** An event checked and serialised once; only its seq and the hash before it are still open. */
export interface PreparedEvent {
  /** The canonical event without the digits of its seq … */
  readonly bytes: Buffer;
  /** … which belong in here. */
  readonly seqAt: number;
}

/** What a writer may give, before it was checked. The typed form is `NewEvent`. */
interface EventInput {
  readonly type?: unknown;
  readonly aggregateId?: unknown;
  readonly ts?: unknown;
  readonly payload?: unknown;
  readonly meta?: unknown;
}

const FIELDS = new Set(["type", "aggregateId", "ts", "payload", "meta"]);

/**
 * Checks and serialises an event. `clock` gives the default ts (Unix milliseconds).
 * @throws InvalidEventError with the JSON path of what cannot be written
 */
export function prepareEvent(event: object, hashVersion: HashVersion, clock: () => number): PreparedEvent {
  if (typeof (event as unknown) !== "object" || (event as unknown) === null)
    throw new InvalidEventError("$", "an event is an object");
  for (const key of Object.keys(event)) if (!FIELDS.has(key)) throw unknownField(key);
  return withByteWriter((out) => {
    const { type, aggregateId, ts, payload, meta } = event as EventInput;
    out.few(BEFORE_AGGREGATE_ID);
    writeName(out, aggregateId, "aggregateId");
    if (hashVersion === 2) out.few(VERSION_2);
    const metaAt = out.length;
    out.few(BEFORE_META);
    writeObject(out, meta, "meta");
    // Version 2 leaves an empty meta out.
    if (hashVersion === 2 && out.length === metaAt + BEFORE_META.length + 2) out.rewind(metaAt);
    out.few(BEFORE_PAYLOAD);
    writeObject(out, payload, "payload");
    out.few(BEFORE_SEQ);
    const seqAt = out.length;
    out.few(BEFORE_TS);
    writeTimestamp(out, ts ?? clock());
    out.few(BEFORE_TYPE);
    writeName(out, type, "type");
    out.few(END_OF_EVENT);
    return { bytes: out.toBuffer(), seqAt };
  });
}

const BEFORE_AGGREGATE_ID = Buffer.from('{"aggregate_id":');
const VERSION_2 = Buffer.from(',"hash_version":"v2"');
const BEFORE_META = Buffer.from(',"meta":');
const BEFORE_PAYLOAD = Buffer.from(',"payload":');
const BEFORE_SEQ = Buffer.from(',"seq":');
const BEFORE_TS = Buffer.from(',"ts":');
const BEFORE_TYPE = Buffer.from(',"type":');
const END_OF_EVENT = Buffer.from("}");

const BEFORE_EVENT = '{"event":';
const BEFORE_EVENT_HASH = ',"event_hash":"';
const BEFORE_PREV_HASH = '","prev_hash":"';
const END_OF_RECORD = '"}';
const NEWLINE = 0x0a;
const AROUND_EVENT =
  BEFORE_EVENT.length + BEFORE_EVENT_HASH.length + BEFORE_PREV_HASH.length + END_OF_RECORD.length + 128;

/** A record that was made here: it becomes bytes together with those that it is written with. */
class ChainedRecord implements StoredRecord {
  readonly event: PreparedEvent;
  readonly seq: number;
  readonly eventHash: string;
  readonly prevHash: string;
  /** Of its line, without a newline. */
  readonly bytes: number;

  constructor(event: PreparedEvent, seq: number, eventHash: string, prevHash: string) {
    this.event = event;
    this.seq = seq;
    this.eventHash = eventHash;
    this.prevHash = prevHash;
    this.bytes = AROUND_EVENT + event.bytes.length + String(seq).length;
  }

  get line(): Buffer {
    const line = Buffer.allocUnsafeSlow(this.bytes);
    this.writeTo(line, 0);
    return line;
  }

  /** @returns the offset behind it */
  writeTo(target: Buffer, offset: number): number {
    let at = offset + target.write(BEFORE_EVENT, offset, "latin1");
    at = writeEvent(target, at, this.event, this.seq);
    at += target.write(
      BEFORE_EVENT_HASH + this.eventHash + BEFORE_PREV_HASH + this.prevHash + END_OF_RECORD,
      at,
      "latin1",
    );
    return at;
  }
}

/** The event's canonical bytes. @returns the offset behind them */
function writeEvent(target: Buffer, offset: number, { bytes, seqAt }: PreparedEvent, seq: number): number {
  bytes.copy(target, offset, 0, seqAt);
  let at = offset + seqAt;
  const digits = String(seq);
  for (let i = 0; i < digits.length; i++) target[at++] = digits.charCodeAt(i);
  bytes.copy(target, at, seqAt);
  return at + bytes.length - seqAt;
}

/** The bytes of an event's line at most, wherever it will stand, with its newline. */
export function mostLineBytes({ bytes }: PreparedEvent): number {
  return AROUND_EVENT + bytes.length + String(MAX_SEQ).length + 1;
}

/** The bytes of a record's line, without a newline. */
export function lineBytes(record: StoredRecord): number {
  return record instanceof ChainedRecord ? record.bytes : record.line.length;
}

/** What tells a record's aggregate from all others: its canonical JSON string, byte for character; the hash of a long one. */
export function aggregateKeyOf(record: StoredRecord): string {
  if (record instanceof ChainedRecord) return keyOf(nameAt(record.event.bytes, BEFORE_AGGREGATE_ID.length));
  const view = record instanceof RecordView ? record : viewRecord(record.line);
  return keyOf(view.bytes.toString("latin1", view.aggregateIdStart, view.aggregateIdEnd));
}

/** As `aggregateKeyOf` of a record of that aggregate. */
export function aggregateKey(aggregateId: string): string {
  return keyOf(Buffer.from(quote(aggregateId)).toString("latin1"));
}

/** No name begins like a hash: it begins with a quote. */
function keyOf(name: string): string {
  return name.length <= LONG_NAME ? name : hash("sha256", name);
}

const LONG_NAME = 256;

/** The JSON string that begins at `start`. */
function nameAt(bytes: Buffer, start: number): string {
  let end = start + 1;
  while (bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1;
  return bytes.toString("latin1", start, end + 1);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The lines of records, each with its newline. */
export function encodeLines(records: readonly StoredRecord[]): Buffer {
  let length = 0;
  for (const record of records) length += lineBytes(record) + 1;
  const lines = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const record of records) {
    if (record instanceof ChainedRecord) at = record.writeTo(lines, at);
    else at += record.line.copy(lines, at);
    lines[at++] = NEWLINE;
  }
  return lines;
}

/** The record at its place in the chain, in its one stored form. @throws EventStoreError TOO_LARGE, SEQ_EXHAUSTED */
export function encodeRecord(event: PreparedEvent, seq: number, prevHash: string): StoredRecord {
  if (seq > MAX_SEQ) {
    throw new EventStoreError("SEQ_EXHAUSTED", `the log is full: ${String(MAX_SEQ)} is the last possible seq`, {
      facts: { seq },
      hint: "start a new log (another prefix or file) whose first event names this log's last hash",
    });
  }
  const record = new ChainedRecord(event, seq, hashOf(event, seq, prevHash), prevHash);
  checkRecordSize(record.bytes, seq);
  return record;
}

/** What is hashed is brought together here. */
let hashed = Buffer.allocUnsafeSlow(4096);

function hashOf(event: PreparedEvent, seq: number, prevHash: string): string {
  const most = prevHash.length + event.bytes.length + 10;
  if (hashed.length < most) hashed = Buffer.allocUnsafeSlow(2 * most);
  const end = writeEvent(hashed, hashed.write(prevHash, "latin1"), event, seq);
  const digest = hash("sha256", hashed.subarray(0, end));
  if (hashed.length > KEPT_BYTES) hashed = Buffer.allocUnsafeSlow(4096);
  return digest;
}

const KEPT_BYTES = 1024 * 1024;

/** Consecutive records behind (`seq`, `hash`). */
export function encodeChain(
  events: readonly PreparedEvent[],
  after: { readonly seq: number; readonly hash: string },
): StoredRecord[] {
  const records: StoredRecord[] = [];
  let prevHash = after.seq < 0 ? GENESIS_HASH : after.hash;
  let seq = after.seq;
  for (const event of events) {
    const record = encodeRecord(event, ++seq, prevHash);
    records.push(record);
    prevHash = record.eventHash;
  }
  return records;
}

function checkRecordSize(bytes: number, seq: number): void {
  if (bytes <= MAX_RECORD_BYTES) return;
  throw new EventStoreError(
    "TOO_LARGE",
    `the record has ${String(bytes)} bytes; at most ${String(MAX_RECORD_BYTES)} are allowed`,
    {
      facts: { seq, expected: MAX_RECORD_BYTES, actual: bytes },
      hint: "store the large part elsewhere and put its address and SHA-256 into the event",
    },
  );
}

function writeName(out: ByteWriter, value: unknown, name: string): void {
  if (typeof value !== "string" || value === "") throw new InvalidEventError(`$.${name}`, "must be a non-empty string");
  if (out.plainString(value)) return;
  if (!value.isWellFormed()) throw new InvalidEventError(`$.${name}`, "holds a lone surrogate");
  out.text(quote(value));
}

function writeTimestamp(out: ByteWriter, ts: unknown): void {
  if (typeof ts === "bigint") writeValue(out, ts, "ts");
  else if (typeof ts === "number" && Number.isSafeInteger(ts)) out.ascii(String(ts === 0 ? 0 : ts));
  else {
    throw new InvalidEventError(
      "$.ts",
      "must be an integer within ±(2^53 − 1), or a BigInt",
      "for Unix milliseconds write Date.now()",
    );
  }
}

function writeObject(out: ByteWriter, value: unknown, name: string): void {
  const at = out.length;
  writeValue(out, value ?? NOTHING, name);
  if (value !== null && out.byteAt(at) === OPEN_BRACE) return;
  throw new InvalidEventError(`$.${name}`, "must be an object", `wrap it: { ${name}: { value: … } }`);
}

const NOTHING = {};
const OPEN_BRACE = 0x7b;

function unknownField(key: string): InvalidEventError {
  const known = [...FIELDS].join(", ");
  const hint =
    key === "aggregate_id"
      ? "it is called aggregateId here"
      : `an event has ${known}; put anything else into payload or meta`;
  return new InvalidEventError(`$[${JSON.stringify(key)}]`, "unknown field", hint);
}
