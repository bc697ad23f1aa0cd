import { isObject, type JsonObject } from "./json.js";
import { itemsOf, preservesUnknown, propertySchema, type Schema } from "./schema.js";

/** Drops what the schema does not know, and says what: `spec.image.colour`. */
export function pruned(value: unknown, schema: Schema, path: string, unknown: string[]): unknown {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined) return value;
    return value.map((item, index) => pruned(item, items, `${path}[${String(index)}]`, unknown));
  }
  return isObject(value) ? prunedObject(value, schema, path, unknown) : value;
}

function prunedObject(value: JsonObject, schema: Schema, path: string, unknown: string[]): JsonObject {
  const kept: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(value)) {
    const where = path === "" ? key : `${path}.${key}`;
    const known = propertySchema(schema, key);
    if (known !== undefined) kept.push([key, pruned(inner, known, where, unknown)]);
    else if (preservesUnknown(schema)) kept.push([key, inner]);
    else unknown.push(where);
  }
  return Object.fromEntries(kept);
}
