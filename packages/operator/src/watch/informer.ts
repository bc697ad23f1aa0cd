import { setMaxListeners } from "node:events";
import type { Runtime } from "@rynxs/event-store";
import { KubeError } from "../kube/errors.js";
import type { KubeApi } from "../kube/port.js";
import { hasAborted } from "./aborted.js";
import { BackOff } from "./back-off.js";
import { Latch } from "./latch.js";
import { list } from "./list.js";
import { afterError, type RestartReason } from "./restart.js";
import type { ObservationSink, WatchScope } from "./sink.js";
import { Turns } from "./turns.js";
import { watchOnce } from "./watch-once.js";

export interface InformerOptions {
  readonly runtime: Runtime;
  /** A watch on which nothing came for so many milliseconds is opened anew; servers send a bookmark about every minute. Default 90,000. */
  readonly idleMs?: number;
  /** Objects a page of a list; default 500. */
  readonly pageSize?: number;
  /** Shared by informers that are not to list all at once. */
  readonly lists?: Turns;
  /** A list or watch begins anew. */
  readonly onRestart?: (reason: RestartReason) => void;
  /** Something failed and will be tried again. GONE, which is nobody's fault, is not told. */
  readonly onTrouble?: (error: Error) => void;
}

const IDLE_MS = 90_000;
/** A watch that ends sooner without an event is no success: pause, as if it had failed. */
const SHORT_MS = 1000;
/** Silent for so many times idleMs in a row: perhaps the server waits for a resourceVersion that it never reaches. List anew. */
const SILENT_LIMIT = 20;

/**
 * Lists one scope and watches it from there on, for ever: whatever fails is tried again. What the sink is told is in order for each
 * object, may repeat itself after a list or a broken watch, and leaves nothing out that the server still knew. No object is kept.
 */
export class Informer {
  readonly scope: WatchScope;
  readonly #api: KubeApi;
  readonly #sink: ObservationSink;
  readonly #options: InformerOptions;
  readonly #runtime: Runtime;
  readonly #backOff: BackOff;
  readonly #lists: Turns;
  readonly #listed = new Latch();
  /** Where the next watch goes on from; undefined: list first. */
  #from: string | undefined;
  /** The server forgot our resourceVersion, and nothing came since. */
  #gone = false;
  #silent = 0;

  constructor(api: KubeApi, scope: WatchScope, sink: ObservationSink, options: InformerOptions) {
    this.#api = api;
    this.scope = scope;
    this.#sink = sink;
    this.#options = options;
    this.#runtime = options.runtime;
    this.#backOff = new BackOff(options.runtime);
    this.#lists = options.lists ?? new Turns(1);
  }

  /** The first list is complete and handed on. */
  get synced(): boolean {
    return this.#listed.isOpen;
  }

  /** @throws KubeError ABORTED */
  async whenSynced(signal?: AbortSignal): Promise<void> {
    await this.#listed.wait(signal);
  }

  /** Returns once the signal has aborted; never throws. To be called once. */
  async run(signal: AbortSignal): Promise<void> {
    // As many informers as there are listen to one signal, which is no leak.
    setMaxListeners(0, signal);
    while (!signal.aborted) {
      let pauseMs: number;
      try {
        pauseMs = this.#from === undefined ? await this.#list(signal) : await this.#watch(this.#from, signal);
      } catch (error) {
        if (hasAborted(signal)) return;
        pauseMs = this.#afterError(error);
      }
      if (pauseMs > 0) await this.#runtime.sleep(pauseMs, signal);
    }
  }

  async #list(signal: AbortSignal): Promise<number> {
    const { pageSize } = this.#options;
    this.#from = await this.#lists.take(signal, () =>
      list(this.#api, this.scope, this.#sink, { signal, ...(pageSize === undefined ? {} : { pageSize }) }),
    );
    this.#silent = 0;
    this.#listed.open();
    return 0;
  }

  async #watch(from: string, signal: AbortSignal): Promise<number> {
    const began = this.#runtime.elapsed();
    let events = 0;
    const end = await watchOnce(this.#api, this.scope, this.#sink, from, {
      runtime: this.#runtime,
      signal,
      idleMs: this.#options.idleMs ?? IDLE_MS,
      onProgress: (resourceVersion) => {
        this.#from = resourceVersion;
        this.#gone = false;
        this.#silent = 0;
        events++;
      },
    });
    if (signal.aborted) return 0;
    this.#options.onRestart?.(end);
    if (end === "stalled") {
      if (events === 0 && ++this.#silent >= SILENT_LIMIT) this.#from = undefined;
      return 0;
    }
    return events === 0 && this.#runtime.elapsed() - began < SHORT_MS ? this.#backOff.next() : 0;
  }

  #afterError(error: unknown): number {
    const { reason, pauseMs, relist } = afterError(error, this.#backOff);
    if (relist) this.#from = undefined;
    this.#options.onRestart?.(reason);
    if (error instanceof KubeError && error.code === "GONE") {
      // At once, but not again and again against a server that forgets everything at once.
      const again = this.#gone;
      this.#gone = true;
      return again ? this.#backOff.next() : 0;
    }
    this.#options.onTrouble?.(error instanceof Error ? error : new Error("unknown error", { cause: error }));
    return pauseMs;
  }
}
