import type { Runtime } from "@rynxs/event-store";
import { KubeError } from "../kube/errors.js";
import { LeadershipLostError, type Leadership } from "./port.js";
import { takenBy, type LeaseLock, type LeaseRecord, type StoredLease } from "./lease-lock.js";

export interface ElectorOptions {
  /** Unique to this process: pod name and a UUID. */
  readonly holder: string;
  /** How long others leave a Lease alone that they have not seen change; milliseconds. */
  readonly leaseDurationMs: number;
  /** How long the leader goes on without a renewal; milliseconds, less than `leaseDurationMs`. */
  readonly renewDeadlineMs: number;
  /** Pause between two tries; milliseconds, less than `renewDeadlineMs`. */
  readonly retryPeriodMs: number;
  readonly runtime: Runtime;
  readonly on?: Partial<ElectorEvents> | undefined;
}

export interface ElectorEvents {
  /** Another process (or nobody: "") holds the Lease now; not told of the first look. */
  holder(holder: string): void;
  /** A look or a renewal failed. */
  failed(error: unknown): void;
  led(leadership: Leadership): void;
  /** It was lost, not given back. */
  lost(): void;
}

/** Pauses are up to so much longer, so that replicas do not look in step. */
const JITTER = 1.2;

/**
 * Elects one of many processes by a Lease, as client-go does it: whoever holds it renews it every `retryPeriodMs`; the others take
 * it once they have seen no change for `leaseDurationMs` by their own monotonic clock. Nothing compares clocks of two machines. It keeps
 * two leaders apart most of the time, and no more than that: what makes two leaders impossible is the log (`record/fenced-log.ts`).
 */
export class Elector {
  readonly #lock: LeaseLock;
  readonly #options: ElectorOptions;
  readonly #runtime: Runtime;
  #seen: StoredLease | null = null;
  /** When `#seen` changed last, by our clock. */
  #seenAt = -Infinity;
  #looked = false;

  constructor(lock: LeaseLock, options: ElectorOptions) {
    this.#lock = lock;
    this.#options = options;
    this.#runtime = options.runtime;
  }

