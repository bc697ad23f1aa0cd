import { abortedError } from "../log/turns.js";
import { onAbort } from "../system/on-abort.js";

/** Records that may be under way, from the call of an append to its outcome … */
const MAX_RECORDS = 16_384;
/** … and bytes of their events. */
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Bounds what waits to be written. Callers that find it full wait for a place, first come first served, before their events are
 * read: what they hold is theirs, and nothing piles up here.
 */
export class Backlog {
  #records = 0;
  #bytes = 0;
  /** One that waited was let in, and has not said how large it is. */
  #admitted = false;
  readonly #waiting = new Set<{ readonly records: number; readonly admit: () => void }>();

  /** Takes `records` places at once, or a promise of them. @throws EventStoreError ABORTED (through the promise) */
  enter(records: number, signal?: AbortSignal): Promise<void> | undefined {
    if (!this.#full && this.#waiting.size === 0 && !this.#admitted) {
      this.#records += records;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const place = {
        records,
        admit: () => {
          release();
          resolve();
        },
      };
      this.#waiting.add(place);
      const leave = (): void => {
        if (signal && this.#waiting.delete(place)) reject(abortedError(signal));
      };
      const release = onAbort(signal, leave);
      if (signal?.aborted) leave();
    });
  }

  /** The size of what took places, once it is known; 0 when nothing came of it. */
  hold(bytes: number): void {
    this.#bytes += bytes;
    this.#admitted = false;
    this.#admit();
  }

  leave(records: number, bytes: number): void {
    this.#records -= records;
    this.#bytes -= bytes;
    this.#admit();
  }

  /** One at a time: how many more there is room for, only its size will tell. */
  #admit(): void {
    if (this.#full || this.#admitted) return;
    for (const place of this.#waiting) {
      this.#admitted = true;
      this.#waiting.delete(place);
      this.#records += place.records;
      place.admit();
      return;
    }
  }

  get #full(): boolean {
    return this.#records >= MAX_RECORDS || this.#bytes >= MAX_BYTES;
  }
}
