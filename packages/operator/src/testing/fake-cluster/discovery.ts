import type { JsonObject } from "./json.js";
import type { Registry } from "./registry.js";
import { apiVersionOf, type Resource } from "./resource.js";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/** What the server says about itself and its resources; null for an address that is none of these. */
export function discovery(registry: Registry, path: string, version: string): JsonObject | string | null {
  const resources = registry.all();
  const address = path.replace(/(?<=.)\/$/, "");
  switch (address) {
    case "/version":
      return versionInfo(version);
    case "/healthz":
    case "/livez":
    case "/readyz":
      return "ok";
    case "/api":
      return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
    case "/apis":
      return {
        kind: "APIGroupList",
        apiVersion: "v1",
        groups: groupNames(resources).map((name) => group(name, resources)),
      };
    case "/api/v1":
      return resourceList("", "v1", resources);
    default:
      return ofGroup(address, resources);
  }
}

function ofGroup(address: string, resources: readonly Resource[]): JsonObject | null {
  const [, name, version] = /^\/apis\/([^/]+)(?:\/([^/]+))?$/.exec(address) ?? [];
  if (name === undefined || !groupNames(resources).includes(name)) return null;
  if (version === undefined) return { apiVersion: "v1", ...group(name, resources) };
  if (!versionNames(name, resources).includes(version)) return null;
  return resourceList(name, version, resources);
}

function groupNames(resources: readonly Resource[]): string[] {
  return [...new Set(resources.map((each) => each.group))].filter((name) => name !== "");
}

function versionNames(name: string, resources: readonly Resource[]): string[] {
  return [...new Set(resources.filter((each) => each.group === name).map(({ version }) => version))];
}

function group(name: string, resources: readonly Resource[]): JsonObject {
  const versions = versionNames(name, resources).map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { kind: "APIGroup", name, versions, preferredVersion: versions[0] };
}

function resourceList(group: string, version: string, resources: readonly Resource[]): JsonObject {
  const served = resources.filter((each) => each.group === group && each.version === version);
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: apiVersionOf({ group, version }),
    resources: served.flatMap((each) => [
      {
        name: each.plural,
        singularName: each.singular,
        namespaced: each.namespaced,
        kind: each.kind,
        verbs: VERBS,
        ...(each.shortNames.length === 0 ? {} : { shortNames: each.shortNames }),
        ...(each.categories.length === 0 ? {} : { categories: each.categories }),
      },
      ...(each.hasStatus ? [statusResource(each)] : []),
    ]),
  };
}

function statusResource({ plural, namespaced, kind }: Resource): JsonObject {
  return { name: `${plural}/status`, singularName: "", namespaced, kind, verbs: ["get", "patch", "update"] };
}

function versionInfo(gitVersion: string): JsonObject {
  const [, major = "1", minor = "0"] = /^v(\d+)\.(\d+)/.exec(gitVersion) ?? [];
  return { major, minor, gitVersion, gitCommit: "fake", gitTreeState: "clean", platform: "fake/fake" };
}
