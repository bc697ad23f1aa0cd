import { EventStoreError, type ErrorFacts } from "../core/errors.js";
import type { JsonObject } from "../core/event.js";
import { canonicalObject } from "../core/json/canonical-text.js";
import { quote } from "../core/json/strings.js";
import { decodeBytes, encodeBytes, hasExactly, isVersion } from "./bytes.js";
import { ALGORITHM, IV_BYTES, TAG_BYTES, type Sealed } from "./gcm.js";

/** The one key of an encrypted payload. A payload that has it is an envelope or is refused: never plain data. */
export const ENVELOPE_KEY = "$enc";
const ENVELOPE_VERSION = 1;

/** What stands in the log for a payload. docs/operations/shredding.md, "The envelope". */
export interface Envelope extends Sealed {
  readonly subject: string;
  /** Version of the subject's data key. */
  readonly key: number;
}

/** What a ciphertext belongs to, and cannot be taken away from. */
export interface Binding {
  readonly type: string;
  readonly aggregateId: string;
  readonly subject: string;
  readonly key: number;
}

/** The additional authenticated data: canonical JSON. */
export function additionalData({ type, aggregateId, subject, key }: Binding): Buffer {
  const text = canonicalObject([
    ["aggregate_id", quote(aggregateId)],
    ["alg", quote(ALGORITHM)],
    ["key", String(key)],
    ["subject", quote(subject)],
    ["type", quote(type)],
    ["v", String(ENVELOPE_VERSION)],
  ]);
  return Buffer.from(text);
}

/** The payload that is stored: it becomes canonical JSON as every payload does. */
export function formatEnvelope({ subject, key, iv, ciphertext, tag }: Envelope): JsonObject {
  const fields = {
    alg: ALGORITHM,
    ct: encodeBytes(ciphertext),
    iv: encodeBytes(iv),
    key,
    subject,
    tag: encodeBytes(tag),
    v: ENVELOPE_VERSION,
  };
  return { [ENVELOPE_KEY]: fields };
}

const FIELDS = ["alg", "ct", "iv", "key", "subject", "tag", "v"];

/** Null for a plain payload. @throws EventStoreError DECRYPTION_FAILED for what is marked as an envelope and is none */
export function parseEnvelope(payload: JsonObject, facts: ErrorFacts = {}): Envelope | null {
  if (!Object.hasOwn(payload, ENVELOPE_KEY)) return null;
  const fields = payload[ENVELOPE_KEY];
  if (!hasExactly(payload, [ENVELOPE_KEY]) || !hasExactly(fields, FIELDS)) throw malformed(facts);
  const { alg, key, subject, v } = fields as Readonly<Record<string, unknown>>;
  if (v !== ENVELOPE_VERSION || alg !== ALGORITHM) {
    throw new EventStoreError(
      "DECRYPTION_FAILED",
      "the payload is encrypted in a way that this version does not know",
      {
        facts: { ...facts, path: "$.payload" },
        hint: "read it with a newer version of the library; if there is none, somebody changed the record",
      },
    );
  }
  const iv = decodeBytes(fields["iv"], IV_BYTES);
  const tag = decodeBytes(fields["tag"], TAG_BYTES);
  const ciphertext = decodeBytes(fields["ct"]);
  if (iv === null || tag === null || ciphertext === null || !isVersion(key)) throw malformed(facts);
  if (typeof subject !== "string" || subject === "") throw malformed(facts);
  return { subject, key, iv, ciphertext, tag };
}

function malformed(facts: ErrorFacts): EventStoreError {
  return new EventStoreError("DECRYPTION_FAILED", "the payload is marked as encrypted and is no envelope", {
    facts: { ...facts, path: "$.payload" },
    hint: "it was not written by this library, or was changed before it was written: look who appended it",
  });
}
