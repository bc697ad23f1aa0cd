import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { ioError } from "../../system/io-error.js";
import { LogKeys } from "../../log/keys.js";
import { kindOf } from "../../log/key-kind.js";
import { throwIfAborted } from "../../objects/check.js";
import { directoryObjects } from "../../objects/directory.js";
import { CompressedSegment } from "../file/compressed-segment.js";
import { lastLineBefore, openForReading } from "../file/file-bytes.js";
import { firstSeq, seqOf } from "../file/locate.js";
import { LogFiles } from "../file/log-files.js";
import { readStoredHead } from "../file/stored-head.js";
import { finding, type FsckFinding } from "./finding.js";
import type { ScannedObjects, ScanOptions } from "./scan-objects.js";

/** A file of records: the live one, or a rotated segment. */
interface RecordFile {
  readonly path: string;
  readonly compressed: boolean;
}

/** The files of a log, and all that stand beside it under names that begin with its own. */
export async function* scanFiles(
  path: string,
  { onProgress, signal }: ScanOptions,
): AsyncGenerator<FsckFinding, ScannedObjects> {
  const files = new LogFiles(path);
  const names = await namesBeside(files);
  let bytes = 0;
  let seen = 0;
  for (const name of names) {
    throwIfAborted(signal, "list");
    const file = join(files.directory, name);
    if (file === files.derived) continue;
    const { size, isFile } = await stat(file).then((found) => ({ size: found.size, isFile: found.isFile() }));
    bytes += size;
    onProgress?.((seen += 1));
    const judged = judgeName(files, file, isFile);
    if (judged !== null) yield judged;
  }
  const records = recordFiles(files, names);
  const indexes = [...records.keys()].filter((index) => index !== Infinity);
  for (const [i, index] of indexes.entries()) {
    const expected = i === 0 ? 1 : (indexes[i - 1] ?? 0) + 1;
    if (index === expected) continue;
    const one = index === expected + 1;
    const lost = one ? files.segment(expected) : `${files.segment(expected)} to ${files.segment(index - 1)}`;
    yield finding("GAP", files.segment(index), `rotated ${one ? "file is" : "files are"} missing: ${lost}`, {
      hint: "segments are never deleted: look for them in a backup, or verify the rest with an anchor",
    });
  }
  for (const index of indexes) {
    const [plain, packed] = [files.segment(index), files.compressed(index)];
    if (names.has(basename(plain)) && names.has(basename(packed)))
      yield finding("SUPERSEDED", packed, `${plain} is there too, and counts`, { hint: "rynxs compact puts it right" });
  }
  const end = yield* joints([...records.values()], files);
  yield* judgeHead(files, end);
  const derived = yield* scanDerived(files, signal);
  return { objects: seen + derived.objects, bytes: bytes + derived.bytes, events: records.size, end };
}

async function namesBeside(files: LogFiles): Promise<Set<string>> {
  try {
    const name = basename(files.live);
    const all = await readdir(files.directory);
    return new Set(all.filter((each) => each === name || each.startsWith(`${name}.`)).sort());
  } catch (error) {
    throw ioError(error, { file: files.directory, operation: "list" });
  }
}

/** Null when the name is one of a log's. */
function judgeName(files: LogFiles, file: string, isFile: boolean): FsckFinding | null {
  if ([files.live, files.head, files.batch].includes(file) || indexOf(files, file) !== null)
    return isFile ? null : finding("STRANGER", file, "it has the name of a log's file, and is none");
  const rest = file.slice(files.live.length);
  if (/^\.torn-[0-9]{10}-[^/]{1,8}$/.test(rest))
    return finding(
      "TORN",
      file,
      "bytes of an unfinished write that were set aside: nobody was told that they were stored",
      {
        hint: "it can be deleted",
      },
    );
  if (rest === ".head.json.new" || (rest.endsWith(".gz.new") && indexOf(files, file.slice(0, -4)) !== null))
    return finding("TEMPORARY", file, "it was being written when its program was ended, or is just now", {
      hint: "the next run overwrites it",
    });
  return finding("STRANGER", file, "it is no file of this log");
}

/** The number of a rotated segment, plain or compressed; null for all other files. */
function indexOf(files: LogFiles, file: string): number | null {
  const digits = /\.seg-([0-9]+)(?:\.gz)?$/.exec(file)?.[1];
  const index = Number(digits);
  const named = digits !== undefined && (files.segment(index) === file || files.compressed(index) === file);
  return named ? index : null;
}

