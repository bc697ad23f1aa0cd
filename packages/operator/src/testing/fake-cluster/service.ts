import type { KubeObject } from "../../kube/port.js";
import { formOf, type Form } from "./accept.js";
import { Deletion, deletedStatus } from "./deletion.js";
import { discovery } from "./discovery.js";
import { badRequest, methodNotAllowed, notFound, noSuchPath, unsupportedMedia } from "./failure.js";
import { isObject, parse, stringify } from "./json.js";
import { jsonPatch } from "./json-patch.js";
import { listPage } from "./lists.js";
import { mergePatch } from "./merge-patch.js";
import type { ObjectStorage } from "./object-storage.js";
import { openApi } from "./open-api.js";
import type { Registry } from "./registry.js";
import { objectText, pageText } from "./rendering.js";
import { keyOf } from "./resource.js";
import type { Target } from "./target.js";
import { watchPlan, type WatchPlan } from "./watch-plan.js";
import { Writes, type Place, type WriteOptions, type Written } from "./writes.js";

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly target: Target;
  readonly contentType: string;
  readonly accept: string;
  readonly userAgent: string;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface ServiceRuntime {
  /** Unix milliseconds. */
  now(): number;
  /** 32 hex digits. */
  id(): string;
}

const PATCHES = ["application/json-patch+json", "application/merge-patch+json"];
/** What kubectl sends for the server's own resources. Taken as a merge patch: the same as long as no lists are patched. */
const STRATEGIC = "application/strategic-merge-patch+json";

/** Executes authorised requests, each in one step. */
export class ApiService {
  readonly #storage: ObjectStorage;
  readonly #registry: Registry;
  readonly #runtime: ServiceRuntime;
  readonly #version: string;
  readonly #writes: Writes;
  readonly #deletion: Deletion;

  constructor(storage: ObjectStorage, registry: Registry, runtime: ServiceRuntime, version: string) {
    this.#storage = storage;
    this.#registry = registry;
    this.#runtime = runtime;
    this.#version = version;
    this.#writes = new Writes(storage, runtime);
    this.#deletion = new Deletion(storage, registry);
  }

  /** A plan when the request is a watch. @throws ApiFailure */
  execute(request: ApiRequest): Reply | WatchPlan {
    const { target } = request;
    if (target.plural === "") return this.#describe(request);
    const place = this.#place(target);
    switch (target.verb) {
      case "get":
        return this.#get(place, request);
      case "list": {
        const form = formOf(request.accept, "list");
        const page = listPage(this.#storage, place, request.query);
        return json(200, pageText(place.resource, page, form, this.#runtime.now()));
      }
      case "watch":
        return watchPlan(this.#storage, place, request.query, formOf(request.accept, "watch"));
      case "delete":
        return this.#delete(place, request);
      case "deletecollection":
        return this.#deleteCollection(place, request);
      default:
        return this.#write(place, request);
    }
  }

  #describe({ method, path }: ApiRequest): Reply {
    if (method !== "GET") throw noSuchPath();
    const said = discovery(this.#registry, path, this.#version) ?? openApi(this.#registry, path);
    if (said === null) throw noSuchPath();
    if (typeof said === "string") return { status: 200, contentType: "text/plain", headers: {}, text: said };
    // Whoever asks for aggregated discovery is content with the plain one.
    return json(200, stringify(said));
  }

  /** @throws ApiFailure 404 for what is not served */
  #place({ group, version, plural, namespace, name, subresource }: Target): Place {
    const resource = this.#registry.find(group, version, plural);
    const served = subresource === undefined || (subresource === "status" && resource?.hasStatus === true);
    if (resource === undefined || !served || (!resource.namespaced && namespace !== undefined)) throw noSuchPath();
    // Without a namespace, what lies in namespaces can only be listed and watched.
    if (resource.namespaced && name !== undefined && namespace === undefined) throw noSuchPath();
    return { resource, namespace, name, subresource };
  }

  #current({ resource, namespace, name = "" }: Place): KubeObject {
    const object = this.#storage.get(resource.storage, keyOf(namespace, name));
    if (object === undefined) throw notFound(resource, name);
    return object;
  }

  #get(place: Place, { accept }: ApiRequest): Reply {
    return this.#object(200, place, this.#current(place), formOf(accept, "one"));
  }

  #object(status: number, { resource }: Place, object: KubeObject, form: Form, headers: Reply["headers"] = {}): Reply {
    return json(status, objectText(resource, object, form, this.#runtime.now()), headers);
  }

  #write(place: Place, request: ApiRequest): Reply {
    const form = formOf(request.accept, "one");
    const options: WriteOptions = {
      manager: request.query.get("fieldManager") ?? request.userAgent.split("/")[0] ?? "unknown",
      now: this.#runtime.now(),
      dryRun: request.query.get("dryRun") === "All",
      fieldValidation: fieldValidation(request.query),
    };
    const written = this.#written(place, request, options);
    this.#settle(place, written.object);
    const warnings = written.warnings.map((warning) => `299 - ${JSON.stringify(warning)}`);
    const headers: Record<string, string> = warnings.length === 0 ? {} : { warning: warnings.join(", ") };
    return this.#object(written.created ? 201 : 200, place, written.object, form, headers);
  }

  #written(place: Place, request: ApiRequest, options: WriteOptions): Written {
    const { verb } = request.target;
    if (verb === "patch") return this.#writes.update(place, this.#patched(place, request), options);
    if (request.contentType !== "application/json" && request.contentType !== "") {
      throw unsupportedMedia(
        `the body of the request was in an unknown format - accepted media types include: application/json`,
      );
    }
    const body = decoded(request.body);
    if (verb === "create" && place.name === undefined) return this.#writes.create(place, body, options);
    if (verb === "update" && place.name !== undefined) return this.#writes.update(place, body, options);
    throw methodNotAllowed();
  }

