import type { FileHandle } from "node:fs/promises";
import { checkAlone, tornTail } from "../../core/chain.js";
import { EventStoreError } from "../../core/errors.js";
import { MAX_SEQ, type Head } from "../../core/event.js";
import type { RecordView } from "../../core/record-view.js";
import type { WalkRange, WalkStep } from "../../log/reader.js";
import { lockFile } from "../../system/file-lock.js";
import type { RecordSource } from "../record-source.js";
import { wholeEnd } from "./batch-mark.js";
import { CompressedSegment } from "./compressed-segment.js";
import { asStoreError, openForReading, readBlocks, readLines } from "./file-bytes.js";
import { FileWatch } from "./file-watch.js";
import { firstSeq, offsetNear, seqOf } from "./locate.js";
import type { LogFiles } from "./log-files.js";
import { RangeWalk } from "./range-walk.js";
import type { Noted, RunThreads, ThreadedStep } from "./run-threads.js";
import { segmentHolding } from "./segment-holding.js";
import { openSegment } from "./segments.js";
import { readStoredHead } from "./stored-head.js";

/** One file of the log, in order. The live file's index is the one that it will get when it is rotated. */
interface Part {
  readonly file: FileHandle;
  readonly path: string;
  readonly index: number;
  readonly live: boolean;
  readonly compressed: boolean;
}

/** Reads a log of lines while others may be appending to it; takes no lock unless it meets an unfinished line. */
export class FileSource implements RecordSource {
  readonly #files: LogFiles;
  readonly #startThreads: StartThreads;

  /** `startThreads`: for tests. */
  constructor(files: LogFiles, startThreads: StartThreads = realThreads) {
    this.#files = files;
    this.#startThreads = startThreads;
  }

