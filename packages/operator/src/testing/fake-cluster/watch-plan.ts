import type { KubeObject } from "../../kube/port.js";
import { ApiFailure } from "./failure.js";
import { expired } from "./failure.js";
import { revisionOf, selection } from "./lists.js";
import type { ObjectStorage } from "./object-storage.js";
import type { Resource } from "./resource.js";
import type { Selects } from "./selectors.js";
import type { Change } from "./watch-history.js";
import type { Place } from "./writes.js";
import type { Form } from "./accept.js";

export interface ObjectEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
}

/** What a watch request asks for. */
export interface WatchPlan {
  readonly resource: Resource;
  readonly form: Form;
  /** What it begins with: the objects there are (no resourceVersion), or what happened since. Null: that is not known any more. */
  readonly first: readonly ObjectEvent[] | null;
  readonly bookmarks: boolean;
  /** Seconds until the server ends it; null: its default. */
  readonly timeoutSeconds: number | null;
  readonly expired: ApiFailure;
  /** What a change means to this watch; null when it does not concern it. */
  eventOf(change: Change): ObjectEvent | null;
}

/** @throws ApiFailure 400 */
export function watchPlan(storage: ObjectStorage, place: Place, query: URLSearchParams, form: Form): WatchPlan {
  if (query.get("sendInitialEvents") === "true") {
    const message = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
    throw new ApiFailure(
      422,
      "Invalid",
      `ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: ${message}`,
    );
  }
  const { resource } = place;
  const selects = selection(place, query);
  const revision = revisionOf(query);
  const eventOf = (change: Change): ObjectEvent | null =>
    change.storage === resource.storage ? selectedEvent(change, selects) : null;
  const timeout = Number(query.get("timeoutSeconds") ?? "0");
  return {
    resource,
    form,
    first: revision === null ? existing(storage, resource, selects) : missed(storage, resource, revision, eventOf),
    bookmarks: query.get("allowWatchBookmarks") === "true",
    timeoutSeconds: timeout > 0 ? timeout : null,
    expired: expired(`too old resource version: ${String(revision)} (${String(storage.history.floor)})`),
    eventOf,
  };
}

function existing(storage: ObjectStorage, resource: Resource, selects: Selects | undefined): ObjectEvent[] {
  const objects = storage.list(resource.storage);
  const selected = selects === undefined ? objects : objects.filter(selects);
  return selected.map((object) => ({ type: "ADDED", object }));
}

function missed(
  storage: ObjectStorage,
  { storage: name }: Resource,
  revision: number,
  eventOf: (change: Change) => ObjectEvent | null,
): ObjectEvent[] | null {
  const changes = storage.history.since(revision, name);
  return changes?.map(eventOf).filter((event) => event !== null) ?? null;
}

/** To a watch with selectors an object that begins to match is new, and one that stops matching is deleted. */
function selectedEvent({ type, object, previous }: Change, selects: Selects | undefined): ObjectEvent | null {
  if (selects === undefined) return { type, object };
  const was = previous !== undefined && selects(previous);
  const is = type !== "DELETED" && selects(object);
  if (is) return { type: was ? "MODIFIED" : "ADDED", object };
  if (!was) return null;
  // As real servers do: the last state that matched, with the resourceVersion of the change that ended it.
  const { resourceVersion = "" } = object.metadata;
  return { type: "DELETED", object: { ...previous, metadata: { ...previous.metadata, resourceVersion } } };
}
