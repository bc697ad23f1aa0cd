import type { KubeObject } from "../../kube/port.js";
import * as causes from "./causes.js";
import { ApiFailure, alreadyExists, badRequest, conflict, invalid, notFound } from "./failure.js";
import { deepEqual, stringAt, type JsonObject } from "./json.js";
import {
  checkIdentity,
  decodedMeta,
  metaCauses,
  newMeta,
  updatedMeta,
  withManagedFields,
  type Writer,
} from "./object-meta.js";
import type { ObjectStorage } from "./object-storage.js";
import { keyOf, type Resource } from "./resource.js";

export interface Place {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** Only `status`. */
  readonly subresource: string | undefined;
}

export interface WriteOptions extends Writer {
  /** Everything but storing. */
  readonly dryRun: boolean;
  /** What to do about fields that no schema knows. */
  readonly fieldValidation: "Ignore" | "Warn" | "Strict";
}

export interface Written {
  readonly object: KubeObject;
  readonly created: boolean;
  readonly warnings: readonly string[];
}

interface Ids {
  /** 32 hex digits. */
  id(): string;
}

/** Creates and updates objects as API servers do: decode, default, check, compare with what is there, store. */
export class Writes {
  readonly #storage: ObjectStorage;
  readonly #ids: Ids;

  constructor(storage: ObjectStorage, ids: Ids) {
    this.#storage = storage;
    this.#ids = ids;
  }

