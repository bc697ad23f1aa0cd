import type { KubeObject, ObjectMeta } from "../../kube/port.js";
import * as causes from "./causes.js";
import { badRequest, type Cause } from "./failure.js";
import { isObject, objectAt, stringAt, type JsonObject } from "./json.js";
import { apiTime } from "./micro-time.js";
import { apiVersionOf, type Resource } from "./resource.js";
import { labelProblem } from "./selectors.js";

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const MAX_ANNOTATIONS = 256 * 1024;

/** Who writes, and when: for managedFields. */
export interface Writer {
  readonly manager: string;
  readonly now: number;
}

/** What a client may set; the rest is the server's. */
const SETTABLE = ["labels", "annotations", "finalizers", "ownerReferences"] as const;

/** The metadata that a client sent, in its right types. @throws ApiFailure 400 */
export function decodedMeta(kind: string, object: JsonObject): JsonObject {
  const metadata = objectAt(object, "metadata");
  for (const key of ["labels", "annotations"]) {
    for (const [name, value] of Object.entries(objectAt(metadata, key))) {
      if (typeof value === "string") continue;
      throw badRequest(
        `${kind} in version "v1" cannot be handled as a ${kind}: json: cannot unmarshal ${typeof value} into Go struct field ObjectMeta.metadata.${key}.${name} of type string`,
      );
    }
  }
  return metadata;
}

export function newMeta(
  { hasGeneration, namespaced }: Resource,
  given: JsonObject,
  identity: { name: string; namespace: string | undefined; uid: string; now: number },
): ObjectMeta {
  return {
    name: identity.name,
    ...(stringAt(given, "generateName") === undefined ? {} : { generateName: given["generateName"] }),
    ...(namespaced && identity.namespace !== undefined ? { namespace: identity.namespace } : {}),
    uid: identity.uid,
    ...(hasGeneration ? { generation: 1 } : {}),
    creationTimestamp: apiTime(identity.now),
    ...settable(given),
  };
}

/** The metadata of an object that is updated: what the client may set is as sent, all else as it was. */
export function updatedMeta(old: ObjectMeta, given: JsonObject): ObjectMeta {
  const kept = Object.fromEntries(
    Object.entries(old).filter(([key]) => !(SETTABLE as readonly string[]).includes(key)),
  );
  return { ...(kept as ObjectMeta & JsonObject), ...settable(given) };
}

function settable(given: JsonObject): JsonObject {
  const set = SETTABLE.map((key) => [key, given[key]] as const);
  const isEmpty = (value: unknown): boolean =>
    value === undefined || value === null || (typeof value === "object" && Object.keys(value).length === 0);
  return Object.fromEntries(set.filter(([, value]) => !isEmpty(value)));
}

/** The object with an entry of who wrote it: as volatile as on a real server, though it does not say which fields. */
export function withManagedFields(object: KubeObject, subresource: string | undefined, writer: Writer): KubeObject {
  const before = object.metadata["managedFields"];
  const entries: readonly unknown[] = Array.isArray(before) ? before : [];
  const others = entries.filter(
    (entry) => stringAt(entry, "manager") !== writer.manager || stringAt(entry, "subresource") !== subresource,
  );
  const mine = {
    manager: writer.manager,
    operation: "Update",
    apiVersion: object.apiVersion,
    time: apiTime(writer.now),
    fieldsType: "FieldsV1",
    fieldsV1: { [subresource === "status" ? "f:status" : "f:spec"]: {} },
    ...(subresource === undefined ? {} : { subresource }),
  };
  return { ...object, metadata: { ...object.metadata, managedFields: [...others, mine] } };
}

export function metaCauses(resource: Resource, { name, labels, annotations }: ObjectMeta): Cause[] {
  const found: Cause[] = [];
  const limit = resource.plural === "namespaces" ? 63 : 253;
  if (!SUBDOMAIN.test(name) || name.length > limit) {
    found.push(
      causes.wrong(
        "metadata.name",
        name,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
      ),
    );
  }
  for (const [key, value] of Object.entries(labels ?? {})) {
    const problem = labelProblem(key, value);
    if (problem !== null) found.push(causes.wrong("metadata.labels", key, problem));
  }
  const size = Object.entries(annotations ?? {}).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (size > MAX_ANNOTATIONS) found.push(causes.tooLong("metadata.annotations", MAX_ANNOTATIONS));
  return found;
}

/** Refuses a body that is not of the resource's kind, or that names another object than its address. @throws ApiFailure 400 */
export function checkIdentity(
  resource: Resource,
  body: unknown,
  { namespace, name }: { namespace: string | undefined; name: string | undefined },
): JsonObject {
  if (!isObject(body)) throw badRequest("the object provided is unrecognized: it is no JSON object");
  const expected = apiVersionOf(resource);
  const [apiVersion, kind] = [stringAt(body, "apiVersion"), stringAt(body, "kind")];
  if (resource.custom && (kind === undefined || kind === "")) throw badRequest(`Object 'Kind' is missing`);
  if (apiVersion !== undefined && apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  if (kind !== undefined && kind !== resource.kind) {
    throw badRequest(`${kind} in version "${resource.version}" cannot be handled as a ${resource.kind}`);
  }
  const metadata = objectAt(body, "metadata");
  const [ownName, ownNamespace] = [stringAt(metadata, "name"), stringAt(metadata, "namespace")];
  if (name !== undefined && ownName !== undefined && ownName !== name) {
    throw badRequest(`the name of the object (${ownName}) does not match the name on the URL (${name})`);
  }
  if (ownNamespace !== undefined && ownNamespace !== "" && ownNamespace !== (namespace ?? "")) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  return { ...body, apiVersion: expected, kind: resource.kind };
}
