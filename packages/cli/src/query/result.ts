import type { DuckDBResult, DuckDBType, DuckDBValue } from "@duckdb/node-api";
import type { Output } from "../output.js";
import { paint } from "../output.js";
import { displayWidth, oneLine, pad, shorten } from "../text.js";
import type { Values } from "./values.js";

export const RESULT_FORMATS = ["table", "csv", "json", "ndjson"] as const;
export type ResultFormat = (typeof RESULT_FORMATS)[number];

interface Columns {
  readonly names: readonly string[];
  readonly types: readonly DuckDBType[];
}

type Row = readonly DuckDBValue[];

/** Prints a result as its rows come; none but a table's first ones is kept. Ends early when nobody reads any more. */
export async function printResult(
  result: DuckDBResult,
  format: ResultFormat,
  values: Values,
  output: Output,
): Promise<void> {
  const columns = { names: result.deduplicatedColumnNames(), types: result.columnTypes() };
  const rows = rowsOf(result, output);
  switch (format) {
    case "table":
      await printTable(rows, columns, values, output);
      break;
    case "csv":
      await output.line(`${columns.names.map(csvField).join(",")}\r`);
      for await (const row of rows) await output.line(`${cells(row, columns, values).map(csvField).join(",")}\r`);
      break;
    case "ndjson":
      for await (const row of rows) await output.line(rowJson(row, columns, values));
      break;
    case "json":
      await printArray(rows, columns, values, output);
      break;
  }
}

async function* rowsOf(result: DuckDBResult, output: Output): AsyncGenerator<Row, void, undefined> {
  for await (const chunk of result.yieldRows()) {
    yield* chunk;
    if (output.closed) return;
  }
}

async function printArray(rows: AsyncIterable<Row>, columns: Columns, values: Values, output: Output): Promise<void> {
  let before: string | undefined;
  for await (const row of rows) {
    await output.line(before === undefined ? "[" : `${before},`);
    before = rowJson(row, columns, values);
  }
  if (before === undefined) await output.line("[]");
  else {
    await output.line(before);
    await output.line("]");
  }
}

function rowJson(row: Row, { names, types }: Columns, values: Values): string {
  const members = names.map((name, i) => `${JSON.stringify(name)}:${values.json(row[i] ?? null, typeAt(types, i))}`);
  return `{${members.join(",")}}`;
}

function cells(row: Row, { types }: Columns, values: Values): (string | null)[] {
  return types.map((type, i) => values.text(row[i] ?? null, type));
}

function typeAt(types: readonly DuckDBType[], i: number): DuckDBType {
  const type = types[i];
  if (type === undefined) throw new TypeError(`the result has no column ${String(i)}`);
  return type;
}

/** A null is an empty field, an empty text is `""`. */
function csvField(text: string | null): string {
  if (text === null) return "";
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Columns are as wide as the first so many rows need. */
const MEASURED = 1000;
/** On a terminal no cell is wider. */
const MOST = 60;
const NUMBERS = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BIGNUM)$/;

async function printTable(rows: AsyncIterable<Row>, columns: Columns, values: Values, output: Output): Promise<void> {
  const most = output.columns === undefined ? Infinity : MOST;
  const align = columns.types.map((type) => (NUMBERS.test(String(type)) ? "right" : "left"));
  const headings = columns.names.map((name) => shorten(oneLine(name), most));
  let widths: readonly number[] | undefined;
  const layOut = (row: readonly string[]): string =>
    row
      .map((cell, i) => pad(cell, widths?.[i] ?? 0, align[i]))
      .join("  ")
      .trimEnd();
  const print = async (waiting: readonly string[][]): Promise<void> => {
    if (widths === undefined) {
      widths = headings.map((name, i) => Math.max(...[name, ...waiting.map((row) => row[i] ?? "")].map(displayWidth)));
      await output.line(paint("bold", layOut(headings)));
    }
    for (const row of waiting) await output.line(layOut(row));
  };
  let waiting: string[][] = [];
  let count = 0;
  for await (const row of rows) {
    waiting.push(cells(row, columns, values).map((text) => shorten(oneLine(text ?? "null"), most)));
    count += 1;
    if (waiting.length < MEASURED) continue;
    await print(waiting);
    waiting = [];
  }
  await print(waiting);
  if (output.columns !== undefined) output.note(`${String(count)} ${count === 1 ? "row" : "rows"}`);
}
