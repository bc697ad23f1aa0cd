import { InvalidEventError, JsonText, parseEventText } from "@rynxs/event-store";
import type { MappedEvent } from "./event.js";

/** What an export says of an event's place in its log; it gets another one here. */
const PLACE = new Set(["seq", "hash_version", "event_hash", "prev_hash"]);

/** A line as `rynxs export` (also with --raw), `rynxs read --json` or a user of `rynxs append --stdin` writes it. */
export function ownEvent(line: JsonText): MappedEvent {
  if (!line.isObject) throw new InvalidEventError("$", "a line is a JSON object");
  const record = line.get("event");
  const event = record !== undefined && line.get("event_hash") !== undefined ? record : line;
  const kept = event.keys().filter((key) => !PLACE.has(key));
  const text = `{${kept.map((key) => `${JSON.stringify(key)}:${String(event.get(key))}`).join(",")}}`;
  const { type, aggregateId, ts, payload, meta } = parseEventText(text);
  return { type, aggregateId, ts, payload: jsonText(payload), meta: jsonText(meta) };
}

const EMPTY = JsonText.parse("{}");

function jsonText(value: unknown): JsonText {
  return value instanceof JsonText ? value : EMPTY;
}
