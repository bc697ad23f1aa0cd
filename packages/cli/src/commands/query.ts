import { rmSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { Context } from "../context.js";
import { CliError, usageError } from "../exit.js";
import { exportFile } from "../export/format.js";
import { decodeUtf8 } from "../lines.js";
import type { StoreFlags } from "../options.js";
import { openStore, withStore } from "../options.js";
import { startProgress } from "../progress.js";
import type { Events } from "../query/duckdb.js";
import { Database, loadDuckDb, quote, sqlError } from "../query/duckdb.js";
import { checkedFiles } from "../query/files.js";
import type { ResultFormat } from "../query/result.js";
import { printResult } from "../query/result.js";
import { Values } from "../query/values.js";

export interface QueryFlags extends StoreFlags {
  readonly from?: number;
  readonly to?: number;
  readonly aggregate?: string;
  readonly type?: string;
  readonly format?: ResultFormat;
  readonly files?: string;
}

/** Runs one SQL statement over events that were verified just now, or over the files of an earlier export. */
export async function query(sql: string, flags: QueryFlags, context: Context): Promise<void> {
  const { output, interrupts } = context;
  const { from = 0, to = Infinity } = flags;
  if (to < from) throw usageError(`--to ${String(to)} lies before the first seq, ${String(from)}`);
  if (flags.files !== undefined && (flags.store ?? flags.endpoint ?? flags.region) !== undefined) {
    throw usageError("--files is instead of a store", "give one of --files and --store");
  }
  const statement = await statementOf(sql);
  // before any event is read: it may be missing
  const duckdb = await loadDuckDb();
  await withScratch(async (scratch) => {
    const events = await eventsOf(flags, scratch, context);
    const database = await Database.open(duckdb, events, scratch);
    try {
      const result = await database.run(statement, interrupts.stop);
      const format = flags.format ?? (output.json ? "json" : "table");
      await printResult(result, format, new Values(duckdb), output);
    } catch (error) {
      throw error instanceof CliError ? error : sqlError(error, interrupts.stop);
    } finally {
      database.close();
    }
  });
}

async function statementOf(sql: string): Promise<string> {
  if (sql !== "-" && !sql.startsWith("@")) return sql;
  const file = sql.slice(1);
  try {
    return decodeUtf8(sql === "-" ? await buffer(process.stdin) : await readFile(file));
  } catch (error) {
    const why = error instanceof TypeError ? "it is not UTF-8" : error instanceof Error ? error.message : String(error);
    throw usageError(`cannot read the statement: ${why}`, "@FILE names a file with SQL, - is standard input");
  }
}

/** A folder that is gone afterwards, however this process ends (unless it is killed). */
async function withScratch<T>(use: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(join(tmpdir(), "rynxs-query-"));
  const remove = (): void => {
    rmSync(scratch, { recursive: true, force: true });
  };
  process.on("exit", remove);
  try {
    return await use(scratch);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

async function eventsOf(flags: QueryFlags, scratch: string, context: Context): Promise<Events> {
  const { interrupts } = context;
  if (flags.files !== undefined) {
    const files = await checkedFiles(flags.files, flags.from ?? 0, flags.to ?? Infinity, interrupts.stop);
    return { files, where: conditionOf(flags) };
  }
  const file = join(scratch, "events.parquet");
  const rows = await withStore(openStore(flags, context.output, { readOnly: true }), async (store) => {
    const progress = await startProgress("reading");
    const range = { fromSeq: flags.from, toSeq: flags.to, aggregateId: flags.aggregate, type: flags.type };
    const layout = { format: "parquet", raw: false, guardFormulas: false } as const;
    try {
      return (await exportFile(store, { ...range, signal: interrupts.stop }, layout, file, (n) => progress.update(n)))
        .rows;
    } finally {
      progress.stop();
    }
  });
  return { files: rows === 0 ? [] : [file], where: "true" };
}

function conditionOf({ from, to, aggregate, type }: QueryFlags): string {
  return [
    from === undefined ? [] : [`seq >= ${String(from)}`],
    to === undefined ? [] : [`seq <= ${String(to)}`],
    aggregate === undefined ? [] : [`aggregate_id = ${quote(aggregate)}`],
    type === undefined ? [] : [`type = ${quote(type)}`],
    ["true"],
  ]
    .flat()
    .join(" and ");
}
