import { readFile, type FileHandle } from "node:fs/promises";
import { ChainWalk, checkAlone, tornTail } from "../../core/chain.js";
import { EventStoreError, VerificationError } from "../../core/errors.js";
import { GENESIS_HASH, type Anchor, type Head } from "../../core/event.js";
import { parseHead } from "../../core/head-check.js";
import type { VerifiedRecord } from "../../log/event-object.js";
import type { WalkRange } from "../../log/reader.js";
import { lockFile } from "../../system/file-lock.js";
import { errnoOf, ioError } from "../../system/io-error.js";
import type { RecordSource } from "../record-source.js";
import { readableEnd } from "./batch-mark.js";
import { openForReading, readLines, type StoredLine } from "./file-bytes.js";
import { firstSeq, offsetNear, segmentHolding, seqOf } from "./locate.js";
import type { LogFiles } from "./log-files.js";

/** One file of the log, in order. The live file's index is the one that it will get when it is rotated. */
interface Part {
  readonly file: FileHandle;
  readonly path: string;
  readonly index: number;
  readonly live: boolean;
}

/** Reads a log of lines while others may be appending to it; takes no lock unless it meets an unfinished line. */
export class FileSource implements RecordSource {
  readonly #files: LogFiles;

  constructor(files: LogFiles) {
    this.#files = files;
  }

  async storedHead(): Promise<Head | null> {
    return readStoredHead(this.#files);
  }

  async hashOf(seq: number): Promise<string | null> {
    const part = await this.#partHolding(seq);
    if (part === null) return null;
    try {
      const end = await this.#readableEnd(part);
      for await (const lines of readLines(part.file, await offsetNear(part.file, seq, end), end)) {
        for (const { line, terminated } of lines) {
          const found = seqOf(line);
          if (found === seq) return checkAlone(line, seq, { unterminated: !terminated }).eventHash;
          if (found !== null && found > seq) return null;
        }
      }
      return null;
    } finally {
      await part.file.close();
    }
  }

  async *walk(range: WalkRange): AsyncGenerator<VerifiedRecord> {
    const { fromSeq, toSeq, signal } = range;
    const walk = new RangeWalk(range);
    let index = (await this.#firstIndex(range)) - 1;
    for (;;) {
      const part = await this.#nextPart(index);
      if (part === null) return;
      try {
        for await (const record of this.#records(part, walk, fromSeq)) {
          throwIfAborted(signal);
          if (record.view.seq > toSeq) return;
          if (record.view.seq >= fromSeq) yield record;
        }
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
    const liveFirst = await firstSeq(this.#files.live);
    if (liveFirst !== null && liveFirst < fromSeq) return (segments.at(-1) ?? 0) + 1;
    return (await segmentHolding(this.#files, segments, fromSeq - 1)) ?? segments[0] ?? 1;
  }

  /** The file behind the one with index `after`. A rotation in between renames the live file: then it is a segment by now. */
  async #nextPart(after: number): Promise<Part | null> {
    for (;;) {
      const next = (await this.#files.segments()).find((index) => index > after);
      if (next !== undefined) {
        const path = this.#files.segment(next);
        const file = await openForReading(path);
        if (file) return { file, path, index: next, live: false };
        continue;
      }
      const file = await openForReading(this.#files.live);
      const rotated = (await this.#files.segments()).some((index) => index > after);
      if (!rotated) return file && { file, path: this.#files.live, index: Math.max(after + 1, 1), live: true };
      await file?.close();
    }
  }

  async *#records(part: Part, walk: RangeWalk, fromSeq: number): AsyncGenerator<VerifiedRecord> {
    let end = await this.#readableEnd(part);
    // Only the first file is entered in its middle; in the others everything is of the range.
    let position = walk.started ? 0 : await offsetNear(part.file, fromSeq - 1, end);
    for (;;) {
      let unfinished: StoredLine | null = null;
      for await (const lines of readLines(part.file, position, end)) {
        for (const stored of lines) {
          try {
            const record = walk.accept(stored, part);
            if (record) yield record;
            position = stored.start + stored.line.length + (stored.terminated ? 1 : 0);
          } catch (error) {
            if (!(error instanceof VerificationError && error.code === "TORN_TAIL")) throw error;
            unfinished = stored;
          }
        }
      }
      if (!part.live) return;
      const seen = { end, size: (await part.file.stat()).size };
      if (unfinished === null && end >= seen.size) return;
      // Something unfinished stands at the end: a write under way, which is not of the log yet, or the trace of a dead writer.
      const now = await this.#whileNobodyWrites(part.path, async () => ({ end: await this.#readableEnd(part), size: (await part.file.stat()).size }));
      if (now === null || now.size === position) return;
      if (now.end === seen.end && now.size === seen.size) throw tornTail(walk.next, now.size - position, { file: part.path });
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
    const liveFirst = await firstSeq(this.#files.live);
    const segments = await this.#files.segments();
    const last = segments.at(-1) ?? 0;
    if (liveFirst === null || liveFirst > seq) {
      const index = await segmentHolding(this.#files, segments, seq);
      const file = index === null ? null : await openForReading(this.#files.segment(index));
      if (file && index !== null) return { file, path: this.#files.segment(index), index, live: false };
    }
    const file = await openForReading(this.#files.live);
    return file && { file, path: this.#files.live, index: last + 1, live: true };
  }

  async #readableEnd(part: Part): Promise<number> {
    return part.live ? readableEnd(part.file, part.index, this.#files.batch) : (await part.file.stat()).size;
  }
}

/** Finds the anchor of a range while it goes, and verifies everything behind it. */
class RangeWalk {
  readonly #range: WalkRange;
  #chain: ChainWalk | null = null;

  constructor(range: WalkRange) {
    this.#range = range;
    const { fromSeq, anchor, onAnchor } = range;
    if (anchor) onAnchor({ ...anchor, source: "caller" });
    else if (fromSeq === 0) onAnchor({ seq: -1, hash: GENESIS_HASH, source: "genesis" });
    if (fromSeq === 0) this.#chain = new ChainWalk();
  }

  /** The chain has begun: everything is of the range, or breaks it. */
  get started(): boolean {
    return this.#chain !== null;
  }

  /** The seq that is expected next. */
  get next(): number {
    return this.#chain ? this.#chain.head.seq + 1 : this.#range.fromSeq;
  }

  /** Null for a record before the range. @throws VerificationError */
  accept({ line, terminated }: StoredLine, part: Part): VerifiedRecord | null {
    const origin = { unterminated: part.live && !terminated, facts: { file: part.path } };
    const { fromSeq, anchor, onAnchor } = this.#range;
    if (this.#chain === null) {
      const seq = seqOf(line);
      if (anchor ? seq !== null && seq < fromSeq : seq !== null && seq < fromSeq - 1) return null;
      if (anchor) this.#chain = new ChainWalk(anchor);
      else {
        const view = checkAlone(line, fromSeq - 1, origin);
        const found: Anchor = { seq: view.seq, hash: view.eventHash, source: "record" };
        onAnchor(found);
        this.#chain = new ChainWalk(found);
        return null;
      }
    }
    return { line, view: this.#chain.accept(line, origin) };
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

export async function readStoredHead(files: LogFiles): Promise<Head | null> {
  try {
    return parseHead(await readFile(files.head));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw ioError(error, { file: files.head, operation: "read" });
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new EventStoreError("ABORTED", "the read was aborted", { cause: signal.reason });
}
