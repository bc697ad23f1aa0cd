import type { Runtime } from "@rynxs/event-store";

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** Time that passes when a test says so. All runtimes of one of these share its monotonic clock; wall clocks are their own. */
export class FakeTime {
  #elapsed = 0;
  #ids = 0;
  #sleepers = new Set<Sleeper>();

  get elapsed(): number {
    return this.#elapsed;
  }

  /** `paused`: nothing that sleeps by it wakes up, as in a stopped process. */
  runtime(wallMs = 1_700_000_000_000): Runtime & { paused: boolean; wallMs: number } {
    const runtime = {
      paused: false,
      wallMs,
      now: () => runtime.wallMs + this.#elapsed,
      elapsed: () => this.#elapsed,
      random: () => 0.5,
      id: () => String(this.#ids++).padStart(32, "0"),
      sleep: (ms: number, signal?: AbortSignal) =>
        new Promise<void>((resolve) => {
          if (signal?.aborted) {
            resolve();
            return;
          }
          const sleeper: Sleeper = {
            until: this.#elapsed + ms,
            wake: () => {
              if (runtime.paused) return;
              this.#sleepers.delete(sleeper);
              resolve();
            },
          };
          this.#sleepers.add(sleeper);
          signal?.addEventListener("abort", () => {
            this.#sleepers.delete(sleeper);
            resolve();
          });
        }),
    };
    return runtime;
  }

  /** Lets so much time pass, step by step, and everything happen that is due. */
  async pass(ms: number, step = 100): Promise<void> {
    await settle();
    for (const end = this.#elapsed + ms; this.#elapsed < end;) {
      this.#elapsed += Math.min(step, end - this.#elapsed);
      for (const sleeper of [...this.#sleepers].sort((a, b) => a.until - b.until))
        if (sleeper.until <= this.#elapsed) sleeper.wake();
      await settle();
    }
  }
}

/** Everything that needs no time has happened. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
