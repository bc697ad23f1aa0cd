import type { Runtime } from "@rynxs/event-store";

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** Time that passes only when the test says so. */
export class ManualClock implements Runtime {
  /** How long each sleep was asked to be, in order. */
  readonly slept: number[] = [];
  chance = 0;
  #time = 0;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#time;
  }

  elapsed(): number {
    return this.#time;
  }

  random(): number {
    return this.chance;
  }

  id(): string {
    return "0".repeat(32);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    this.slept.push(ms);
    return new Promise((done) => {
      const end = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", end);
        done();
      };
      const sleeper: Sleeper = { until: this.#time + ms, wake: end };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", end);
    });
  }

  /** Lets time pass up to each sleep that ends, one after the other, and what follows from it happen. */
  async advance(ms: number): Promise<void> {
    const end = this.#time + ms;
    for (;;) {
      await settle();
      const [next] = [...this.#sleepers].filter((each) => each.until <= end).sort((a, b) => a.until - b.until);
      if (next === undefined) break;
      this.#time = Math.max(this.#time, next.until);
      next.wake();
    }
    this.#time = end;
    await settle();
  }
}

/** What is possible without time passing happens. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((done) => setImmediate(done));
}