  #patched(place: Place, request: ApiRequest): unknown {
    if (place.name === undefined) throw methodNotAllowed();
    const { contentType } = request;
    const types = place.resource.custom ? PATCHES : [...PATCHES, STRATEGIC];
    if (!types.includes(contentType)) {
      throw unsupportedMedia(
        `the body of the request was in an unknown format - accepted media types include: ${types.join(", ")}`,
      );
    }
    const patch = decoded(request.body);
    const current = place.resource.serve(this.#current(place));
    if (contentType === "application/json-patch+json") return jsonPatch(current, patch);
    if (!isObject(patch)) throw badRequest("a merge patch of an object is an object");
    return mergePatch(current, patch);
  }

  /** What a write brings about beyond the object. */
  #settle({ resource }: Place, object: KubeObject): void {
    const name = object.metadata.name;
    if (resource.storage === "customresourcedefinitions") {
      if (this.#storage.get(resource.storage, name) === undefined) this.#registry.withdraw(name);
      else this.#registry.define(name, object);
    }
    this.#deletion.sweep();
  }

  #delete(place: Place, { body, query }: ApiRequest): Reply {
    if (place.subresource !== undefined) throw methodNotAllowed();
    const { resource } = place;
    if (query.get("dryRun") === "All") return json(200, stringify(deletedStatus(resource, this.#current(place))));
    const { object, gone } = this.#deletion.delete(place, body === "" ? {} : decoded(body), this.#runtime.now());
    if (!gone || resource.storage === "namespaces") return this.#object(200, place, object, "object");
    return json(200, stringify(deletedStatus(resource, object)));
  }

  #deleteCollection(place: Place, { query, accept }: ApiRequest): Reply {
    const { resource } = place;
    if (resource.namespaced && place.namespace === undefined) throw methodNotAllowed();
    const page = listPage(this.#storage, place, query);
    for (const { metadata } of page.objects) {
      this.#deletion.delete({ ...place, name: metadata.name }, {}, this.#runtime.now());
    }
    return json(200, pageText(resource, page, formOf(accept, "list"), this.#runtime.now()));
  }
}

function json(status: number, text: string, headers: Reply["headers"] = {}): Reply {
  return { status, contentType: "application/json", headers, text };
}

function decoded(body: string): unknown {
  try {
    return parse(body);
  } catch {
    throw badRequest("the object provided is unrecognized (must be of type JSON)");
  }
}

function fieldValidation(query: URLSearchParams): WriteOptions["fieldValidation"] {
  const asked = query.get("fieldValidation") ?? "Warn";
  if (asked === "Ignore" || asked === "Strict" || asked === "Warn") return asked;
  throw badRequest(`fieldValidation: Invalid value: "${asked}"`);
}
