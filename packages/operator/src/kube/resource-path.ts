import type { ResourceType } from "./port.js";

export interface ResourcePlace {
  /** Undefined: all namespaces, or a resource of the whole cluster. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  /** `status`. */
  readonly subresource?: string | undefined;
}

/** `/apis/universe.ai/v1alpha1/namespaces/a/agents/x/status`, each part URL-encoded. */
export function resourcePath(
  resource: Pick<ResourceType, "group" | "version" | "plural" | "namespaced">,
  place: ResourcePlace = {},
): string {
  const parts = [...apiParts(resource)];
  if (resource.namespaced && place.namespace !== undefined) parts.push("namespaces", place.namespace);
  parts.push(resource.plural);
  if (place.name !== undefined) parts.push(place.name);
  if (place.subresource !== undefined) parts.push(place.subresource);
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

/** `/apis/GROUP/VERSION`, or `/api/v1` for the core group. */
export function apiPath(api: Pick<ResourceType, "group" | "version">): string {
  return `/${apiParts(api).map(encodeURIComponent).join("/")}`;
}

function apiParts({ group, version }: Pick<ResourceType, "group" | "version">): string[] {
  return group === "" ? ["api", version] : ["apis", group, version];
}
