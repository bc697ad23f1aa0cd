import { EventStoreError } from "../core/errors.js";

/**
 * One at a time, first come first served. A turn whose signal aborts while it waits never begins; its place is passed on.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Runs `work` when all earlier turns have ended. @throws EventStoreError ABORTED */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last;
    let end: () => void = () => undefined;
    const mine = new Promise<void>((resolve) => (end = resolve));
    this.#last = before.then(() => mine);
    try {
      await turnOrAbort(before, signal);
      return await work();
    } finally {
      end();
    }
  }

  /** When all turns taken so far have ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}

async function turnOrAbort(turn: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return turn;
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = (): void => {
      reject(abortedError(signal));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    await Promise.race([turn, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

export function abortedError(signal: AbortSignal): EventStoreError {
  return new EventStoreError("ABORTED", "the call was aborted before anything was written", { cause: signal.reason });
}
