import { BackendError } from "../../core/errors.js";
import type { Trouble } from "./attempt.js";
import { onAbort } from "../../system/on-abort.js";
import type { Reply, Settled } from "./transport.js";

export interface RetryOptions {
  /** How long `get`, `list` and `delete` try again, in milliseconds; an attempt under way is let finish. Default 20,000. */
  readonly retryDeadlineMs?: number | undefined;
  /** From 0 to below 1. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Resolves after so many milliseconds, or once the signal is aborted. */
  readonly sleep?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined;
  /** Milliseconds that only ever grow, for measuring. Default: `performance.now`. */
  readonly monotonic?: (() => number) | undefined;
}

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 3_000;
/** When nothing listens there is little to wait for: pauses of at most 200, 400 and 800 ms, then the caller is told. */
const UNREACHABLE_TRIES = 4;
const UNREACHABLE_PAUSE_MS = 200;

/** Repeats what may pass: with back-off and full jitter, honouring Retry-After, until the deadline. */
export class Retrier {
  readonly #deadlineMs: number;
  readonly #random: () => number;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #monotonic: () => number;

  constructor(options: RetryOptions) {
    this.#deadlineMs = options.retryDeadlineMs ?? 20_000;
    this.#random = options.random ?? Math.random;
    this.#sleep = options.sleep ?? sleep;
    this.#monotonic = options.monotonic ?? (() => performance.now());
  }

  /**
   * Runs `attempt` until it gives something else than trouble. The signals end pauses early; what `attempt` does then is its
   * own affair.
   * @throws BackendError UNAVAILABLE when the deadline has come, or would come before the server wants to be asked again
   */
  async run<T>(attempt: () => Promise<Reply<T>>, ...signals: (AbortSignal | undefined)[]): Promise<Settled<T>> {
    const start = this.#monotonic();
    const reply = await attempt();
    if (reply.kind !== "trouble") return reply;

    const waking = new AbortController();
    const releases = signals.map((signal) => onAbort(signal, () => waking.abort()));
    try {
      return await this.#again(reply, attempt, start, waking.signal);
    } finally {
      for (const release of releases) release();
    }
  }

  async #again<T>(
    first: Trouble,
    attempt: () => Promise<Reply<T>>,
    start: number,
    waking: AbortSignal,
  ): Promise<Settled<T>> {
    let trouble = first;
    let unreachable = 0;
    for (let tries = 1; ; tries++) {
      unreachable = trouble.sent ? 0 : unreachable + 1;
      const ceiling = trouble.sent ? FIRST_PAUSE_MS * 2 ** tries : UNREACHABLE_PAUSE_MS * 2 ** (unreachable - 1);
      const pause = Math.max(this.#random() * Math.min(ceiling, MAX_PAUSE_MS), trouble.retryAfterMs ?? 0);
      const elapsed = this.#monotonic() - start;
      if (unreachable >= UNREACHABLE_TRIES || elapsed + pause > this.#deadlineMs)
        throw givenUp(trouble, tries, elapsed);
      await this.#sleep(pause, waking);
      const reply = await attempt();
      if (reply.kind !== "trouble") return reply;
      trouble = reply;
    }
  }
}

function givenUp({ error }: Trouble, tries: number, elapsedMs: number): BackendError {
  if (tries === 1) return error;
  const { message, facts, hint, cause } = error;
  const effort = `${String(tries)} tries in ${(elapsedMs / 1000).toFixed(1)} s`;
  return new BackendError(error.code, `${message} (${effort})`, {
    facts,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
