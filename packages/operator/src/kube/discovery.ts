import { KubeError } from "./errors.js";
import type { KubeApi, ResourceType } from "./port.js";
import { apiPath } from "./resource-path.js";

/** `PLURAL.GROUP/VERSION`, or `PLURAL/VERSION` in the core group: DNS labels, the group a DNS name. */
const NAME =
  /^([a-z](?:[-a-z0-9]*[a-z0-9])?)(?:\.([a-z0-9](?:[-.a-z0-9]*[a-z0-9])?))?\/([a-z](?:[-a-z0-9]*[a-z0-9])?)$/;

/** The parts of a resource's name, as {@link ResourceType.name} has it. @throws KubeError INVALID_CONFIG */
export function parseResourceName(name: string): Pick<ResourceType, "name" | "group" | "version" | "plural"> {
  const [, plural, group, version] = NAME.exec(name) ?? [];
  if (plural === undefined || version === undefined) {
    throw new KubeError("INVALID_CONFIG", `"${name}" names no resource`, {
      hint: "write PLURAL.GROUP/VERSION as in agents.universe.ai/v1alpha1, or PLURAL/VERSION for the core group as in configmaps/v1",
    });
  }
  return { name, group: group ?? "", version, plural };
}

/** Whose contents must not reach this process. */
const METADATA_ONLY: ReadonlySet<string> = new Set(["secrets/v1"]);

interface ApiResource {
  readonly name?: unknown;
  readonly kind?: unknown;
  readonly namespaced?: unknown;
  readonly verbs?: unknown;
}

/**
 * Asks the server what a resource is.
 * @throws KubeError INVALID_CONFIG for a name that is none, or a resource that cannot be watched; NOT_FOUND when the server does not have it
 */
export async function discover(
  api: KubeApi,
  name: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ResourceType> {
  const parts = parseResourceName(name);
  const path = apiPath(parts);
  const resources = await apiResources(api, path, name, options.signal);
  const found = resources.find((each) => each.name === parts.plural);
  if (found === undefined) throw unknownResource(api, name, path);
  if (!allows(found, "list") || !allows(found, "watch")) {
    throw new KubeError("INVALID_CONFIG", `${name} cannot be watched: the server has no list and watch for it`, {
      facts: { server: api.server, path },
    });
  }
  const status = resources.find((each) => each.name === `${parts.plural}/status`);
  return {
    ...parts,
    kind: String(found.kind),
    namespaced: found.namespaced === true,
    hasStatus: status !== undefined && allows(status, "patch"),
    metadataOnly: METADATA_ONLY.has(name),
  };
}

async function apiResources(
  api: KubeApi,
  path: string,
  name: string,
  signal: AbortSignal | undefined,
): Promise<readonly ApiResource[]> {
  let answer: unknown;
  try {
    answer = await api.request({ method: "GET", path, signal });
  } catch (error) {
    if (error instanceof KubeError && error.code === "NOT_FOUND") throw unknownResource(api, name, path, error);
    throw error;
  }
  const { resources } = (answer ?? {}) as { readonly resources?: unknown };
  if (Array.isArray(resources)) return resources as readonly ApiResource[];
  throw new KubeError("UNAVAILABLE", `GET ${path}: an answer that is no list of resources`, {
    facts: { server: api.server, method: "GET", path },
  });
}

function unknownResource(api: KubeApi, name: string, path: string, cause?: KubeError): KubeError {
  return new KubeError("NOT_FOUND", `the server has no ${name}`, {
    facts: { server: api.server, method: "GET", path, status: cause?.facts.status ?? 200 },
    hint: "is the CRD installed, and does it serve this version?",
    cause,
  });
}

function allows({ verbs }: ApiResource, verb: string): boolean {
  return Array.isArray(verbs) && verbs.includes(verb);
}
