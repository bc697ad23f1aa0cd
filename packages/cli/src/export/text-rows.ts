import type { RecordTexts, StoredRecord } from "@rynxs/event-store";

/** How a text format writes records. A row is one line of the result, without the newline at its end. */
export interface TextRows {
  readonly header: string | undefined;
  row(record: StoredRecord): string | Uint8Array;
}

type Parse = (record: StoredRecord) => RecordTexts;

/** The stored line, byte for byte. */
export const rawRows: TextRows = { header: undefined, row: ({ line }) => line };

/** One JSON object a line; numbers are the stored ones, digit for digit. */
export function ndjsonRows(parse: Parse): TextRows {
  return { header: undefined, row: (record) => ndjsonRow(parse(record)) };
}

function ndjsonRow(r: RecordTexts): string {
  const names = `"type":${JSON.stringify(r.type)},"aggregate_id":${JSON.stringify(r.aggregateId)}`;
  const data = `"ts":${r.ts},"payload":${r.payload},"meta":${r.meta}`;
  const chain = `"hash_version":"v${String(r.hashVersion)}","event_hash":"${r.eventHash}","prev_hash":"${r.prevHash}"`;
  return `{"seq":${String(r.seq)},${names},${data},${chain}}`;
}

const CSV_HEADER = "seq,type,aggregate_id,ts,payload,meta,hash_version,event_hash,prev_hash";

/**
 * RFC 4180: lines end in CR LF. With `guard`, a type or aggregate id that a spreadsheet would take for a formula gets an
 * apostrophe in front; without, it is what was stored. (Payloads begin with a brace, numbers are numbers.)
 */
export function csvRows(parse: Parse, guard: boolean): TextRows {
  const name = (text: string): string => csvField(guard && FORMULA.test(text) ? `'${text}` : text);
  const row = (record: StoredRecord): string => {
    const r = parse(record);
    const data = [r.ts, csvField(r.payload), csvField(r.meta), `v${String(r.hashVersion)}`];
    return `${[String(r.seq), name(r.type), name(r.aggregateId), ...data, r.eventHash, r.prevHash].join(",")}\r`;
  };
  return { header: `${CSV_HEADER}\r`, row };
}

/** What spreadsheets begin a formula with; they skip leading white space and control characters. */
const FORMULA = /^[\s\0]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
