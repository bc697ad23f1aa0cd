/**
 * A strict JSON reader (RFC 8259, no extensions, no duplicate keys, no lone surrogates) that never builds a number: it
 * hands lexemes to a builder, which decides what to make of them.
 */

/** Readers take at least 1,000 levels; beyond this one they fail cleanly instead of exhausting the stack. */
export const MAX_READ_DEPTH = 2000;

export class JsonSyntaxError extends Error {
  /** Position in the text, in UTF-16 units. */
  readonly offset: number;
  /** JSON path of the value at fault, `$` being the whole. */
  readonly path: string;
  /** The text is a proper beginning of some JSON text: it just stops too early. */
  readonly atEnd: boolean;

  constructor(problem: string, offset: number, path: string, atEnd: boolean) {
    super(problem);
    this.name = "JsonSyntaxError";
    this.offset = offset;
    this.path = path;
    this.atEnd = atEnd;
  }
}

export interface JsonBuilder<T> {
  literal(value: null | boolean): T;
  /** Null refuses the number. */
  number(lexeme: string): T | null;
  string(value: string): T;
  array(items: T[]): T;
  /** Entries in order of the text; keys are unique. */
  object(entries: [key: string, value: T][]): T;
}

const LITERALS: readonly (readonly [string, null | boolean])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];
// eslint-disable-next-line no-control-regex -- control characters are what this looks for
const PLAIN_STRING = /"[^"\\\u0000-\u001f]*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** What a number lexeme cut off by the end of the text can look like. */
const NUMBER_PREFIX = /-?(?:(?:0|[1-9][0-9]*)(?:\.|(?:\.[0-9]+)?(?:[eE][+-]?[0-9]*)?))?$/y;

export interface StrictResult<T> {
  readonly value: T;
  /** Levels of nesting: 0 for a scalar, 1 for `[]`. */
  readonly depth: number;
}

/** @throws JsonSyntaxError */
export function parseStrict<T>(text: string, builder: JsonBuilder<T>): StrictResult<T> {
  return new StrictReader(text, builder).read();
}

class StrictReader<T> {
  readonly #text: string;
  readonly #builder: JsonBuilder<T>;
  readonly #path: (string | number)[] = [];
  #at = 0;
  #depth = 0;
  #deepest = 0;

  constructor(text: string, builder: JsonBuilder<T>) {
    this.#text = text;
    this.#builder = builder;
  }

  read(): StrictResult<T> {
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) this.#fail("text after the JSON value");
    return { value, depth: this.#deepest };
  }

