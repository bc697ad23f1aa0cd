import { InvalidEventError } from "../errors.js";
import { parseCanonical } from "./canonical-text.js";
import { JsonSyntaxError } from "./strict.js";

/**
 * A JSON value given as text, so that its numbers keep their digits (`1.0` stays `1.0`, 2^64 stays exact). May stand for
 * a payload or meta, or anywhere within one.
 */
export class JsonText {
  /** The value as canonical JSON text. */
  readonly canonical: string;
  /** Levels of nesting; 0 for a scalar. */
  readonly depth: number;

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

  toString(): string {
    return this.canonical;
  }
}

const JSON_HINT = "give one strict JSON value: double quotes, no trailing commas, no NaN or Infinity, no key twice";
const DEPTH_HINT = "flatten it, or store the document as a string";
