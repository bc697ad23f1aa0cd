const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `action` once `signal` is aborted; returns how to call that off. However many wait for one signal, it gets a single
 * listener: Node warns of a leak from the eleventh on, and a read has 64 requests under way.
 */
export function onAbort(signal: AbortSignal | undefined, action: () => void): () => void {
  if (signal === undefined) return () => undefined;
  let actions = waiting.get(signal);
  if (actions === undefined) {
    const created = (actions = new Set<() => void>());
    waiting.set(signal, created);
    signal.addEventListener("abort", () => created.forEach((each) => each()), { once: true });
  }
  actions.add(action);
  return () => actions.delete(action);
}
