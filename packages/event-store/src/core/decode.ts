/** Node's own decoding of a part of a buffer, without the look-ups of `toString`. It is not documented: where it is missing, that does. */
interface Slicing extends Buffer {
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
}

const canSlice = "utf8Slice" in Buffer.prototype && "latin1Slice" in Buffer.prototype;

/** The text in [start, end) of `bytes`, which are valid UTF-8 there. */
export function decodeUtf8(bytes: Buffer, start: number, end: number): string {
  return canSlice ? (bytes as Slicing).utf8Slice(start, end) : bytes.toString("utf8", start, end);
}

/** As `decodeUtf8`, where all bytes are ASCII. */
export function decodeAscii(bytes: Buffer, start: number, end: number): string {
  return canSlice ? (bytes as Slicing).latin1Slice(start, end) : bytes.toString("latin1", start, end);
}
