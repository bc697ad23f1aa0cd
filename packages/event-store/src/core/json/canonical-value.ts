import { InvalidEventError } from "../errors.js";
import { withByteWriter, type ByteWriter } from "./byte-writer.js";
import { JsonText } from "./json-text.js";
import { floatRepr } from "./numbers.js";
import { formatPath } from "./strict.js";
import { compareCodePoints, quote } from "./strings.js";

/** Writers refuse deeper values; `payload` and `meta` are level 1. */
const MAX_WRITE_DEPTH = 128;

/** Python refuses to read integers of more digits (its int/str conversion limit). */
const MAX_INTEGER_DIGITS = 4300;

const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * JavaScript value → canonical JSON, in one walk that writes bytes. Safe integers are written as digits, every other number as
 * Python's `repr` of the double, a BigInt as digits; an `undefined` property is absent. `name` is the value's place in the event.
 * @throws InvalidEventError with the JSON path of what cannot be written
 */
export function writeValue(out: ByteWriter, value: unknown, name: string): void {
  try {
    write(out, value, []);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new InvalidEventError(formatPath([name, ...error.path.reverse()]), error.message, error.hint);
  }
}

/** As `writeValue`, as text. */
export function canonicalizeValue(value: unknown, name: string): string {
  return withByteWriter((out) => {
    writeValue(out, value, name);
    return out.toString();
  });
}

/** Why a value cannot be written, and the way back to it, innermost step first. */
class Refusal extends Error {
  readonly path: (string | number)[] = [];
  readonly hint: string | undefined;

  constructor(problem: string, hint?: string) {
    super(problem);
    this.hint = hint;
  }
}

/** `ancestors`: the objects that `value` stands in. */
function write(out: ByteWriter, value: unknown, ancestors: object[]): void {
  switch (typeof value) {
    case "string":
      if (!out.plainString(value)) writeString(out, value);
      return;
    case "number":
      out.ascii(numberText(value));
      return;
    case "boolean":
      out.ascii(value ? "true" : "false");
      return;
    case "bigint":
      out.ascii(bigintText(value));
      return;
    case "object":
      if (value === null) out.ascii("null");
      else writeObject(out, value, ancestors);
      return;
    case "undefined":
      throw new Refusal("undefined is not JSON", "leave the property out, or write null");
    default:
      throw new Refusal(`a ${typeof value} is not JSON`);
  }
}

function writeString(out: ByteWriter, value: string): void {
  if (!value.isWellFormed())
    throw new Refusal("a string holds a lone surrogate", "it is half of a character: fix it, or use toWellFormed()");
  out.text(quote(value));
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw new Refusal(`${String(value)} is not JSON`, "write null or a string");
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : floatRepr(value);
}

function bigintText(value: bigint): string {
  const digits = String(value);
  if (digits.length - (value < 0n ? 1 : 0) > MAX_INTEGER_DIGITS) throw oversizeInteger();
  return digits;
}

function writeObject(out: ByteWriter, value: object, ancestors: object[]): void {
  if (value instanceof JsonText) {
    out.text(checkedText(value, ancestors.length));
    return;
  }
  if (ancestors.includes(value)) throw new Refusal("the value contains itself");
  checkDepth(ancestors.length + 1);
  ancestors.push(value);
  if (Array.isArray(value)) writeArray(out, value, ancestors);
  else writePlainObject(out, value, ancestors);
  ancestors.pop();
}

function checkedText({ canonical, depth }: JsonText, around: number): string {
  checkDepth(around + depth);
  if (canonical.length > MAX_INTEGER_DIGITS && hasOversizeInteger(canonical)) throw oversizeInteger();
  return canonical;
}

function checkDepth(depth: number): void {
  if (depth <= MAX_WRITE_DEPTH) return;
  throw new Refusal(
    `nested deeper than ${String(MAX_WRITE_DEPTH)} levels`,
    "flatten it, or store the document as a string",
  );
}

function oversizeInteger(): Refusal {
  return new Refusal(`an integer of more than ${String(MAX_INTEGER_DIGITS)} digits`);
}

function writeArray(out: ByteWriter, items: readonly unknown[], ancestors: object[]): void {
  // Holes and named properties would be lost without a word; both show here.
  if (Object.keys(items).length !== items.length) throw new Refusal("an array with holes or named properties");
  out.byte(OPEN_BRACKET);
  for (let i = 0; i < items.length; i++) {
    if (i > 0) out.byte(COMMA);
    writeChild(out, items[i], i, ancestors);
  }
  out.byte(CLOSE_BRACKET);
}

function writePlainObject(out: ByteWriter, value: object, ancestors: object[]): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw new Refusal(`${describe(value)} is not a plain object`, hintFor(value));
  if (Object.getOwnPropertySymbols(value).length > 0) throw new Refusal("an object with a symbol as key");
  const { sorted, labels } = shapeOf(Object.keys(value));
  let separator = OPEN_BRACE;
  for (let i = 0; i < sorted.length; i++) {
    const key = sorted[i] as string;
    const item = (value as Record<string, unknown>)[key];
    if (item === undefined) continue;
    const label = labels[i] as Uint8Array;
    if (label.length === 0) throw new Refusal(`the key ${JSON.stringify(key)} holds a lone surrogate`);
    out.byte(separator);
    out.few(label);
    writeChild(out, item, key, ancestors);
    separator = COMMA;
  }
  if (separator === OPEN_BRACE) out.byte(OPEN_BRACE);
  out.byte(CLOSE_BRACE);
}

function writeChild(out: ByteWriter, value: unknown, step: string | number, ancestors: object[]): void {
  try {
    write(out, value, ancestors);
  } catch (error) {
    if (error instanceof Refusal) error.path.push(step);
    throw error;
  }
}

/** What the keys of an object come to: their order, and each with its quotes and colon (empty: it cannot be written). */
interface Shape {
  readonly keys: readonly string[];
  readonly sorted: readonly string[];
  readonly labels: readonly Uint8Array[];
}

/** Events of a kind have objects of a kind: the shapes seen last, by their first key. */
const shapes = new Map<string, Shape[]>();
const MAX_FIRST_KEYS = 256;
const MAX_SHAPES_OF_ONE = 8;
const MAX_SHAPE_KEYS = 32;
/** Longer keys are data, not names: they are not kept. */
const MAX_NAME_LENGTH = 64;

function shapeOf(keys: readonly string[]): Shape {
  const [first] = keys;
  if (first === undefined) return NO_KEYS;
  if (keys.length > MAX_SHAPE_KEYS || keys.some((key) => key.length > MAX_NAME_LENGTH)) return newShape(keys);
  let known = shapes.get(first);
  if (known !== undefined) {
    for (const shape of known) if (isSame(shape.keys, keys)) return shape;
    if (known.length >= MAX_SHAPES_OF_ONE) known.length = 0;
  } else {
    if (shapes.size >= MAX_FIRST_KEYS) shapes.clear();
    shapes.set(first, (known = []));
  }
  const shape = newShape(keys);
  known.push(shape);
  return shape;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const NO_KEYS: Shape = { keys: [], sorted: [], labels: [] };

function newShape(keys: readonly string[]): Shape {
  const sorted = keys.toSorted(compareCodePoints);
  return { keys, sorted, labels: sorted.map((key) => Buffer.from(key.isWellFormed() ? `${quote(key)}:` : "")) };
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
