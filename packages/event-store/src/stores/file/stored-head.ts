import { rm } from "node:fs/promises";
import { formatHead, headContradiction, parseHead } from "../../core/head-check.js";
import type { Head } from "../../core/event.js";
import { ioError } from "../../system/io-error.js";
import type { RecordSource } from "../record-source.js";
import { asStoreError, openForReading, readAt } from "./file-bytes.js";
import { replaceFile, type FileIo } from "./file-io.js";
import { readTail } from "./file-tail.js";
import type { LogFiles } from "./log-files.js";

/** More than any head has; beyond it the file is something else. */
const MAX_BYTES = 4096;

/** What `LOG.head.json` says; null when there is none, or nothing that can be read as a head. */
export async function readStoredHead(files: LogFiles): Promise<Head | null> {
  const file = await openForReading(files.head);
  if (file === null) return null;
  try {
    return parseHead(await readAt(file, 0, MAX_BYTES));
  } catch (error) {
    throw ioError(error, { file: files.head, operation: "read" });
  } finally {
    await file.close();
  }
}

/** As the Python system writes it: `segmentIndex` is the last rotated segment's. Call it under the log's lock. */
export async function writeStoredHead(files: LogFiles, head: Head, segmentIndex: number, io: FileIo): Promise<void> {
  try {
    if (head.seq < 0) await rm(files.head, { force: true });
    else await replaceFile(files.head, `${formatHead(head).slice(0, -1)},"segment_index":${String(segmentIndex)}}`, io);
  } catch (error) {
    throw ioError(error, { file: files.head, operation: "write" });
  }
}

/**
 * A readable head that the log contradicts is evidence of a cut or rewritten tail. `stored` was read before `end` was looked
 * for: a log only grows.
 */
export async function checkStoredHead(
  files: LogFiles,
  source: RecordSource,
  stored: Head | null,
  end: Head,
): Promise<void> {
  if (stored === null) return;
  const actual = stored.seq > end.seq ? null : stored.seq === end.seq ? end.hash : await source.hashOf(stored.seq);
  if (actual !== stored.hash) throw headContradiction(stored, end, actual, { file: files.head });
}

/** The log's last record now. @throws VerificationError when it is bad, or contradicts the stored head */
export async function headOf(files: LogFiles, source: RecordSource): Promise<Head> {
  const stored = await readStoredHead(files);
  const live = await openForReading(files.live);
  try {
    const { head } = await readTail(files, live);
    await checkStoredHead(files, source, stored, head);
    return head;
  } catch (error) {
    throw asStoreError(error, { file: files.live, operation: "read" });
  } finally {
    await live?.close();
  }
}
