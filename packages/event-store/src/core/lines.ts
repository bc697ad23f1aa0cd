/** Splitting stored bytes into lines: on byte 0x0A only. */

import { MAX_RECORD_BYTES } from "./event.js";

const NEWLINE = 0x0a;

/** Only JSON white space, and no longer than a record may be: such a line stands for nothing. */
export function isBlank(line: Buffer): boolean {
  if (line.length > MAX_RECORD_BYTES) return false;
  for (const byte of line) if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  return true;
}

/** The non-blank lines of one object. */
export function* linesOf(body: Buffer): Generator<Buffer> {
  for (let start = 0; start < body.length;) {
    const newline = body.indexOf(NEWLINE, start);
    const end = newline < 0 ? body.length : newline;
    const line = body.subarray(start, end);
    if (!isBlank(line)) yield line;
    start = end + 1;
  }
}
