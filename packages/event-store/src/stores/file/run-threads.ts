import { Worker } from "node:worker_threads";
import type { Head } from "../../core/event.js";
import type { WalkStep } from "../../log/reader.js";
import type { Run, RunReport } from "./run.js";

/** Long enough that handing it over costs nothing, short enough for progress, and to share the work evenly. */
const RUN_BYTES = 4 * 1024 * 1024;

/** Runs that are sent to each thread before it has answered for those before them. */
const AHEAD = 2;

/** What verifies runs: a thread. */
export interface RunVerifier {
  /** Runs that it has not answered for. */
  readonly waiting: number;
  /** Null when it could not be done, for whatever reason: then the walk goes on without. */
  verify(run: Run): Promise<RunReport | null>;
  close(): Promise<void>;
}

/** A step of a walk, and how far into the file it goes. */
export interface ThreadedStep extends WalkStep {
  /** Byte offset behind it. */
  readonly end: number;
  readonly seen: readonly Head[];
}

/**
 * Threads that verify the lines of a file in runs, each by itself. A run counts when the one before it ends in just the record
 * that it begins behind. At the first that does not fit, or is not good throughout, this ends: what stands there, and
 * behind, is judged by whoever walks the log in order, so that there is but one judge.
 */
export class RunThreads {
  readonly #threads: readonly RunVerifier[];
  readonly #runBytes: number;

  constructor(threads: readonly RunVerifier[], runBytes: number = RUN_BYTES) {
    this.#threads = threads;
    this.#runBytes = runBytes;
  }

  /** The good lines of [start, end), in order, as far as they go. `head`: the record before `start`. */
  async *walk(
    file: { readonly path: string; readonly start: number; readonly end: number },
    head: Head,
    marks: readonly number[],
  ): AsyncGenerator<ThreadedStep> {
    const runs: Run[] = [];
    for (let start = file.start; start < file.end; start += this.#runBytes)
      runs.push({ path: file.path, start, end: Math.min(start + this.#runBytes, file.end), limit: file.end, marks });
    const ahead: Promise<RunReport | null>[] = [];
    let sent = 0;
    for (let at = 0; at < runs.length; at++) {
      for (; sent < runs.length && sent < at + AHEAD * this.#threads.length; sent++)
        ahead.push(this.#send(runs[sent] as Run));
      const report = await ahead.shift();
      if (!report) return;
      const { after, count, end, whole, seen } = report;
      if (after !== null && (after.seq !== head.seq || after.hash !== head.hash)) return;
      head = report.head ?? head;
      if (count > 0) yield { records: [], count, head, end, seen };
      if (!whole) return;
    }
  }

  /** To the thread that has the least to do. */
  #send(run: Run): Promise<RunReport | null> {
    let idlest = this.#threads[0];
    for (const thread of this.#threads) if (idlest && thread.waiting < idlest.waiting) idlest = thread;
    return idlest?.verify(run) ?? Promise.resolve(null);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

/** Starts a thread. */
export function startThread(): RunVerifier {
  return new Thread();
}

class Thread implements RunVerifier {
  readonly #worker: Worker = new Worker(new URL("./run-worker.js", import.meta.url));
  readonly #waiting: ((report: RunReport | null) => void)[] = [];
  #broken = false;

  constructor() {
    this.#worker.on("message", (report: RunReport | null) => this.#waiting.shift()?.(report));
    this.#worker.on("error", () => this.#breakDown());
    this.#worker.on("exit", () => this.#breakDown());
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  verify(run: Run): Promise<RunReport | null> {
    if (this.#broken) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#worker.postMessage(run);
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
