import type { JsonValue } from "../event.js";
import { isIntegerLexeme } from "./numbers.js";
import { parseStrict, type JsonBuilder } from "./strict.js";

/** JSON text → value in which no integer loses a digit: beyond ±(2^53 − 1) it is a BigInt. @throws JsonSyntaxError */
export function parseValue(text: string): JsonValue {
  return parseStrict(text, VALUES).value;
}

/** An integer lexeme as a number where that is exact, else as a BigInt. */
export function integerValue(lexeme: string): number | bigint {
  const value = Number(lexeme);
  if (!Number.isSafeInteger(value)) return BigInt(lexeme);
  return value === 0 ? 0 : value;
}

const VALUES: JsonBuilder<JsonValue> = {
  literal: (value) => value,
  number: (lexeme) => (isIntegerLexeme(lexeme) ? integerValue(lexeme) : Number(lexeme)),
  string: (value) => value,
  array: (items) => items,
  // fromEntries defines own properties, so that a key "__proto__" stays data
  object: (entries) => Object.fromEntries(entries),
};
