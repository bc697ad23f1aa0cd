import { setMaxListeners } from "node:events";
import { discover, parseResourceName } from "../kube/discovery.js";
import { KubeError } from "../kube/errors.js";
import type { KubeApi, ResourceType } from "../kube/port.js";
import { hasAborted } from "./aborted.js";
import { BackOff } from "./back-off.js";
import { Informer, type InformerOptions } from "./informer.js";
import { Latch } from "./latch.js";
import { afterError, type RestartReason } from "./restart.js";
import type { ObservationSink, WatchScope } from "./sink.js";
import { Turns } from "./turns.js";

/** A resource to watch, as the operator's environment names it. */
export interface WatchTarget {
  /** `agents.universe.ai/v1alpha1`. */
  readonly resource: string;
  /** None: all. */
  readonly namespaces?: readonly string[];
  readonly labelSelector?: string;
}

export interface InformersOptions extends Pick<InformerOptions, "runtime" | "idleMs" | "pageSize"> {
  /** @param resource its name */
  readonly onRestart?: (resource: string, reason: RestartReason) => void;
  /** Something failed and will be tried again: discovery, a list or a watch of this resource. */
  readonly onTrouble?: (resource: string, error: Error) => void;
  /** The server has this resource; its informers start. */
  readonly onDiscovered?: (resource: ResourceType) => void;
}

/** A list of large objects is what takes memory here, and the server's as well. */
const LISTS_AT_ONCE = 2;

/** One informer for each resource and namespace. A resource that the server does not have is asked for until it does. */
export class Informers {
  readonly #api: KubeApi;
  readonly #targets: readonly WatchTarget[];
  readonly #sink: ObservationSink;
  readonly #options: InformersOptions;
  readonly #lists = new Turns(LISTS_AT_ONCE);
  readonly #unsynced: Set<WatchTarget>;
  readonly #allSynced = new Latch();

  /** @throws KubeError INVALID_CONFIG for a name that is none */
  constructor(api: KubeApi, targets: readonly WatchTarget[], sink: ObservationSink, options: InformersOptions) {
    for (const { resource } of targets) parseResourceName(resource);
    this.#api = api;
    this.#targets = targets;
    this.#sink = sink;
    this.#options = options;
    this.#unsynced = new Set(targets);
  }

  /** Every first list is complete and handed on. */
  get synced(): boolean {
    return this.#allSynced.isOpen;
  }

  /** @throws KubeError ABORTED */
  async whenSynced(signal?: AbortSignal): Promise<void> {
    await this.#allSynced.wait(signal);
  }

  /** Returns once the signal has aborted; never throws. To be called once. */
  async run(signal: AbortSignal): Promise<void> {
    setMaxListeners(0, signal);
    if (this.#unsynced.size === 0) this.#allSynced.open();
    await Promise.all(this.#targets.map((target) => this.#runTarget(target, signal)));
  }

  async #runTarget(target: WatchTarget, signal: AbortSignal): Promise<void> {
    const resource = await this.#discovered(target, signal);
    if (resource === undefined) return;
    this.#options.onDiscovered?.(resource);
    const informers = scopesOf(target, resource).map((scope) => this.#informer(scope));
    await Promise.all([
      ...informers.map((informer) => informer.run(signal)),
      Promise.all(informers.map((informer) => informer.whenSynced(signal))).then(
        () => {
          this.#unsynced.delete(target);
          if (this.#unsynced.size === 0) this.#allSynced.open();
        },
        // Aborted.
        () => undefined,
      ),
    ]);
  }

  #informer(scope: WatchScope): Informer {
    const { onRestart, onTrouble, onDiscovered: _, ...options } = this.#options;
    const { name } = scope.resource;
    return new Informer(this.#api, scope, this.#sink, {
      ...options,
      lists: this.#lists,
      onRestart: (reason) => onRestart?.(name, reason),
      onTrouble: (error) => onTrouble?.(name, error),
    });
  }

  /** Undefined once the signal has aborted. */
  async #discovered(target: WatchTarget, signal: AbortSignal): Promise<ResourceType | undefined> {
    const { runtime, onTrouble } = this.#options;
    const backOff = new BackOff(runtime);
    while (!signal.aborted) {
      try {
        const resource = await discover(this.#api, target.resource, { signal });
        if (!resource.namespaced && (target.namespaces ?? []).length > 0) throw notNamespaced(target);
        return resource;
      } catch (error) {
        if (hasAborted(signal)) break;
        onTrouble?.(target.resource, error instanceof Error ? error : new Error("unknown error", { cause: error }));
        // Charts create definitions and operators together: a resource that is missing is often there a moment later.
        const isMissing = error instanceof KubeError && error.code === "NOT_FOUND";
        await runtime.sleep(isMissing ? backOff.next() : afterError(error, backOff).pauseMs, signal);
      }
    }
    return undefined;
  }
}

function scopesOf({ namespaces = [], labelSelector }: WatchTarget, resource: ResourceType): WatchScope[] {
  const all = namespaces.length === 0 ? [undefined] : [...new Set(namespaces)];
  return all.map((namespace) => ({ resource, namespace, labelSelector }));
}

function notNamespaced({ resource }: WatchTarget): KubeError {
  return new KubeError("INVALID_CONFIG", `${resource} is of the whole cluster: it cannot be watched in namespaces`, {
    hint: "leave the namespaces out",
  });
}