  #value(): T {
    this.#space();
    const c = this.#text[this.#at];
    switch (c) {
      case "{":
        return this.#nested(() => this.#object());
      case "[":
        return this.#nested(() => this.#array());
      case '"':
        return this.#builder.string(this.#string());
      case undefined:
        return this.#fail("the JSON text ends too early");
      case "\ufeff":
        return this.#fail("a byte-order mark");
      default:
        return c === "-" || (c >= "0" && c <= "9") ? this.#number() : this.#literal();
    }
  }

  #nested(read: () => T): T {
    this.#depth++;
    if (this.#depth > this.#deepest) this.#deepest = this.#depth;
    if (this.#depth > MAX_READ_DEPTH) this.#fail(`nested deeper than ${String(MAX_READ_DEPTH)} levels`);
    this.#at++;
    const value = read();
    this.#depth--;
    return value;
  }

  #object(): T {
    const entries: [string, T][] = [];
    const keys = new Set<string>();
    this.#space();
    if (this.#take("}")) return this.#builder.object(entries);
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail("an object key is expected");
      const key = this.#string();
      this.#path.push(key);
      if (keys.has(key)) this.#fail("duplicate key");
      keys.add(key);
      this.#space();
      if (!this.#take(":")) this.#fail("a colon is expected");
      entries.push([key, this.#value()]);
      this.#path.pop();
      this.#space();
      if (this.#take("}")) return this.#builder.object(entries);
      if (!this.#take(",")) this.#fail("a comma or a closing brace is expected");
    }
  }

  #array(): T {
    const items: T[] = [];
    this.#space();
    if (this.#take("]")) return this.#builder.array(items);
    for (;;) {
      this.#path.push(items.length);
      items.push(this.#value());
      this.#path.pop();
      this.#space();
      if (this.#take("]")) return this.#builder.array(items);
      if (!this.#take(",")) this.#fail("a comma or a closing bracket is expected");
    }
  }

  #string(): string {
    const start = this.#at;
    PLAIN_STRING.lastIndex = start;
    if (PLAIN_STRING.test(this.#text)) {
      this.#at = PLAIN_STRING.lastIndex;
      return this.#wellFormed(this.#text.slice(start + 1, this.#at - 1));
    }
    for (this.#at++; this.#text[this.#at] !== '"'; this.#at++) {
      const unit = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(unit)) this.#fail("the JSON text ends within a string");
      if (unit < 0x20) this.#fail("a control character in a string");
      if (unit === 0x5c) this.#escape();
    }
    this.#at++;
    return this.#wellFormed(JSON.parse(this.#text.slice(start, this.#at)) as string);
  }

  /** Stands on the backslash; ends on the escape's last character. */
  #escape(): void {
    this.#at++;
    const c = this.#text[this.#at];
    if (c === undefined) this.#fail("the JSON text ends within a string");
    if (c === "u") {
      for (let i = 0; i < 4; i++) {
        this.#at++;
        if (!/^[0-9a-fA-F]?$/.test(this.#text[this.#at] ?? "")) this.#fail("a bad \\u escape");
        if (this.#at >= this.#text.length) this.#fail("the JSON text ends within a string");
      }
    } else if (!'"\\/bfnrt'.includes(c)) this.#fail("an unknown escape");
  }

  #wellFormed(value: string): string {
    if (!value.isWellFormed()) this.#fail("a lone surrogate in a string");
    return value;
  }

  #number(): T {
    const start = this.#at;
    NUMBER.lastIndex = start;
    NUMBER_PREFIX.lastIndex = start;
    const lexeme = NUMBER.exec(this.#text)?.[0] ?? "";
    if (start + lexeme.length < this.#text.length && NUMBER_PREFIX.test(this.#text)) {
      this.#at = this.#text.length;
      this.#fail("the JSON text ends within a number");
    }
    if (lexeme === "") this.#fail("a malformed number");
    const value = this.#builder.number(lexeme);
    if (value === null) this.#fail("a number beyond the range of a double");
    this.#at += lexeme.length;
    return value;
  }

  #literal(): T {
    const rest = this.#text.slice(this.#at, this.#at + 5);
    for (const [word, value] of LITERALS) {
      if (rest.startsWith(word)) {
        this.#at += word.length;
        return this.#builder.literal(value);
      }
      if (word.startsWith(rest)) this.#at = this.#text.length;
    }
    return this.#fail("not a JSON value");
  }

  #space(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.#at++;
    }
  }

  #take(c: string): boolean {
    if (this.#text[this.#at] !== c) return false;
    this.#at++;
    return true;
  }

  #fail(problem: string): never {
    throw new JsonSyntaxError(problem, this.#at, formatPath(this.#path), this.#at >= this.#text.length);
  }
}

/** `$.payload.items[3]`; keys that are no identifiers are quoted: `$["a b"]`. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = "$";
  for (const step of path) {
    if (typeof step === "number") text += `[${String(step)}]`;
    else text += /^[A-Za-z_][A-Za-z0-9_]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
  }
  return text.length <= MAX_PATH_LENGTH ? text : `${text.slice(0, 80)}…${text.slice(-40)}`;
}

/** Of a path in a message; the middle of a longer one is left out. */
const MAX_PATH_LENGTH = 500;
