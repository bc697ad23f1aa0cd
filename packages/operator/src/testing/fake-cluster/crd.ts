import * as causes from "./causes.js";
import type { Cause } from "./failure.js";
import { isObject, objectAt, stringAt, type JsonObject } from "./json.js";
import { arrayAt, itemsOf, preservesUnknown, propertiesOf, type Schema } from "./schema.js";

/** What a CustomResourceDefinition says of one of its versions. */
export interface CrdVersion {
  readonly name: string;
  readonly served: boolean;
  readonly schema: Schema;
  readonly hasStatus: boolean;
  readonly columns: readonly JsonObject[];
}

export function crdVersions(crd: JsonObject): CrdVersion[] {
  return arrayAt(objectAt(crd, "spec"), "versions")
    .filter(isObject)
    .map((version) => ({
      name: stringAt(version, "name") ?? "",
      served: version["served"] === true,
      schema: objectAt(objectAt(version, "schema"), "openAPIV3Schema"),
      hasStatus: isObject(objectAt(version, "subresources")["status"]),
      columns: arrayAt(version, "additionalPrinterColumns").filter(isObject),
    }));
}

/** Fills in what the server does, names and conditions included: it is served at once. */
export function crdWithDefaults(crd: JsonObject): JsonObject {
  const spec = objectAt(crd, "spec");
  const given = objectAt(spec, "names");
  const kind = stringAt(given, "kind") ?? "";
  const names = { singular: kind.toLowerCase(), listKind: `${kind}List`, ...given };
  const condition = (type: string, reason: string, message: string): JsonObject => ({
    type,
    status: "True",
    reason,
    message,
  });
  const storage = arrayAt(spec, "versions").filter((version) => isObject(version) && version["storage"] === true);
  return {
    ...crd,
    spec: { conversion: { strategy: "None" }, ...spec, names },
    status: {
      acceptedNames: names,
      storedVersions: storage.map((version) => stringAt(version, "name")),
      conditions: [
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
      ],
    },
  };
}

/** What would keep a real server from taking the definition: not all of it, but what is easily got wrong by hand. */
export function crdCauses(crd: JsonObject): Cause[] {
  const spec = objectAt(crd, "spec");
  const [group, plural] = [stringAt(spec, "group") ?? "", stringAt(objectAt(spec, "names"), "plural") ?? ""];
  const found: Cause[] = [];
  if (group === "") found.push(causes.required("spec.group"));
  if (plural === "") found.push(causes.required("spec.names.plural"));
  if ((stringAt(objectAt(spec, "names"), "kind") ?? "") === "") found.push(causes.required("spec.names.kind"));
  if (spec["scope"] !== "Namespaced" && spec["scope"] !== "Cluster") {
    found.push(causes.unsupported("spec.scope", spec["scope"], ["Cluster", "Namespaced"]));
  }
  const name = stringAt(objectAt(crd, "metadata"), "name");
  if (name !== `${plural}.${group}`) {
    found.push(causes.wrong("metadata.name", name, 'must be spec.names.plural+"."+spec.group'));
  }
  const stored = arrayAt(spec, "versions").filter((version) => isObject(version) && version["storage"] === true);
  if (stored.length !== 1) {
    found.push(causes.wrong("spec.versions", stored.length, "must have exactly one version marked as storage version"));
  }
  crdVersions(crd).forEach(({ schema }, index) => {
    const path = `spec.versions[${String(index)}].schema.openAPIV3Schema`;
    if (Object.keys(schema).length === 0) found.push(causes.required(path, "schemas are required"));
    else if (schema["type"] !== "object")
      found.push(causes.wrong(`${path}.type`, schema["type"], "must be object at the root"));
    else found.push(...structuralCauses(schema, path));
  });
  return found;
}

/** A structural schema says of each node what type it has. */
function structuralCauses(schema: Schema, path: string): Cause[] {
  const found: Cause[] = [];
  const typed = typeof schema["type"] === "string" || schema["x-kubernetes-int-or-string"] === true;
  if (!typed && schema["x-kubernetes-preserve-unknown-fields"] !== true) {
    found.push(causes.required(`${path}.type`, "must not be empty for specified object fields"));
  }
  if (Object.keys(propertiesOf(schema)).length > 0 && schema["additionalProperties"] !== undefined) {
    found.push(
      causes.wrong(path, "additionalProperties", "additionalProperties and properties are mutually exclusive"),
    );
  }
  const mapKeys = schema["x-kubernetes-list-type"] === "map" ? arrayAt(schema, "x-kubernetes-list-map-keys") : [];
  const items = itemsOf(schema);
  for (const key of mapKeys.map(String)) {
    const known = items !== undefined && Object.hasOwn(propertiesOf(items), key);
    const sure = items !== undefined && (arrayAt(items, "required").includes(key) || hasDefault(items, key));
    if (!known || !sure)
      found.push(causes.wrong(`${path}.x-kubernetes-list-map-keys`, key, "must be required or have a default"));
  }
  if (schema["type"] === "array" && items === undefined)
    found.push(causes.required(`${path}.items`, "must be specified"));
  if (items !== undefined) found.push(...structuralCauses(items, `${path}.items`));
  for (const [key, property] of Object.entries(propertiesOf(schema))) {
    if (isObject(property)) found.push(...structuralCauses(property, `${path}.properties[${key}]`));
  }
  const rest = schema["additionalProperties"];
  if (isObject(rest) && !preservesUnknown(schema))
    found.push(...structuralCauses(rest, `${path}.additionalProperties`));
  return found;
}

function hasDefault(items: Schema, key: string): boolean {
  return objectAt(propertiesOf(items), key)["default"] !== undefined;
}
