import type { KubeObject } from "../../kube/port.js";
import { isObject, objectAt, parse, stringAt, stringify } from "./json.js";
import type { ObjectStorage } from "./object-storage.js";
import type { Registry } from "./registry.js";
import { apiVersionOf, keyOf, type Resource } from "./resource.js";
import type { ApiService } from "./service.js";
import { targetOf } from "./target.js";

const NO_QUERY = new URLSearchParams();

/** The objects for whoever runs the server in its own process: as a client that nothing comes between. */
export class InProcess {
  readonly #service: ApiService;
  readonly #storage: ObjectStorage;
  readonly #registry: Registry;

  constructor(service: ApiService, storage: ObjectStorage, registry: Registry) {
    this.#service = service;
    this.#storage = storage;
    this.#registry = registry;
  }

  get(resource: string, key: string): KubeObject | undefined {
    const named = this.#named(resource);
    const object = this.#storage.get(named.storage, key);
    return object && named.serve(object);
  }

  list(resource: string): readonly KubeObject[] {
    const named = this.#named(resource);
    return this.#storage.list(named.storage).map((object) => named.serve(object));
  }

  apply(object: object): KubeObject {
    if (!isObject(object)) throw new Error("an object of the API is a JSON object");
    const [apiVersion, kind] = [stringAt(object, "apiVersion") ?? "", stringAt(object, "kind") ?? ""];
    const resource = this.#registry.findKind(apiVersion, kind);
    if (resource === undefined) throw new Error(`the fake cluster has no ${apiVersion} ${kind}`);
    const metadata = objectAt(object, "metadata");
    const name = stringAt(metadata, "name") ?? "";
    const namespace = resource.namespaced ? (stringAt(metadata, "namespace") ?? "default") : undefined;
    const there = this.#storage.get(resource.storage, keyOf(namespace, name));
    const address = addressOf(resource, namespace);
    const stored =
      there === undefined
        ? this.#call("POST", address, object)
        : this.#call("PUT", `${address}/${name}`, atVersion(object, there.metadata.resourceVersion));
    if (!resource.hasStatus || object["status"] === undefined) return stored;
    const { resourceVersion } = stored.metadata;
    return this.#call("PUT", `${address}/${stored.metadata.name}/status`, atVersion(object, resourceVersion));
  }

  remove(resource: string, key: string): void {
    const [name = "", namespace] = key.split("/").reverse();
    this.#call("DELETE", `${addressOf(this.#named(resource), namespace)}/${name}`, undefined);
  }

  #named(name: string): Resource {
    const [, plural = "", group = "", version = ""] = /^([^./]+)(?:\.([^/]+))?\/(.+)$/.exec(name) ?? [];
    const resource = this.#registry.find(group, version, plural);
    if (resource === undefined) throw new Error(`the fake cluster serves no ${name}`);
    return resource;
  }

  #call(method: string, path: string, body: unknown): KubeObject {
    const reply = this.#service.execute({
      method,
      path,
      query: NO_QUERY,
      target: targetOf(method, path, NO_QUERY),
      contentType: "application/json",
      accept: "",
      userAgent: "in-process",
      body: body === undefined ? "" : stringify(body),
    });
    if ("eventOf" in reply) throw new Error("a watch is no write");
    return parse(reply.text) as KubeObject;
  }
}

function atVersion(object: object, resourceVersion: string | undefined): object {
  return { ...object, metadata: { ...objectAt(object, "metadata"), resourceVersion } };
}

function addressOf(resource: Resource, namespace: string | undefined): string {
  const group = `${resource.group === "" ? "/api" : "/apis"}/${apiVersionOf(resource)}`;
  return `${group}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${resource.plural}`;
}
