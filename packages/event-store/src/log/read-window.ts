/** GETs that run ahead of a reader: so many to begin with, and at most … */
const WIDEST = 64;
const NARROWEST = 2;
/** … holding so many bytes at most: more than is parsed while one is fetched … */
export const WINDOW_BYTES: number = 4 * 1024 * 1024;
/** … but always so many objects, however large: at most 16 MiB each, as a rule far less. */
export const WINDOW_LEAST = 4;
/** What is fetched at first of an object whose size is not known: a full window of them is the window's bytes. */
export const PROBE_BYTES: number = WINDOW_BYTES / WIDEST;

/**
 * How many GETs may be under way: wide from the start, halved when the server asks for less (503 SlowDown, 429), one more for
 * each window's worth of answers (additive increase, multiplicative decrease, as TCP does it; RFC 5681).
 */
export class ReadWindow {
  #width = WIDEST;
  #answered = 0;
  /** Refusals of requests that were sent before the last cut say nothing new. */
  #cuts = 0;

  get width(): number {
    return this.#width;
  }

  /** A GET begins; tell what becomes of it. */
  begin(): { readonly onSlowDown: () => void; readonly answered: () => void } {
    const cuts = this.#cuts;
    return {
      onSlowDown: () => {
        if (cuts === this.#cuts) this.#narrow();
      },
      answered: () => {
        if (++this.#answered < this.#width) return;
        this.#answered = 0;
        this.#width = Math.min(WIDEST, this.#width + 1);
      },
    };
  }

  #narrow(): void {
    this.#cuts++;
    this.#answered = 0;
    this.#width = Math.max(NARROWEST, this.#width >> 1);
  }
}
