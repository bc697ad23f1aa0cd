import type { RecordTexts } from "@rynxs/event-store";
import type { ByteWriter, ColumnSource, ParquetWriter, SchemaElement } from "hyparquet-writer";
import { gzipSync } from "node:zlib";
import { CliError } from "../exit.js";
import { isUnixMs } from "../text.js";
import { COLUMNS, type Column } from "./columns.js";

/** A row group ends at so many rows, or at so many characters of text: what is held in memory, whatever the log's length. */
const GROUP_ROWS = 65_536;
const GROUP_CHARACTERS = 16 * 1024 * 1024;

/** Hashes do not compress beyond their digits, and nobody asks for a range of them. */
const HASHES: ReadonlySet<string> = new Set(["event_hash", "prev_hash"]);

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

type Cell = bigint | string | null;

/** Writes records as a Parquet file, a row group at a time: gzip, dictionaries where they pay, least and greatest values. */
export class ParquetFile {
  readonly #bytes: ByteWriter;
  readonly #writer: ParquetWriter;
  #columns: Cell[][] = emptyColumns();
  #characters = 0;

  private constructor(bytes: ByteWriter, writer: ParquetWriter) {
    this.#bytes = bytes;
    this.#writer = writer;
  }

  /** Hands bytes to `write` as they are made; it must have taken them when it resolves. */
  static async create(write: (chunk: Uint8Array) => Promise<void>): Promise<ParquetFile> {
    const { ByteWriter, ParquetWriter } = await import("hyparquet-writer");
    const bytes = new ByteWriter(1024 * 1024);
    const flush = async (): Promise<void> => {
      await write(bytes.getBytes());
      // offsets go on counting; only the buffer begins anew
      bytes.index = 0;
    };
    const sink = Object.assign(bytes, { flush, finish: flush });
    const writer = new ParquetWriter({
      writer: sink,
      schema: [{ name: "events", num_children: COLUMNS.length }, ...COLUMNS.map(schemaElement)],
      codec: "GZIP",
      compressors: { GZIP: (input) => gzipSync(input, { level: GZIP_LEVEL }) },
      createdBy: "rynxs",
    });
    return new ParquetFile(bytes, writer);
  }

  /** @throws CliError when a value has no place in its column */
  async add(r: RecordTexts): Promise<void> {
    const ts = int64(r);
    const time = isUnixMs(ts) ? ts : null;
    const version = `v${String(r.hashVersion)}`;
    const row = [BigInt(r.seq), r.type, r.aggregateId, ts, time, r.payload, r.meta, version, r.eventHash, r.prevHash];
    for (const [i, cell] of row.entries()) this.#columns[i]?.push(cell);
    this.#characters += r.type.length + r.aggregateId.length + r.payload.length + r.meta.length;
    if (this.rows >= GROUP_ROWS || this.#characters >= GROUP_CHARACTERS) await this.#writeGroup();
  }

  /** Rows that are held back for the next row group. */
  get rows(): number {
    return this.#columns[0]?.length ?? 0;
  }

  async finish(): Promise<void> {
    await this.#writeGroup();
    await this.#writer.finish();
  }

  async #writeGroup(): Promise<void> {
    const rows = this.rows;
    if (rows === 0) return;
    const columnData = COLUMNS.map(({ name }, i): ColumnSource => {
      const data = this.#columns[i] ?? [];
      return HASHES.has(name) ? { name, data, encoding: "PLAIN", statistics: false } : { name, data };
    });
    await this.#writer.write({ columnData, rowGroupSize: rows });
    this.#columns = emptyColumns();
    this.#characters = 0;
  }
}

/** Of zlib: much faster than the default, and hardly larger on JSON. */
const GZIP_LEVEL = 4;

function emptyColumns(): Cell[][] {
  return COLUMNS.map(() => []);
}

function schemaElement({ name, type, nullable }: Column): SchemaElement {
  const repetition_type = nullable ? "OPTIONAL" : "REQUIRED";
  switch (type) {
    case "bigint":
      return { name, type: "INT64", repetition_type };
    case "string":
      return { name, type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type };
    case "timestamp":
      return { name, type: "INT64", converted_type: "TIMESTAMP_MILLIS", repetition_type };
  }
}

function int64({ seq, ts }: RecordTexts): bigint {
  const value = BigInt(ts);
  if (value >= MIN_INT64 && value <= MAX_INT64) return value;
  throw new CliError(
    "INVALID_CONFIG",
    `the ts of event ${String(seq)} does not fit into 64 bits, which is what Parquet has`,
    {
      facts: { seq, actual: ts },
      hint: "export as ndjson or csv, which keep every digit, or leave the event out with --from and --to",
    },
  );
}
