import type { DerivedPlace } from "../port.js";

/** Told the seq of a record that was appended. */
type Listener = (seq: number) => void;

const listeners = new Map<string, Set<Listener>>();

/**
 * Tells every subscription of this process on the same log that it has grown, whichever store object appended. A bell rung in
 * vain, because two names stand for different logs after all, costs one look.
 */
export function ring(place: DerivedPlace, seq: number): void {
  for (const listener of listeners.get(nameOf(place)) ?? []) listener(seq);
}

/** Returns how to stop listening. */
export function listen(place: DerivedPlace, listener: Listener): () => void {
  const name = nameOf(place);
  const all = listeners.get(name) ?? new Set();
  listeners.set(name, all.add(listener));
  return () => {
    if (all.delete(listener) && all.size === 0) listeners.delete(name);
  };
}

function nameOf({ objects, root }: DerivedPlace): string {
  return `${objects.identity}/${root}`;
}
