import type { Runtime } from "@rynxs/event-store";
import type { KubeApi, WatchEvent } from "../kube/port.js";
import { watchRequest } from "./scope-requests.js";
import type { ObservationSink, WatchScope } from "./sink.js";
import { Watchdog } from "./watchdog.js";

export interface WatchOnceOptions {
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
  /** Longest silence, in milliseconds. */
  readonly idleMs: number;
  /** After each event that the sink has taken, with the resourceVersion that a new watch may go on from. */
  readonly onProgress: (resourceVersion: string) => void;
}

/** Servers end a watch after this long, so that none lives for ever on one of several; by chance, so that not all end at once. */
const SHORTEST_S = 240;
const LONGEST_S = 480;
/** Servers send the head of the answer at once, before there is any event. */
const HEADERS_MS = 30_000;

/** How a watch ended that did not fail: as agreed, or because nothing came for too long. */
export type WatchEnd = "ended" | "stalled";

/** One watch, from a resourceVersion until it ends; each event is handed on before the next is read. @throws KubeError */
export async function watchOnce(
  api: KubeApi,
  scope: WatchScope,
  sink: ObservationSink,
  resourceVersion: string,
  options: WatchOnceOptions,
): Promise<WatchEnd> {
  const { runtime, onProgress } = options;
  const { path, query, accept } = watchRequest(scope);
  const seconds = Math.floor(SHORTEST_S + runtime.random() * (LONGEST_S - SHORTEST_S + 1));
  const watchdog = new Watchdog(runtime, options.idleMs, options.signal);
  const events = api
    .watch({
      path,
      query: { ...query, resourceVersion, allowWatchBookmarks: "true", timeoutSeconds: String(seconds) },
      accept,
      signal: watchdog.signal,
      timeoutMs: Math.min(options.idleMs, HEADERS_MS),
    })
    [Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await watchdog.waitFor(events.next());
      if (next.done === true) return watchdog.barked ? "stalled" : "ended";
      await handOn(scope, sink, next.value);
      const reached = next.value.object.metadata.resourceVersion;
      if (reached !== undefined && reached !== "") onProgress(reached);
    }
  } catch (error) {
    if (watchdog.barked && !options.signal.aborted) return "stalled";
    throw error;
  } finally {
    watchdog.end();
    // Not awaited: an iterator that hangs must not hold this up; it has been aborted.
    void events.return?.().then(undefined, () => undefined);
  }
}

async function handOn(scope: WatchScope, sink: ObservationSink, event: WatchEvent): Promise<void> {
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
      return sink.observed(scope, event.object);
    case "DELETED":
      return sink.deleted(scope, event.object);
    case "BOOKMARK":
      return;
  }
}
