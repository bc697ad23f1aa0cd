import { arrayAt } from "./schema.js";
import { isObject, objectAt, stringAt, type JsonObject } from "./json.js";

/** What is asked of an authorizer, as in a SubjectAccessReview. */
export interface AccessRequest {
  readonly user: string;
  readonly groups: readonly string[];
  readonly userAgent: string;
  readonly verb: string;
  /** Empty for what is no resource. */
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly group: string;
  readonly version: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly path: string;
}

export type Authorize = (request: AccessRequest) => boolean;

/** Whether one rule of a Role or ClusterRole allows it. */
export function ruleAllows(rule: unknown, request: AccessRequest): boolean {
  if (!isObject(rule)) return false;
  const has = (key: string, value: string): boolean => {
    const listed = arrayAt(rule, key);
    return listed.includes("*") || listed.includes(value);
  };
  if (!has("verbs", request.verb)) return false;
  if (request.resource === "")
    return arrayAt(rule, "nonResourceURLs").some((pattern) => urlMatches(String(pattern), request.path));
  const { resource, subresource } = request;
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  const named =
    has("resources", full) || (subresource !== undefined && arrayAt(rule, "resources").includes(`*/${subresource}`));
  if (!has("apiGroups", request.group) || !named) return false;
  const names = arrayAt(rule, "resourceNames");
  // The name of what is to be created is not known to the authorizer.
  return names.length === 0 || (request.name !== undefined && names.includes(request.name));
}

function urlMatches(pattern: string, path: string): boolean {
  return pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : pattern === path;
}

/** Everybody who is authenticated may see what there is: the ClusterRole `system:discovery`. */
const DISCOVERY = {
  nonResourceURLs: [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
  ],
  verbs: ["get"],
};

/**
 * An authorizer made of manifests, as `helm template` prints them: Role, ClusterRole, RoleBinding and ClusterRoleBinding; whatever
 * else is among them is passed over. A service account is the user `system:serviceaccount:NAMESPACE:NAME`.
 */
export function rbacAuthorizer(manifests: readonly unknown[]): Authorize {
  const objects = manifests.filter(isObject);
  const rules = (reference: JsonObject, namespace: string | undefined): readonly unknown[] => {
    const kind = stringAt(reference, "kind");
    const role = objects.find(
      (object) =>
        object["kind"] === kind &&
        stringAt(object["metadata"], "name") === stringAt(reference, "name") &&
        (kind === "ClusterRole" || stringAt(object["metadata"], "namespace") === namespace),
    );
    return role === undefined ? [] : arrayAt(role, "rules");
  };
  const bindings = objects.filter(({ kind }) => kind === "RoleBinding" || kind === "ClusterRoleBinding");
  return (request) => {
    if (ruleAllows(DISCOVERY, request)) return true;
    return bindings.some((binding) => {
      const home = binding["kind"] === "RoleBinding" ? stringAt(binding["metadata"], "namespace") : undefined;
      if (binding["kind"] === "RoleBinding" && (home ?? "") !== (request.namespace ?? "")) return false;
      if (!arrayAt(binding, "subjects").some((subject) => isSubject(subject, request, home))) return false;
      return rules(objectAt(binding, "roleRef"), home).some((rule) => ruleAllows(rule, request));
    });
  };
}

function isSubject(subject: unknown, { user, groups }: AccessRequest, home: string | undefined): boolean {
  const name = stringAt(subject, "name") ?? "";
  switch (stringAt(subject, "kind")) {
    case "ServiceAccount":
      return user === `system:serviceaccount:${stringAt(subject, "namespace") ?? home ?? ""}:${name}`;
    case "User":
      return user === name;
    case "Group":
      return groups.includes(name);
    case undefined:
    default:
      return false;
  }
}
