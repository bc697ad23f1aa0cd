import { open, rename, rm, writeFile, type FileHandle } from "node:fs/promises";
import type { Head, StoredRecord } from "../../core/event.js";
import { encodeLines } from "../../core/record.js";
import { makeDirectory, syncDirectory } from "../../system/directories.js";
import { errnoOf, ioError } from "../../system/io-error.js";
import type { Runtime } from "../../system/runtime.js";
import type { OnWarning } from "../../system/warning.js";
import type { RecordSource } from "../record-source.js";
import { batchMark, readBatchMark, voidMark, writeBatchMark } from "./batch-mark.js";
import { asStoreError, lacksNewline, readAt } from "./file-bytes.js";
import type { FileIo } from "./file-io.js";
import { readTail } from "./file-tail.js";
import { openLocked } from "./locked-file.js";
import type { LogFiles } from "./log-files.js";
import { writeStoredHead } from "./stored-head.js";

export interface LiveFileContext {
  readonly files: LogFiles;
  readonly io: FileIo;
  readonly runtime: Runtime;
  readonly onWarning: OnWarning;
  /** Used to check the stored head against the log. */
  readonly source: RecordSource;
}

/** Where a file stood before a write. */
export interface FilePlace {
  readonly inode: number;
  readonly size: number;
  readonly head: Head;
}

/** The live file, open and locked exclusively: nobody else writes until it is closed. After a failed call it is only good to be closed. */
export class LiveFile {
  readonly #context: LiveFileContext;
  readonly #handle: FileHandle;
  readonly #inode: number;
  #size: number;
  #head: Head;
  #needsNewline: boolean;

  private constructor(context: LiveFileContext, handle: FileHandle, place: FilePlace, needsNewline: boolean) {
    this.#context = context;
    this.#handle = handle;
    this.#inode = place.inode;
    this.#size = place.size;
    this.#head = place.head;
    this.#needsNewline = needsNewline;
  }

  /**
   * Opens (creates), locks, and finds the tail; sets aside what a dead writer left unfinished. Null when the lock could not be had in time.
   * @throws VerificationError when the tail is bad; BackendError
   */
  static async open(context: LiveFileContext, timeoutMs: number): Promise<LiveFile | null> {
    const { files, io, runtime } = context;
    const locked = await openLocked(files.live, () => openOrCreate(files), { timeoutMs });
    if (locked === null) return null;
    const { handle, inode } = locked;
    try {
      const size = (await handle.stat()).size;
      // Whoever created it may have died before its name was durable.
      if (size === 0) await syncDirectory(files.directory);
      const { head, end, needsNewline } = await readTail(files, handle);
      if (end < size) await setAside(context, handle, head.seq + 1, end, size);
      const mark = await readBatchMark(files);
      if (mark !== null && mark.end > end) await writeBatchMark(files, voidMark(runtime.id()), io);
      return new LiveFile(context, handle, { inode, size: end, head }, needsNewline);
    } catch (error) {
      await handle.close();
      throw asStoreError(error, { file: files.live, operation: "open" });
    }
  }

  get head(): Head {
    return this.#head;
  }

  get place(): FilePlace {
    return { inode: this.#inode, size: this.#size, head: this.#head };
  }

  /** Writes records behind the head, durably. `atomic`: a reader or a crash never makes a part of them count. */
  async append(records: readonly StoredRecord[], atomic: boolean): Promise<void> {
    const { files, io, runtime } = this.#context;
    const bytes = encodeLines(records);
    if (this.#needsNewline) await this.#endLine();
    if (atomic) await writeBatchMark(files, batchMark(this.#size, bytes, runtime.id()), io);
    await io.append(this.#handle, bytes);
    await io.sync(this.#handle);
    this.#size += bytes.length;
    const last = records.at(-1);
    if (last) this.#head = { seq: last.seq, hash: last.eventHash };
  }

  /** Cuts the file back to where it stood, durably. */
  async rewind({ size, head }: FilePlace): Promise<void> {
    await this.#context.io.truncate(this.#handle, size);
    await this.#context.io.sync(this.#handle);
    this.#size = size;
    this.#head = head;
    this.#needsNewline = await lacksNewline(this.#handle, size);
  }

  /**
   * Renames this file to a segment, and is then only good to be closed; the next `open` begins a new file. The lock stays
   * until the name is gone, so no other writer can come between. A crash after the rename leaves a log without a live file.
   */
  async rotate(): Promise<void> {
    const { files, io, onWarning } = this.#context;
    if (this.#needsNewline) await this.#endLine();
    await io.sync(this.#handle);
    const index = ((await files.segments()).at(-1) ?? 0) + 1;
    // Before the rename, while the lock still keeps others from writing it too. A log is whole without it.
    await writeStoredHead(files, this.#head, index, io).catch((error: unknown) => {
      onWarning({
        code: "HEAD_NOT_WRITTEN",
        message: ioError(error, { file: files.head, operation: "write" }).message,
      });
    });
    await rename(files.live, files.segment(index));
    await syncDirectory(files.directory);
  }

  /** Makes the stored head say what the log's last record is. */
  async writeHead(): Promise<void> {
    const { files, io } = this.#context;
    await writeStoredHead(files, this.#head, (await files.segments()).at(-1) ?? 0, io);
  }

  /** Frees the lock. */
  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #endLine(): Promise<void> {
    await this.#context.io.append(this.#handle, NEWLINE);
    this.#needsNewline = false;
    this.#size += NEWLINE.length;
  }
}

async function openOrCreate({ live, directory }: LogFiles): Promise<FileHandle> {
  const append = (): Promise<FileHandle> => open(live, "a+", 0o640);
  try {
    return await append().catch(async (error: unknown) => {
      if (errnoOf(error) !== "ENOENT") throw error;
      await makeDirectory(directory);
      return append();
    });
  } catch (error) {
    throw ioError(error, { file: live, operation: "open for appending" });
  }
}

/** Moves the unfinished bytes [from, size) at the end into a side file; the log goes on behind its last whole record. */
async function setAside(
  { files, io, runtime, onWarning }: LiveFileContext,
  live: FileHandle,
  seq: number,
  from: number,
  size: number,
): Promise<void> {
  const path = files.torn(seq, runtime.id());
  try {
    await writeFile(path, await readAt(live, from, size - from), { flag: "wx", mode: 0o640, flush: true });
    await syncDirectory(files.directory);
  } catch (error) {
    // Half a copy is no copy, and on a full disk it is in the way.
    if (errnoOf(error) !== "EEXIST") await rm(path, { force: true }).catch(() => undefined);
    throw ioError(error, { file: path, operation: "set an unfinished write aside in" });
  }
  await io.truncate(live, from);
  await io.sync(live);
  onWarning({
    code: "TORN_TAIL_SET_ASIDE",
    message: `${files.live} ended in ${String(size - from)} bytes of an unfinished write (a writer died in the middle of it, or the file was cut); they are kept in ${path}, and the log goes on at seq ${String(seq)}`,
  });
}

const NEWLINE = Buffer.from("\n");
