import { mkdir, open, rename, stat, writeFile, type FileHandle } from "node:fs/promises";
import { EventStoreError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import { formatHead, headContradiction } from "../../core/head-check.js";
import type { RecordSource } from "../record-source.js";
import { lockFile } from "../../system/file-lock.js";
import { ioError } from "../../system/io-error.js";
import type { Runtime } from "../../system/runtime.js";
import type { OnWarning } from "../../system/warning.js";
import { readAt } from "./file-bytes.js";
import { replaceFile, syncDirectory, type FileIo } from "./file-io.js";
import { readStoredHead } from "./file-source.js";
import { readTail, type FileTail } from "./file-tail.js";
import type { LogFiles } from "./log-files.js";

/** What a writer that looked last knew: the same file with the same size has the same tail. */
export interface KnownTail {
  readonly inode: number;
  readonly size: number;
  readonly head: Head;
}

export interface LiveFileContext {
  readonly files: LogFiles;
  readonly io: FileIo;
  readonly runtime: Runtime;
  readonly onWarning: OnWarning;
  /** Used to check the stored head against the log. */
  readonly source: RecordSource;
}

/** The live file, open and locked exclusively: nobody else writes until it is closed. */
export class LiveFile {
  readonly handle: FileHandle;
  readonly inode: number;
  /** Index that this file gets when it is rotated. */
  readonly index: number;
  head: Head;
  size: number;
  /** The last line has no newline: the next write begins with one. */
  needsNewline: boolean;

  private constructor(handle: FileHandle, inode: number, index: number, size: number, tail: { head: Head; needsNewline: boolean }) {
    this.handle = handle;
    this.inode = inode;
    this.index = index;
    this.size = size;
    this.head = tail.head;
    this.needsNewline = tail.needsNewline;
  }

  get known(): KnownTail | null {
    return this.needsNewline ? null : { inode: this.inode, size: this.size, head: this.head };
  }

  /**
   * Opens (creates), locks, and finds the tail; sets aside what a dead writer left unfinished. Null when the lock could not be had in time.
   * @throws VerificationError when the tail is bad or the stored head contradicts the log; BackendError
   */
  static async open(context: LiveFileContext, known: KnownTail | null, timeoutMs: number): Promise<LiveFile | null> {
    const { files } = context;
    const locked = await openLocked(files, timeoutMs);
    if (locked === null) return null;
    const { handle, inode } = locked;
    try {
      const size = (await handle.stat()).size;
      const index = ((await files.segments()).at(-1) ?? 0) + 1;
      if (known !== null && known.inode === inode && known.size === size) {
        return new LiveFile(handle, inode, index, size, { head: known.head, needsNewline: false });
      }
      const tail = await readTail(files, handle);
      await checkHead(context, tail.head);
      const whole = tail.tornFrom === null ? size : await setAside(context, handle, tail, size);
      return new LiveFile(handle, inode, index, whole, tail);
    } catch (error) {
      await handle.close();
      throw ours(error, files.live);
    }
  }

  /** Frees the lock. */
  async close(): Promise<void> {
    await this.handle.close();
  }

  /**
   * Renames this file to a segment; the next `open` begins a new one. The lock stays until the name is gone, so no other
   * writer can come between. A crash after the rename leaves a log without a live file, which the next open creates.
   */
  async rotate({ files, io }: LiveFileContext): Promise<void> {
    if (this.needsNewline) await io.append(this.handle, Buffer.from("\n"));
    await io.sync(this.handle);
    await rename(files.live, files.segment(this.index));
    await syncDirectory(files.directory);
    const head = `${formatHead(this.head).slice(0, -1)},"segment_index":${String(this.index)}}`;
    await replaceFile(files.head, files.directory, head, io);
  }
}

async function openLocked(files: LogFiles, timeoutMs: number): Promise<{ handle: FileHandle; inode: number } | null> {
  for (;;) {
    const handle = await openOrCreate(files);
    try {
      if (!(await lockFile(handle.fd, { mode: "exclusive", wait: true, timeoutMs }))) {
        await handle.close();
        return null;
      }
      const { ino, dev } = await handle.stat();
      const named = await stat(files.live).catch(() => null);
      // Rotated while we waited: the lock is on a segment now.
      if (named?.ino === ino && named.dev === dev) return { handle, inode: ino };
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
  }
}

async function openOrCreate(files: LogFiles): Promise<FileHandle> {
  try {
    await mkdir(files.directory, { recursive: true });
    const existed = await stat(files.live).then(
      () => true,
      () => false,
    );
    const handle = await open(files.live, "a+", 0o640);
    if (!existed) await syncDirectory(files.directory);
    return handle;
  } catch (error) {
    throw ioError(error, { file: files.live, operation: "open for appending" });
  }
}

/** A readable head that the log contradicts is evidence of a cut or rewritten tail. */
async function checkHead({ files, source }: LiveFileContext, end: Head): Promise<void> {
  const stored = await readStoredHead(files);
  if (stored === null) return;
  const actual = stored.seq > end.seq ? null : stored.seq === end.seq ? end.hash : await source.hashOf(stored.seq);
  if (actual !== stored.hash) throw headContradiction(stored, end, actual, { file: files.head });
}

/** Moves the unfinished bytes at the end into a side file; the log goes on behind its last whole record. */
async function setAside({ files, io, runtime, onWarning }: LiveFileContext, live: FileHandle, tail: FileTail, size: number): Promise<number> {
  const from = tail.tornFrom ?? size;
  const path = files.torn(tail.head.seq + 1, runtime.id());
  await writeFile(path, await readAt(live, from, size - from), { flag: "wx", mode: 0o640, flush: true });
  await syncDirectory(files.directory);
  await io.truncate(live, from);
  await io.sync(live);
  onWarning({
    code: "TORN_TAIL_SET_ASIDE",
    message: `${files.live} ended in ${String(size - from)} bytes of an unfinished write (a writer died before it was acknowledged); they are kept in ${path}, and the log goes on at seq ${String(tail.head.seq + 1)}`,
  });
  return from;
}

function ours(error: unknown, file: string): unknown {
  return error instanceof EventStoreError ? error : ioError(error, { file, operation: "open" });
}
