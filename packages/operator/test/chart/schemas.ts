import { readFileSync } from "node:fs";
import { Ajv, type ValidateFunction } from "ajv";
import type { Manifest } from "./manifest.js";

const file = new URL("fixtures/kubernetes-schemas.json", import.meta.url);
const schemas = JSON.parse(readFileSync(file, "utf8")) as { definitions: Record<string, object> };
const ajv = new Ajv({ allErrors: true, strict: false });
ajv.addSchema({ $id: "kubernetes", definitions: schemas.definitions });
const validators = new Map<string, ValidateFunction>();

/** What the Kubernetes API would refuse in a manifest: wrong types, missing fields, and fields that it does not know. */
export function refusedFields(manifest: Manifest): string[] {
  const { kind } = manifest;
  if (schemas.definitions[kind] === undefined) return [`no schema for kind ${kind}: scripts/kubernetes-schemas.mjs`];
  const validate = validators.get(kind) ?? ajv.compile({ $ref: `kubernetes#/definitions/${kind}` });
  validators.set(kind, validate);
  if (validate(manifest)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message ?? ""} ${JSON.stringify(params)}`,
  );
}
