import { onAbort } from "../system/on-abort.js";
import type { AppendJob, AppendOutcome } from "./append-job.js";
import { abortedError } from "./turns.js";

/** An append that waits for its turn. Until that has come, its signal ends it at once. */
export class WaitingAppend {
  readonly job: AppendJob;
  /** Its place among all that were ever queued. */
  readonly number: number;
  readonly #resolve: (outcome: AppendOutcome) => void;
  readonly #reject: (error: unknown) => void;
  #settled = false;
  /** Its signal is not listened to any more. */
  readonly #release: () => void;

  constructor(
    job: AppendJob,
    number: number,
    resolve: (outcome: AppendOutcome) => void,
    reject: (error: unknown) => void,
  ) {
    this.job = job;
    this.number = number;
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
  #records = 0;
  #versioned = 0;
  #pushed = 0;

  push(job: AppendJob): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      const append = new WaitingAppend(job, this.#pushed++, resolve, reject);
      if (append.settled) return;
      this.#items.push(append);
      this.#records += job.count;
      if (job.version) this.#versioned++;
    });
  }

  /** The number of the latest append. */
  get latest(): number {
    return this.#pushed - 1;
  }

  get empty(): boolean {
    return this.peek() === null;
  }

  /** So many records wait; those of appends that were aborted meanwhile may be among them. */
  get records(): number {
    return this.#records;
  }

  /** Some of them expect a version of their aggregate. */
  get versioned(): boolean {
    return this.#versioned > 0;
  }

  /** The next one that still waits. */
  peek(): WaitingAppend | null {
    while (this.#first < this.#items.length) {
      const append = this.#items[this.#first];
      if (append && !append.settled) return append;
      this.#pass();
    }
    this.#items = [];
    this.#first = 0;
    return null;
  }

  /** The next one, taken out. */
  shift(): WaitingAppend | null {
    const append = this.peek();
    if (append === null) return null;
    this.#pass();
    if (this.#first >= 1024 && 2 * this.#first >= this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return append;
  }

  #pass(): void {
    const job = this.#items[this.#first]?.job;
    this.#records -= job?.count ?? 0;
    if (job?.version) this.#versioned--;
    this.#first++;
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
