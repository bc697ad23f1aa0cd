import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Head } from "@rynxs/event-store";
import { CliError } from "../exit.js";
import type { Format, Layout } from "./format.js";
import { FORMATS } from "./format.js";
import { fileError, WholeFile } from "./whole-file.js";

export const MANIFEST = "_export.json";

export interface Filters {
  readonly aggregateId: string | undefined;
  readonly type: string | undefined;
}

/** A file of the events of seq `first` to `last` that pass the filters; the log has all of these seqs. */
export interface Part {
  /** Relative to the manifest, with slashes. */
  readonly file: string;
  readonly first: number;
  readonly last: number;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** What a folder of part files holds. The parts are gapless, from seq `from` to `head.seq`. */
export interface Manifest {
  /** Where the log was; only for people. `head` says which log it is. */
  readonly source: string;
  readonly layout: Layout;
  readonly filters: Filters;
  readonly from: number;
  readonly rowsPerFile: number;
  readonly partitioned: boolean;
  /** The record before the next part. */
  readonly head: Head;
  readonly parts: readonly Part[];
}

/** Null when the folder has none. @throws CliError when it cannot be understood */
export async function readManifest(folder: string): Promise<Manifest | null> {
  const path = join(folder, MANIFEST);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw fileError("PATH_UNUSABLE", `cannot read ${path}`, path, error);
  }
  const manifest = parseManifest(text);
  if (manifest !== null) return manifest;
  throw new CliError("INVALID_CONFIG", `${path} is not the manifest of an export`, {
    facts: { file: path },
    hint: "export into another folder",
  });
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const file = await WholeFile.create(join(folder, MANIFEST));
  try {
    await file.write(Buffer.from(manifestText(manifest)));
    await file.finish();
  } finally {
    await file.discard();
  }
}

/** As it is stored. */
export function manifestText(m: Manifest): string {
  const stored = {
    version: 1,
    source: m.source,
    format: m.layout.format,
    raw: m.layout.raw,
    guard_formulas: m.layout.guardFormulas,
    filters: { aggregate_id: m.filters.aggregateId ?? null, type: m.filters.type ?? null },
    from: m.from,
    rows_per_file: m.rowsPerFile,
    partitioned: m.partitioned,
    head: m.head,
    parts: m.parts,
  };
  return `${JSON.stringify(stored, null, 1)}\n`;
}

/** Null when it is not one. Checked as a whole: parts that overlap, leave a gap or lie outside the folder are no manifest. */
export function parseManifest(text: string): Manifest | null {
  let m: unknown;
  try {
    m = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(m) || m["version"] !== 1 || !isObject(m["filters"]) || !isObject(m["head"])) return null;
  const { source, format, raw, guard_formulas, from, rows_per_file, partitioned, parts } = m;
  const { aggregate_id, type } = m["filters"];
  const { seq, hash } = m["head"];
  if (!isText(source) || !isFormat(format) || !isFlag(raw) || !isFlag(guard_formulas) || !isFlag(partitioned))
    return null;
  if (!isCount(from) || !isCount(rows_per_file) || rows_per_file === 0 || !isInteger(seq) || !isHash(hash)) return null;
  if (!isTextOrNull(aggregate_id) || !isTextOrNull(type) || !Array.isArray(parts) || !parts.every(isPart)) return null;
  const gapless = parts.every((part, i) => part.first === (i === 0 ? from : (parts[i - 1]?.last ?? NaN) + 1));
  if (!gapless || seq !== (parts.at(-1)?.last ?? from - 1)) return null;
  return {
    source,
    layout: { format, raw, guardFormulas: guard_formulas },
    filters: { aggregateId: aggregate_id ?? undefined, type: type ?? undefined },
    from,
    rowsPerFile: rows_per_file,
    partitioned,
    head: { seq, hash },
    parts,
  };
}

/** The name of a part, by which leftovers are told from other people's files. */
export function partName(first: number, last: number, format: Format): string {
  return `events-${tenDigits(first)}-${tenDigits(last)}.${format}`;
}

/** The folder of a partition: what Athena and others call a Hive partition. */
export function partitionName(start: number): string {
  return `range=${tenDigits(start)}`;
}

function tenDigits(seq: number): string {
  return String(seq).padStart(10, "0");
}

const PART_FILE = /^(?:range=\d{10}\/)?events-\d{10}-\d{10}\.(?:ndjson|csv|parquet)$/;

function isPart(value: unknown): value is Part {
  if (!isObject(value)) return false;
  const { file, first, last, rows, bytes, sha256 } = value;
  if (!isText(file) || !PART_FILE.test(file) || !isCount(first) || !isCount(last)) return false;
  return first <= last && isCount(rows) && rows <= last - first + 1 && isCount(bytes) && isHash(sha256);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isCount(value: unknown): value is number {
  return isInteger(value) && value >= 0;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || isText(value);
}

function isFlag(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isHash(value: unknown): value is string {
  return isText(value) && /^[0-9a-f]{64}$/.test(value);
}

function isFormat(value: unknown): value is Format {
  return FORMATS.some((format) => format === value);
}
