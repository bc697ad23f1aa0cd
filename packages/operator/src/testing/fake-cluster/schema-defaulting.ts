import { isObject, mapValues, type JsonObject } from "./json.js";
import { itemsOf, propertiesOf, propertySchema, type Schema } from "./schema.js";

/**
 * Fills in defaults, from the outside in, so that a default of `{}` gets the defaults within it. A null where the schema has
 * no `nullable` is as good as absent: it gives way to the default, or is dropped.
 */
export function withDefaults(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return items === undefined ? value : value.map((item) => withDefaults(item, items));
  }
  return isObject(value) ? objectWithDefaults(value, schema) : value;
}

function objectWithDefaults(value: JsonObject, schema: Schema): JsonObject {
  const filled = new Map(Object.entries(value));
  for (const [key, property] of Object.entries(propertiesOf(schema))) {
    if (!isObject(property)) continue;
    const there = filled.get(key);
    const absent = there === undefined || (there === null && property["nullable"] !== true);
    if (!absent) continue;
    if (property["default"] !== undefined) filled.set(key, structuredClone(property["default"]));
    else filled.delete(key);
  }
  return mapValues(Object.fromEntries(filled), (inner, key) => {
    const known = propertySchema(schema, key);
    return known === undefined ? inner : withDefaults(inner, known);
  });
}
