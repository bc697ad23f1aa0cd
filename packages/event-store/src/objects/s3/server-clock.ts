/** A correction that large cannot be a server's second thoughts, but neither is a smaller one worth anything. */
const ENOUGH_MS = 1_000;

/**
 * How late a request can take effect after the time it is signed with, by the server's clock. Servers refuse signatures older
 * than 15 minutes when a request's head arrives (14 were seen accepted, 16 refused); the rest is for its body to arrive.
 */
export const SIGNATURE_LATE_MS: number = 16 * 60_000;

/** What the server's `Date` says about our clock, and the time to sign with. */
export class ServerClock {
  readonly #clock: () => number;
  #lastSeen: string | undefined;
  #skewMs: number | undefined;
  /** Added to our clock when signing: 0 until the server complains, since a `Date` may come from some proxy. */
  #correctionMs = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Server's clock minus ours, as last seen; good to about a second, as the header is. */
  get skewMs(): number | undefined {
    return this.#skewMs;
  }

  now(): number {
    return this.#clock();
  }

  signingTime(): number {
    return this.#clock() + this.#correctionMs;
  }

  /** Takes note of a `Date` header. The same one again says nothing new: it was freshest when seen first. */
  learn(date: string | undefined): void {
    if (date === undefined || date === this.#lastSeen) return;
    this.#lastSeen = date;
    const then = Date.parse(date);
    if (!Number.isNaN(then)) this.#skewMs = then + 500 - this.#clock();
  }

  /** The server refused our time: from now on sign by its clock. False when that would change nothing. */
  correct(serverTime: string | undefined): boolean {
    const told = serverTime === undefined ? Number.NaN : Date.parse(serverTime);
    const skew = Number.isNaN(told) ? this.#skewMs : told - this.#clock();
    if (skew === undefined || Math.abs(skew - this.#correctionMs) < ENOUGH_MS) return false;
    this.#skewMs = skew;
    this.#correctionMs = skew;
    return true;
  }
}
