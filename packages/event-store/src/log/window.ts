import { setMaxListeners } from "node:events";

/** Of results that wait for one that is slow, so many for each fetch that may be under way. */
const WAITING = 4;

/** What is handed out at once weighs so many times less than what is held: it is held until it was used. */
const TOGETHER = 16;

interface Ahead<T, R> {
  readonly item: T;
  readonly weight: number;
  outcome: { readonly result: R } | { readonly error: unknown } | null;
}

/** An item and what was fetched for it. */
export interface Fetched<T, R> {
  readonly item: T;
  readonly result: R;
}

/**
 * Runs `fetch` for the items of a source ahead of its consumer: at most `width()` at a time, however slow the first of them is,
 * and of what is fetched or under way by `weight` at most `maxWeight` (but always `least` items). Hands out, in order, all that is there by
 * then. Leaving the loop, or a failure, aborts what is under way.
 */
export async function* fetchAhead<T, R>(
  source: (signal: AbortSignal) => AsyncIterable<T> | Iterable<T>,
  fetch: (item: T, signal: AbortSignal) => Promise<R>,
  limits: {
    readonly width: () => number;
    readonly maxWeight: number;
    /** Default 1. */
    readonly least?: number;
    readonly weight: (item: T) => number;
    readonly signal?: AbortSignal | undefined;
  },
): AsyncGenerator<readonly Fetched<T, R>[]> {
  const { least = 1 } = limits;
  const abort = new AbortController();
  const signal = limits.signal ? AbortSignal.any([limits.signal, abort.signal]) : abort.signal;
  // Every fetch under way listens.
  setMaxListeners(0, signal);
  const items = source(signal);
  const iterator = Symbol.iterator in items ? items[Symbol.iterator]() : items[Symbol.asyncIterator]();
  const ahead: Ahead<T, R>[] = [];
  let underWay = 0;
  let weight = 0;
  const state: {
    /** The source has been asked, and has not answered yet. */
    asked: boolean;
    ended: boolean;
    /** How the source failed: met behind what it gave before. */
    failure: { readonly error: unknown } | null;
  } = { asked: false, ended: false, failure: null };
  let wake: () => void = () => undefined;

  const hasRoom = (): boolean =>
    underWay < limits.width() &&
    ahead.length < WAITING * limits.width() &&
    (ahead.length < least || weight < limits.maxWeight);

  const begin = (item: T): void => {
    const entry: Ahead<T, R> = { item, weight: limits.weight(item), outcome: null };
    const end = (outcome: Ahead<T, R>["outcome"]): void => {
      entry.outcome = outcome;
      underWay--;
      fill();
      if (entry === ahead[0]) wake();
    };
    ahead.push(entry);
    underWay++;
    weight += entry.weight;
    fetch(item, signal).then(
      (result) => end({ result }),
      (error: unknown) => end({ error }),
    );
  };

  const take = (found: IteratorResult<T>): void => {
    if (found.done === true) state.ended = true;
    else begin(found.value);
  };

  const fill = (): void => {
    while (!state.ended && !state.asked && hasRoom()) {
      const next = iterator.next();
      if (!(next instanceof Promise)) {
        take(next);
        continue;
      }
      state.asked = true;
      const answered = (): void => {
        state.asked = false;
        fill();
        wake();
      };
      const fail = (error: unknown): void => {
        state.failure = { error };
        state.ended = true;
      };
      next.then(take, fail).then(answered, answered);
    }
  };

  try {
    for (;;) {
      fill();
      const first = ahead[0];
      if (first === undefined && state.ended) {
        if (state.failure) throw state.failure.error;
        return;
      }
      if (first === undefined || first.outcome === null) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      const ready: Fetched<T, R>[] = [];
      let together = 0;
      for (const { item, outcome, weight: its } of ahead) {
        if (outcome === null || "error" in outcome || together >= limits.maxWeight / TOGETHER) break;
        ready.push({ item, result: outcome.result });
        together += its;
      }
      if (ready.length === 0 && "error" in first.outcome) throw first.outcome.error;
      for (const done of ahead.splice(0, ready.length)) weight -= done.weight;
      yield ready;
    }
  } finally {
    state.ended = true;
    abort.abort();
    const left = iterator.return?.();
    if (left instanceof Promise) left.catch(() => undefined);
  }
}
