import { InvalidEventError } from "./errors.js";
import type { NewEvent } from "./event.js";
import { canonicalObject } from "./json/canonical-text.js";
import { JsonText } from "./json/json-text.js";
import { integerValue } from "./json/parse-value.js";
import { JsonSyntaxError, parseStrict, type JsonBuilder } from "./json/strict.js";
import { canonicalNumber, isIntegerLexeme } from "./json/numbers.js";
import { quote } from "./json/strings.js";

const FIELDS = ["type", "aggregate_id", "ts", "payload", "meta"];

/**
 * An event given as JSON text, `{"type","aggregate_id","ts"?,"payload"?,"meta"?}`: strict, unknown fields refused, number
 * lexemes kept.
 * @throws InvalidEventError
 */
export function parseEventText(text: string): NewEvent {
  const fields = parseFields(text);
  for (const key of fields.keys()) {
    if (FIELDS.includes(key)) continue;
    throw new InvalidEventError(
      `$[${JSON.stringify(key)}]`,
      "unknown field",
      `an event has ${FIELDS.join(", ")}; put anything else into payload or meta`,
    );
  }
  const payload = fields.get("payload");
  const meta = fields.get("meta");
  const ts = fields.get("ts");
  return {
    type: nonEmptyString(fields.get("type"), "type"),
    aggregateId: nonEmptyString(fields.get("aggregate_id"), "aggregate_id"),
    ts: ts === undefined ? undefined : integer(ts),
    payload: payload === undefined ? undefined : objectText(payload, "payload"),
    meta: meta === undefined ? undefined : objectText(meta, "meta"),
  };
}

/** Top-level members as canonical texts. */
function parseFields(text: string): ReadonlyMap<string, string> {
  let top: ReadonlyMap<string, string> = new Map();
  const builder: JsonBuilder<string> = {
    literal: String,
    number: canonicalNumber,
    string: quote,
    array: (items) => `[${items.join(",")}]`,
    object: (entries) => {
      top = new Map(entries);
      return canonicalObject(entries);
    },
  };
  try {
    if (!parseStrict(text, builder).value.startsWith("{"))
      throw new InvalidEventError("$", "an event is a JSON object");
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new InvalidEventError(
      error.path,
      `${error.message} (at character ${String(error.offset + 1)})`,
      "give one strict JSON object a line",
    );
  }
  return top;
}

function nonEmptyString(value: string | undefined, name: string): string {
  const parsed: unknown = value === undefined ? undefined : JSON.parse(value);
  if (typeof parsed !== "string" || parsed === "")
    throw new InvalidEventError(`$.${name}`, "must be a non-empty string");
  return parsed;
}

function integer(value: string): number | bigint {
  if (!isIntegerLexeme(value))
    throw new InvalidEventError(
      "$.ts",
      `must be an integer, not ${value.slice(0, 40)}`,
      "a float such as 1.0 or 1e3 is none: write its digits",
    );
  return integerValue(value);
}

function objectText(value: string, name: string): JsonText {
  const text = JsonText.parse(value);
  if (!text.isObject) throw new InvalidEventError(`$.${name}`, "must be an object");
  return text;
}
