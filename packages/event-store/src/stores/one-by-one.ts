/**
 * The items of batches, one at a time, each made by `make` when it is asked for. Waiting costs something only between
 * batches: an async generator in between would wait several times for each item. Calls of `next` that do not wait for one another are
 * served in order; leaving the loop ends the source.
 */
export function oneByOne<T, R>(
  batches: AsyncIterable<readonly T[]>,
  make: (item: T) => R,
): AsyncIterableIterator<R, undefined> {
  const source = batches[Symbol.asyncIterator]();
  let batch: readonly T[] = [];
  let at = 0;
  let ended = false;
  /** The last call that had to wait; those behind it wait for it. */
  let waiting: Promise<unknown> | null = null;

  const take = (): IteratorResult<R, undefined> | null => {
    if (ended) return { done: true, value: undefined };
    return at < batch.length ? { done: false, value: make(batch[at++] as T) } : null;
  };
  const refill = async (): Promise<IteratorResult<R, undefined>> => {
    for (;;) {
      const found = take();
      if (found !== null) return found;
      const next = await source.next();
      if (next.done === true) ended = true;
      else [batch, at] = [next.value, 0];
    }
  };
  const fail = async (error: unknown): Promise<never> => {
    ended = true;
    await source.return?.();
    throw error;
  };
  const inTurn = <V>(work: () => Promise<V>): Promise<V> => {
    const turn: Promise<V> = waiting === null ? work() : waiting.then(work, work);
    waiting = turn;
    const done = (): void => {
      if (waiting === turn) waiting = null;
    };
    turn.then(done, done);
    return turn;
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      try {
        const found = waiting === null ? take() : null;
        return found === null ? inTurn(() => refill().catch(fail)) : Promise.resolve(found);
      } catch (error) {
        return inTurn(() => fail(error));
      }
    },
    return() {
      return inTurn(async () => {
        ended = true;
        await source.return?.();
        return { done: true, value: undefined };
      });
    },
  };
}
