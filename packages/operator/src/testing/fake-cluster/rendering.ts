import type { KubeObject } from "../../kube/port.js";
import type { Form } from "./accept.js";
import { stringify, type JsonObject } from "./json.js";
import type { Page } from "./lists.js";
import { partialMetadata } from "./projection.js";
import { apiVersionOf, type Resource } from "./resource.js";
import { table } from "./tables.js";

/** Texts of objects as they are stored, so that a list of ten thousand, or a change that many watch, is made once. */
const texts = new WeakMap<KubeObject, string>();

function textOf(object: KubeObject): string {
  const text = texts.get(object) ?? stringify(object);
  texts.set(object, text);
  return text;
}

/** JSON of one object in the form that the client wants. `now`: for ages in tables. */
export function objectText(resource: Resource, object: KubeObject, form: Form, now: number): string {
  const view = resource.serve(object);
  if (form === "object") return textOf(view);
  if (form === "metadata") return stringify(partialMetadata(view));
  return stringify(table(resource, [object], { resourceVersion: object.metadata.resourceVersion }, now));
}

/** JSON of a page of a list. */
export function pageText(resource: Resource, { objects, metadata }: Page, form: Form, now: number): string {
  if (form === "table") return stringify(table(resource, objects, metadata, now));
  const partial = form === "metadata";
  const head: JsonObject = partial
    ? { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata }
    : { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata };
  const items = objects.map((object) => objectText(resource, object, form, now));
  return `${stringify(head).slice(0, -1)},"items":[${items.join(",")}]}\n`;
}

/** What a bookmark carries: only a resourceVersion. */
export function bookmarkText(resource: Resource, form: Form, revision: number): string {
  const kind = form === "metadata" ? "PartialObjectMetadata" : resource.kind;
  const apiVersion = form === "metadata" ? "meta.k8s.io/v1" : apiVersionOf(resource);
  return stringify({ kind, apiVersion, metadata: { resourceVersion: String(revision), creationTimestamp: null } });
}
