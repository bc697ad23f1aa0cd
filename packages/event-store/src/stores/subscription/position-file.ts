import { ConfigError } from "../../core/errors.js";
import { MAX_SEQ } from "../../core/event.js";
import { isHash } from "../../core/hash.js";
import { canonicalizeText } from "../../core/json/canonical-text.js";
import type { Position } from "./port.js";

/** A position and the id of the save that wrote it, by which a consumer tells its own from another's. */
export interface StoredPosition extends Position {
  readonly id: string;
}

/** Canonical JSON. */
export function formatPosition({ name, seq, hash, consumer, updated, id }: StoredPosition): Buffer {
  return Buffer.from(canonicalizeText(JSON.stringify({ name, seq, hash, consumer, updated, id })));
}

/** Where a consumer begins is not guessed: what cannot be read is an error. @throws ConfigError */
export function parsePosition(body: Buffer, name: string, key: string): StoredPosition {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    throw unreadable(name, key);
  }
  if (!isPosition(value) || value.name !== name) throw unreadable(name, key);
  const { seq, hash, consumer, updated, id } = value;
  return { name, seq, hash, consumer, updated, id };
}

function isPosition(value: unknown): value is StoredPosition {
  if (typeof value !== "object" || value === null) return false;
  const { seq, hash, consumer, updated, id } = value as Record<keyof StoredPosition, unknown>;
  return (
    isSeq(seq) &&
    isHash(hash) &&
    (consumer === undefined || typeof consumer === "string") &&
    Number.isInteger(updated) &&
    typeof id === "string"
  );
}

function isSeq(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_SEQ;
}

function unreadable(name: string, key: string): ConfigError {
  return new ConfigError(`what is stored as the position ${name} is none`, {
    facts: { key },
    hint: "restore it from a backup, or remove it, and its consumer begins anew",
  });
}
