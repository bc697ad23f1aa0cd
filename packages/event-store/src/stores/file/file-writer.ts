import { setImmediate } from "node:timers/promises";
import { CommitUnknownError, EventStoreError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import { AppendGroup, type GroupLimits } from "../../log/append-group.js";
import type { AppendJob, AppendOutcome, LogWriter } from "../../log/append-job.js";
import { AppendQueue } from "../../log/append-queue.js";
import { RecentAggregates } from "../../log/recent-aggregates.js";
import { Turns } from "../../log/turns.js";
import { ioError } from "../../system/io-error.js";
import { asStoreError } from "./file-bytes.js";
import { LiveFile, type FilePlace, type LiveFileContext } from "./live-file.js";
import { checkStoredHead, headOf, readStoredHead } from "./stored-head.js";

/** With nothing to write the lock is given back after this pause, so that a caller that appends in a loop keeps it … */
const IDLE_MS = 20;
/** … but no longer than this at a stretch: other processes wait for it. */
const HOLD_MS = 200;

/** What shares one write and one sync. */
const GROUP: GroupLimits = { appends: Infinity, records: 8192, bytes: 4 * 1024 * 1024 };

/** A write whose outcome is unknown: it failed, and so did taking it back. */
interface OpenWrite {
  readonly before: FilePlace;
  readonly group: AppendGroup;
}

export interface FileWriterOptions {
  /** The live file is rotated before an append once it has this many bytes; undefined: never. */
  readonly maxBytes?: number | undefined;
  readonly timeoutMs: number;
}

/**
 * Appends to a file under an exclusive flock. What waits is written together: one write and one sync, then all are
 * acknowledged. Several processes take turns; each finds the tail from the file's end whenever it gets the lock.
 */
export class FileWriter implements LogWriter {
  readonly #context: LiveFileContext;
  readonly #options: FileWriterOptions;
  readonly #queue = new AppendQueue();
  readonly #recent: RecentAggregates;
  /** Whatever needs the lock goes one after the other. */
  readonly #turns = new Turns();
  #live: LiveFile | null = null;
  #lockedAt = 0;
  #open: OpenWrite | null = null;
  #draining: Promise<void> | null = null;
  /** The last write was of several appends. */
  #shared = false;
  #idle: NodeJS.Timeout | null = null;

  constructor(context: LiveFileContext, options: FileWriterOptions) {
    this.#context = context;
    this.#recent = new RecentAggregates((range) => context.source.walk(range));
    this.#options = options;
  }

  append(job: AppendJob): Promise<AppendOutcome> {
    const outcome = this.#queue.push(job);
    if (!this.#queue.empty) this.#draining ??= this.#drain();
    return outcome;
  }

  settle(): Promise<{ readonly committed: boolean; readonly end: Head } | null> {
    return this.#turns.run(async () => {
      if (this.#open === null) return null;
      const { end } = this.#open.group;
      try {
        return { committed: await this.#settle(this.#open), end };
      } catch (error) {
        throw new CommitUnknownError(end.seq, end.hash, { facts: { file: this.#context.files.live }, cause: error });
      } finally {
        await this.#release();
      }
    });
  }

  head(): Promise<Head> {
    return headOf(this.#context.files, this.#context.source);
  }

  /** The lock shows where the log ends, whenever something is appended. */
  refresh(): Promise<Head> {
    return this.head();
  }

  resetHead(): Promise<{ readonly before: Head | null; readonly after: Head }> {
    return this.#turns.run(async () => {
      await this.#release();
      const live = await this.#lock();
      try {
        const before = await readStoredHead(this.#context.files);
        await live.writeHead();
        return { before, after: live.head };
      } finally {
        await live.close();
      }
    });
  }

  async close(): Promise<void> {
    await this.#draining;
    if (this.#idle) clearTimeout(this.#idle);
    await this.#turns.run(() => this.#release());
  }

  async #drain(): Promise<void> {
    if (this.#idle) clearTimeout(this.#idle);
    while (!this.#queue.empty) {
      await this.#turns.run(async () => {
        // The callers of a shared write come back in the same turn of the event loop as they are answered: they go together
        // again. One caller alone need not wait for that.
        if (this.#shared) await setImmediate();
        if (!this.#queue.empty) await this.#writeNext();
      });
      if (this.#context.runtime.elapsed() - this.#lockedAt > HOLD_MS) await this.#turns.run(() => this.#release());
    }
    this.#draining = null;
    this.#idle = setTimeout(() => void this.#turns.run(() => this.#releaseIfIdle()), IDLE_MS).unref();
  }

  /** The next group, from its place in the queue to its outcome. Never throws. */
  async #writeNext(): Promise<void> {
    let group: AppendGroup | null = null;
    try {
      let live = await this.#locked();
      if (this.#options.maxBytes !== undefined && live.place.size >= this.#options.maxBytes) {
        await this.#rotate(live);
        live = await this.#locked();
      }
      if (this.#queue.versioned) await this.#recent.reach(live.head);
      group = AppendGroup.take(this.#queue, live.head, GROUP, this.#recent);
      this.#shared = group.size > 1;
      if (group.records.length > 0) await this.#write(live, group);
      else group.acknowledge();
    } catch (error) {
      if (group) group.refuse(error);
      else this.#queue.refuse(GROUP.records, error);
    }
  }

  async #rotate(live: LiveFile): Promise<void> {
    try {
      await live.rotate();
    } catch (error) {
      throw ioError(error, { file: this.#context.files.live, operation: "rotate" });
    } finally {
      await this.#release();
    }
  }

  /** A failed write is cut off again: then it certainly did not happen. If even that fails, its fate is unknown. */
  async #write(live: LiveFile, group: AppendGroup): Promise<"written" | "taken back" | "unknown"> {
    const before = live.place;
    try {
      await live.append(group.records, group.atomic);
      this.#recent.note(group.records);
      group.acknowledge();
      return "written";
    } catch (error) {
      const failure = ioError(error, { file: this.#context.files.live, operation: "write to" });
      try {
        await live.rewind(before);
        group.refuse(failure);
        return "taken back";
      } catch {
        this.#open = { before, group };
        group.leaveUnknown(failure.facts, failure);
        return "unknown";
      } finally {
        await this.#release();
      }
    }
  }

  /** The live file, locked by us. An open write is settled first. */
  async #locked(): Promise<LiveFile> {
    if (this.#open) await this.#settle(this.#open);
    if (this.#live) return this.#live;
    const live = await this.#lock();
    try {
      const { files, source } = this.#context;
      await checkStoredHead(files, source, await readStoredHead(files), live.head);
    } catch (error) {
      await live.close();
      throw error;
    }
    this.#lockedAt = this.#context.runtime.elapsed();
    return (this.#live = live);
  }

  async #lock(): Promise<LiveFile> {
    const live = await LiveFile.open(this.#context, this.#options.timeoutMs);
    if (live) return live;
    const file = this.#context.files.live;
    throw new EventStoreError("CONTENTION", `another process holds the lock of ${file}; nothing was written`, {
      facts: { file, operation: "lock" },
      hint: "find the process that holds it (lsof, fuser), or try again",
    });
  }

  /**
   * An open write that nobody built on is written again, whole: after a failed sync, what the file shows need not be on the
   * disk. If somebody did, they say what became of it. @returns whether it is in the log
   */
  async #settle(open: OpenWrite): Promise<boolean> {
    const { before, group } = open;
    this.#open = null;
    try {
      const live = await this.#locked();
      const some =
        live.place.inode === before.inode && group.records.some(({ eventHash }) => eventHash === live.head.hash);
      if (!some && live.head.hash !== before.head.hash)
        return (await this.#context.source.hashOf(group.end.seq)) === group.end.hash;
      if (some) await live.rewind(before);
      const outcome = await this.#write(live, group);
      if (outcome === "unknown") throw new Error("it failed again");
      return outcome === "written";
    } catch (error) {
      this.#open = open;
      await this.#release();
      throw asStoreError(error, { file: this.#context.files.live, operation: "settle an earlier write to" });
    }
  }

  /** What was acknowledged was synced: nothing hangs on how the file closes. */
  async #release(): Promise<void> {
    const live = this.#live;
    this.#live = null;
    await live?.close().catch(() => undefined);
  }

  async #releaseIfIdle(): Promise<void> {
    if (this.#draining === null) await this.#release();
  }
}
