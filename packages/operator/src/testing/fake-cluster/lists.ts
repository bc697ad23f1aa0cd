import type { KubeObject } from "../../kube/port.js";
import { ApiFailure, badRequest, expired } from "./failure.js";
import { isObject, parse, type JsonObject } from "./json.js";
import type { ObjectStorage } from "./object-storage.js";
import { keyOfObject } from "./resource.js";
import { bothOf, fieldSelector, labelSelector, type Selects } from "./selectors.js";
import type { Place } from "./writes.js";

export interface Page {
  readonly objects: readonly KubeObject[];
  /** Of the list: resourceVersion, and continue when there is more. */
  readonly metadata: JsonObject;
}

/** What a request selects by labels and fields, within its namespace. @throws ApiFailure 400 */
export function selection({ namespace }: Place, query: URLSearchParams): Selects | undefined {
  const within = namespace === undefined ? undefined : ({ metadata }: KubeObject) => metadata.namespace === namespace;
  return bothOf(within, bothOf(labelSelector(query.get("labelSelector")), fieldSelector(query.get("fieldSelector"))));
}

/** A page of a list. All pages are of one revision. @throws ApiFailure 400, 410, 504 */
export function listPage(storage: ObjectStorage, place: Place, query: URLSearchParams): Page {
  const selects = selection(place, query);
  const limit = natural(query, "limit");
  const token = query.get("continue") ?? "";
  const name = place.resource.storage;
  if (token === "") checkRevision(storage, query);
  const { revision, after } = token === "" ? { revision: undefined, after: "" } : continued(token);
  const snapshot = revision === undefined ? null : storage.snapshot(name, revision);
  if (snapshot === undefined)
    throw expired(
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
    );
  const { objects: all, revision: at } = snapshot ?? { objects: storage.list(name), revision: storage.revision };
  const rest = after === "" ? all : all.filter((object) => keyOfObject(object) > after);
  const selected = selects === undefined ? rest : rest.filter(selects);
  if (limit === 0 || selected.length <= limit) return { objects: selected, metadata: { resourceVersion: String(at) } };
  if (snapshot === null) storage.takeSnapshot(name);
  const objects = selected.slice(0, limit);
  const last = objects.at(-1);
  const metadata: JsonObject = {
    resourceVersion: String(at),
    continue: tokenOf(at, last === undefined ? "" : keyOfObject(last)),
    // Servers do not count what a selector would select.
    ...(query.get("labelSelector") || query.get("fieldSelector")
      ? {}
      : { remainingItemCount: selected.length - limit }),
  };
  return { objects, metadata };
}

function natural(query: URLSearchParams, name: string): number {
  const value = Number(query.get(name) ?? "0");
  if (!Number.isSafeInteger(value) || value < 0) throw badRequest(`${name}: invalid value`);
  return value;
}

/** The revision that a list or watch names; null for none and for "0", which is "whatever you have". @throws ApiFailure 400 */
export function revisionOf(query: URLSearchParams): number | null {
  const text = query.get("resourceVersion") ?? "";
  if (text === "" || text === "0") return null;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`resourceVersion: Invalid value: "${text}"`);
  return Number(text);
}

/** "Not older than": what the future holds, nobody can show. */
function checkRevision(storage: ObjectStorage, query: URLSearchParams): void {
  const revision = revisionOf(query);
  if (query.get("resourceVersionMatch") === "Exact" && revision !== null && revision < storage.history.floor) {
    throw expired(`The resourceVersion for the provided list is too old: ${String(revision)}`);
  }
  if (revision === null || revision <= storage.revision) return;
  const message = `Too large resource version: ${String(revision)}, current: ${String(storage.revision)}`;
  const details = {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  };
  throw new ApiFailure(504, "Timeout", message, details, { "retry-after": "1" });
}

function tokenOf(revision: number, after: string): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start: after })).toString("base64url");
}

function continued(token: string): { revision: number; after: string } {
  try {
    const value = parse(Buffer.from(token, "base64url").toString());
    if (isObject(value) && typeof value["rv"] === "number" && typeof value["start"] === "string") {
      return { revision: value["rv"], after: value["start"] };
    }
  } catch {
    // Told below.
  }
  throw badRequest("continue key is not valid");
}
