import { parseJson } from "@rynxs/event-store";

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object under a key, or an empty one: for looking into what a client sent. */
export function objectAt(value: unknown, key: string): JsonObject {
  const inner = isObject(value) ? value[key] : undefined;
  return isObject(inner) ? inner : {};
}

export function stringAt(value: unknown, key: string): string | undefined {
  const inner = isObject(value) ? value[key] : undefined;
  return typeof inner === "string" ? inner : undefined;
}

/** Integers beyond 2^53 become BigInts: an API server keeps all 64 bits. @throws an error of some kind for what is no JSON */
export function parse(text: string): unknown {
  return /\d{16}/.test(text) ? parseJson(text) : (JSON.parse(text) as unknown);
}

const BIG = /"\\u0000(-?\d+)"/g;

export function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    // A BigInt is in it.
    const mark = (_: string, inner: unknown): unknown => (typeof inner === "bigint" ? `\0${String(inner)}` : inner);
    return JSON.stringify(value, mark).replaceAll(BIG, "$1");
  }
}

/** Equal as JSON: keys in any order. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => deepEqual(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a).filter((key) => a[key] !== undefined);
  if (keys.length !== Object.keys(b).filter((key) => b[key] !== undefined).length) return false;
  return keys.every((key) => deepEqual(a[key], b[key]));
}

/** Own properties only, so that a key `__proto__` stays data. */
export function mapValues(object: JsonObject, change: (value: unknown, key: string) => unknown): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));
}