  /**
   * Runs `lead` whenever this process leads, until `signal` aborts. `lead` must end when its leadership's signal aborts; it may end on its
   * own (what it throws is told through `failed`), and then the Lease is given back. Once `signal` has aborted, the Lease is
   * kept until `lead` has ended, and then given back, so that another process takes over at once.
   */
  async run(signal: AbortSignal, lead: (leadership: Leadership) => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      const since = await this.#acquire(signal);
      if (since === null) return;
      await this.#hold(since, lead);
      await this.#pause(signal);
    }
  }

  /** When the round that won began; null when aborted. */
  async #acquire(signal: AbortSignal): Promise<number | null> {
    while (!signal.aborted) {
      const started = this.#runtime.elapsed();
      if (await this.#tryOnce(signal)) return started;
      await this.#pause(signal, true);
    }
    return null;
  }

  async #hold(since: number, lead: (leadership: Leadership) => Promise<void>): Promise<void> {
    const { renewDeadlineMs, holder, on } = this.#options;
    const lost = new AbortController();
    const ended = new AbortController();
    let renewed = since;
    const leadership: Leadership = {
      holder,
      lease: this.#lock.name,
      transitions: this.#seen?.record.transitions ?? 0,
      signal: lost.signal,
      // Counted from the start of the request that renewed it: others may count from a moment that is later than that, never earlier.
      valid: () => !lost.signal.aborted && this.#runtime.elapsed() - renewed < renewDeadlineMs,
    };
    on?.led?.(leadership);
    const leading = lead(leadership)
      .catch((error: unknown) => {
        if (!(error instanceof LeadershipLostError && error.reason === "lease")) on?.failed?.(error);
      })
      .finally(() => ended.abort());
    const isOver = (): boolean => ended.signal.aborted;
    while (!isOver() && this.#runtime.elapsed() - renewed < renewDeadlineMs) {
      await this.#runtime.sleep(this.#nextRenewal(renewed), ended.signal);
      if (isOver()) break;
      const started = this.#runtime.elapsed();
      if (started - renewed >= renewDeadlineMs) break;
      if (await this.#tryWithin(renewDeadlineMs - (started - renewed))) renewed = started;
      else if (this.#seen?.record.holder !== holder) break;
    }
    if (!isOver()) {
      // First of all, nothing is appended any more.
      lost.abort(new LeadershipLostError("lease", `the Lease ${this.#lock.name} was not renewed in time`));
      on?.lost?.();
    }
    await leading;
    if (!lost.signal.aborted && leadership.valid()) await this.#release();
  }

  async #tryWithin(ms: number): Promise<boolean> {
    const deadline = new AbortController();
    const done = new AbortController();
    void this.#runtime.sleep(ms, done.signal).then(() => deadline.abort());
    const renewed = await this.#tryOnce(deadline.signal);
    done.abort();
    return renewed;
  }

  #nextRenewal(renewed: number): number {
    const left = this.#options.renewDeadlineMs - (this.#runtime.elapsed() - renewed);
    return Math.max(0, Math.min(this.#options.retryPeriodMs, left));
  }

  /** Takes or renews the Lease if it may be. Trouble is told and is no success. */
  async #tryOnce(signal: AbortSignal): Promise<boolean> {
    const { holder, leaseDurationMs, on } = this.#options;
    try {
      const found = await this.#lock.get(signal);
      this.#observe(found);
      const record = found?.record;
      if (record !== undefined && record.holder !== holder && !this.#isFree(record)) return false;
      const next = takenBy(holder, record, Math.ceil(leaseDurationMs / 1000), this.#runtime.now());
      this.#observe(await this.#lock.put(next, found, signal));
      return true;
    } catch (error) {
      const isLostRace = error instanceof KubeError && error.code === "CONFLICT";
      if (!signal.aborted && !isLostRace) on?.failed?.(error);
      return false;
    }
  }

  /** Held by nobody, or not seen to change for as long as its holder said. */
  #isFree(record: LeaseRecord): boolean {
    return record.holder === "" || this.#runtime.elapsed() - this.#seenAt >= this.#durationOf(record);
  }

  #durationOf({ durationSeconds }: LeaseRecord): number {
    return durationSeconds > 0 ? durationSeconds * 1000 : this.#options.leaseDurationMs;
  }

  #observe(found: StoredLease | null): void {
    const before = this.#seen?.record.holder ?? "";
    const now = found?.record.holder ?? "";
    if (found?.resourceVersion !== this.#seen?.resourceVersion) this.#seenAt = this.#runtime.elapsed();
    this.#seen = found;
    if (this.#looked && before !== now) this.#options.on?.holder?.(now);
    this.#looked = true;
  }

  async #release(): Promise<void> {
    const before = this.#seen;
    if (before?.record.holder !== this.#options.holder) return;
    const record = { ...before.record, holder: "", durationSeconds: 1 };
    try {
      this.#observe(await this.#lock.put(record, before));
    } catch (error) {
      this.#options.on?.failed?.(error);
    }
  }

  /** Who waits for a Lease looks again no later than when it may run out. */
  #untilNextTry(watching: boolean): number {
    const pause = this.#options.retryPeriodMs * (1 + this.#runtime.random() * (JITTER - 1));
    const held = watching ? this.#seen?.record : undefined;
    if (held === undefined || held.holder === "") return pause;
    const left = this.#seenAt + this.#durationOf(held) - this.#runtime.elapsed();
    return left > 0 ? Math.min(pause, left) : pause;
  }

  /** Until the next try is due; with `watching`, or the Lease has changed. */
  async #pause(signal: AbortSignal, watching = false): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const due = this.#runtime.sleep(this.#untilNextTry(watching), either);
    // A watch that merely ended is no reason to look sooner.
    const changed = watching ? this.#lock.changed(this.#seen, either).then((seen) => (seen ? undefined : due)) : due;
    await Promise.race([due, changed]);
    over.abort();
  }
}
