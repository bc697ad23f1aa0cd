import { createHash, type Hash } from "node:crypto";
import { open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { ChainWalk } from "../../core/chain.js";
import { BackendError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import { COMPRESSING, MemberMaker } from "../../log/segments/member-maker.js";
import { SegmentUnusable } from "../../log/segments/segment-file.js";
import { syncDirectory } from "../../system/directories.js";
import { errnoOf, ioError } from "../../system/io-error.js";
import { CompressedSegment } from "./compressed-segment.js";
import { asStoreError, openForReading, readBlocks } from "./file-bytes.js";
import type { FileIo } from "./file-io.js";
import { openLocked } from "./locked-file.js";

const NEWLINE = 0x0a;

/** What became of a segment. */
export interface Compressed {
  /** Its last record; the one before it when it has none. */
  readonly end: Head;
  /** False when it has no records: such a segment stays as it is. */
  readonly written: boolean;
}

/**
 * Replaces a plain segment by a compressed one of the same lines, blank ones among them (a missing last newline is added). At each moment
 * one of the two is whole and durable under its name, and while the plain one is there, it is the one that counts:
 * 1. under a lock on `….gz.new`, which is not the writers', the lines are verified, compressed, written and synced;
 * 2. what was written is read back, and must be what was verified;
 * 3. it gets its name, durably, in place of whatever has it; 4. the plain segment is removed, durably.
 * `seen` is told how many records of the log are verified; what it throws ends this.
 * @returns null when another process had replaced it meanwhile
 * @throws VerificationError when it is not a chain behind `before`; BackendError
 */
export async function compressSegment(
  { plain, compressed }: { readonly plain: string; readonly compressed: string },
  before: Head,
  io: FileIo,
  seen: (records: number) => void,
  signal?: AbortSignal,
): Promise<Compressed | null> {
  const fresh = `${compressed}.new`;
  const openFresh = (): Promise<FileHandle> =>
    open(fresh, "a+", 0o600).catch((error: unknown) => {
      throw ioError(error, { file: fresh, operation: "open for writing" });
    });
  const target = await openLocked(fresh, openFresh, { signal });
  // Without a limit the wait has no other end.
  if (target === null) return null;
  let named = true;
  try {
    const source = await openForReading(plain);
    if (source === null) return null;
    try {
      const { end, digest, size } = await compressInto(target.handle, { file: source, path: plain }, before, io, seen);
      if (end.seq === before.seq) return { end, written: false };
      await checkWritten(target.handle, fresh, digest);
      if (!(await isStillThere(source, plain, size))) return null;
      await rename(fresh, compressed);
      named = false;
      await syncDirectory(dirname(plain));
      await rm(plain, { force: true });
      await syncDirectory(dirname(plain));
      return { end, written: true };
    } finally {
      await source.close();
    }
  } catch (error) {
    throw asStoreError(error, { file: plain, operation: "compress" });
  } finally {
    // Under the lock still: another process that waits for it finds the name gone, or another file under it.
    if (named) await rm(fresh, { force: true }).catch(() => undefined);
    await target.handle.close();
  }
}

/** Verifies and compresses a segment into an empty file, durably. */
async function compressInto(
  target: FileHandle,
  { file, path }: { readonly file: FileHandle; readonly path: string },
  before: Head,
  io: FileIo,
  seen: (records: number) => void,
): Promise<{ readonly end: Head; readonly digest: string; readonly size: number }> {
  const { size } = await file.stat();
  await giveTo(target, file);
  // A process died here once, perhaps.
  await io.truncate(target, 0);
  const digest = createHash("sha256");
  const chain = new ChainWalk(before);
  const maker = new MemberMaker();
  const members: Promise<Buffer>[] = [];
  const facts = { file: path };
  for await (const { bytes } of readBlocks(file, 0, size)) {
    const { fault } = chain.acceptLines(bytes, { wanted: () => false, facts });
    if (fault) throw fault;
    for (const line of linesIn(bytes)) {
      const member = maker.add(line);
      if (member) members.push(member);
      while (members.length > COMPRESSING) await writeNext();
    }
    update(digest, bytes);
    seen(chain.head.seq + 1);
  }
  const last = maker.end();
  if (last) members.push(last);
  while (members.length > 0) await writeNext();
  await io.sync(target);
  return { end: chain.head, digest: digest.digest("hex"), size };

  async function writeNext(): Promise<void> {
    const member = await members.shift();
    if (member) await io.append(target, member);
  }
}

/** Whoever could read the one can read the other, and nobody else. */
async function giveTo(target: FileHandle, source: FileHandle): Promise<void> {
  const [{ uid, gid, mode }, own] = [await source.stat(), await target.stat()];
  if (own.uid !== uid || own.gid !== gid) await target.chown(uid, gid);
  await target.chmod(mode & 0o777);
}

function* linesIn(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    yield bytes.subarray(start, end);
    start = end + 1;
  }
}

/** Blocks end with a newline, but for the last one of a file that does not. */
function update(digest: Hash, bytes: Buffer): void {
  digest.update(bytes);
  if (bytes.at(-1) !== NEWLINE) digest.update("\n");
}

/** What stands in the file decompresses to the very lines that were verified. @throws BackendError */
async function checkWritten(file: FileHandle, path: string, expected: string): Promise<void> {
  const digest = createHash("sha256");
  try {
    for await (const bytes of (await CompressedSegment.of(file, path)).all()) digest.update(bytes);
  } catch (error) {
    if (error instanceof SegmentUnusable) throw notAsWritten(path, error);
    throw error;
  }
  if (digest.digest("hex") !== expected) throw notAsWritten(path);
}

function notAsWritten(path: string, cause?: unknown): BackendError {
  return new BackendError("IO_FAILED", `${path} does not read as it was written; the plain segment is kept`, {
    facts: { file: path, operation: "read back" },
    hint: "check the disk and the system's log, then try again",
    cause,
  });
}

/** False when another process removed it. A rotated segment is never written to: if it was, nothing may be removed. @throws BackendError */
async function isStillThere(file: FileHandle, path: string, size: number): Promise<boolean> {
  const { ino, dev } = await file.stat();
  const named = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return null;
    throw error;
  });
  if (named === null) return false;
  if (named.ino === ino && named.dev === dev && named.size === size) return true;
  throw new BackendError("IO_FAILED", `${path} was changed while it was being compressed; it is kept`, {
    facts: { file: path, operation: "compress" },
    hint: "find out what writes to rotated segments of this log, then try again",
  });
}
