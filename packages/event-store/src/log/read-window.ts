/** GETs that run ahead of a reader: so many to begin with, and at most … */
const WIDEST = 64;
const NARROWEST = 2;
/** … holding so many bytes at most, as far as sizes are known or can be guessed: more than is parsed while one is fetched … */
export const WINDOW_BYTES: number = 4 * 1024 * 1024;
/** … but always so many objects, however large: at most 16 MiB each, as a rule far less. */
export const WINDOW_LEAST = 4;
/** Before the first object has come: a quarter of a mebibyte, so that a window of unknown objects begins with sixteen. */
const FIRST_GUESS_BYTES = 256 * 1024;

/**
 * How many GETs may be under way: wide from the start, halved when the server asks for less (503 SlowDown, 429), one more for
 * each window's worth of answers (additive increase, multiplicative decrease, as TCP does it; RFC 5681).
 */
export class ReadWindow {
  #width = WIDEST;
  #answered = 0;
  /** Refusals of requests that were sent before the last cut say nothing new. */
  #cuts = 0;
  #guess = FIRST_GUESS_BYTES;

  get width(): number {
    return this.#width;
  }

  /** What an object of unknown size is taken to weigh: about the largest of the last ones. */
  get typicalBytes(): number {
    return this.#guess;
  }

  /** A GET begins; tell what becomes of it. */
  begin(): { readonly onSlowDown: () => void; readonly answered: (bytes: number) => void } {
    const cuts = this.#cuts;
    return {
      onSlowDown: () => {
        if (cuts === this.#cuts) this.#narrow();
      },
      answered: (bytes) => {
        this.#guess = Math.max(bytes, this.#guess === FIRST_GUESS_BYTES ? 0 : 0.95 * this.#guess);
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
