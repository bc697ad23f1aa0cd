import { setMaxListeners } from "node:events";

/**
 * Runs `fetch` for the items of a source ahead of its consumer, in order: at most `width` at a time and, by `weight`, at
 * most `maxWeight` (but always one). Leaving the loop, or a failure, aborts what is under way.
 */
export async function* fetchAhead<T, R>(
  source: AsyncIterable<T>,
  fetch: (item: T, signal: AbortSignal) => Promise<R>,
  limits: {
    readonly width: number;
    readonly maxWeight: number;
    readonly weight: (item: T) => number;
    readonly signal?: AbortSignal | undefined;
  },
): AsyncGenerator<{ readonly item: T; readonly result: R }> {
  const abort = new AbortController();
  const signal = limits.signal ? AbortSignal.any([limits.signal, abort.signal]) : abort.signal;
  // Every fetch under way listens.
  setMaxListeners(0, signal);
  const items = source[Symbol.asyncIterator]();
  const ahead: { item: T; weight: number; result: Promise<R> }[] = [];
  let inFlight = 0;
  let ended = false;
  try {
    for (;;) {
      while (!ended && ahead.length < limits.width && (ahead.length === 0 || inFlight < limits.maxWeight)) {
        const next = await items.next();
        if (next.done) ended = true;
        else {
          const weight = limits.weight(next.value);
          const result = fetch(next.value, signal);
          // It may fail before its turn; the failure is met when its turn comes.
          result.catch(() => undefined);
          ahead.push({ item: next.value, weight, result });
          inFlight += weight;
        }
      }
      const first = ahead.shift();
      if (first === undefined) return;
      const result = await first.result;
      inFlight -= first.weight;
      yield { item: first.item, result };
    }
  } finally {
    abort.abort();
    await items.return?.();
  }
}
