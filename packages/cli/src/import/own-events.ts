import { InvalidEventError, JsonText } from "@rynxs/event-store";
import type { MappedEvent } from "./event.js";
import { toInteger } from "./event.js";
import { stringOf } from "./rules.js";

/** What a log gives an event: it gets another place, and another hash, here. */
const PLACE: readonly string[] = ["seq", "hash_version", "event_hash", "prev_hash"];
const FIELDS: readonly string[] = ["type", "aggregate_id", "ts", "payload", "meta"];
const EMPTY = JsonText.parse("{}");

/** A line as `rynxs export` (also with --raw), `rynxs read --json` or a user of `rynxs append --stdin` writes it. */
export function ownEvent(line: JsonText): MappedEvent {
  if (!line.isObject) throw new InvalidEventError("$", "a line is a JSON object");
  const record = line.get("event");
  const event = record?.isObject && line.get("event_hash") !== undefined ? record : line;
  const unknown = event.keys().find((key) => !FIELDS.includes(key) && !PLACE.includes(key));
  if (unknown !== undefined) {
    const hint = `an event has ${FIELDS.join(", ")}; what another system wrote needs a --map`;
    throw new InvalidEventError(`$[${JSON.stringify(unknown)}]`, "unknown field", hint);
  }
  return {
    type: name(event, "type"),
    aggregateId: name(event, "aggregate_id"),
    ts: integer(event.get("ts")),
    payload: object(event, "payload"),
    meta: object(event, "meta"),
  };
}

function name(event: JsonText, field: string): string {
  const text = stringOf(event.get(field));
  if (text === undefined || text === "") throw new InvalidEventError(`$.${field}`, "must be a non-empty string");
  return text;
}

function integer(ts: JsonText | undefined): number | bigint | undefined {
  if (ts === undefined) return undefined;
  if (/^-?\d+$/.test(ts.canonical)) return toInteger(BigInt(ts.canonical));
  throw new InvalidEventError("$.ts", "must be an integer", "a float such as 1.0 or 1e3 is none: write its digits");
}

function object(event: JsonText, field: string): JsonText {
  const value = event.get(field) ?? EMPTY;
  if (!value.isObject) throw new InvalidEventError(`$.${field}`, "must be an object");
  return value;
}
