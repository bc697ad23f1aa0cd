import { stat } from "node:fs/promises";
import type { EventStore, ReadOptions } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { CliError, describe, extend, usageError } from "../exit.js";
import type { Format, Layout } from "../export/format.js";
import { exportFile, FORMATS, textRows } from "../export/format.js";
import { PartsExport } from "../export/parts.js";
import type { StoreFlags } from "../options.js";
import { openStore, showHead, withStore } from "../options.js";
import type { Progress } from "../progress.js";
import { startProgress } from "../progress.js";
import { count, seqRange } from "../text.js";

export interface ExportFlags extends StoreFlags {
  readonly format?: Format;
  readonly from?: number;
  readonly to?: number;
  readonly aggregate?: string;
  readonly type?: string;
  readonly output?: string;
  readonly rowsPerFile?: number;
  readonly partitioned?: true;
  readonly fullParts?: true;
  readonly raw?: true;
  readonly guardFormulas?: true;
}

/** Writes verified events as text or Parquet: to standard output, to a file, or to a folder of part files. */
export async function exportEvents(flags: ExportFlags, context: Context): Promise<void> {
  const { from = 0, to, output: path } = flags;
  if (to !== undefined && to < from)
    throw usageError(`--to ${String(to)} lies before the first seq to export, ${String(from)}`);
  const layout = layoutOf(flags);
  const folder = path !== undefined && (path.endsWith("/") || (await isFolder(path)));
  if (!folder && (flags.rowsPerFile ?? flags.partitioned ?? flags.fullParts) !== undefined) {
    throw usageError(
      "--rows-per-file, --partitioned and --full-parts are for an export into a folder",
      "give --output DIR/, with a slash at its end",
    );
  }
  await withStore(openStore(flags, context.output, { readOnly: true }), async (store) => {
    if (path === undefined) await toStandardOutput(store, flags, layout, context);
    else if (folder) await toFolder(store, path, flags, layout, context);
    else await toFile(store, path, flags, layout, context);
  });
}

