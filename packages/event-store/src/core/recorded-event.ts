import { decodeUtf8 } from "./decode.js";
import type { EventMap, JsonObject, JsonValue, RecordedEvent } from "./event.js";
import { integerValue, parseValue } from "./json/parse-value.js";
import type { RecordView } from "./record-view.js";

/** Verified records as events, their payload and meta parsed, no integer's digits lost. For the records of one read. */
export class EventParser<E extends EventMap> {
  /** Metas tend to repeat: the last one, when copying it is cheaper than parsing it again. */
  #metaText = "";
  #meta: JsonObject | null = null;
  /** So do types. */
  #type = "";

  parse(view: RecordView): RecordedEvent<E> {
    const { bytes, longIntegers } = view;
    const payload = decodeUtf8(bytes, view.payloadStart, view.payloadEnd);
    const event = {
      seq: view.seq,
      type: this.#parseType(view),
      aggregateId: string(view, view.aggregateIdStart, view.aggregateIdEnd),
      ts: integer(bytes, view.tsStart, view.tsEnd),
      payload: (longIntegers ? parseValue(payload) : JSON.parse(payload)) as JsonObject,
      meta: view.metaStart < 0 ? {} : this.#parseMeta(view),
      hashVersion: view.hashVersion,
      eventHash: view.eventHash,
      prevHash: view.prevHash,
      ...(view.aggregateVersion !== undefined && { aggregateVersion: view.aggregateVersion }),
    };
    // What a log holds is its writers' affair; the type parameter states what the reader trusts them to have written.
    return event as RecordedEvent<E>;
  }

  #parseType(view: RecordView): string {
    const { bytes, typeStart, typeEnd } = view;
    if (!view.escapes && isAscii(this.#type, bytes, typeStart + 1, typeEnd - 1)) return this.#type;
    return (this.#type = string(view, typeStart, typeEnd));
  }

  #parseMeta({ bytes, metaStart, metaEnd, longIntegers }: RecordView): JsonObject {
    const text = decodeUtf8(bytes, metaStart, metaEnd);
    if (longIntegers) return parseValue(text) as JsonObject;
    if (this.#meta !== null && text === this.#metaText) return { ...this.#meta };
    const meta = JSON.parse(text) as JsonObject;
    this.#metaText = text;
    this.#meta = isFlat(meta) ? { ...meta } : null;
    return meta;
  }
}

/** Nothing in it is shared by a copy of its first level. */
function isFlat(object: JsonObject): boolean {
  return Object.values(object).every((value: JsonValue) => typeof value !== "object" || value === null);
}

/** Do these bytes spell `text`, in ASCII? */
function isAscii(text: string, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) {
    const byte = bytes[start + i] as number;
    if (byte > 0x7f || byte !== text.charCodeAt(i)) return false;
  }
  return true;
}

/** A JSON string in [start, end), its quotes included. */
export function string({ bytes, escapes }: RecordView, start: number, end: number): string {
  return escapes ? (JSON.parse(decodeUtf8(bytes, start, end)) as string) : decodeUtf8(bytes, start + 1, end - 1);
}

/** Digits that a double certainly holds. */
const SAFE_DIGITS = 15;

function integer(bytes: Buffer, start: number, end: number): number | bigint {
  const negative = bytes[start] === 0x2d;
  const first = negative ? start + 1 : start;
  if (end - first > SAFE_DIGITS) return integerValue(bytes.toString("latin1", start, end));
  let value = 0;
  for (let i = first; i < end; i++) value = value * 10 + ((bytes[i] as number) - 0x30);
  return negative ? -value : value;
}
