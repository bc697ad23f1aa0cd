import type { KubeObject } from "../../kube/port.js";
import { conflict, notFound } from "./failure.js";
import { objectAt, stringAt, type JsonObject } from "./json.js";
import { apiTime } from "./micro-time.js";
import type { ObjectStorage } from "./object-storage.js";
import type { Registry } from "./registry.js";
import { keyOf, type Resource } from "./resource.js";
import type { Place } from "./writes.js";

/** Deletes objects, and what goes with them: a namespace takes its content along, a definition its resources. */
export class Deletion {
  readonly #storage: ObjectStorage;
  readonly #registry: Registry;

  constructor(storage: ObjectStorage, registry: Registry) {
    this.#storage = storage;
    this.#registry = registry;
  }

  /** The last state of what was deleted, or the object that waits for its finalizers. @throws ApiFailure */
  delete(
    { resource, namespace, name = "" }: Place,
    options: unknown,
    now: number,
  ): { object: KubeObject; gone: boolean } {
    const object = this.#storage.get(resource.storage, keyOf(namespace, name));
    if (object === undefined) throw notFound(resource, name);
    checkPreconditions(resource, object, objectAt(options, "preconditions"));
    return this.#delete(resource, object, now);
  }

  #delete(resource: Resource, object: KubeObject, now: number): { object: KubeObject; gone: boolean } {
    if (resource.storage === "namespaces") return this.#deleteNamespace(resource, object, now);
    if (hasFinalizers(object)) return { object: this.#mark(resource, object, now), gone: false };
    if (resource.storage === "customresourcedefinitions") this.#undefine(object.metadata.name);
    const last = this.#storage.remove(resource.storage, object);
    this.sweep();
    return { object: last, gone: true };
  }

  #mark({ storage, hasGeneration }: Resource, object: KubeObject, now: number): KubeObject {
    const { metadata } = object;
    if (metadata["deletionTimestamp"] !== undefined) return object;
    const generation = hasGeneration ? { generation: (metadata.generation ?? 0) + 1 } : {};
    const marks = { deletionTimestamp: apiTime(now), deletionGracePeriodSeconds: 0 };
    return this.#storage.put(storage, { ...object, metadata: { ...metadata, ...generation, ...marks } });
  }

  #deleteNamespace(resource: Resource, object: KubeObject, now: number): { object: KubeObject; gone: boolean } {
    const terminating = { ...object, status: { ...objectAt(object, "status"), phase: "Terminating" } };
    const marked = this.#mark(resource, terminating, now);
    for (const [storage, inner] of [...this.#storage.inNamespace(object.metadata.name)]) {
      const kind = this.#registry.ofStorage(storage);
      if (kind !== undefined) this.#delete(kind, inner, now);
    }
    this.sweep();
    return { object: marked, gone: this.#storage.get("namespaces", object.metadata.name) === undefined };
  }

  /** Removes the terminating namespaces that have become empty. */
  sweep(): void {
    for (const namespace of this.#storage.list("namespaces")) {
      if (namespace.metadata["deletionTimestamp"] === undefined) continue;
      const left = this.#storage.inNamespace(namespace.metadata.name).next();
      if (left.done === true && !hasFinalizers(namespace)) this.#storage.remove("namespaces", namespace);
    }
  }

  #undefine(definition: string): void {
    const storage = this.#registry.withdraw(definition);
    if (storage === undefined) return;
    for (const object of this.#storage.list(storage)) this.#storage.remove(storage, object);
  }
}

function hasFinalizers({ metadata: { finalizers } }: KubeObject): boolean {
  return Array.isArray(finalizers) && finalizers.length > 0;
}

function checkPreconditions(resource: Resource, { metadata }: KubeObject, wanted: JsonObject): void {
  const checks = [
    ["UID", stringAt(wanted, "uid"), metadata.uid],
    ["ResourceVersion", stringAt(wanted, "resourceVersion"), metadata.resourceVersion],
  ] as const;
  for (const [what, must, is] of checks) {
    if (must === undefined || must === is) continue;
    throw conflict(
      resource,
      metadata.name,
      `Precondition failed: ${what} in precondition: ${must}, ${what} in object meta: ${is ?? ""}`,
    );
  }
}

/** What a DELETE of something that is gone at once is answered with. */
export function deletedStatus({ group, plural }: Resource, object: KubeObject): JsonObject {
  const { name, uid } = object.metadata;
  const details = { name, ...(group === "" ? {} : { group }), kind: plural, uid };
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
}
