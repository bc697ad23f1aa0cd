import { MAX_BATCH_RECORDS, MAX_SEQ } from "../core/event.js";
import type { ListEntry, ListPage, ObjectStore } from "../objects/port.js";
import type { LogKeys } from "./keys.js";

export interface EventObject {
  /** The seq that the key names: that of its first record. */
  readonly seq: number;
  readonly key: string;
  /** Bytes, for the window of a reader. */
  readonly size: number;
  /** When it was written, by the backend's clock; Unix milliseconds. */
  readonly modifiedAt?: number | undefined;
}

/** The event objects beyond `after`, in order. The next page is asked for while the last one is being used. */
export async function* listEvents(
  objects: ObjectStore,
  keys: LogKeys,
  after: number,
  signal?: AbortSignal,
): AsyncGenerator<EventObject> {
  const page = (startAfter: string): Promise<ListPage> => objects.list({ prefix: keys.root, startAfter, signal });
  let next: Promise<ListPage> | null = page(keys.after(after));
  while (next !== null) {
    const { entries, truncated }: ListPage = await next;
    const last: ListEntry | undefined = entries.at(-1);
    next = truncated && last !== undefined && !keys.isPastEvents(last.key) ? page(last.key) : null;
    // A page that fails while nobody waits for it yet: the failure is met at the next await.
    next?.catch(() => undefined);
    yield* eventsOf(keys, entries);
  }
}

/** The first event object beyond `after`, or null: one request, unless strays stand in between. */
export async function firstEventAfter(
  objects: ObjectStore,
  keys: LogKeys,
  after: number,
  signal?: AbortSignal,
): Promise<number | null> {
  for (let startAfter = keys.after(after), maxKeys = 1; ; maxKeys = 1000) {
    const { entries, truncated } = await objects.list({ prefix: keys.root, startAfter, maxKeys, signal });
    for (const { seq } of eventsOf(keys, entries)) return seq;
    const last = entries.at(-1);
    if (!truncated || last === undefined || keys.isPastEvents(last.key)) return null;
    startAfter = last.key;
  }
}

/** The last event key ≤ that of `seq`, if one can hold it: an object holds at most 1000 records, so one page reaches it. */
export async function lastEventUpTo(
  objects: ObjectStore,
  keys: LogKeys,
  seq: number,
  signal?: AbortSignal,
): Promise<number | null> {
  return (await eventsAround(objects, keys, seq, signal)).last;
}

/** As `lastEventUpTo`, with the next event key behind that of `seq`: null when there is none, undefined when the page does not show it. */
export async function eventsAround(
  objects: ObjectStore,
  keys: LogKeys,
  seq: number,
  signal?: AbortSignal,
): Promise<{ readonly last: number | null; readonly next: number | null | undefined }> {
  let last: number | null = null;
  for (let startAfter = keys.after(seq - MAX_BATCH_RECORDS); ;) {
    const { entries, truncated } = await objects.list({ prefix: keys.root, startAfter, signal });
    for (const event of eventsOf(keys, entries)) {
      if (event.seq > seq) return { last, next: event.seq };
      last = event.seq;
    }
    const end = entries.at(-1);
    if (!truncated || end === undefined || keys.isPastEvents(end.key)) return { last, next: null };
    if (last === seq) return { last, next: undefined };
    startAfter = end.key;
  }
}

/**
 * The last event object beyond `after` (whose key is that of an object, or −1), or null when there is none: one request
 * for up to 1000 objects, O(log N) beyond.
 */
export async function lastEventAfter(
  objects: ObjectStore,
  keys: LogKeys,
  after: number,
  signal?: AbortSignal,
): Promise<number | null> {
  const { last, complete } = await lastOnPage(objects, keys, after, signal);
  if (complete || last === null) return last;
  let exists = last;
  // Gallop: nothing lies beyond `limit`.
  let limit = exists;
  for (let step = 1024; limit === exists; step *= 16) {
    const probe = Math.min(exists + step, MAX_SEQ);
    const found = await firstEventAfter(objects, keys, probe, signal);
    if (found === null) limit = probe;
    else limit = exists = found;
  }
  while (limit - exists > 1000) {
    const middle = exists + Math.floor((limit - exists) / 2);
    const found = await firstEventAfter(objects, keys, middle, signal);
    if (found === null) limit = middle;
    else exists = found;
  }
  for (;;) {
    const page = await lastOnPage(objects, keys, exists, signal);
    exists = page.last ?? exists;
    if (page.complete) return exists;
  }
}

/** The last event of the pages beyond `after`, up to the first page that has one; `complete` when nothing can follow. */
async function lastOnPage(
  objects: ObjectStore,
  keys: LogKeys,
  after: number,
  signal?: AbortSignal,
): Promise<{ last: number | null; complete: boolean }> {
  for (let startAfter = keys.after(after); ;) {
    const { entries, truncated } = await objects.list({ prefix: keys.root, startAfter, signal });
    const end = entries.at(-1);
    const complete = !truncated || end === undefined || keys.isPastEvents(end.key);
    const last = [...eventsOf(keys, entries)].at(-1)?.seq ?? null;
    if (complete || last !== null) return { last, complete };
    startAfter = end.key;
  }
}

function* eventsOf(keys: LogKeys, entries: readonly ListEntry[]): Generator<EventObject> {
  for (const { key, size, modifiedAt } of entries) {
    const seq = keys.seqOf(key);
    if (seq !== null) yield { seq, key, size, modifiedAt };
  }
}
