import { BadAnswer } from "./body.js";
import type { KubeObject, WatchEvent } from "./port.js";

/** A line of a watch, ERROR events among them. @throws BadAnswer when it is none */
export function watchEvent(line: unknown): WatchEvent | { readonly type: "ERROR"; readonly object: unknown } {
  const { type, object } = (typeof line === "object" && line !== null ? line : {}) as {
    readonly type?: unknown;
    readonly object?: unknown;
  };
  switch (type) {
    case "ERROR":
      return { type, object };
    case "BOOKMARK":
      if (!hasMetadata(object)) break;
      return { type, object };
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      if (!isObject(object)) break;
      return { type, object };
  }
  throw new BadAnswer("a watch event that is none");
}

/** It has the name that every object has. */
export function isObject(value: unknown): value is KubeObject {
  return hasMetadata(value) && typeof value.metadata.name === "string" && value.metadata.name !== "";
}

function hasMetadata(value: unknown): value is KubeObject {
  const { metadata } = (typeof value === "object" && value !== null ? value : {}) as { readonly metadata?: unknown };
  return typeof metadata === "object" && metadata !== null;
}
