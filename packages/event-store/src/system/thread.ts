import { Worker } from "node:worker_threads";

/** Answers questions one after the other, in a place of its own: a thread, or what a test puts there. */
export interface Answering<Q, A> {
  /** Questions that it has not answered. */
  readonly waiting: number;
  /** Null when there is no answer, for whatever reason: whoever asked has to do without. */
  ask(question: Q): Promise<A | null>;
  close(): Promise<void>;
}

/** A thread whose code posts one answer for each message that it gets, in their order. */
export function startThread<Q, A>(code: URL): Answering<Q, A> {
  return new Thread<Q, A>(code);
}

/** The one that has the least to do. */
export function idlest<Q, A>(threads: readonly Answering<Q, A>[]): Answering<Q, A> | undefined {
  let found = threads[0];
  for (const thread of threads) if (found && thread.waiting < found.waiting) found = thread;
  return found;
}

class Thread<Q, A> implements Answering<Q, A> {
  readonly #worker: Worker;
  readonly #waiting: ((answer: A | null) => void)[] = [];
  #broken = false;

  constructor(code: URL) {
    this.#worker = new Worker(code);
    this.#worker.on("message", (answer: A | null) => this.#waiting.shift()?.(answer));
    this.#worker.on("error", () => this.#breakDown());
    this.#worker.on("exit", () => this.#breakDown());
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  ask(question: Q): Promise<A | null> {
    if (this.#broken) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#worker.postMessage(question);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #breakDown(): void {
    this.#broken = true;
    for (const resolve of this.#waiting.splice(0)) resolve(null);
  }
}
