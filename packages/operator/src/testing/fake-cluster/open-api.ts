import type { JsonObject } from "./json.js";
import type { Registry } from "./registry.js";
import { apiVersionOf, type Resource } from "./resource.js";

/**
 * Just enough of `/openapi/v3` for kubectl to create and apply: it looks up whether the server itself checks fields. No
 * schemas. Null for any other address.
 */
export function openApi(registry: Registry, path: string): JsonObject | null {
  const resources = registry.all();
  const addresses = new Map(resources.map((each) => [addressOf(each), each]));
  if (path === "/openapi/v3") {
    const entries = [...addresses.keys()].map((key) => [key, { serverRelativeURL: `/openapi/v3/${key}?hash=fake` }]);
    return { paths: Object.fromEntries(entries) as JsonObject };
  }
  const group = addresses.get(path.replace(/^\/openapi\/v3\//, ""));
  if (group === undefined) return null;
  const own = resources.filter((each) => addressOf(each) === addressOf(group));
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "fake" },
    paths: Object.fromEntries(own.map((each) => [`/${addressOf(each)}/${each.plural}/{name}`, operations(each)])),
  };
}

function addressOf(resource: Resource): string {
  return `${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource)}`;
}

function operations({ group, version, kind }: Resource): JsonObject {
  const parameter = { name: "fieldValidation", in: "query", schema: { type: "string", uniqueItems: true } };
  const operation = {
    parameters: [parameter],
    responses: { 200: { description: "OK" } },
    "x-kubernetes-group-version-kind": { group, version, kind },
  };
  return {
    patch: { ...operation, "x-kubernetes-action": "patch" },
    post: { ...operation, "x-kubernetes-action": "post" },
  };
}