  /** @throws ApiFailure */
  create(place: Place, body: unknown, options: WriteOptions): Written {
    const { resource, namespace } = place;
    const sent = checkIdentity(resource, body, place);
    const given = decodedMeta(resource.kind, sent);
    this.#checkNamespace(place);
    const name = place.name ?? this.#nameFor(resource, given);
    if ((stringAt(given, "resourceVersion") ?? "") !== "") {
      throw badRequest("resourceVersion should not be set on objects to be created");
    }
    const { object: admitted, unknownFields } = resource.admit(sent);
    const warnings = unknownFieldWarnings(unknownFields, options);
    const uid = uuid(this.#ids.id());
    const metadata = newMeta(resource, given, { name, namespace, uid, now: options.now });
    const { status, ...rest } = admitted;
    // The status of a custom resource that has it as a subresource is only ever written there.
    const keepsStatus = status !== undefined && !(resource.custom && resource.hasStatus);
    const object: KubeObject = { ...rest, ...(keepsStatus ? { status } : {}), metadata };
    this.#check(resource, object, undefined);
    if (this.#storage.get(resource.storage, keyOf(namespace, name)) !== undefined) throw alreadyExists(resource, name);
    const stored = withManagedFields(object, undefined, options);
    return { object: options.dryRun ? stored : this.#storage.put(resource.storage, stored), created: true, warnings };
  }

  /** @throws ApiFailure */
  update(place: Place, body: unknown, options: WriteOptions): Written {
    const { resource, namespace, name = "" } = place;
    const sent = checkIdentity(resource, body, place);
    const given = decodedMeta(resource.kind, sent);
    const old = this.#storage.get(resource.storage, keyOf(namespace, name));
    const uid = stringAt(given, "uid") ?? "";
    if (uid !== "" && uid !== (old?.metadata.uid ?? "")) {
      const is = old?.metadata.uid ?? "";
      throw conflict(resource, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${is}`);
    }
    if (old === undefined) {
      if (!resource.createOnUpdate || place.subresource !== undefined) throw notFound(resource, name);
      const { resourceVersion: _, ...metadata } = given;
      return this.create(place, { ...sent, metadata }, options);
    }
    checkVersion(resource, old, given);
    const { object: admitted, unknownFields } = resource.admit(sent);
    const warnings = unknownFieldWarnings(unknownFields, options);
    const changed =
      place.subresource === "status" ? onlyStatus(old, admitted) : this.#main(resource, old, admitted, given);
    this.#check(resource, changed, old);
    if (deepEqual(changed, old)) return { object: old, created: false, warnings };
    const stored = withManagedFields(changed, place.subresource, options);
    return { object: options.dryRun ? stored : this.#store(resource, stored), created: false, warnings };
  }

  /** An object that is being deleted and has lost its last finalizer is gone. */
  #store({ storage }: Resource, object: KubeObject): KubeObject {
    const { deletionTimestamp, finalizers } = object.metadata;
    // A terminating namespace goes when it is empty (deletion.ts).
    const held = (Array.isArray(finalizers) && finalizers.length > 0) || storage === "namespaces";
    return deletionTimestamp !== undefined && !held
      ? this.#storage.remove(storage, object)
      : this.#storage.put(storage, object);
  }

  #main(resource: Resource, old: KubeObject, { status, ...sent }: JsonObject, given: JsonObject): KubeObject {
    const kept = resource.hasStatus ? old["status"] : status;
    const metadata = updatedMeta(old.metadata, given);
    const object: KubeObject = { ...sent, ...(kept === undefined ? {} : { status: kept }), metadata };
    if (!resource.hasGeneration || sameContent(object, old, resource.hasStatus)) return object;
    return { ...object, metadata: { ...metadata, generation: (old.metadata.generation ?? 0) + 1 } };
  }

  #check(resource: Resource, object: KubeObject, old: KubeObject | undefined): void {
    const found = [...metaCauses(resource, object.metadata), ...resource.validate(object, old)];
    if (found.length > 0) throw invalid(resource, object.metadata.name, found);
  }

  #checkNamespace({ resource, namespace }: Place): void {
    if (!resource.namespaced) return;
    const home = this.#storage.get("namespaces", namespace ?? "");
    const namespaces = { group: "", plural: "namespaces", kind: "Namespace" };
    if (home === undefined) throw notFound(namespaces, namespace ?? "");
    if (home.metadata["deletionTimestamp"] === undefined) return;
    const why = `unable to create new content in namespace ${namespace ?? ""} because it is being terminated`;
    throw new ApiFailure(403, "Forbidden", why, { causes: [{ reason: "NamespaceTerminating", message: why }] });
  }

  #nameFor(resource: Resource, given: JsonObject): string {
    const name = stringAt(given, "name") ?? "";
    if (name !== "") return name;
    const stem = stringAt(given, "generateName") ?? "";
    if (stem !== "") return `${stem}${this.#ids.id().slice(0, 5)}`;
    throw invalid(resource, "", [causes.required("metadata.name", "name or generateName is required")]);
  }
}

function checkVersion(resource: Resource, { metadata }: KubeObject, given: JsonObject): void {
  const version = given["resourceVersion"];
  if (version === undefined || version === null || version === "") {
    if (resource.unconditionalUpdate) return;
    const cause = causes.wrong("metadata.resourceVersion", 0, "must be specified for an update");
    throw invalid(resource, metadata.name, [cause]);
  }
  if (version !== metadata.resourceVersion) throw conflict(resource, metadata.name);
}

function onlyStatus(old: KubeObject, { status }: JsonObject): KubeObject {
  const { status: _, ...rest } = old;
  return status === undefined ? rest : { ...rest, status };
}

/** Nothing changed but metadata, and status where that is a subresource. */
function sameContent(a: KubeObject, b: KubeObject, hasStatus: boolean): boolean {
  const content = ({ metadata: _, status, ...rest }: KubeObject): JsonObject =>
    hasStatus ? rest : { ...rest, status };
  return deepEqual(content(a), content(b));
}

function unknownFieldWarnings(fields: readonly string[], { fieldValidation }: WriteOptions): string[] {
  if (fields.length === 0 || fieldValidation === "Ignore") return [];
  const said = fields.map((field) => `unknown field "${field}"`);
  if (fieldValidation === "Strict") throw badRequest(`strict decoding error: ${said.join(", ")}`);
  return said;
}

/** In the shape of a UUID of version 4. */
function uuid(hex: string): string {
  const part = (from: number, to: number): string => hex.slice(from, to);
  return `${part(0, 8)}-${part(8, 12)}-4${part(13, 16)}-8${part(17, 20)}-${part(20, 32)}`;
}
