import * as causes from "./causes.js";
import type { Cause } from "./failure.js";
import { deepEqual, isObject, stringify, type JsonObject } from "./json.js";
import { isDateTime } from "./micro-time.js";
import { arrayAt, itemsOf, propertySchema, type Schema } from "./schema.js";

/** What of a value does not fit its schema. CEL rules are apart (cel-rules.ts). */
export function schemaCauses(value: unknown, schema: Schema, path: string): Cause[] {
  if (value === null && schema["nullable"] === true) return [];
  const typed = typeCauses(value, schema, path);
  if (typed.length > 0) return typed;
  const found = [...enumCauses(value, schema, path), ...branchCauses(value, schema, path)];
  if (typeof value === "string") found.push(...stringCauses(value, schema, path));
  else if (typeof value === "number" || typeof value === "bigint") found.push(...numberCauses(value, schema, path));
  else if (Array.isArray(value)) found.push(...arrayCauses(value, schema, path));
  else if (isObject(value)) found.push(...objectCauses(value, schema, path));
  return found;
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "bigint" || Number.isInteger(value)) return "integer";
  return typeof value;
}

function typeCauses(value: unknown, schema: Schema, path: string): Cause[] {
  const is = typeOf(value);
  if (schema["x-kubernetes-int-or-string"] === true) {
    return is === "integer" || is === "string" ? [] : [causes.wrongType(path, is, "integer,string")];
  }
  const must = schema["type"];
  if (typeof must !== "string" || is === must || (must === "number" && is === "integer")) return [];
  return [causes.wrongType(path, is, must)];
}

function enumCauses(value: unknown, schema: Schema, path: string): Cause[] {
  const allowed = arrayAt(schema, "enum");
  if (allowed.length === 0 || allowed.some((each) => deepEqual(each, value))) return [];
  return [causes.unsupported(path, value, allowed)];
}

function limit(schema: Schema, key: string): number | undefined {
  const value = schema[key];
  return typeof value === "number" ? value : undefined;
}

function stringCauses(value: string, schema: Schema, path: string): Cause[] {
  const found: Cause[] = [];
  const length = [...value].length;
  const { minLength = 0, maxLength = Infinity } = {
    minLength: limit(schema, "minLength"),
    maxLength: limit(schema, "maxLength"),
  };
  if (length < minLength) {
    found.push(causes.wrong(path, value, `${path} in body should be at least ${String(minLength)} chars long`));
  }
  if (length > maxLength) found.push(causes.tooLong(path, maxLength));
  const pattern = schema["pattern"];
  if (typeof pattern === "string" && !new RegExp(pattern, "u").test(value)) {
    found.push(causes.wrong(path, value, `${path} in body should match '${pattern}'`));
  }
  if (schema["format"] === "date-time" && !isDateTime(value)) {
    found.push(causes.wrong(path, value, `${path} in body must be of type date-time: ${stringify(value)}`));
  }
  return found;
}

function numberCauses(value: number | bigint, schema: Schema, path: string): Cause[] {
  const found: Cause[] = [];
  const [minimum, maximum] = [limit(schema, "minimum"), limit(schema, "maximum")];
  const below = minimum !== undefined && (schema["exclusiveMinimum"] === true ? value <= minimum : value < minimum);
  const above = maximum !== undefined && (schema["exclusiveMaximum"] === true ? value >= maximum : value > maximum);
  if (below)
    found.push(causes.wrong(path, value, `${path} in body should be greater than or equal to ${String(minimum)}`));
  if (above)
    found.push(causes.wrong(path, value, `${path} in body should be less than or equal to ${String(maximum)}`));
  const multiple = limit(schema, "multipleOf");
  if (multiple !== undefined && Number(value) % multiple !== 0) {
    found.push(causes.wrong(path, value, `${path} in body should be a multiple of ${String(multiple)}`));
  }
  const range = schema["format"] === "int32" ? 2n ** 31n : schema["format"] === "int64" ? 2n ** 63n : null;
  if (range !== null && (value >= range || value < -range)) {
    found.push(causes.wrong(path, value, `${path} in body must be of type ${String(schema["format"])}`));
  }
  return found;
}

function arrayCauses(value: readonly unknown[], schema: Schema, path: string): Cause[] {
  const found: Cause[] = [];
  const { min = 0, max = Infinity } = { min: limit(schema, "minItems"), max: limit(schema, "maxItems") };
  if (value.length < min)
    found.push(causes.wrong(path, value.length, `${path} in body should have at least ${String(min)} items`));
  if (value.length > max) found.push(causes.tooMany(path, value.length, max));
  const items = itemsOf(schema);
  const at = (index: number): string => `${path}[${String(index)}]`;
  if (items !== undefined) value.forEach((item, index) => found.push(...schemaCauses(item, items, at(index))));
  const identity = listIdentity(schema);
  if (identity === null) return found;
  const seen = new Set<string>();
  value.forEach((item, index) => {
    const id = stringify(identity(item));
    if (seen.has(id)) found.push(causes.duplicate(at(index), identity(item)));
    seen.add(id);
  });
  return found;
}

/** What must be unique in a list; null if nothing. */
function listIdentity(schema: Schema): ((item: unknown) => unknown) | null {
  if (schema["x-kubernetes-list-type"] === "set") return (item) => item;
  if (schema["x-kubernetes-list-type"] !== "map") return null;
  const keys = arrayAt(schema, "x-kubernetes-list-map-keys").map(String);
  return (item) => Object.fromEntries(keys.map((key) => [key, isObject(item) ? item[key] : undefined]));
}

function objectCauses(value: JsonObject, schema: Schema, path: string): Cause[] {
  const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
  const found: Cause[] = arrayAt(schema, "required")
    .map(String)
    .filter((key) => !Object.hasOwn(value, key))
    .map((key) => causes.required(at(key)));
  const size = Object.keys(value).length;
  const { min = 0, max = Infinity } = { min: limit(schema, "minProperties"), max: limit(schema, "maxProperties") };
  if (size < min)
    found.push(causes.wrong(path, size, `${path} in body should have at least ${String(min)} properties`));
  if (size > max) found.push(causes.tooMany(path, size, max));
  for (const [key, inner] of Object.entries(value)) {
    const known = propertySchema(schema, key);
    if (known !== undefined) found.push(...schemaCauses(inner, known, at(key)));
  }
  return found;
}

function branchCauses(value: unknown, schema: Schema, path: string): Cause[] {
  // An int-or-string node carries an anyOf that only repeats its two types.
  if (schema["x-kubernetes-int-or-string"] === true) return [];
  const fits = (branch: unknown): boolean => isObject(branch) && schemaCauses(value, branch, path).length === 0;
  const found = arrayAt(schema, "allOf").flatMap((branch) =>
    isObject(branch) ? schemaCauses(value, branch, path) : [],
  );
  const anyOf = arrayAt(schema, "anyOf");
  if (anyOf.length > 0 && !anyOf.some(fits))
    found.push(causes.wrong(path, "", `${path} in body must validate at least one schema (anyOf)`));
  const oneOf = arrayAt(schema, "oneOf");
  if (oneOf.length > 0 && oneOf.filter(fits).length !== 1) {
    found.push(causes.wrong(path, "", `${path} in body must validate one and only one schema (oneOf)`));
  }
  if (schema["not"] !== undefined && fits(schema["not"])) {
    found.push(causes.wrong(path, "", `${path} in body must not validate the schema (not)`));
  }
  return found;
}
