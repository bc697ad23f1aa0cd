import type { EventStore, ReadOptions, RecordTexts, StoredRecord } from "@rynxs/event-store";
import { CliError } from "../exit.js";
import { ParquetFile } from "./parquet.js";
import type { TextRows } from "./text-rows.js";
import { csvRows, ndjsonRows, rawRows } from "./text-rows.js";
import type { FileFacts } from "./whole-file.js";
import { WholeFile } from "./whole-file.js";

export const FORMATS = ["ndjson", "csv", "parquet"] as const;
export type Format = (typeof FORMATS)[number];

/** What the rows are, whichever events they are of. */
export interface Layout {
  readonly format: Format;
  /** ndjson: the stored record itself. */
  readonly raw: boolean;
  /** csv: an apostrophe before what a spreadsheet would take for a formula. */
  readonly guardFormulas: boolean;
}

export type TextLayout = Layout & { readonly format: "ndjson" | "csv" };

export async function textRows({ format, raw, guardFormulas }: TextLayout): Promise<TextRows> {
  const { recordTexts } = await import("@rynxs/event-store");
  if (format === "csv") return csvRows(recordTexts, guardFormulas);
  return raw ? rawRows : ndjsonRows(recordTexts);
}

export interface ExportedFile extends FileFacts {
  readonly rows: number;
}

/** Takes records and writes them to a file that must be finished or discarded. */
interface RowWriter {
  add(record: StoredRecord): Promise<void>;
  finish(): Promise<void>;
}

/**
 * Writes the records of `range` to the file `path`, which is there whole or not at all: a fault, an abort or a full disk leaves
 * what was there before. `onRow` is told the rows so far.
 */
export async function exportFile(
  store: EventStore,
  range: ReadOptions,
  layout: Layout,
  path: string,
  onRow: (rows: number) => void,
): Promise<ExportedFile> {
  const file = await WholeFile.create(path);
  try {
    const writer = await rowWriter(layout, file);
    let rows = 0;
    for await (const record of store.readRecords(range)) {
      await writer.add(record);
      rows += 1;
      onRow(rows);
    }
    if (range.signal?.aborted) throw new CliError("ABORTED", "the export was stopped");
    await writer.finish();
    return { rows, ...(await file.finish()) };
  } finally {
    await file.discard();
  }
}

async function rowWriter(layout: Layout, file: WholeFile): Promise<RowWriter> {
  if (layout.format === "parquet") return await parquetWriter(file);
  return new TextWriter(await textRows({ ...layout, format: layout.format }), file);
}

async function parquetWriter(file: WholeFile): Promise<RowWriter> {
  const { recordTexts } = await import("@rynxs/event-store");
  const parse: (record: StoredRecord) => RecordTexts = recordTexts;
  const parquet = await ParquetFile.create((chunk) => file.write(chunk));
  return { add: (record) => parquet.add(parse(record)), finish: () => parquet.finish() };
}

/** Text is gathered to about so many bytes before it is written. */
const CHUNK_BYTES = 256 * 1024;
const NEWLINE = Buffer.from("\n");

class TextWriter implements RowWriter {
  readonly #rows: TextRows;
  readonly #file: WholeFile;
  #pending: Uint8Array[] = [];
  #bytes = 0;

  constructor(rows: TextRows, file: WholeFile) {
    this.#rows = rows;
    this.#file = file;
    if (rows.header !== undefined) this.#push(rows.header);
  }

  async add(record: StoredRecord): Promise<void> {
    this.#push(this.#rows.row(record));
    if (this.#bytes >= CHUNK_BYTES) await this.finish();
  }

  async finish(): Promise<void> {
    await this.#file.write(Buffer.concat(this.#pending));
    this.#pending = [];
    this.#bytes = 0;
  }

  #push(row: string | Uint8Array): void {
    const bytes = typeof row === "string" ? Buffer.from(row) : row;
    this.#pending.push(bytes, NEWLINE);
    this.#bytes += bytes.length + 1;
  }
}
