import { hash } from "node:crypto";
import { EventStoreError, InvalidEventError } from "../../core/errors.js";
import { decodeUtf8 } from "../../core/decode.js";
import { withByteWriter } from "../../core/json/byte-writer.js";
import { writeValue } from "../../core/json/canonical-value.js";
import { parseValue } from "../../core/json/parse-value.js";

/** A state has at most 64 MiB of canonical JSON. */
export const MAX_STATE_BYTES: number = 64 * 1024 * 1024;

/** A state as it is kept and compared: nobody's to change. */
export interface EncodedState {
  /** Canonical JSON. */
  readonly bytes: Buffer;
  /** SHA-256 of those bytes, 64 lowercase hex. */
  readonly hash: string;
}

/** @throws EventStoreError NOT_DETERMINISTIC when the state is not JSON; TOO_LARGE */
export function encodeState(state: unknown, whose: string, seq?: number): EncodedState {
  const facts = seq === undefined ? {} : { seq };
  const bytes = withByteWriter((out) => {
    try {
      writeValue(out, state, "state");
    } catch (error) {
      if (!(error instanceof InvalidEventError)) throw error;
      const { path, hint, message } = error;
      const where = message.replace("event refused ", "");
      throw new EventStoreError("NOT_DETERMINISTIC", `the state of ${whose} is not JSON: ${where}`, {
        facts: { ...facts, path },
        ...(hint !== undefined && { hint }),
      });
    }
    if (out.length > MAX_STATE_BYTES) throw tooLarge(whose, out.length, facts);
    return out.toBuffer();
  });
  return { bytes, hash: hash("sha256", bytes) };
}

/** A state of its own: nothing in it is shared with any other. @throws JsonSyntaxError */
export function decodeState(bytes: Buffer): unknown {
  return parseValue(decodeUtf8(bytes, 0, bytes.length));
}

/** The canonical JSON text of a state: what is hashed, and what a snapshot holds. @throws as a projection for such a state */
export function canonicalState(state: unknown): string {
  return encodeState(state, "the projection").bytes.toString();
}

function tooLarge(whose: string, bytes: number, facts: { readonly seq?: number }): EventStoreError {
  return new EventStoreError(
    "TOO_LARGE",
    `the state of ${whose} has ${String(bytes)} bytes of JSON; at most ${String(MAX_STATE_BYTES)} are allowed`,
    {
      facts: { ...facts, expected: MAX_STATE_BYTES, actual: bytes },
      hint: "split the projection, by aggregate or by question, or keep less in its state",
    },
  );
}
