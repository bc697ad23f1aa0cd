import { createHash, createHmac } from "node:crypto";
import { ConfigError } from "../core/errors.js";

/** Characters of a subject, as JavaScript counts them. */
const MAX_SUBJECT = 512;
const MIN_SECRET_BYTES = 32;

/** Whose data it is: any well-formed text of 1 to 512 characters. @throws ConfigError, without the subject, which may be personal */
export function checkSubject(subject: unknown): string {
  if (typeof subject === "string" && subject !== "" && subject.length <= MAX_SUBJECT && subject.isWellFormed())
    return subject;
  throw new ConfigError(`a subject is well-formed text of 1 to ${String(MAX_SUBJECT)} characters`);
}

/** What a subject's keys are stored under: 64 hex digits. It hides nothing: who can guess a subject can compute it. */
export function nameOfSubject(subject: string): string {
  return createHash("sha256").update(subject, "utf8").digest("hex");
}

/**
 * Stands for a subject whose own name must not be in the log: HMAC-SHA-256 of it, as `p1.` and 43 characters. The same secret gives the
 * same pseudonym for ever, so it must be kept; whoever has it can tell which pseudonym is whose, by trying names.
 * @param secret at least 32 bytes
 */
export function pseudonymOf(subject: string, secret: Uint8Array): string {
  checkSubject(subject);
  if (secret.length < MIN_SECRET_BYTES)
    throw new ConfigError(`a secret for pseudonyms has at least ${String(MIN_SECRET_BYTES)} bytes`);
  const mac = createHmac("sha256", secret).update("rynxs pseudonym v1\0").update(subject, "utf8");
  return `p1.${mac.digest("base64url")}`;
}
