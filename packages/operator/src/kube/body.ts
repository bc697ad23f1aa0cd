import { parseJson } from "@rynxs/event-store";

/** More than any list page or object: etcd takes 1.5 MB an object. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
/** One event of a watch. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** An answer that is no JSON, or larger than any should be. Its message quotes nothing of it. */
export class BadAnswer extends Error {
  override readonly name = "BadAnswer";
}

const NEWLINE = 0x0a;
/** Integers of 15 digits are exact in a double. */
const LONG_NUMBER = /[0-9]{16}/;

/** Reads to the end. @throws BadAnswer beyond `limit`; what the body throws */
export async function readAll(body: AsyncIterable<Uint8Array>, limit: number = MAX_ANSWER_BYTES): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw new BadAnswer(`an answer of more than ${String(limit)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/**
 * The lines of a body, each without its newline, empty ones left out. A line is looked for in bytes: chunks are cut anywhere, also
 * within a character. @throws BadAnswer for a line that is too long or, at the end, not complete
 */
export async function* linesOf(
  body: AsyncIterable<Uint8Array>,
  limit: number = MAX_LINE_BYTES,
): AsyncGenerator<Buffer, void, undefined> {
  let begun: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      const part = chunk.subarray(from, end === -1 ? chunk.length : end);
      size += part.length;
      if (size > limit) throw new BadAnswer(`a line of more than ${String(limit)} bytes`);
      if (end === -1) {
        if (part.length > 0) begun.push(part);
        break;
      }
      const line = begun.length === 0 ? Buffer.from(part) : Buffer.concat([...begun, part], size);
      begun = [];
      size = 0;
      from = end + 1;
      if (line.length > 0) yield line;
    }
  }
  if (size > 0) throw new BadAnswer("an answer that ends within a line");
}

/** JSON in UTF-8 → value; integers that a double cannot hold become BigInts. @throws BadAnswer */
export function parseBody(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return LONG_NUMBER.test(text) ? parseJson(text) : (JSON.parse(text) as unknown);
  } catch (error) {
    throw new BadAnswer("an answer that is no JSON", { cause: error });
  }
}
