import type { Runtime } from "@rynxs/event-store";
import { KubeError } from "../kube/errors.js";
import type { KubeApi } from "../kube/port.js";
import type { SeenStatus, Subject } from "../record/observation.js";
import { announce, writeStatus, type RecordedAt } from "./kube-writes.js";

/** What is to be said of one object. */
export interface Report {
  readonly subject: Subject;
  readonly seen: SeenStatus | undefined;
  /** A function when it costs a request to find out; null from it: not to be said after all. */
  readonly at: RecordedAt | (() => Promise<RecordedAt | null>);
}

export interface ReporterOptions {
  readonly api: KubeApi;
  readonly runtime: Runtime;
  /** Of the Events that are written. */
  readonly instance: string;
  readonly onError?: ((kind: "status" | "event", subject: Subject, error: unknown) => void) | undefined;
}

interface Task extends Report {
  readonly kind: "status" | "event";
}

const AT_ONCE = 4;
const TRIES = 5;
/** No server keeps one of the few places for longer. */
const LONGEST_PAUSE_MS = 30_000;
/** Reports are a courtesy: when so many wait, new ones are left to the next take-over. */
const CAPACITY = 50_000;

/**
 * Says on the objects themselves what the log holds of them. Never holds back an append: of an object only the newest is said, and what
 * fails again and again is left. A new leader says what is missing.
 */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #waiting = new Map<string, Task>();
  readonly #busy = new Map<string, Promise<void>>();
  readonly #closed = new AbortController();
  #idle: (() => void)[] = [];

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  get depth(): number {
    return this.#waiting.size + this.#busy.size;
  }

  /** In its status: an older report of the same object that still waits is replaced. */
  status(key: string, report: Report): void {
    this.#push(key, { ...report, kind: "status" });
  }

  /** As a Kubernetes Event. */
  event(key: string, report: Report & { readonly at: RecordedAt }): void {
    this.#push(`${key} ${String(report.at.seq)}`, { ...report, kind: "event" });
  }

  /** When nothing waits any more, or the signal aborts. */
  async flushed(signal: AbortSignal): Promise<void> {
    if (this.depth === 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  close(): void {
    this.#waiting.clear();
    this.#closed.abort();
  }

  #push(key: string, task: Task): void {
    if (!this.#waiting.has(key) && this.#waiting.size >= CAPACITY) return;
    this.#waiting.set(key, task);
    this.#start();
  }

  #start(): void {
    for (const [key, task] of this.#waiting) {
      if (this.#busy.size >= AT_ONCE) return;
      if (this.#busy.has(key)) continue;
      this.#waiting.delete(key);
      const done = this.#say(task).finally(() => {
        this.#busy.delete(key);
        this.#start();
        if (this.depth > 0) return;
        for (const resolve of this.#idle.splice(0)) resolve();
      });
      this.#busy.set(key, done);
    }
  }

  async #say({ kind, subject, seen, at }: Task): Promise<void> {
    const { api, runtime, instance } = this.#options;
    const known = typeof at === "function" ? await at().catch(() => null) : at;
    if (known === null) return;
    await this.#try(kind, subject, (first) =>
      kind === "status"
        ? writeStatus(api, subject, first ? seen : undefined, known, runtime.now())
        : announce(api, subject, known, { instance }, runtime.now()),
    );
  }

  async #try(kind: "status" | "event", subject: Subject, write: (first: boolean) => Promise<void>): Promise<void> {
    const { runtime, onError } = this.#options;
    for (let tries = 1; !this.#closed.signal.aborted; tries++) {
      try {
        await write(tries === 1);
        return;
      } catch (error) {
        const mayPass = error instanceof KubeError && ["UNAVAILABLE", "THROTTLED", "CONFLICT"].includes(error.code);
        if (!mayPass || tries >= TRIES) {
          onError?.(kind, subject, error);
          return;
        }
        const pause = Math.min(error.retryAfterMs ?? runtime.random() * 200 * 2 ** tries, LONGEST_PAUSE_MS);
        await runtime.sleep(pause, this.#closed.signal);
      }
    }
  }
}
