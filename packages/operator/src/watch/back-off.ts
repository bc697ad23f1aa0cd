import type { Runtime } from "@rynxs/event-store";

const FIRST_MS = 800;
const MOST_MS = 30_000;
/** After so long without trouble the next one starts at the shortest pause again. */
const HEALTHY_MS = 120_000;
/** For what a person has to put right: a missing grant, a missing CRD. */
const LONG_MS = 30_000;
/** No server keeps us away for longer: it is asked again. */
const MOST_ASKED_MS = 300_000;

/**
 * Pauses between attempts, with the numbers of client-go's reflectors: 800 ms, doubled each time up to 30 s, reset after two minutes
 * without trouble; each lengthened by chance, up to twice but never beyond 30 s, so that many do not come back at once.
 */
export class BackOff {
  readonly #runtime: Runtime;
  #attempt = 0;
  #last: number | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const now = this.#runtime.elapsed();
    if (this.#last !== undefined && now - this.#last > HEALTHY_MS) this.#attempt = 0;
    const pause = Math.min(MOST_MS, FIRST_MS * 2 ** this.#attempt * (1 + this.#runtime.random()));
    if (FIRST_MS * 2 ** this.#attempt < MOST_MS) this.#attempt++;
    this.#last = now + pause;
    return pause;
  }

  /** As {@link next}, but at least what the server's Retry-After asked for, and then up to a tenth longer. */
  after(askedMs: number | undefined): number {
    const asked = Math.min(askedMs ?? 0, MOST_ASKED_MS) * (1 + this.#runtime.random() / 10);
    return Math.max(this.next(), asked);
  }

  /** Between 20 and 30 seconds. */
  long(): number {
    return LONG_MS * (1 - this.#runtime.random() / 3);
  }
}
