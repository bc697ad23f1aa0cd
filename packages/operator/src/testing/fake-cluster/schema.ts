import { isObject, objectAt, type JsonObject } from "./json.js";

/** A node of a structural OpenAPI v3 schema of a CRD. Only looked into, never made: that is what the CRD says. */
export type Schema = JsonObject;

export function propertiesOf(schema: Schema): JsonObject {
  return objectAt(schema, "properties");
}

export function propertySchema(schema: Schema, key: string): Schema | undefined {
  const properties = propertiesOf(schema);
  const known = Object.hasOwn(properties, key) ? properties[key] : schema["additionalProperties"];
  return isObject(known) ? known : undefined;
}

/** Keeps whatever it does not know. */
export function preservesUnknown(schema: Schema): boolean {
  return schema["x-kubernetes-preserve-unknown-fields"] === true || schema["additionalProperties"] === true;
}

export function itemsOf(schema: Schema): Schema | undefined {
  const items = schema["items"];
  return isObject(items) ? items : undefined;
}

export function arrayAt(schema: Schema, key: string): readonly unknown[] {
  const value = schema[key];
  return Array.isArray(value) ? value : [];
}
