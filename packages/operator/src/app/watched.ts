import { ConfigError } from "@rynxs/event-store";
import { parseResourceName } from "../kube/discovery.js";

/** One entry of RYNXS_WATCH. */
export interface WatchedResource {
  /** `agents.universe.ai/v1alpha1`; `configmaps/v1` in the core group. */
  readonly resource: string;
  /** None: all namespaces. */
  readonly namespaces: readonly string[];
  readonly labelSelector: string | undefined;
  /** Write the condition `Recorded` into the status, where there is one. */
  readonly status: boolean;
}

const DEFAULT = "agents.universe.ai/v1alpha1";

/** Names separated by commas, or a JSON array of objects. @throws ConfigError */
export function parseWatch(text: string = DEFAULT): readonly WatchedResource[] {
  const entries = text.startsWith("[") ? parseArray(text) : text.split(",").map((name) => ({ resource: name.trim() }));
  if (entries.length === 0) throw wrong("names nothing to watch");
  const watched = entries.map(parseEntry);
  const names = watched
    .map(({ resource }) => parseResourceName(resource))
    .map(({ plural, group }) => `${plural}.${group}`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  // Two watches of one object would tell its changes in two orders.
  if (twice !== undefined)
    throw wrong(`names ${twice} twice`, "give one entry for each resource, with all its namespaces");
  return watched;
}

function parseArray(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value;
  } catch {
    // said below
  }
  throw wrong("is no JSON array");
}

const FIELDS = ["resource", "namespaces", "labelSelector", "status"];

function parseEntry(entry: unknown): WatchedResource {
  if (typeof entry !== "object" || entry === null) throw wrong("has an entry that is no object");
  const unknown = Object.keys(entry).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw wrong(`has an entry with ${JSON.stringify(unknown)}`, `it has ${FIELDS.join(", ")}`);
  const { resource, namespaces = [], labelSelector, status = true } = entry as Record<string, unknown>;
  if (typeof resource !== "string") throw wrong("has an entry without a resource");
  parseResourceName(resource);
  const isName = (name: unknown): name is string =>
    typeof name === "string" && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name);
  if (!Array.isArray(namespaces) || !namespaces.every(isName))
    throw wrong(`has namespaces of ${resource} that are no list of names`);
  if (new Set(namespaces).size < namespaces.length) throw wrong(`names a namespace of ${resource} twice`);
  if (labelSelector !== undefined && typeof labelSelector !== "string")
    throw wrong(`has a labelSelector of ${resource} that is no text`);
  if (typeof status !== "boolean") throw wrong(`has a status of ${resource} that is neither true nor false`);
  return { resource, namespaces, labelSelector: labelSelector === "" ? undefined : labelSelector, status };
}

function wrong(
  problem: string,
  hint = "give names such as agents.universe.ai/v1alpha1, separated by commas, or a JSON array",
): ConfigError {
  return new ConfigError(`RYNXS_WATCH ${problem}`, { hint });
}
