import { KubeError } from "../kube/errors.js";
import type { KubeApi, KubeObject } from "../kube/port.js";
import { isObject } from "../kube/watch-event.js";
import { listRequest, objectKey } from "./scope-requests.js";
import type { ObjectKey, ObservationSink, WatchScope } from "./sink.js";

/** As client-go: a page of large objects stays below what a server answers in a second or so. */
const PAGE_SIZE = 500;
/** A server answers a page within its own limit of 60 s, or not at all. */
const PAGE_MS = 60_000;

/**
 * Lists a scope and hands each object to the sink, then all keys; returns the resourceVersion that a watch goes on from.
 *
 * Without a resourceVersion in the request: the answer is what a quorum of etcd holds, as new as can be. (With "0", as client-go asks
 * first, a server may answer from a cache that lags: after a failover to such a one the log would record older states again, and
 * deletions of what still exists; besides, it then ignores `limit`.)
 * Pages are of one moment. When the server has forgotten that moment before the last page (410: the sink was slow, or the list is long)
 * the list begins anew without pages, which cannot expire but is in memory at once.
 * @throws KubeError
 */
export async function list(
  api: KubeApi,
  scope: WatchScope,
  sink: ObservationSink,
  options: { readonly signal: AbortSignal; readonly pageSize?: number },
): Promise<string> {
  const limit = String(options.pageSize ?? PAGE_SIZE);
  try {
    return await pages(api, scope, sink, { limit }, options.signal);
  } catch (error) {
    if (!(error instanceof KubeError) || error.code !== "GONE") throw error;
    return pages(api, scope, sink, {}, options.signal);
  }
}

async function pages(
  api: KubeApi,
  scope: WatchScope,
  sink: ObservationSink,
  paging: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  const keys = new Set<ObjectKey>();
  let next: string | undefined;
  let resourceVersion: string;
  do {
    const page = await pageOf(api, scope, next === undefined ? paging : { ...paging, continue: next }, signal);
    for (const item of page.items) {
      if (signal.aborted) throw new KubeError("ABORTED", "the list was aborted", { cause: signal.reason });
      keys.add(objectKey(item));
      await sink.observed(scope, item);
    }
    ({ next, resourceVersion } = page);
  } while (next !== undefined);
  await sink.listed(scope, keys);
  return resourceVersion;
}

interface Page {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  readonly next: string | undefined;
}

async function pageOf(
  api: KubeApi,
  scope: WatchScope,
  paging: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Page> {
  const { path, query, accept } = listRequest(scope);
  const answer = await api.request({
    method: "GET",
    path,
    query: { ...query, ...paging },
    accept,
    signal,
    timeoutMs: PAGE_MS,
  });
  const { items, metadata } = (answer ?? {}) as { readonly items?: unknown; readonly metadata?: unknown };
  const { resourceVersion, continue: next } = (metadata ?? {}) as Record<string, unknown>;
  // Go writes an empty list as null at times.
  const objects: unknown = items ?? [];
  if (typeof resourceVersion !== "string" || resourceVersion === "" || !Array.isArray(objects)) {
    throw noList(api, path);
  }
  return {
    items: objects.map((item: unknown) => {
      if (!isObject(item)) throw noList(api, path);
      return withType(item, scope);
    }),
    resourceVersion,
    next: typeof next === "string" && next !== "" ? next : undefined,
  };
}

/** Items of a list leave out what the list says: a watch's objects do not. */
function withType(object: KubeObject, { resource }: WatchScope): KubeObject {
  if (object.kind !== undefined && object.apiVersion !== undefined) return object;
  const { group, version, kind } = resource;
  return { ...object, apiVersion: group === "" ? version : `${group}/${version}`, kind };
}

function noList(api: KubeApi, path: string): KubeError {
  return new KubeError("UNAVAILABLE", `GET ${path}: an answer that is no list`, {
    facts: { server: api.server, method: "GET", path },
  });
}
