import { setTimeout as wait } from "node:timers/promises";
import { EXIT } from "./exit.js";

/** How long an append under way may still take after Ctrl-C, and the whole command after it was broken off, in milliseconds. */
const GRACE_MS = 3_000;

/** Ctrl-C and SIGTERM as two signals, so that a command can end between two steps instead of in the middle of one. */
export interface Interrupts {
  /** Aborted at once: begin nothing new. Reads may simply be given this one. */
  readonly stop: AbortSignal;
  /** Aborted by the second Ctrl-C, or 3 s after the first: break off what is under way, even a write. */
  readonly abort: AbortSignal;
}

/** The third Ctrl-C, or 3 s after the second, ends the process whatever it does. */
export function listenForInterrupts(): Interrupts {
  const stop = new AbortController();
  const abort = new AbortController();
  const steps = [
    () => {
      stop.abort();
    },
    () => {
      abort.abort();
    },
    () => process.exit(EXIT.interrupted),
  ];
  const next = (): void => {
    steps.shift()?.();
    clearTimeout(timer);
    timer = setTimeout(next, GRACE_MS).unref();
  };
  let timer: NodeJS.Timeout | undefined;
  process.on("SIGINT", next);
  process.on("SIGTERM", next);
  return { stop: stop.signal, abort: abort.signal };
}

/** Waits `ms` milliseconds, or less when `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => undefined);
}
