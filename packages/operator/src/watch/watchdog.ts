import type { Runtime } from "@rynxs/event-store";
import { STALLED_CONNECTION } from "../kube/port.js";

/**
 * Gives up a watch on which nothing comes: over a connection whose other end has gone without a word (a node lost, a firewall that forgot
 * it) it would wait for ever. Only waiting for the server counts, not the time that the sink takes.
 */
export class Watchdog {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #runtime: Runtime;
  readonly #idleMs: number;
  readonly #follow: () => void;
  #waitingSince: number | undefined;
  #barked = false;

  constructor(runtime: Runtime, idleMs: number, outer: AbortSignal) {
    this.#runtime = runtime;
    this.#idleMs = idleMs;
    this.#outer = outer;
    this.#follow = () => this.#controller.abort(outer.reason);
    if (outer.aborted) this.#follow();
    else outer.addEventListener("abort", this.#follow, { once: true });
    void this.#guard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get barked(): boolean {
    return this.#barked;
  }

  async waitFor<T>(next: Promise<T>): Promise<T> {
    this.#waitingSince = this.#runtime.elapsed();
    try {
      return await next;
    } finally {
      this.#waitingSince = undefined;
    }
  }

  end(): void {
    this.#outer.removeEventListener("abort", this.#follow);
    if (!this.signal.aborted) this.#controller.abort();
  }

  /** One timer for the whole watch instead of one for each event. */
  async #guard(): Promise<void> {
    while (!this.signal.aborted) {
      const waited = this.#waitingSince === undefined ? 0 : this.#runtime.elapsed() - this.#waitingSince;
      if (waited >= this.#idleMs) {
        this.#barked = true;
        this.#controller.abort(STALLED_CONNECTION);
        return;
      }
      await this.#runtime.sleep(this.#idleMs - waited, this.signal);
      // A clock that stands still, as in tests, must not keep everything else from running.
      await new Promise((done) => setImmediate(done));
    }
  }
}
