import type { Head } from "../../core/event.js";
import type { WalkRange, WalkStep } from "../../log/reader.js";
import { idlest, startThread, type Answering } from "../../system/thread.js";
import { answerRun, type Run, type RunReport } from "./run.js";

/** Long enough that handing it over costs nothing, short enough for progress, and to share the work evenly. */
const RUN_BYTES = 4 * 1024 * 1024;

/** Runs that are sent to each thread before it has answered for those before them. */
const AHEAD = 4;

/** What is wanted of the records beside their verdict. */
export type Noted = Pick<WalkRange, "marks" | "links" | "hashes">;

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
  readonly #threads: readonly Answering<Run, RunReport>[];
  readonly #runBytes: number;

  constructor(threads: readonly Answering<Run, RunReport>[], runBytes: number = RUN_BYTES) {
    this.#threads = threads;
    this.#runBytes = runBytes;
  }

  /** The good lines of [start, end), in order, as far as they go. `head`: the record before `start`. */
  async *walk(
    file: { readonly path: string; readonly start: number; readonly end: number },
    head: Head,
    { marks = [], links = false, hashes = false }: Noted,
  ): AsyncGenerator<ThreadedStep> {
    const runs: Run[] = [];
    for (let start = file.start; start < file.end; start += this.#runBytes)
      runs.push({
        path: file.path,
        start,
        end: Math.min(start + this.#runBytes, file.end),
        limit: file.end,
        marks,
        links,
        hashes,
      });
    const ahead: Promise<RunReport | null>[] = [];
    let sent = 0;
    for (let at = 0; at < runs.length; at++) {
      for (; sent < runs.length && sent < at + AHEAD * this.#threads.length; sent++)
        ahead.push(idlest(this.#threads)?.ask(runs[sent] as Run) ?? Promise.resolve(null));
      const report = await ahead.shift();
      if (!report) return;
      const { after, count, end, whole, seen, links, hashes: noted } = report;
      if (after !== null && (after.seq !== head.seq || after.hash !== head.hash)) return;
      head = report.head ?? head;
      if (count > 0) yield { records: [], count, head, end, seen, links, hashes: noted };
      if (!whole) return;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

/** `count` of them: this thread, which is here already, and others. */
export function startRunThreads(count: number): Answering<Run, RunReport>[] {
  const others = Array.from({ length: count - 1 }, () =>
    startThread<Run, RunReport>(new URL("./run-worker.js", import.meta.url)),
  );
  return [new ThisThread(), ...others];
}

class ThisThread implements Answering<Run, RunReport> {
  waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  ask(run: Run): Promise<RunReport | null> {
    this.waiting++;
    const answer = this.#last.then(() => answerRun(run)).finally(() => this.waiting--);
    this.#last = answer;
    return answer;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
