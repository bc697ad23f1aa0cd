import type { Head } from "../core/event.js";
import { overwriteHead, type HeadKeeper } from "./head-keeper.js";
import type { Appender } from "./appender.js";
import type { AppendJob, AppendOutcome, LogWriter } from "./append-job.js";
import { advanceTail, EMPTY, findTail, readHead, type LogOnObjects } from "./tail.js";

/** The writing side of a log on an object store. */
export class ObjectLogWriter implements LogWriter {
  readonly #log: LogOnObjects;
  readonly #appender: Appender;
  readonly #keeper: HeadKeeper | null;

  constructor(log: LogOnObjects, appender: Appender, keeper: HeadKeeper | null) {
    this.#log = log;
    this.#appender = appender;
    this.#keeper = keeper;
  }

  append(job: AppendJob): Promise<AppendOutcome> {
    return this.#appender.append(job);
  }

  settle(): Promise<{ readonly committed: boolean; readonly end: Head } | null> {
    return this.#appender.settle();
  }

  async head(): Promise<Head> {
    const known = this.#appender.tail;
    return known ? advanceTail(this.#log, known) : findTail(this.#log);
  }

  refresh(): Promise<Head> {
    return this.#appender.refresh();
  }

  resetHead(): Promise<{ readonly before: Head | null; readonly after: Head }> {
    return this.#appender.exclusively(async () => {
      // What the keeper still has in mind is of the log as it was.
      await this.#keeper?.forget();
      const before = await readHead({ ...this.#log, useHead: true });
      const after = await advanceTail(this.#log, EMPTY);
      await overwriteHead(this.#log.objects, this.#log.keys.head, after);
      return { before, after };
    });
  }

  async close(): Promise<void> {
    await this.#appender.idle();
    await this.#keeper?.flush();
    await this.#log.objects.close();
  }
}
