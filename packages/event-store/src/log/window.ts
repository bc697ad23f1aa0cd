import { setMaxListeners } from "node:events";

/**
 * Runs `fetch` for the items of a source ahead of its consumer, in order: at most `width` at a time and, by `weight`, at
 * most `maxWeight` (but always one); `width` may change meanwhile. Leaving the loop, or a failure, aborts what is under way.
 */
export async function* fetchAhead<T, R>(
  source: (signal: AbortSignal) => AsyncIterable<T>,
  fetch: (item: T, signal: AbortSignal) => Promise<R>,
  limits: {
    readonly width: () => number;
    readonly maxWeight: number;
    readonly weight: (item: T) => number;
    readonly signal?: AbortSignal | undefined;
  },
): AsyncGenerator<{ readonly item: T; readonly result: R }> {
  const abort = new AbortController();
  const signal = limits.signal ? AbortSignal.any([limits.signal, abort.signal]) : abort.signal;
  // Every fetch under way listens.
  setMaxListeners(0, signal);
  const items = source(signal)[Symbol.asyncIterator]();
  const ahead: { readonly item: T; readonly weight: number; readonly result: Promise<R> }[] = [];
  let weight = 0;
  let ended = false;
  let next: Promise<IteratorResult<T>> | null = null;
  try {
    for (;;) {
      const first = ahead[0];
      if (!ended && ahead.length < limits.width() && (first === undefined || weight < limits.maxWeight)) {
        next ??= items.next();
        // A source that is slow just now must not hold back what is fetched already.
        const found = await Promise.race(first ? [next, settled(first.result)] : [next]);
        if (found !== null) {
          next = null;
          if (found.done) ended = true;
          else weight += begin(found.value);
          continue;
        }
      }
      if (first === undefined) return;
      const result = await first.result;
      ahead.shift();
      weight -= first.weight;
      yield { item: first.item, result };
    }
  } finally {
    abort.abort();
    next?.catch(() => undefined);
    items.return?.().catch(() => undefined);
  }

  /** @returns the item's weight */
  function begin(item: T): number {
    const begun = { item, weight: limits.weight(item), result: fetch(item, signal) };
    // It may fail before its turn; the failure is met when its turn comes.
    begun.result.catch(() => undefined);
    ahead.push(begun);
    return begun.weight;
  }
}

/** Null once a promise has ended, either way. */
function settled(promise: Promise<unknown>): Promise<null> {
  return promise.then(
    () => null,
    () => null,
  );
}
