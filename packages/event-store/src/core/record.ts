import { EventStoreError, InvalidEventError } from "./errors.js";
import { GENESIS_HASH, MAX_RECORD_BYTES, MAX_SEQ, type HashVersion, type StoredRecord } from "./event.js";
import { eventHash } from "./hash.js";
import { canonicalizeValue } from "./json/canonical-value.js";
import { quote } from "./json/strings.js";

/** An event checked and serialised once; only its seq and the hash before it are still open. */
export interface PreparedEvent {
  /** Canonical event up to its seq's digits … */
  readonly beforeSeq: string;
  /** … and behind them. */
  readonly afterSeq: string;
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
  const { type, aggregateId, ts, payload, meta } = event as EventInput;
  const typeText = nonEmptyString(type, "type");
  const aggregateText = nonEmptyString(aggregateId, "aggregateId");
  const tsText = integer(ts ?? clock());
  const payloadText = objectText(payload, "payload");
  const metaText = objectText(meta, "meta");
  const version = hashVersion === 2 ? ',"hash_version":"v2"' : "";
  const metaField = hashVersion === 2 && metaText === "{}" ? "" : `,"meta":${metaText}`;
  return {
    beforeSeq: `{"aggregate_id":${aggregateText}${version}${metaField},"payload":${payloadText},"seq":`,
    afterSeq: `,"ts":${tsText},"type":${typeText}}`,
  };
}

/** A record that was made here, as text: it becomes bytes together with those that it is written with. */
class ChainedRecord implements StoredRecord {
  readonly seq: number;
  readonly eventHash: string;
  readonly prevHash: string;
  readonly text: string;
  readonly bytes: number;

  constructor(seq: number, eventHash: string, prevHash: string, text: string) {
    this.seq = seq;
    this.eventHash = eventHash;
    this.prevHash = prevHash;
    this.text = text;
    this.bytes = Buffer.byteLength(text);
  }

  get line(): Buffer {
    return Buffer.from(this.text);
  }
}

/** The bytes of a record's line, without a newline. */
export function lineBytes(record: StoredRecord): number {
  return record instanceof ChainedRecord ? record.bytes : record.line.length;
}

/** The lines of records, each with its newline. */
export function encodeLines(records: readonly StoredRecord[]): Buffer {
  let text = "";
  for (const record of records) {
    if (!(record instanceof ChainedRecord)) return Buffer.concat(records.flatMap(({ line }) => [line, NEWLINE]));
    text += `${record.text}\n`;
  }
  return Buffer.from(text);
}

const NEWLINE = Buffer.from("\n");

/** The record at its place in the chain, in its one stored form. @throws EventStoreError TOO_LARGE, SEQ_EXHAUSTED */
export function encodeRecord(event: PreparedEvent, seq: number, prevHash: string): StoredRecord {
  if (seq > MAX_SEQ) {
    throw new EventStoreError("SEQ_EXHAUSTED", `the log is full: ${String(MAX_SEQ)} is the last possible seq`, {
      facts: { seq },
      hint: "start a new log (another prefix or file) whose first event names this log's last hash",
    });
  }
  const eventText = `${event.beforeSeq}${String(seq)}${event.afterSeq}`;
  const hash = eventHash(prevHash, eventText);
  const text = `{"event":${eventText},"event_hash":"${hash}","prev_hash":"${prevHash}"}`;
  const record = new ChainedRecord(seq, hash, prevHash, text);
  checkRecordSize(record.bytes, seq);
  return record;
}

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

function nonEmptyString(value: unknown, name: string): string {
  if (typeof value !== "string" || value === "") throw new InvalidEventError(`$.${name}`, "must be a non-empty string");
  if (!value.isWellFormed()) throw new InvalidEventError(`$.${name}`, "holds a lone surrogate");
  return quote(value);
}

function integer(ts: unknown): string {
  if (typeof ts === "bigint") return canonicalizeValue(ts, "ts");
  if (typeof ts === "number" && Number.isSafeInteger(ts)) return String(ts === 0 ? 0 : ts);
  throw new InvalidEventError(
    "$.ts",
    "must be an integer within ±(2^53 − 1), or a BigInt",
    "for Unix milliseconds write Date.now()",
  );
}

function objectText(value: unknown, name: string): string {
  if (value === undefined) return "{}";
  const text = canonicalizeValue(value, name);
  if (text.startsWith("{")) return text;
  throw new InvalidEventError(`$.${name}`, "must be an object", `wrap it: { ${name}: { value: … } }`);
}

function unknownField(key: string): InvalidEventError {
  const known = [...FIELDS].join(", ");
  const hint =
    key === "aggregate_id"
      ? "it is called aggregateId here"
      : `an event has ${known}; put anything else into payload or meta`;
  return new InvalidEventError(`$[${JSON.stringify(key)}]`, "unknown field", hint);
}
