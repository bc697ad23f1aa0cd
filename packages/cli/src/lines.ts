import { usageError } from "./exit.js";

/** A record has at most 8 MiB; as JSON text full of `\u` escapes it can come in six times as long. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Lines of a byte stream, split on 0x0A and nothing else, without it. Memory is bounded by one line. */
export async function* splitLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  let parts: Uint8Array[] = [];
  let size = 0;
  let number = 1;
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      parts.push(chunk.subarray(start, end));
      yield Buffer.concat(parts);
      parts = [];
      size = 0;
      number += 1;
      start = end + 1;
    }
    if (start < chunk.length) {
      parts.push(chunk.subarray(start));
      size += chunk.length - start;
    }
    if (size > MAX_LINE_BYTES) {
      throw usageError(`line ${String(number)} has no end within 64 MiB`, "give one JSON event a line");
    }
  }
  if (size > 0) yield Buffer.concat(parts);
}

/** @throws TypeError when the bytes are not UTF-8. A byte-order mark is kept, for the JSON reader to refuse. */
export function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Nothing but JSON white space. */
export function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
