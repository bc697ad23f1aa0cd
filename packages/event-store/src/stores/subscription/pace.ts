/** The pause after something was found. */
const SOON_MS = 50;
/** Of so many looks that find nothing, one asks for certain. */
const LOOKS_PER_CONFIRMATION = 60;

/** When to look for new records again: soon after one was found, then ever more rarely. */
export class Pace {
  readonly #longestMs: number;
  #nextMs: number;
  #idle = 0;

  constructor(longestMs: number) {
    this.#longestMs = longestMs;
    this.#nextMs = Math.min(SOON_MS, longestMs);
  }

  /** The pause before the next look, in milliseconds. */
  get pauseMs(): number {
    return this.#nextMs;
  }

  /**
   * Must the next look be certain? A missing key is not always the log's end (log/tail.ts): the first look and every 60th idle
   * one ask for the list of keys.
   */
  get mustBeSure(): boolean {
    return this.#idle % LOOKS_PER_CONFIRMATION === 0;
  }

  found(): void {
    this.#nextMs = Math.min(SOON_MS, this.#longestMs);
  }

  foundNothing(): void {
    this.#idle++;
    this.#nextMs = Math.min(this.#nextMs * 2, this.#longestMs);
  }
}