  async storedHead(): Promise<Head | null> {
    return readStoredHead(this.#files);
  }

  async hashOf(seq: number): Promise<string | null> {
    return (await this.recordOf(seq))?.eventHash ?? null;
  }

  async recordOf(seq: number): Promise<RecordView | null> {
    const part = await this.#partHolding(seq);
    if (part === null) return null;
    try {
      if (part.compressed) return await (await CompressedSegment.of(part.file, part.path)).recordOf(seq);
      const end = await this.#readableEnd(part);
      for await (const lines of readLines(part.file, await offsetNear(part.file, seq, end), end)) {
        for (const { line, terminated } of lines) {
          const found = seqOf(line);
          if (found === seq) return checkAlone(line, seq, { unterminated: !terminated, facts: { file: part.path } });
          if (found !== null && found > seq) return null;
        }
      }
      return null;
    } catch (error) {
      throw asStoreError(error, { file: part.path, operation: "read" });
    } finally {
      await part.file.close();
    }
  }

  watch(): FileWatch {
    return new FileWatch(this.#files);
  }

  async *walk(range: WalkRange): AsyncGenerator<WalkStep> {
    const threads = new LazyThreads(range.threads ?? 1, this.#startThreads);
    try {
      yield* this.#walk(range, threads);
    } finally {
      await threads.close();
    }
  }

  async *#walk(range: WalkRange, threads: LazyThreads): AsyncGenerator<WalkStep> {
    const { signal } = range;
    const walk = new RangeWalk(range);
    let index = (await this.#firstIndex(range)) - 1;
    for (;;) {
      throwIfAborted(signal);
      const part = await this.#nextPart(index);
      if (part === null) return;
      try {
        for await (const step of this.#steps(part, walk, range, threads)) {
          throwIfAborted(signal);
          yield step;
        }
        // What follows is none of the range, good or bad.
        if (walk.done) return;
      } catch (error) {
        throw asStoreError(error, { file: part.path, operation: "read" });
      } finally {
        await part.file.close();
      }
      if (part.live) return;
      index = part.index;
    }
  }

  /** Index of the file to begin with: the one that holds the record before the range, or the first of all. */
  async #firstIndex({ fromSeq }: WalkRange): Promise<number> {
    const segments = await this.#files.segments();
    if (fromSeq === 0) return segments[0] ?? 1;
    const live = await this.#openLive((first) => first < fromSeq);
    await live?.close();
    if (live) return (segments.at(-1) ?? 0) + 1;
    return (await segmentHolding(this.#files, segments, fromSeq - 1)) ?? segments[0] ?? 1;
  }

  /** The file behind the one with index `after`. A rotation in between renames the live file: then it is a segment by now. */
  async #nextPart(after: number): Promise<Part | null> {
    for (;;) {
      const next = (await this.#files.segments()).find((index) => index > after);
      if (next !== undefined) return this.#segment(next);
      const file = await openForReading(this.#files.live);
      const rotated = await this.#rotatedBeyond(after).catch(async (error: unknown) => {
        await file?.close();
        throw error;
      });
      if (!rotated) return file && { ...this.#live(file), index: Math.max(after + 1, 1) };
      await file?.close();
    }
  }

  async #rotatedBeyond(after: number): Promise<boolean> {
    return (await this.#files.segments()).some((index) => index > after);
  }

  async #segment(index: number): Promise<Part> {
    return { ...(await openSegment(this.#files, index)), index, live: false };
  }

  #live(file: FileHandle): Part {
    return { file, path: this.#files.live, index: 0, live: true, compressed: false };
  }

  async *#steps(part: Part, walk: RangeWalk, range: WalkRange, threads: LazyThreads): AsyncGenerator<WalkStep> {
    if (part.compressed) {
      yield* stepsOfCompressed(part, walk, range);
      return;
    }
    const facts = { file: part.path };
    let end = await this.#readableEnd(part);
    // Only the first file is entered in its middle; in the others everything is of the range.
    let position = walk.started ? 0 : await offsetNear(part.file, range.fromSeq - 1, end);
    if (walk.started && range.toSeq === MAX_SEQ) {
      const { path } = part;
      for await (const step of threads.walk({ path, start: position, end }, walk.head, range)) {
        walk.skipTo(step.head);
        position = step.end;
        yield step;
      }
    }
    for (;;) {
      let unfinished = false;
      for await (const { bytes, start, last } of readBlocks(part.file, position, end)) {
        const { records, count, fault, end: passed } = walk.accept(bytes, { atEnd: part.live && last, facts });
        if (count > 0) yield { records, count, head: walk.head };
        if (walk.done) return;
        position = start + passed;
        if (fault === null) continue;
        if (fault.code !== "TORN_TAIL") throw fault;
        unfinished = true;
        break;
      }
      if (!part.live) return;
      const seen = { end, size: (await part.file.stat()).size };
      if (!unfinished && end >= seen.size) return;
      // Something unfinished stands at the end: a write under way, which is not of the log yet, or the trace of a dead writer.
      const now = await this.#whileNobodyWrites(part.path, async () => ({
        end: await this.#readableEnd(part),
        size: (await part.file.stat()).size,
      }));
      if (now === null || now.size === position) return;
      if (now.end === seen.end && now.size === seen.size) throw tornTail(walk.next, now.size - position, facts);
      end = now.end;
    }
  }

  /** Null when a writer holds the lock. */
  async #whileNobodyWrites<T>(path: string, look: () => Promise<T>): Promise<T | null> {
    const file = await openForReading(path);
    if (file === null) return null;
    try {
      return (await nobodyWrites(file)) ? await look() : null;
    } finally {
      await file.close();
    }
  }

  async #partHolding(seq: number): Promise<Part | null> {
    const live = await this.#openLive((first) => first <= seq);
    if (live) return this.#live(live);
    // Listed after the look at the live file: what was rotated before is among them.
    const index = await segmentHolding(this.#files, await this.#files.segments(), seq);
    return index === null ? null : this.#segment(index);
  }

  /** The live file, if its first record is one that is wanted. */
  async #openLive(wanted: (first: number) => boolean): Promise<FileHandle | null> {
    const file = await openForReading(this.#files.live);
    if (file === null) return null;
    try {
      const first = await firstSeq(file);
      if (first !== null && wanted(first)) return file;
    } catch (error) {
      await file.close();
      throw asStoreError(error, { file: this.#files.live, operation: "read" });
    }
    await file.close();
    return null;
  }

  async #readableEnd(part: Part): Promise<number> {
    return part.live ? wholeEnd(part.file, this.#files) : (await part.file.stat()).size;
  }
}

async function* stepsOfCompressed(part: Part, walk: RangeWalk, range: WalkRange): AsyncGenerator<WalkStep> {
  const segment = await CompressedSegment.of(part.file, part.path);
  const facts = { file: part.path };
  const blocks = walk.started ? segment.all() : segment.from(range.fromSeq - 1, range.toSeq);
  try {
    for await (const bytes of blocks) {
      const { records, count, fault } = walk.accept(bytes, { atEnd: false, facts });
      if (count > 0) yield { records, count, head: walk.head };
      if (walk.done) return;
      if (fault) throw fault;
    }
  } catch (error) {
    throw segment.verdict(error, walk.awaited);
  }
}

export interface StartThreads {
  /** Smaller files are verified before a thread has started. */
  readonly worthBytes: number;
  readonly start: (count: number) => Promise<RunThreads>;
}

/** The code of threads is loaded at the first file that is worth them. */
const realThreads: StartThreads = {
  worthBytes: 16 * 1024 * 1024,
  start: async (count) => {
    const { RunThreads, startRunThreads } = await import("./run-threads.js");
    return new RunThreads(startRunThreads(count));
  },
};

class LazyThreads {
  readonly #count: number;
  readonly #start: StartThreads;
  #threads: RunThreads | null = null;

  constructor(count: number, start: StartThreads) {
    this.#count = count;
    this.#start = start;
  }

  async *walk(
    file: { readonly path: string; readonly start: number; readonly end: number },
    head: Head,
    noted: Noted,
  ): AsyncGenerator<ThreadedStep> {
    if (this.#count < 2 || file.end - file.start < this.#start.worthBytes) return;
    this.#threads ??= await this.#start.start(this.#count);
    yield* this.#threads.walk(file, head, noted);
  }

  async close(): Promise<void> {
    await this.#threads?.close();
  }
}

async function nobodyWrites(file: FileHandle): Promise<boolean> {
  try {
    return await lockFile(file.fd, { mode: "shared", wait: false });
  } catch (error) {
    // Where nothing can lock, nothing of ours writes either.
    if (error instanceof EventStoreError && error.code === "PATH_UNUSABLE") return true;
    throw error;
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new EventStoreError("ABORTED", "the read was aborted", { cause: signal.reason });
}
