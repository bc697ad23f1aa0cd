import type { KubeObject } from "../../kube/port.js";
import * as causes from "./causes.js";
import type { CelRules } from "./cel-rules.js";
import type { Cause } from "./failure.js";
import { crdVersions, type CrdVersion } from "./crd.js";
import { objectAt, stringAt, type JsonObject } from "./json.js";
import { apiVersionOf, builtIn, type Admitted, type PrinterColumn, type Resource } from "./resource.js";
import { withDefaults } from "./schema-defaulting.js";
import { pruned } from "./schema-pruning.js";
import { arrayAt, type Schema } from "./schema.js";
import { schemaCauses } from "./validation.js";

/** The resources that a CustomResourceDefinition makes the server serve. */
export function customResources(crd: JsonObject, cel: CelRules | null): Resource[] {
  const spec = objectAt(crd, "spec");
  const names = objectAt(spec, "names");
  const group = stringAt(spec, "group") ?? "";
  const plural = stringAt(names, "plural") ?? "";
  return crdVersions(crd)
    .filter(({ served }) => served)
    .map((version) =>
      builtIn(group, version.name, plural, stringAt(names, "kind") ?? "", {
        singular: stringAt(names, "singular") ?? "",
        shortNames: arrayAt(names, "shortNames").map(String),
        categories: arrayAt(names, "categories").map(String),
        namespaced: spec["scope"] === "Namespaced",
        hasStatus: version.hasStatus,
        hasGeneration: true,
        unconditionalUpdate: false,
        storage: `${plural}.${group}`,
        columns: version.columns.map(column),
        custom: true,
        admit: (object) => admit(object, version.schema),
        validate: (object, old) => customCauses(object, old, version, cel),
        serve: served(apiVersionOf({ group, version: version.name })),
      }),
    );
}

function admit({ apiVersion, kind, metadata, ...rest }: JsonObject, schema: Schema): Admitted {
  const unknownFields: string[] = [];
  const kept = pruned(rest, schema, "", unknownFields) as JsonObject;
  const object = withDefaults(kept, schema) as JsonObject;
  return { object: { ...object, apiVersion, kind, metadata }, unknownFields };
}

function customCauses(
  object: KubeObject,
  old: KubeObject | undefined,
  version: CrdVersion,
  cel: CelRules | null,
): ReturnType<Resource["validate"]> {
  const { metadata: _, ...content } = object;
  const found = schemaCauses(content, version.schema, "");
  if (found.some(({ reason }) => BLOCKING.includes(reason))) {
    return hasRules(version.schema) ? [...found, NOT_CHECKED] : found;
  }
  if (cel === null) return found;
  const visible = ({ metadata: { name }, ...rest }: KubeObject): JsonObject => ({ ...rest, metadata: { name } });
  return [...found, ...cel.causes(visible(object), old && visible(old), version.schema, "")];
}

/** After one of these, rules in CEL are not judged any more: they could not rely on types. */
const BLOCKING: readonly Cause["reason"][] = [
  "FieldValueRequired",
  "FieldValueNotSupported",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
];
const NOT_CHECKED = causes.wrong(
  "<nil>",
  null,
  "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
);

function hasRules(schema: Schema): boolean {
  return JSON.stringify(schema).includes('"x-kubernetes-validations"');
}

function served(apiVersion: string): Resource["serve"] {
  const views = new WeakMap<KubeObject, KubeObject>();
  return (stored) => {
    if (stored.apiVersion === apiVersion) return stored;
    const view = views.get(stored) ?? { ...stored, apiVersion };
    views.set(stored, view);
    return view;
  };
}

function column(given: JsonObject): PrinterColumn {
  const priority = given["priority"];
  return {
    name: stringAt(given, "name") ?? "",
    type: stringAt(given, "type") ?? "string",
    jsonPath: stringAt(given, "jsonPath") ?? "",
    description: stringAt(given, "description"),
    format: stringAt(given, "format"),
    priority: typeof priority === "number" ? priority : 0,
  };
}
