import { EventStoreError, VerificationError } from "@rynxs/event-store";
import { errorFields, type Logger } from "./logging.js";
import type { Metrics } from "./metrics.js";

/** Whether this replica can do its work, and why not: what `/ready` answers, and what trouble means for metrics and logs. */
export class Readiness {
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  /** What a start still waits for. */
  #awaited: string | null = "starting";
  #broken: string | null = null;

  constructor(metrics: Metrics, logger: Logger) {
    this.#metrics = metrics;
    this.#logger = logger;
  }

  /** Null: it is as it should be. */
  get problem(): string | null {
    return this.#broken ?? this.#awaited;
  }

  awaits(what: string): void {
    this.#awaited = what;
  }

  started(): void {
    this.#awaited = null;
  }

  /** The store works. */
  works(): void {
    this.#broken = null;
  }

  troubled(error: unknown, what: string): void {
    if (error instanceof VerificationError) {
      this.#metrics.verificationFailures.inc({ verdict: error.code });
      this.#broken = `the log failed verification: ${error.code} at seq ${String(error.seq)}`;
      this.#logger.error(errorFields(error), "the log failed verification; nothing is appended");
      return;
    }
    if (error instanceof EventStoreError) this.#broken = `${what}: ${error.code}`;
    this.#logger.warn(errorFields(error), what);
  }
}