function layoutOf(flags: ExportFlags): Layout {
  const { output: path, raw = false, guardFormulas = false } = flags;
  const format = flags.format ?? FORMATS.find((name) => path?.endsWith(`.${name}`)) ?? "ndjson";
  if (raw && format !== "ndjson") throw usageError("--raw goes with --format ndjson");
  if (guardFormulas && format !== "csv") throw usageError("--guard-formulas goes with --format csv");
  if (format === "parquet" && path === undefined) {
    throw usageError("parquet is written to a file, not to standard output", "give --output FILE or --output DIR/");
  }
  return { format, raw, guardFormulas };
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

function rangeOf(flags: ExportFlags, signal: AbortSignal): ReadOptions {
  return { fromSeq: flags.from, toSeq: flags.to, aggregateId: flags.aggregate, type: flags.type, signal };
}

async function toStandardOutput(
  store: EventStore,
  flags: ExportFlags,
  layout: Layout,
  context: Context,
): Promise<void> {
  const { output, interrupts } = context;
  if (output.json) throw usageError("--json is for the summary of an export to a file", "give --output FILE or DIR/");
  // `layoutOf` has refused Parquet here
  const rows = await textRows({ ...layout, format: layout.format === "csv" ? "csv" : "ndjson" });
  if (rows.header !== undefined) await output.line(rows.header);
  for await (const record of store.readRecords(rangeOf(flags, interrupts.stop))) {
    await output.line(rows.row(record));
    if (output.closed) return;
  }
}

async function toFile(
  store: EventStore,
  path: string,
  flags: ExportFlags,
  layout: Layout,
  context: Context,
): Promise<void> {
  const { output, interrupts } = context;
  const progress = await progressOf(store, flags, flags.from ?? 0);
  try {
    const file = await exportFile(store, rangeOf(flags, interrupts.stop), layout, path, (n) => progress.update(n));
    const text = `${count(file.rows, "event")} exported to ${path}, ${count(file.bytes, "byte")}\nsha256 ${file.sha256}`;
    await output.result(text, { rows: file.rows, file: path, bytes: file.bytes, sha256: file.sha256 });
  } catch (error) {
    throw extend(error, `${path} was not written`, {}, { rows: 0 });
  } finally {
    progress.stop();
  }
}

async function toFolder(
  store: EventStore,
  folder: string,
  flags: ExportFlags,
  layout: Layout,
  context: Context,
): Promise<void> {
  const { output, interrupts } = context;
  // asked first: a log whose stored head contradicts it fails here, and where it ends is where this run ends
  const head = await store.head();
  const filters = { aggregateId: flags.aggregate, type: flags.type };
  const { from, to, rowsPerFile, partitioned } = flags;
  const parts = await PartsExport.open(store, folder, { layout, filters, from, rowsPerFile, partitioned });
  await parts.tidy();
  const { before } = parts;
  if (before.parts.length > 0 && !output.json)
    output.note(`${folder} already holds the events up to seq ${String(before.head.seq)}: going on behind them`);
  const end = Math.min(head.seq, to ?? head.seq);
  const progress = await progressOf(store, flags, before.head.seq + 1);
  let rows = 0;
  try {
    for (let next = parts.next(end); next !== null; next = parts.next(end)) {
      if (flags.fullParts && (next.last + 1) % parts.manifest.rowsPerFile !== 0) break;
      const done = rows;
      rows += (await parts.write(next, interrupts.stop, (n) => progress.update(done + n))).rows;
    }
  } catch (error) {
    throw brokenOff(error, parts, folder, rows, interrupts.stop.aborted);
  } finally {
    progress.stop();
  }
  await output.result(summary(parts, rows, folder), resultJson(parts, rows));
}

async function progressOf(store: EventStore, flags: ExportFlags, first: number): Promise<Progress> {
  if (!process.stderr.isTTY) return await startProgress("exporting");
  // how many pass the filters is not known before; a head that cannot be had is for the export itself to report
  const filtered = (flags.aggregate ?? flags.type) !== undefined;
  const head = filtered ? undefined : await store.head().catch(() => undefined);
  const end = head === undefined ? undefined : Math.min(head.seq, flags.to ?? head.seq);
  return await startProgress("exporting", end === undefined ? undefined : Math.max(0, end + 1 - first));
}

function brokenOff(error: unknown, parts: PartsExport, folder: string, rows: number, stopped: boolean): CliError {
  const { head } = parts.manifest;
  const holds = head.seq < parts.manifest.from ? "nothing yet" : `the events up to seq ${String(head.seq)}`;
  if (stopped && describe(error).code === "ABORTED") {
    return new CliError("INTERRUPTED", `stopped by a signal: ${folder} holds ${holds}`, {
      hint: "run the same command again: it goes on from there",
      done: resultJson(parts, rows),
    });
  }
  return extend(error, `${folder} holds ${holds}, in whole files; then`, {}, resultJson(parts, rows));
}

function summary(parts: PartsExport, rows: number, folder: string): string {
  const { manifest, before } = parts;
  const added = manifest.parts.length - before.parts.length;
  if (added === 0) return `nothing to export\nhead ${showHead(manifest.head)}`;
  const range = seqRange(before.head.seq + 1, manifest.head.seq);
  return `${count(rows, "event")} of ${range} exported to ${folder}, ${count(added, "file")}\nhead ${showHead(manifest.head)}`;
}

/** `files` are those of this run; `head` is the record up to which the folder holds the log. */
function resultJson(parts: PartsExport, rows: number): Record<string, unknown> {
  const { manifest, before } = parts;
  const files = manifest.parts.slice(before.parts.length).map(({ file }) => file);
  return { rows, first_seq: before.head.seq + 1, files, head: { seq: manifest.head.seq, hash: manifest.head.hash } };
}
