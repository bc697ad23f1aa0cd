import { onAbort } from "../system/on-abort.js";
import type { AppendJob, AppendOutcome } from "./append-job.js";
import { abortedError } from "./turns.js";

/** An append that waits for its turn. Until that has come, its signal ends it at once. */
export class WaitingAppend {
  readonly job: AppendJob;
  readonly #resolve: (outcome: AppendOutcome) => void;
  readonly #reject: (error: unknown) => void;
  #settled = false;
  /** Its signal is not listened to any more. */
  readonly #release: () => void;

  constructor(job: AppendJob, resolve: (outcome: AppendOutcome) => void, reject: (error: unknown) => void) {
    this.job = job;
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal } = job;
    this.#release = onAbort(signal, () => signal && this.reject(abortedError(signal)));
    if (signal?.aborted) this.reject(abortedError(signal));
  }

  /** It was aborted, or refused. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Its turn has come: from now on its signal is its group's affair. */
  begin(): void {
    this.#release();
  }

  resolve(outcome: AppendOutcome): void {
    this.#settled = true;
    this.#resolve(outcome);
  }

  reject(error: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    this.begin();
    this.#reject(error);
  }
}

/** Appends in the order in which they came. */
export class AppendQueue {
  #items: WaitingAppend[] = [];
  /** Those before it have been taken. */
  #first = 0;

  push(job: AppendJob): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      const append = new WaitingAppend(job, resolve, reject);
      if (!append.settled) this.#items.push(append);
    });
  }

  get empty(): boolean {
    return this.peek() === null;
  }

  /** At least so many wait, or did until they were aborted. */
  holds(count: number): boolean {
    return this.#items.length - this.#first >= count;
  }

  /** The next one that still waits. */
  peek(): WaitingAppend | null {
    for (; this.#first < this.#items.length; this.#first++) {
      const append = this.#items[this.#first];
      if (append && !append.settled) return append;
    }
    this.#items = [];
    this.#first = 0;
    return null;
  }

  /** The next one, taken out. */
  shift(): WaitingAppend | null {
    const append = this.peek();
    if (append === null) return null;
    this.#first++;
    if (this.#first >= 1024 && 2 * this.#first >= this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return append;
  }

  /** Tells the next `count` that nothing was written. */
  refuse(count: number, error: unknown): void {
    for (let i = 0; i < count; i++) {
      const append = this.shift();
      if (append === null) return;
      append.reject(error);
    }
  }

  /** The signal of an append that waits alone: nobody else minds when what is done for it ends early. */
  get soleSignal(): AbortSignal | undefined {
    const append = this.peek();
    return this.#items.length - this.#first === 1 ? append?.job.signal : undefined;
  }
}
