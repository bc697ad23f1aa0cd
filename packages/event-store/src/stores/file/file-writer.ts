import { hash } from "node:crypto";
import { rm } from "node:fs/promises";
import { CommitUnknownError, EventStoreError } from "../../core/errors.js";
import { formatHead, headContradiction } from "../../core/head-check.js";
import type { Head, StoredRecord } from "../../core/event.js";
import type { AppendJob, AppendOutcome, LogWriter } from "../../log/append-job.js";
import { abortedError, Turns } from "../../log/turns.js";
import { ioError } from "../../system/io-error.js";
import { writeBatchMark } from "./batch-mark.js";
import { replaceFile } from "./file-io.js";
import { openForReading } from "./file-bytes.js";
import { readStoredHead } from "./file-source.js";
import { readTail } from "./file-tail.js";
import { LiveFile, type KnownTail, type LiveFileContext } from "./live-file.js";

/** With nothing to write the lock is given back after this pause, so that a caller that appends in a loop keeps it … */
const IDLE_MS = 20;
/** … but no longer than this at a stretch: other processes wait for it. */
const HOLD_MS = 200;

/** At most so many appends share one write and one sync. */
const GROUP_JOBS = 256;

interface Waiting {
  readonly job: AppendJob;
  readonly resolve: (outcome: AppendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** A write whose outcome is unknown: its sync failed, and so did taking it back. */
interface OpenWrite {
  /** Size of the file before it. */
  readonly size: number;
  readonly inode: number;
  readonly end: Head;
}

export interface FileWriterOptions {
  /** The live file is rotated before an append once it has this many bytes; undefined: never. */
  readonly maxBytes?: number | undefined;
  readonly timeoutMs: number;
}

/**
 * Appends to a file under an exclusive flock. What waits is written together: one write and one sync, then all are
 * acknowledged. Several processes take turns; each finds the tail from the file's end when another was there.
 */
export class FileWriter implements LogWriter {
  readonly #context: LiveFileContext;
  readonly #options: FileWriterOptions;
  readonly #waiting: Waiting[] = [];
  /** Whatever needs the lock goes one after the other. */
  readonly #turns = new Turns();
  #live: LiveFile | null = null;
  #lockedAt = 0;
  #known: KnownTail | null = null;
  #open: OpenWrite | null = null;
  #draining: Promise<void> | null = null;
  #idle: NodeJS.Timeout | null = null;

  constructor(context: LiveFileContext, options: FileWriterOptions) {
    this.#context = context;
    this.#options = options;
  }

  append(job: AppendJob): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#drain();
    });
  }

  async settle(): Promise<{ readonly committed: boolean; readonly end: Head } | null> {
    return this.#turns.run(async () => (this.#open === null ? null : this.#settle(this.#open)));
  }

  async head(): Promise<Head> {
    const { files, source } = this.#context;
    const live = await openForReading(files.live);
    try {
      const { head } = await readTail(files, live);
      const stored = await readStoredHead(files);
      const actual = stored === null || stored.seq > head.seq ? null : await source.hashOf(stored.seq);
      if (stored !== null && actual !== stored.hash) throw headContradiction(stored, head, actual, { file: files.head });
      return head;
    } finally {
      await live?.close();
    }
  }

  async resetHead(): Promise<{ readonly before: Head | null; readonly after: Head }> {
    return this.#turns.run(async () => {
      await this.#release();
      const { files, io } = this.#context;
      const before = await readStoredHead(files);
      const live = await openForReading(files.live);
      try {
        const { head } = await readTail(files, live);
        if (head.seq < 0) await rm(files.head, { force: true });
        else await replaceFile(files.head, files.directory, formatHead(head), io);
        return { before, after: head };
      } finally {
        await live?.close();
      }
    });
  }

  async close(): Promise<void> {
    await this.#draining;
    if (this.#idle) clearTimeout(this.#idle);
    await this.#turns.run(() => this.#release());
  }

  #drain(): void {
    this.#draining ??= this.#writeAll().finally(() => {
      this.#draining = null;
      if (this.#waiting.length > 0) this.#drain();
    });
  }

  async #writeAll(): Promise<void> {
    if (this.#idle) clearTimeout(this.#idle);
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, GROUP_JOBS);
      try {
        await this.#turns.run(() => this.#writeGroup(group));
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
      if (this.#live && this.#context.runtime.elapsed() - this.#lockedAt > HOLD_MS) await this.#turns.run(() => this.#release());
    }
    this.#idle = setTimeout(() => void this.#turns.run(() => this.#releaseIfIdle()), IDLE_MS).unref();
  }

  /** Fails as a whole only where nothing of the group was written, or all of it is unknown. */
  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    let live = await this.#locked();
    if (this.#options.maxBytes !== undefined && live.size >= this.#options.maxBytes) {
      await live.rotate(this.#context).catch((error: unknown) => {
        throw ioError(error, { file: this.#context.files.live, operation: "rotate" });
      });
      await this.#release();
      live = await this.#locked();
    }
    const accepted: { readonly waiting: Waiting; readonly records: readonly StoredRecord[] }[] = [];
    let head = live.head;
    for (const waiting of group) {
      const records = this.#accept(waiting, head);
      if (records === null) continue;
      accepted.push({ waiting, records });
      const last = records.at(-1);
      if (last) head = { seq: last.seq, hash: last.eventHash };
    }
    if (accepted.length === 0) return;
    const batch = accepted.some(({ records }) => records.length > 1);
    const lines = accepted.flatMap(({ records }) => records.flatMap(({ line }) => [line, NEWLINE]));
    await this.#write(live, Buffer.concat(live.needsNewline ? [NEWLINE, ...lines] : lines), head, batch);
    for (const { waiting, records } of accepted) waiting.resolve({ records });
  }

  /** The records of one job behind `head`; null when the job is refused: its neighbours do not mind. */
  #accept({ job, resolve, reject }: Waiting, head: Head): readonly StoredRecord[] | null {
    if (job.signal?.aborted) {
      reject(abortedError(job.signal));
      return null;
    }
    if (job.expectedPrevHash !== undefined && job.expectedPrevHash !== head.hash) {
      resolve({ conflict: head });
      return null;
    }
    try {
      return job.recordsAfter(head);
    } catch (error) {
      reject(error);
      return null;
    }
  }

  async #write(live: LiveFile, bytes: Buffer, end: Head, batch: boolean): Promise<void> {
    const { files, io } = this.#context;
    try {
      if (batch) {
        const mark = { segment: live.index, start: live.size, end: live.size + bytes.length, sha256: hash("sha256", bytes) };
        await writeBatchMark(files.batch, mark, io.sync);
      }
      await io.append(live.handle, bytes);
      await io.sync(live.handle);
    } catch (error) {
      await this.#takeBack(live, end, error);
    }
    live.size += bytes.length;
    live.needsNewline = false;
    live.head = end;
    this.#known = live.known;
  }

  /** A failed write is cut off again: then it certainly did not happen. If even that fails, its fate is unknown. */
  async #takeBack(live: LiveFile, end: Head, cause: unknown): Promise<never> {
    const { files, io } = this.#context;
    const failure = ioError(cause, { file: files.live, operation: "write to" });
    try {
      await io.truncate(live.handle, live.size);
      await io.sync(live.handle);
    } catch {
      this.#open = { size: live.size, inode: live.inode, end };
      this.#known = null;
      await this.#release();
      throw new CommitUnknownError(end.seq, end.hash, { facts: { file: files.live }, cause: failure });
    }
    throw failure;
  }

  /** The live file, locked by us. An open write is settled first. */
  async #locked(): Promise<LiveFile> {
    if (this.#open) await this.#settle(this.#open);
    if (this.#live) return this.#live;
    const { files, runtime } = this.#context;
    const live = await LiveFile.open(this.#context, this.#known, this.#options.timeoutMs);
    if (live === null) {
      throw new EventStoreError("CONTENTION", `another process holds the lock of ${files.live}; nothing was written`, {
        facts: { file: files.live, operation: "lock" },
        hint: "find the process that holds it (lsof, fuser), or try again",
      });
    }
    this.#lockedAt = runtime.elapsed();
    this.#known = live.known;
    return (this.#live = live);
  }

  /** If nobody built on the open write it is cut off now; else it is part of the log. */
  async #settle(open: OpenWrite): Promise<{ readonly committed: boolean; readonly end: Head }> {
    const { io, source } = this.#context;
    this.#open = null;
    try {
      const live = await this.#locked();
      const alone = live.inode === open.inode && live.head.seq <= open.end.seq;
      if (alone && live.size > open.size) {
        await io.truncate(live.handle, open.size);
        await io.sync(live.handle);
      }
      this.#known = null;
      await this.#release();
      const committed = !alone && (await source.hashOf(open.end.seq)) === open.end.hash;
      return { committed, end: open.end };
    } catch (error) {
      this.#open = open;
      throw error;
    }
  }

  async #release(): Promise<void> {
    const live = this.#live;
    this.#live = null;
    await live?.close();
  }

  async #releaseIfIdle(): Promise<void> {
    if (this.#draining === null) await this.#release();
  }
}

const NEWLINE = Buffer.from("\n");
