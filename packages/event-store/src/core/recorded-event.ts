import type { EventMap, JsonObject, JsonValue, RecordedEvent } from "./event.js";
import { integerValue, parseValue } from "./json/parse-value.js";
import type { RecordView } from "./record-view.js";

/** Verified records as events, their payload and meta parsed, no integer's digits lost. For the records of one read. */
export class EventParser<E extends EventMap> {
  /** Metas tend to repeat: the last one, when copying it is cheaper than parsing it again. */
  #metaText = "";
  #meta: JsonObject | null = null;

  parse(view: RecordView): RecordedEvent<E> {
    const { bytes, longIntegers } = view;
    const payload = bytes.toString("utf8", view.payloadStart, view.payloadEnd);
    const event = {
      seq: view.seq,
      type: string(view, view.typeStart, view.typeEnd),
      aggregateId: string(view, view.aggregateIdStart, view.aggregateIdEnd),
      ts: integerValue(bytes.toString("latin1", view.tsStart, view.tsEnd)),
      payload: (longIntegers ? parseValue(payload) : JSON.parse(payload)) as JsonObject,
      meta: view.metaStart < 0 ? {} : this.#parseMeta(view),
      hashVersion: view.hashVersion,
      eventHash: view.eventHash,
      prevHash: view.prevHash,
    };
    // What a log holds is its writers' affair; the type parameter states what the reader trusts them to have written.
    return event as RecordedEvent<E>;
  }

  #parseMeta({ bytes, metaStart, metaEnd, longIntegers }: RecordView): JsonObject {
    const text = bytes.toString("utf8", metaStart, metaEnd);
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

function string({ bytes, escapes }: RecordView, start: number, end: number): string {
  return escapes
    ? (JSON.parse(bytes.toString("utf8", start, end)) as string)
    : bytes.toString("utf8", start + 1, end - 1);
}
