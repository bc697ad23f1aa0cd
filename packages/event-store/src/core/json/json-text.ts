import { InvalidEventError } from "../errors.js";
import { canonicalObject, parseCanonical } from "./canonical-text.js";
import { canonicalNumber } from "./numbers.js";
import { JsonSyntaxError, parseStrict, type JsonBuilder } from "./strict.js";
import { quote } from "./strings.js";

/**
 * A JSON value given as text, so that its numbers keep their digits (`1.0` stays `1.0`, 2^64 stays exact). May stand for
 * a payload or meta, or anywhere within one.
 */
export class JsonText {
  /** The value as canonical JSON text. */
  readonly canonical: string;
  /** Levels of nesting; 0 for a scalar. */
  readonly depth: number;
  /** Members by key, items by index; undefined until somebody asks for one. */
  #children: ReadonlyMap<string | number, JsonText> | undefined;

  private constructor(canonical: string, depth: number) {
    this.canonical = canonical;
    this.depth = depth;
  }

  /** @throws InvalidEventError when `text` is not one strict JSON value */
  static parse(text: string): JsonText {
    try {
      const { value, depth } = parseCanonical(text);
      return new JsonText(value, depth);
    } catch (error) {
      if (!(error instanceof JsonSyntaxError)) throw error;
      throw new InvalidEventError(
        error.path,
        `${error.message} (at character ${String(error.offset + 1)})`,
        error.message.startsWith("nested") ? DEPTH_HINT : JSON_HINT,
      );
    }
  }

  get isObject(): boolean {
    return this.canonical.startsWith("{");
  }

  /** A member of the object or an item of the array; undefined when there is none, or when this is neither. */
  get(step: string | number): JsonText | undefined {
    this.#children ??= parseStrict(this.canonical, JsonText.#TREE).value.#children ?? NOTHING;
    return this.#children.get(step);
  }

  /** Keys of the object in canonical order; none when it is not one. */
  keys(): readonly string[] {
    void this.get("");
    return [...(this.#children ?? NOTHING).keys()].filter((key) => typeof key === "string");
  }

  toString(): string {
    return this.canonical;
  }

  static #around(canonical: string, children: readonly (readonly [string | number, JsonText])[]): JsonText {
    const text = new JsonText(canonical, 1 + children.reduce((most, [, { depth }]) => Math.max(most, depth), 0));
    text.#children = new Map(children);
    return text;
  }

  static readonly #TREE: JsonBuilder<JsonText> = {
    literal: (value) => new JsonText(String(value), 0),
    number: (lexeme) => new JsonText(canonicalNumber(lexeme) ?? lexeme, 0),
    string: (value) => new JsonText(quote(value), 0),
    array: (items) => JsonText.#around(`[${items.join(",")}]`, [...items.entries()]),
    object: (entries) =>
      JsonText.#around(canonicalObject(entries.map(([key, { canonical }]) => [key, canonical])), entries),
  };
}

const NOTHING: ReadonlyMap<string | number, JsonText> = new Map();

const JSON_HINT = "give one strict JSON value: double quotes, no trailing commas, no NaN or Infinity, no key twice";
const DEPTH_HINT = "flatten it, or store the document as a string";
