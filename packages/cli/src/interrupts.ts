/** How long an append under way may still take after Ctrl-C, in milliseconds. */
const GRACE_MS = 3_000;

/** Ctrl-C and SIGTERM as two signals, so that a command can end between two steps instead of in the middle of one. */
export interface Interrupts {
  /** Aborted at once: begin nothing new. Reads may simply be given this one. */
  readonly stop: AbortSignal;
  /** Aborted by the second Ctrl-C, or 3 s after the first: break off what is under way, even a write. */
  readonly abort: AbortSignal;
}

/** The third Ctrl-C ends the process whatever it does. */
export function listenForInterrupts(): Interrupts {
  const stop = new AbortController();
  const abort = new AbortController();
  const onSignal = (): void => {
    if (abort.signal.aborted) process.exit(130);
    if (stop.signal.aborted) {
      abort.abort();
      return;
    }
    stop.abort();
    setTimeout(() => {
      abort.abort();
    }, GRACE_MS).unref();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return { stop: stop.signal, abort: abort.signal };
}

/** Waits `ms` milliseconds, or less when `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
