/** What a request is about, read off its address as API servers do (RequestInfo). */
export interface Target {
  /** get, list, watch, create, update, patch, delete, deletecollection; for what is no resource the method in lower case. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  /** Empty for what is no resource: `/version`, discovery. */
  readonly plural: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

export function targetOf(method: string, path: string, query: URLSearchParams): Target {
  const none = { group: "", version: "", plural: "", namespace: undefined, name: undefined, subresource: undefined };
  const nothing = { ...none, verb: method.toLowerCase() };
  const parts = segments(path);
  if (parts === null) return nothing;
  const prefix = parts[0] === "api" ? 2 : parts[0] === "apis" ? 3 : Infinity;
  if (parts.length <= prefix) return nothing;
  const [group = "", version = ""] = prefix === 2 ? ["", parts[1]] : [parts[1], parts[2]];
  let rest = parts.slice(prefix);
  let namespace: string | undefined;
  if (rest[0] === "namespaces" && rest.length > 2 && rest[2] !== "status" && rest[2] !== "finalize") {
    namespace = rest[1];
    rest = rest.slice(2);
  }
  const [plural = "", name, subresource, surplus] = rest;
  if (surplus !== undefined) return nothing;
  return { verb: verbOf(method, name, query), group, version, plural, namespace, name, subresource };
}

function segments(path: string): string[] | null {
  try {
    return path
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
  } catch {
    return null;
  }
}

function isWatch(query: URLSearchParams): boolean {
  return query.get("watch") === "true" || query.get("watch") === "1";
}

function verbOf(method: string, name: string | undefined, query: URLSearchParams): string {
  switch (method) {
    case "GET":
    case "HEAD":
      return name !== undefined ? "get" : isWatch(query) ? "watch" : "list";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return name === undefined ? "deletecollection" : "delete";
    default:
      return method.toLowerCase();
  }
}
