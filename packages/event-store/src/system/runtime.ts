import { randomBytes } from "node:crypto";
import { setTimeout as timer } from "node:timers/promises";

/** Time, chance and ids, so that a test can replay them. */
export interface Runtime {
  /** Wall clock, Unix milliseconds: default `ts` of events. */
  now(): number;
  /** Monotonic clock in milliseconds: deadlines and pauses. */
  elapsed(): number;
  /** Waits; ends early, without failing, when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** In [0, 1). */
  random(): number;
  /** A fresh id, 32 hex digits. */
  id(): string;
}

export const systemRuntime: Runtime = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: async (ms, signal) => {
    await timer(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
  },
  random: () => Math.random(),
  id: () => randomBytes(16).toString("hex"),
};

/** Back-off with full jitter: between 0 and `base` · 2^attempt milliseconds, at most `cap`. */
export function backOff(runtime: Runtime, attempt: number, base: number, cap: number): number {
  return runtime.random() * Math.min(cap, base * 2 ** attempt);
}
