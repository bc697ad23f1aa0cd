import { canonicalNumber, isIntegerLexeme } from "./numbers.js";
import { MAX_READ_DEPTH } from "./strict.js";
import { compareCodePoints } from "./strings.js";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Bytes that stand for themselves in a string: all but control characters, the quote and the backslash. */
const PLAIN = new Uint8Array(256).map((_, byte) => (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0));
/** Escapes of one letter in canonical form: `\" \\ \b \f \n \r \t`. */
const SHORT_ESCAPES = new Set([...'"\\bfnrt'].map((c) => c.charCodeAt(0)));
/** Control characters that canonical form writes as `\u00xx`: those without a short form, in lower case. */
const LONG_ESCAPE = /^u00(?:0[0-7bef]|1[0-9a-f])$/;
/** Integers of so many digits can lose some in a double. */
const LONG_INTEGER_DIGITS = 16;

/** Where the scan is within an object that has no key yet … */
const NO_KEY = -1;
/** … and within an array. */
const IN_ARRAY = -2;

/** An ASCII text of four characters or more, to be compared four at a time. */
export class Literal {
  readonly length: number;
  /** The last one overlaps the one before it where the length is no multiple of four. */
  readonly words: readonly number[];
  readonly offsets: readonly number[];

  constructor(text: string) {
    const bytes = Buffer.from(text, "latin1");
    this.length = bytes.length;
    const last = bytes.length - 4;
    const offsets: number[] = [];
    for (let offset = 0; offset < last; offset += 4) offsets.push(offset);
    this.offsets = [...offsets, last];
    this.words = this.offsets.map((offset) => bytes.readInt32BE(offset));
  }
}

const TRUE = new Literal("true");
const FALSE = new Literal("false");
const NULL = new Literal("null");

/** Control characters behind a text: as many as a scan may look at, or, where it knows a length, leap over. */
export const SCAN_MARGIN = 160;

/**
 * One pass over UTF-8 bytes that accepts exactly the canonical JSON texts (the fixed points of `canonicalizeText`)
 * without decoding or building anything. Each method answers the offset behind what it accepted at `at`, or −1 when
 * the bytes are not canonical there. UTF-8 validity is the caller's to check, once for all bytes; and SCAN_MARGIN
 * control characters (newlines, say) must stand behind the text, which is how the scan knows its end: none is part of a
 * canonical text.
 */
export class CanonicalScan {
  bytes: Buffer = Buffer.alloc(0);
  #words: DataView = new DataView(new ArrayBuffer(0));
  /** Set, never cleared, when an integer of 16 digits or more was seen: a number might lose digits in a double. */
  longIntegers = false;
  /** The last string accepted holds an escape. */
  escaped = false;
  /** What encloses the container being scanned, outermost first: the last key's offset, or IN_ARRAY. */
  readonly #enclosing: Int32Array = new Int32Array(MAX_READ_DEPTH);

  use(bytes: Buffer): this {
    this.bytes = bytes;
    this.#words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this;
  }

  literal(at: number, { length, words, offsets }: Literal): number {
    const found = this.#words;
    for (let i = 0; i < words.length; i++) if (found.getInt32(at + (offsets[i] as number)) !== words[i]) return -1;
    return at + length;
  }

  string(at: number): number {
    const bytes = this.bytes;
    this.escaped = false;
    if (bytes[at] !== QUOTE) return -1;
    for (let i = at + 1; ; i++) {
      while (PLAIN[bytes[i] as number] === 1) i++;
      if (bytes[i] === QUOTE) return i + 1;
      const length = bytes[i] === BACKSLASH ? this.#escape(i + 1) : 0;
      if (length === 0) return -1;
      this.escaped = true;
      i += length;
    }
  }

  /** An integer in canonical form: no leading zero, no `-0`. */
  integer(at: number): number {
    const bytes = this.bytes;
    const digits = bytes[at] === MINUS ? at + 1 : at;
    let i = digits;
    while (isDigit(bytes[i] as number)) i++;
    const count = i - digits;
    if (count === 0 || isFloatPart(bytes[i] as number)) return -1;
    if (count >= LONG_INTEGER_DIGITS) this.longIntegers = true;
    return bytes[digits] !== ZERO || (count === 1 && digits === at) ? i : -1;
  }

  /** Any value; `depth`: levels of nesting around it. */
  value(at: number, depth: number): number {
    const first = this.bytes[at];
    return first === OPEN_BRACE || first === OPEN_BRACKET ? this.#container(at, depth) : this.#scalar(at);
  }

  /** An object; `depth`: levels of nesting around it. */
  object(at: number, depth: number): number {
    return this.bytes[at] === OPEN_BRACE ? this.#container(at, depth) : -1;
  }

