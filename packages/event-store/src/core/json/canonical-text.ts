import { canonicalNumber } from "./numbers.js";
import { parseStrict, type JsonBuilder, type StrictResult } from "./strict.js";
import { compareCodePoints, quote } from "./strings.js";

/**
 * JSON text → canonical JSON text, without ever building a number: integers keep their digits, floats become Python's
 * `repr` of the double (docs/SPEC.md, "Canonical JSON"). A canonical text is a fixed point.
 * @throws JsonSyntaxError
 */
export function canonicalizeText(text: string): string {
  return parseCanonical(text).value;
}

/** As `canonicalizeText`, with the depth of nesting. */
export function parseCanonical(text: string): StrictResult<string> {
  return parseStrict(text, CANONICAL);
}

const CANONICAL: JsonBuilder<string> = {
  literal: String,
  number: canonicalNumber,
  string: quote,
  array: (items) => `[${items.join(",")}]`,
  object: canonicalObject,
};

/** Sorts `entries` in place. Values are canonical already. */
export function canonicalObject(entries: [key: string, value: string][]): string {
  entries.sort((a, b) => compareCodePoints(a[0], b[0]));
  return `{${entries.map(([key, value]) => `${quote(key)}:${value}`).join(",")}}`;
}
