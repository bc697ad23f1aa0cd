const QUOTE = 0x22;
const FIRST_BYTES = 4096;
/** Beyond so many units it is quicker to have a string quoted than to look at each. */
const SHORT = 128;

/** UTF-8 bytes that grow. */
export class ByteWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = 0;

  get length(): number {
    return this.#at;
  }

  /** The byte at `offset` of what was written. */
  byteAt(offset: number): number | undefined {
    return offset < this.#at ? this.#bytes[offset] : undefined;
  }

  /** Takes back what was written from `offset` on. */
  rewind(offset: number): void {
    this.#at = offset;
  }

  byte(value: number): void {
    if (this.#at === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#at++] = value;
  }

  /** A few bytes: longer ones are copied quicker by other means. */
  few(bytes: Uint8Array): void {
    if (this.#at + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    const target = this.#bytes;
    let at = this.#at;
    for (const byte of bytes) target[at++] = byte;
    this.#at = at;
  }

  /** A text of ASCII characters. */
  ascii(text: string): void {
    if (this.#at + text.length > this.#bytes.length) this.#grow(text.length);
    const target = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < text.length; i++) target[at++] = text.charCodeAt(i);
    this.#at = at;
  }

  text(text: string): void {
    const needed = 3 * text.length;
    if (this.#at + needed > this.#bytes.length) this.#grow(needed);
    this.#at += this.#bytes.write(text, this.#at);
  }

  /** `text` between quotes, if that is all it takes: a short text of printable ASCII without quotes and backslashes. */
  plainString(text: string): boolean {
    const { length } = text;
    if (length > SHORT) return false;
    if (this.#at + length + 2 > this.#bytes.length) this.#grow(length + 2);
    const target = this.#bytes;
    let at = this.#at;
    target[at++] = QUOTE;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x20 || unit > 0x7e || unit === QUOTE || unit === 0x5c) return false;
      target[at++] = unit;
    }
    target[at++] = QUOTE;
    this.#at = at;
    return true;
  }

  /** A copy of what was written. */
  toBuffer(): Buffer {
    const copy = Buffer.allocUnsafe(this.#at);
    this.#bytes.copy(copy, 0, 0, this.#at);
    return copy;
  }

  toString(): string {
    return this.#bytes.toString("utf8", 0, this.#at);
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#at + needed));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

/** Larger than events are, a writer is not kept. */
const KEPT_BYTES = 1024 * 1024;
let spare: ByteWriter | null = null;

/** Writes with a writer that is used again and again. (Whatever `write` calls may come back here: it gets another.) */
export function withByteWriter<T>(write: (out: ByteWriter) => T): T {
  const out = spare ?? new ByteWriter();
  spare = null;
  out.rewind(0);
  try {
    return write(out);
  } finally {
    if (out.length <= KEPT_BYTES) spare = out;
  }
}
