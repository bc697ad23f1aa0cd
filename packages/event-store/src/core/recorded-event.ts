import type { EventMap, JsonObject, JsonValue, RecordedEvent } from "./event.js";
import { integerValue, parseValue } from "./json/parse-value.js";
import type { RecordView } from "./record-view.js";

/** A verified record as an event: its payload and meta parsed, no integer's digits lost. */
export function toEvent<E extends EventMap>(view: RecordView): RecordedEvent<E> {
  const text = (range: readonly [number, number]): string => view.bytes.toString("utf8", ...range);
  const parse = (json: string): JsonValue => (view.longIntegers ? parseValue(json) : (JSON.parse(json) as JsonValue));
  const event = {
    seq: view.seq,
    type: JSON.parse(text(view.type)) as string,
    aggregateId: JSON.parse(text(view.aggregateId)) as string,
    ts: integerValue(text(view.ts)),
    payload: parse(text(view.payload)) as JsonObject,
    meta: view.meta === null ? {} : (parse(text(view.meta)) as JsonObject),
    hashVersion: view.hashVersion,
    eventHash: view.eventHash,
    prevHash: view.prevHash,
  };
  // What a log holds is its writers' affair; the type parameter states what the reader trusts them to have written.
  return event as RecordedEvent<E>;
}
