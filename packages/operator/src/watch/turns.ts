import { Latch } from "./latch.js";

/** Lets so many run at the same time, the others in the order in which they came. */
export class Turns {
  #free: number;
  readonly #queue: Latch[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  /** @throws KubeError ABORTED while waiting; what `action` throws */
  async take<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await this.#queued(signal);
    try {
      return await action();
    } finally {
      this.#pass();
    }
  }

  async #queued(signal: AbortSignal): Promise<void> {
    const turn = new Latch();
    this.#queue.push(turn);
    try {
      await turn.wait(signal);
    } catch (error) {
      this.#queue.splice(this.#queue.indexOf(turn), 1);
      throw error;
    }
  }

  #pass(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#free++;
    else next.open();
  }
}
