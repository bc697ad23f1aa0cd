import type { KubeObject, ResourceType } from "../kube/port.js";

/** What one list and its watch cover: one resource, in one namespace or in all, perhaps of certain labels only. */
export interface WatchScope {
  readonly resource: ResourceType;
  /** Undefined: all namespaces, or a resource of the whole cluster. */
  readonly namespace: string | undefined;
  readonly labelSelector: string | undefined;
}

/** Names an object within its resource: `namespace/name`, or `name` for what is of the whole cluster. */
export type ObjectKey = string;

/**
 * Takes what an informer sees, in the order in which it sees it: the informer waits for each call before the next, which
 * is how a full queue holds back the watch. A call fails only when the signal that the informer runs under has aborted.
 */
export interface ObservationSink {
  /** The object as it is now: new, changed, or the same as before (after a list). */
  observed(scope: WatchScope, object: KubeObject): Promise<void>;

  /** The watch says that it was deleted (or, with a label selector, that it is no longer selected). `object` is its last state. */
  deleted(scope: WatchScope, object: KubeObject): Promise<void>;

  /** A list ended: `keys` are all objects of the scope, each of which was `observed` before this call. */
  listed(scope: WatchScope, keys: ReadonlySet<ObjectKey>): Promise<void>;
}
