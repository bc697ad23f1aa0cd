import type { KeyObject } from "node:crypto";
import { EventStoreError, InvalidEventError, type ErrorFacts } from "../core/errors.js";
import type { JsonObject } from "../core/event.js";
import { canonicalizeValue } from "../core/json/canonical-value.js";
import { JsonText } from "../core/json/json-text.js";
import { parseValue } from "../core/json/parse-value.js";
import { additionalData, ENVELOPE_KEY, formatEnvelope, type Binding, type Envelope } from "./envelope.js";
import { seal, unseal } from "./gcm.js";

/**
 * The payload's canonical JSON, so that every number keeps the lexeme that the store would have kept.
 * @throws InvalidEventError as the store does
 */
export function plaintextOf(payload: unknown): string {
  const text = canonicalizeValue(payload ?? {}, "payload");
  if (payload !== null && text.startsWith("{")) return text;
  throw new InvalidEventError("$.payload", "must be an object", "wrap it: { payload: { value: … } }");
}

/** Plain payloads must not look like encrypted ones. @throws InvalidEventError */
export function refuseMark(payload: unknown): void {
  const marked =
    payload instanceof JsonText
      ? payload.get(ENVELOPE_KEY) !== undefined
      : typeof payload === "object" && payload !== null && Object.hasOwn(payload, ENVELOPE_KEY);
  if (marked)
    throw new InvalidEventError(
      `$.payload["${ENVELOPE_KEY}"]`,
      "the key marks an encrypted payload",
      "name it otherwise, or let the event have a subject, so that its payload is encrypted",
    );
}

/** @param iv fresh for each payload: 12 random bytes */
export function sealPayload(plaintext: string, key: KeyObject, iv: Buffer, binding: Binding): JsonObject {
  const sealed = seal(key, iv, Buffer.from(plaintext), additionalData(binding));
  return formatEnvelope({ ...sealed, subject: binding.subject, key: binding.key });
}

/** @throws EventStoreError DECRYPTION_FAILED */
export function openPayload(
  envelope: Envelope,
  key: KeyObject,
  event: Pick<Binding, "type" | "aggregateId">,
  facts: ErrorFacts,
): JsonObject {
  const { subject, key: version } = envelope;
  const { type, aggregateId } = event;
  const plaintext = unseal(key, envelope, additionalData({ type, aggregateId, subject, key: version }));
  if (plaintext === null) throw notAuthentic(facts);
  const text = plaintext.toString("utf8");
  // Only a run of digits can be an integer that a double does not hold.
  return (/\d{16}/.test(text) ? parseValue(text) : JSON.parse(text)) as JsonObject;
}

function notAuthentic(facts: ErrorFacts): EventStoreError {
  return new EventStoreError("DECRYPTION_FAILED", "the encrypted payload does not belong to its event and key", {
    facts: { ...facts, path: "$.payload" },
    hint: "it was changed, or moved here from another event, or the subject's key was replaced: look who appended it, and restore the key store if it was touched",
  });
}
