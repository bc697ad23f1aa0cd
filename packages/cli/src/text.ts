import type { JsonValue } from "@rynxs/event-store";

/** What stored text must not do to a terminal: move the cursor, change colours, break the line or reverse the writing. */
// eslint-disable-next-line no-control-regex -- control characters are what this looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Text of any origin on one line, with control characters shown as `\u001b`. */
export function oneLine(text: string): string {
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
const ZERO = /\p{Mn}|\p{Me}|[\u200b-\u200d]|[\ufe00-\ufe0f]/u;
// eslint-disable-next-line no-control-regex -- a range of ASCII
const ASCII = /^[\u0000-\u007f]*$/;

function charWidth(char: string): number {
  if (ZERO.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

/** Terminal columns that `text` takes: East Asian wide characters and emoji take two. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** `text` cut to at most `columns` terminal columns, the last of them then being `…`. */
export function shorten(text: string, columns: number): string {
  // every character takes at most two columns: what lies far behind the cut need not be measured
  if (text.length <= columns * 4 && displayWidth(text) <= columns) return text;
  let kept = "";
  let width = 1;
  for (const char of text) {
    width += charWidth(char);
    if (width > columns) break;
    kept += char;
  }
  return `${kept}…`;
}

export function pad(text: string, columns: number, align: "left" | "right" = "left"): string {
  const space = " ".repeat(Math.max(0, columns - displayWidth(text)));
  return align === "left" ? text + space : space + text;
}

const YEAR_2000 = 946_684_800_000;
const YEAR_2100 = 4_102_444_800_000;

/** Whether a timestamp can only be Unix milliseconds: the unit is the application's. */
export function isUnixMs(ts: number | bigint): boolean {
  return ts >= YEAR_2000 && ts < YEAR_2100;
}

/** A timestamp as an ISO date when it can only be Unix milliseconds, else its digits. */
export function showTime(ts: number | bigint): string {
  return isUnixMs(ts) ? new Date(Number(ts)).toISOString() : String(ts);
}

/** A JSON value as compact text, BigInts as digits. */
export function compactJson(value: JsonValue): string {
  if (typeof value === "bigint") return String(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item: JsonValue) => compactJson(item)).join(",")}]`;
  const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${compactJson(item)}`);
  return `{${entries.join(",")}}`;
}

/** A JSON value over several lines, BigInts as digits. */
export function prettyJson(value: JsonValue, indent = ""): string {
  if (value === null || typeof value !== "object") return compactJson(value);
  const isArray = Array.isArray(value);
  const inner = `${indent}  `;
  const items = Object.entries(value).map(([key, item]: [string, JsonValue]) => {
    return `${inner}${isArray ? "" : `${JSON.stringify(key)}: `}${prettyJson(item, inner)}`;
  });
  const [open, close] = isArray ? "[]" : "{}";
  return items.length === 0
    ? `${String(open)}${String(close)}`
    : `${String(open)}\n${items.join(",\n")}\n${indent}${String(close)}`;
}

/** `1 event`, `2 events`. */
export function count(n: number, noun: string): string {
  return `${String(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** `seq 5`, `seq 5 to 9`. */
export function seqRange(first: number, last: number): string {
  return first === last ? `seq ${String(first)}` : `seq ${String(first)} to ${String(last)}`;
}
