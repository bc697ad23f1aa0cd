import { InvalidEventError } from "../errors.js";
import { canonicalObject } from "./canonical-text.js";
import { JsonText } from "./json-text.js";
import { floatRepr } from "./numbers.js";
import { formatPath } from "./strict.js";
import { quote } from "./strings.js";

/** Writers refuse deeper values; `payload` and `meta` are level 1. */
const MAX_WRITE_DEPTH = 128;

/** Python refuses to read integers of more digits (its int/str conversion limit). */
const MAX_INTEGER_DIGITS = 4300;

/**
 * JavaScript value → canonical JSON text. Safe integers are written as digits, every other number as Python's `repr` of
 * the double, a BigInt as digits; an `undefined` property is absent. `name` is the value's place in the event.
 * @throws InvalidEventError with the JSON path of what cannot be written
 */
export function canonicalizeValue(value: unknown, name: string): string {
  return new ValueWriter(name).write(value);
}

class ValueWriter {
  readonly #path: (string | number)[];
  readonly #ancestors: object[] = [];

  constructor(name: string) {
    this.#path = [name];
  }

  write(value: unknown): string {
    switch (typeof value) {
      case "string":
        return this.#string(value);
      case "number":
        return this.#number(value);
      case "boolean":
        return String(value);
      case "bigint":
        return this.#bigint(value);
      case "object":
        return value === null ? "null" : this.#object(value);
      case "undefined":
        return this.#refuse("undefined is not JSON", "leave the property out, or write null");
      default:
        return this.#refuse(`a ${typeof value} is not JSON`);
    }
  }

  #string(value: string): string {
    if (!value.isWellFormed())
      this.#refuse("a string holds a lone surrogate", "it is half of a character: fix it, or use toWellFormed()");
    return quote(value);
  }

  #number(value: number): string {
    if (!Number.isFinite(value)) this.#refuse(`${String(value)} is not JSON`, "write null or a string");
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : floatRepr(value);
  }

  #bigint(value: bigint): string {
    const digits = String(value);
    if (digits.length - (value < 0n ? 1 : 0) > MAX_INTEGER_DIGITS)
      this.#refuse(`an integer of more than ${String(MAX_INTEGER_DIGITS)} digits`);
    return digits;
  }

  #object(value: object): string {
    if (value instanceof JsonText) return this.#text(value);
    if (this.#ancestors.includes(value)) this.#refuse("the value contains itself");
    this.#checkDepth(this.#ancestors.length + 1);
    this.#ancestors.push(value);
    const text = Array.isArray(value) ? this.#array(value) : this.#plainObject(value);
    this.#ancestors.pop();
    return text;
  }

  #text(value: JsonText): string {
    this.#checkDepth(this.#ancestors.length + value.depth);
    if (value.canonical.length > MAX_INTEGER_DIGITS && hasOversizeInteger(value.canonical))
      this.#refuse(`an integer of more than ${String(MAX_INTEGER_DIGITS)} digits`);
    return value.canonical;
  }

  #checkDepth(depth: number): void {
    if (depth > MAX_WRITE_DEPTH)
      this.#refuse(
        `nested deeper than ${String(MAX_WRITE_DEPTH)} levels`,
        "flatten it, or store the document as a string",
      );
  }

  #array(items: readonly unknown[]): string {
    // Holes and named properties would be lost without a word; both show here.
    if (Object.keys(items).length !== items.length) this.#refuse("an array with holes or named properties");
    const texts: string[] = [];
    for (const [i, item] of items.entries()) texts.push(this.#child(i, item));
    return `[${texts.join(",")}]`;
  }

  #plainObject(value: object): string {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
      this.#refuse(`${describe(value)} is not a plain object`, hintFor(value));
    if (Object.getOwnPropertySymbols(value).length > 0) this.#refuse("an object with a symbol as key");
    const entries: [string, string][] = [];
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      if (!key.isWellFormed()) this.#refuse(`the key ${JSON.stringify(key)} holds a lone surrogate`);
      entries.push([key, this.#child(key, item)]);
    }
    return canonicalObject(entries);
  }

  #child(step: string | number, value: unknown): string {
    this.#path.push(step);
    const text = this.write(value);
    this.#path.pop();
    return text;
  }

  #refuse(problem: string, hint?: string): never {
    throw new InvalidEventError(formatPath(this.#path), problem, hint);
  }
}

/** Over canonical text: an integer that Python refuses to read, outside of strings. */
function hasOversizeInteger(canonical: string): boolean {
  let digits = 0;
  for (let i = 0; i < canonical.length; i++) {
    const c = canonical.charCodeAt(i);
    if (c === 0x22) i = endOfString(canonical, i);
    digits = c >= 0x30 && c <= 0x39 ? digits + 1 : 0;
    // A float has at most 17 digits in a row: this run is an integer.
    if (digits > MAX_INTEGER_DIGITS) return true;
  }
  return false;
}

/** Index of the quote that ends the string which begins at `start`. */
function endOfString(canonical: string, start: number): number {
  for (let i = start + 1; ; i++) {
    const c = canonical[i];
    if (c === '"' || c === undefined) return i;
    if (c === "\\") i++;
  }
}

function describe(value: object): string {
  return `a ${value.constructor.name}`;
}

function hintFor(value: object): string {
  if (value instanceof Date) return "write date.toISOString() or date.getTime()";
  if (value instanceof Map) return "write Object.fromEntries(map)";
  if (value instanceof Set) return "write [...set]";
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return "write a base64 string";
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return "write value.valueOf()";
  return "write a plain copy: { ...value }";
}
