import { canonicalNumber, isIntegerLexeme } from "./numbers.js";
import { MAX_READ_DEPTH } from "./strict.js";
import { compareCodePoints } from "./strings.js";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const ZERO = 0x30;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Escapes of one letter in canonical form: `\" \\ \b \f \n \r \t`. */
const SHORT_ESCAPES = new Set([...'"\\bfnrt'].map((c) => c.charCodeAt(0)));
/** Control characters that canonical form writes as `\u00xx`: those without a short form, in lower case. */
const LONG_ESCAPE = /^u00(?:0[0-7bef]|1[0-9a-f])$/;

/**
 * One pass over UTF-8 bytes that accepts exactly the canonical JSON texts (the fixed points of `canonicalizeText`)
 * without decoding or building anything. UTF-8 validity itself is the caller's to check, once for all bytes.
 * Every method reads at `at`, moves it behind what it accepted, and answers false (with `at` anywhere) when the bytes are not canonical.
 */
export class CanonicalScanner {
  at: number;
  /** An integer of 16 digits or more was seen: a number might lose digits in a double. */
  longIntegers = false;
  readonly #bytes: Buffer;
  readonly #end: number;
  #depth: number;

  /** `depth`: levels of nesting around what is read. */
  constructor(bytes: Buffer, start: number, end: number, depth = 0) {
    this.#depth = depth;
    this.#bytes = bytes;
    this.at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.at === this.#end;
  }

  /** Exactly these ASCII characters. */
  text(expected: string): boolean {
    if (this.at + expected.length > this.#end) return false;
    for (let i = 0; i < expected.length; i++) {
      if (this.#bytes[this.at + i] !== expected.charCodeAt(i)) return false;
    }
    this.at += expected.length;
    return true;
  }

  value(): boolean {
    switch (this.#peek()) {
      case OPEN_BRACE:
        return this.object();
      case OPEN_BRACKET:
        return this.#array();
      case QUOTE:
        return this.string();
      case 0x74:
        return this.text("true");
      case 0x66:
        return this.text("false");
      case 0x6e:
        return this.text("null");
      default:
        return this.#number();
    }
  }

  object(): boolean {
    if (this.#peek() !== OPEN_BRACE || ++this.#depth > MAX_READ_DEPTH) return false;
    this.at++;
    if (this.#peek() === CLOSE_BRACE) return this.#close();
    let previous = -1;
    let previousEnd = -1;
    for (;;) {
      const start = this.at;
      if (!this.string()) return false;
      if (previous >= 0 && !this.#ascending(previous, previousEnd, start, this.at)) return false;
      previous = start;
      previousEnd = this.at;
      if (this.#peek() !== COLON) return false;
      this.at++;
      if (!this.value()) return false;
      if (this.#peek() === CLOSE_BRACE) return this.#close();
      if (this.#peek() !== COMMA) return false;
      this.at++;
    }
  }

  string(): boolean {
    if (this.#peek() !== QUOTE) return false;
    const bytes = this.#bytes;
    for (let i = this.at + 1; i < this.#end; i++) {
      const c = bytes[i] as number;
      if (c === QUOTE) {
        this.at = i + 1;
        return true;
      }
      if (c < 0x20) return false;
      if (c === BACKSLASH) {
        const length = this.#escape(i + 1);
        if (length === 0) return false;
        i += length;
      }
    }
    return false;
  }

  /** An integer in canonical form: no leading zero, no `-0`. */
  integer(): boolean {
    const start = this.at;
    return this.#number() && isIntegerLexeme(this.#bytes.toString("latin1", start, this.at));
  }

  /** Length of the escape whose first character after the backslash is at `i`; 0 when it is not canonical. */
  #escape(i: number): number {
    if (i < this.#end && SHORT_ESCAPES.has(this.#bytes[i] as number)) return 1;
    return i + 5 <= this.#end && LONG_ESCAPE.test(this.#bytes.toString("latin1", i, i + 5)) ? 5 : 0;
  }

  #array(): boolean {
    if (++this.#depth > MAX_READ_DEPTH) return false;
    this.at++;
    if (this.#peek() === CLOSE_BRACKET) return this.#close();
    for (;;) {
      if (!this.value()) return false;
      if (this.#peek() === CLOSE_BRACKET) return this.#close();
      if (this.#peek() !== COMMA) return false;
      this.at++;
    }
  }

  #close(): boolean {
    this.#depth--;
    this.at++;
    return true;
  }

  #number(): boolean {
    const start = this.at;
    if (this.#peek() === MINUS) this.at++;
    const digits = this.at;
    while (isDigit(this.#peek())) this.at++;
    const count = this.at - digits;
    if (count === 0) return false;
    if (!isFloatPart(this.#peek())) {
      if (count >= 16) this.longIntegers = true;
      return this.#bytes[digits] !== ZERO || (count === 1 && digits === start);
    }
    while (isDigit(this.#peek()) || isFloatPart(this.#peek())) this.at++;
    const lexeme = this.#bytes.toString("latin1", start, this.at);
    return canonicalNumber(lexeme) === lexeme;
  }

  /**
   * Is the key at [a, aEnd) before the one at [b, bEnd), quotes included? UTF-8 byte order is code point order. Escapes
   * stand for control characters, quotes and backslashes, so keys that hold one are compared decoded.
   */
  #ascending(a: number, aEnd: number, b: number, bEnd: number): boolean {
    const bytes = this.#bytes;
    const length = Math.min(aEnd - a, bEnd - b) - 2;
    for (let i = 1; i <= length; i++) {
      const x = bytes[a + i] as number;
      const y = bytes[b + i] as number;
      if (x === y) continue;
      if (x === BACKSLASH || y === BACKSLASH || bytes[a + i - 1] === BACKSLASH) break;
      return x < y;
    }
    return compareCodePoints(this.#decode(a, aEnd), this.#decode(b, bEnd)) < 0;
  }

  #decode(start: number, end: number): string {
    return JSON.parse(this.#bytes.toString("utf8", start, end)) as string;
  }

  #peek(): number {
    return this.at < this.#end ? (this.#bytes[this.at] as number) : -1;
  }
}

function isDigit(c: number): boolean {
  return c >= ZERO && c <= 0x39;
}

/** `.`, `e`, `E`, `+`, `-` */
function isFloatPart(c: number): boolean {
  return c === 0x2e || c === 0x65 || c === 0x45 || c === 0x2b || c === MINUS;
}
