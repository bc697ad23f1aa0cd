/** Lists and watches that are under way. */
export interface Watching {
  /** Every list has been handed on. */
  readonly synced: boolean;
  /** When all have ended. */
  stop(): Promise<void>;
}

/** One round of lists and watches after the other. */
export class Watches {
  readonly #begin: () => Watching;
  #current: Watching | null = null;
  #stopped = false;

  constructor(begin: () => Watching) {
    this.#begin = begin;
  }

  get synced(): boolean {
    return this.#current?.synced ?? false;
  }

  start(): void {
    if (!this.#stopped) this.#current ??= this.#begin();
  }

  /** Ends those that run, calls `between`, and lists everything anew. */
  async restart(between: () => void): Promise<void> {
    await this.#current?.stop();
    between();
    this.#current = null;
    this.start();
  }

  /** For good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#current?.stop();
  }
}