/** In the order of their records; the live file under Infinity. */
function recordFiles(files: LogFiles, names: ReadonlySet<string>): Map<number, RecordFile> {
  const found = new Map<number, RecordFile>();
  for (const name of names) {
    const path = join(files.directory, name);
    const index = path === files.live ? Infinity : indexOf(files, path);
    if (index === null) continue;
    const compressed = name.endsWith(".gz") && path !== files.live;
    // The plain one counts.
    if (!compressed || !found.has(index)) found.set(index, { path, compressed });
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

/** Whether each file begins behind the end of the one before. Returns the last seq. */
async function* joints(records: readonly RecordFile[], files: LogFiles): AsyncGenerator<FsckFinding, number> {
  let last = -1;
  for (const record of records) {
    const { first, end, torn } = await endsOf(record);
    if (torn) {
      const live = record.path === files.live;
      yield finding(live ? "TORN" : "UNREADABLE_EVENT", record.path, "its last line is no whole record", {
        hint: live
          ? "if it is an unfinished write, the next append sets it aside; rynxs verify says more"
          : "rynxs verify says more",
      });
    }
    if (first === null) {
      if (record.path !== files.live)
        yield finding("EMPTY_EVENT", record.path, "a rotated file whose first record cannot be read");
      continue;
    }
    if (first > last + 1)
      yield finding("GAP", record.path, `records ${String(last + 1)} to ${String(first - 1)} are missing before it`, {
        seq: last + 1,
        toSeq: first - 1,
        hint: "look for the rest of the log in a backup, or verify what is there with an anchor",
      });
    else if (first <= last)
      yield finding(
        "OVERLAP",
        record.path,
        `it begins with record ${String(first)}, and the file before ends at ${String(last)}`,
        {
          seq: first,
          toSeq: last,
        },
      );
    last = Math.max(last, end ?? first);
  }
  return last;
}

async function endsOf({
  path,
  compressed,
}: RecordFile): Promise<{ first: number | null; end: number | null; torn: boolean }> {
  const file = await openForReading(path);
  if (file === null) return { first: null, end: null, torn: false };
  try {
    if (compressed) {
      const segment = await CompressedSegment.of(file, path);
      const first = await segment.firstSeq();
      const end = await segment.lastSeq();
      return { first, end, torn: first !== null && end === null };
    }
    const { size } = await file.stat();
    const first = await firstSeq(file);
    const line = await lastLineBefore(file, size);
    const end = line === null ? null : seqOf(line.line);
    if (line === null || end !== null) return { first, end, torn: false };
    const before = await lastLineBefore(file, line.start);
    return { first, end: before && seqOf(before.line), torn: true };
  } finally {
    await file.close();
  }
}

async function* judgeHead(files: LogFiles, end: number): AsyncGenerator<FsckFinding> {
  const head = await readStoredHead(files);
  if (head === null || head.seq <= end) return;
  yield finding(
    "HEAD_AHEAD",
    files.head,
    `the stored head names record ${String(head.seq)}, and the log ends at ${String(end)}`,
    {
      seq: end + 1,
      toSeq: head.seq,
      hint: "the head says only what was in the log: its end was cut off since",
    },
  );
}

/** What is kept beside a file: snapshots, positions, imports. */
async function* scanDerived(
  files: LogFiles,
  signal: AbortSignal | undefined,
): AsyncGenerator<FsckFinding, { readonly objects: number; readonly bytes: number }> {
  const objects = directoryObjects({ path: files.derived });
  const keys = new LogKeys("");
  let [count, bytes] = [0, 0];
  try {
    for (let startAfter = ""; ;) {
      const { entries, truncated } = await objects.list({ prefix: "", startAfter, signal });
      for (const { key, size } of entries) {
        count += 1;
        bytes += size;
        const { kind } = kindOf(keys, key);
        if (kind !== "snapshot" && kind !== "position" && kind !== "import" && kind !== "tlog")
          yield finding("STRANGER", join(files.derived, key), "nothing of this log keeps such a thing there");
      }
      const last = entries.at(-1);
      if (!truncated || last === undefined) return { objects: count, bytes };
      startAfter = last.key;
    }
  } finally {
    await objects.close();
  }
}
