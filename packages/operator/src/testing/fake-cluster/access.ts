import { ApiFailure, qualified } from "./failure.js";
import type { AccessRequest, Authorize } from "./rbac.js";
import type { Target } from "./target.js";
import type { Identity } from "./tokens.js";

export const ANONYMOUS: Identity = { token: "", user: "system:anonymous", groups: ["system:unauthenticated"] };

/** What a client may do without being told anything else: all that the server can. */
export const ALLOW_ALL: Authorize = () => true;

/** @throws ApiFailure 403, in a real server's words */
export function checkAccess(
  authorize: Authorize,
  { user, groups }: Identity,
  target: Target,
  { path, userAgent, query }: { path: string; userAgent: string; query: URLSearchParams },
): void {
  const { verb, group, version, namespace, subresource } = target;
  // A list or watch of one object by its name is judged as one of that object.
  const name = target.name ?? /^metadata\.name==?([^,]+)$/.exec(query.get("fieldSelector") ?? "")?.[1];
  // The namespace itself is what a request for a namespace is in.
  const within = target.plural === "namespaces" ? name : namespace;
  const request: AccessRequest = {
    path,
    userAgent,
    user,
    groups,
    verb,
    group,
    version,
    resource: target.plural,
    subresource,
    namespace: within,
    name,
  };
  if (authorize(request)) return;
  if (target.plural === "") {
    throw new ApiFailure(403, "Forbidden", `forbidden: User "${user}" cannot ${verb} path "${path}"`, {});
  }
  const what = subresource === undefined ? target.plural : `${target.plural}/${subresource}`;
  const where = within === undefined ? "at the cluster scope" : `in the namespace "${within}"`;
  const named = name === undefined ? qualified(target) : `${qualified(target)} "${name}"`;
  throw new ApiFailure(
    403,
    "Forbidden",
    `${named} is forbidden: User "${user}" cannot ${verb} resource "${what}" in API group "${group}" ${where}`,
    { ...(name === undefined ? {} : { name }), ...(group === "" ? {} : { group }), kind: target.plural },
  );
}