  /** One loop over all that is nested, so that depth costs no stack. */
  #container(at: number, depth: number): number {
    const bytes = this.bytes;
    const enclosing = this.#enclosing;
    let level = depth;
    let last = IN_ARRAY;
    for (let i = at; ;) {
      const c = bytes[i] as number;
      if (c === OPEN_BRACE || c === OPEN_BRACKET) {
        if (level >= MAX_READ_DEPTH) return -1;
        const open = bytes[i + 1];
        if (open !== (c === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)) {
          enclosing[level++] = last;
          last = c === OPEN_BRACE ? NO_KEY : IN_ARRAY;
          i = last === IN_ARRAY ? i + 1 : this.#key(i + 1, last);
          if (i < 0) return -1;
          if (last === NO_KEY) last = this.#keyStart;
          continue;
        }
        i += 2;
      } else {
        i = this.#scalar(i);
        if (i < 0) return -1;
      }
      // Behind a value: close what ends here.
      for (;;) {
        if (level === depth) return i;
        const next = bytes[i];
        if (next === COMMA) break;
        if (next !== (last === IN_ARRAY ? CLOSE_BRACKET : CLOSE_BRACE)) return -1;
        last = enclosing[--level] as number;
        i++;
      }
      i++;
      if (last !== IN_ARRAY) {
        i = this.#key(i, last);
        if (i < 0) return -1;
        last = this.#keyStart;
      }
    }
  }

  /** Offset of the key that `#key` accepted. */
  #keyStart = 0;

  /** A key and its colon. `last`: offset of the key before it in the same object, or NO_KEY. */
  #key(at: number, last: number): number {
    const bytes = this.bytes;
    const end = this.string(at);
    if (end < 0 || bytes[end] !== COLON) return -1;
    if (last !== NO_KEY && !this.#ascending(last, at)) return -1;
    this.#keyStart = at;
    return end + 1;
  }

  #scalar(at: number): number {
    switch (this.bytes[at]) {
      case QUOTE:
        return this.string(at);
      case 0x74:
        return this.literal(at, TRUE);
      case 0x66:
        return this.literal(at, FALSE);
      case 0x6e:
        return this.literal(at, NULL);
      default:
        return this.#number(at);
    }
  }

  #number(at: number): number {
    const integer = this.integer(at);
    if (integer >= 0) return integer;
    const bytes = this.bytes;
    let i = bytes[at] === MINUS ? at + 1 : at;
    if (!isDigit(bytes[i] as number)) return -1;
    while (isDigit(bytes[i] as number) || isFloatPart(bytes[i] as number)) i++;
    const lexeme = bytes.toString("latin1", at, i);
    return !isIntegerLexeme(lexeme) && canonicalNumber(lexeme) === lexeme ? i : -1;
  }

  /** Length of the escape whose first character after the backslash is at `i`; 0 when it is not canonical. */
  #escape(i: number): number {
    if (SHORT_ESCAPES.has(this.bytes[i] as number)) return 1;
    return LONG_ESCAPE.test(this.bytes.toString("latin1", i, i + 5)) ? 5 : 0;
  }

  /**
   * Is the key at `a` before the one at `b`? Both are accepted strings. UTF-8 byte order is code point order. Escapes stand
   * for control characters, quotes and backslashes, so keys that differ at one are compared decoded.
   */
  #ascending(a: number, b: number): boolean {
    const bytes = this.bytes;
    for (let i = 1; ; i++) {
      const x = bytes[a + i] as number;
      const y = bytes[b + i] as number;
      if (x === y && x !== QUOTE) continue;
      if (x === BACKSLASH || y === BACKSLASH || bytes[a + i - 1] === BACKSLASH) break;
      // A quote ends a key: that one is a prefix of the other, or, at the same place, equal to it.
      return x === QUOTE ? y !== QUOTE : y !== QUOTE && x < y;
    }
    return compareCodePoints(this.#decode(a), this.#decode(b)) < 0;
  }

  #decode(at: number): string {
    return JSON.parse(this.bytes.toString("utf8", at, this.string(at))) as string;
  }
}

/** Is this one canonical JSON text (valid UTF-8 given)? */
export function isCanonical(text: Buffer): boolean {
  return new CanonicalScan().use(withMargin(text)).value(0, 0) === text.length;
}

/** A copy that can be scanned. */
export function withMargin(text: Buffer): Buffer {
  return Buffer.concat([text, Buffer.alloc(SCAN_MARGIN, "\n")]);
}

function isDigit(c: number): boolean {
  return c >= ZERO && c <= NINE;
}

/** `.`, `e`, `E`, `+`, `-` */
function isFloatPart(c: number): boolean {
  return c === 0x2e || c === 0x65 || c === 0x45 || c === 0x2b || c === MINUS;
}
