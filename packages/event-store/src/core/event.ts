import type { JsonText } from "./json/json-text.js";

/** 64 zeros: the prev_hash of seq 0, and the hash of an empty log's head. */
export const GENESIS_HASH: string = "0".repeat(64);

/** The last possible seq: ten digits. */
export const MAX_SEQ = 9_999_999_999;

/** One record is at most 8 MiB, newline not counted. */
export const MAX_RECORD_BYTES: number = 8 * 1024 * 1024;

/** An atomic batch is at most 1000 records … */
export const MAX_BATCH_RECORDS = 1000;

/** … and 16 MiB. */
export const MAX_BATCH_BYTES: number = 16 * 1024 * 1024;

export type HashVersion = 1 | 2;

/** A JSON value as a reader gets it: an integer beyond ±(2^53 − 1) is a BigInt, so that no digit is ever lost. */
export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Event types and their payloads, as in `{ AgentObserved: { foo: string } }`. */
export type EventMap = object;

/** The default event map: any type, any JSON object. */
export type AnyEvents = Record<string, JsonObject>;

/** What may be written: JSON values, absent properties, and JSON text whose number lexemes are kept. */
export type JsonInput = JsonValue | JsonText | undefined | readonly JsonInput[] | JsonInputObject;
export interface JsonInputObject {
  readonly [key: string]: JsonInput;
}

/** What a writer may give as a payload: an object of the event's own type, or JSON text. Untyped events take any JSON object. */
export type Payload<P> = P | JsonText | (JsonObject extends P ? JsonInputObject : never);

/** An event to append. */
export type NewEvent<E extends EventMap = AnyEvents> = {
  [K in keyof E & string]: {
    readonly type: K;
    readonly aggregateId: string;
    /** An integer; its unit is the application's. Default: the store's clock, Unix milliseconds. */
    readonly ts?: number | bigint | undefined;
    readonly meta?: JsonInputObject | JsonText | undefined;
  } & (Record<never, never> extends E[K]
    ? { readonly payload?: Payload<E[K]> | undefined }
    : { readonly payload: Payload<E[K]> });
}[keyof E & string];

/** A record of the log, verified, with its payload and meta parsed. */
export type RecordedEvent<E extends EventMap = AnyEvents> = {
  [K in keyof E & string]: {
    readonly seq: number;
    readonly type: K;
    readonly aggregateId: string;
    /** A BigInt when beyond ±(2^53 − 1). */
    readonly ts: number | bigint;
    readonly payload: E[K];
    readonly meta: JsonObject;
    readonly hashVersion: HashVersion;
    readonly eventHash: string;
    readonly prevHash: string;
    /**
     * Position within its aggregate, from 1, whatever other filters leave out. Only of reads with `aggregateId`, and only where it is
     * known without reading what lies before `fromSeq`: from seq 0 always, from a later one where an index covers all before it.
     */
    readonly aggregateVersion?: number;
  };
}[keyof E & string];

/** A record of the log, verified, as its bytes. */
export interface StoredRecord {
  readonly seq: number;
  readonly eventHash: string;
  readonly prevHash: string;
  /** The stored line, without its newline: byte for byte what the log holds. */
  readonly line: Buffer;
}

/** A place in the log: the last record's seq and event_hash. An empty log's is seq −1 with 64 zeros. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** What a verified read starts from: nothing (the genesis), or a record whose hash the first record must link to. */
export interface Anchor extends Head {
  /**
   * `genesis`: seq −1. `record`: the record before `fromSeq`, its own hash checked, what lies before it not. `caller`: given. `index`: what
   * the read gives up to this record was found through the index, each record checked against its own hash, but not its link to
   * the one before; what lies behind is a verified chain.
   */
  readonly source: "genesis" | "record" | "caller" | "index";
}
