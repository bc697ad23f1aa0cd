import { EventStoreError } from "../core/errors.js";
import { canonicalizeText } from "../core/json/canonical-text.js";
import { hasExactly, isVersion } from "./bytes.js";

/** One data key, as it is stored: wrapped by a key-encryption key. */
export interface WrappedKey {
  /** From 1, ascending. */
  readonly version: number;
  /** Unix milliseconds, by the clock of whoever made it. */
  readonly created: number;
  /** Which key-encryption key wraps it: `id` of a `Wrapper`. */
  readonly kek: string;
  /** Opaque text. */
  readonly wrapped: string;
}

/** The data keys of one subject. */
export interface LiveKeys {
  readonly subject: string;
  readonly state: "live";
  /** At least one; the last is the newest. */
  readonly keys: readonly WrappedKey[];
  /** Fresh for each save, so that no two saves write the same bytes and each can be told from another's. */
  readonly id: string;
}

/** The tombstone of a subject's keys. It stays for ever. */
export interface DestroyedKeys {
  readonly subject: string;
  readonly state: "destroyed";
  /** Names this very destruction. */
  readonly id: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** How many key versions there were. */
  readonly versions: number;
}

export type KeyRecord = LiveKeys | DestroyedKeys;

const RECORD_VERSION = 1;

/** Canonical JSON. */
export function formatKeyRecord(record: KeyRecord): Buffer {
  return Buffer.from(canonicalizeText(JSON.stringify({ ...record, v: RECORD_VERSION })));
}

/** Null for what is no record of that subject. `subject` null: of whichever it is. */
function readKeyRecord(bytes: Uint8Array, subject: string | null): KeyRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return null;
  }
  const record = isLive(value) ? value : isDestroyed(value) ? value : null;
  return record === null || (subject !== null && record.subject !== subject) ? null : withoutVersion(record);
}

/** What cannot be read is neither a key nor a tombstone. @throws EventStoreError DECRYPTION_FAILED */
export function parseKeyRecord(bytes: Uint8Array, subject: string | null, key: string): KeyRecord {
  const record = readKeyRecord(bytes, subject);
  if (record !== null) return record;
  throw new EventStoreError("DECRYPTION_FAILED", "what is stored as a subject's keys is none", {
    facts: { key },
    hint: "restore it from a backup of the key store, if its subject was not shredded since",
  });
}

function withoutVersion(record: KeyRecord): KeyRecord {
  const { subject, id } = record;
  return record.state === "live"
    ? { subject, state: "live", keys: record.keys, id }
    : { subject, state: "destroyed", id, at: record.at, versions: record.versions };
}

function isLive(value: unknown): value is LiveKeys {
  if (!hasExactly(value, ["id", "keys", "state", "subject", "v"])) return false;
  const { id, keys, state, subject, v } = value as Record<keyof LiveKeys | "v", unknown>;
  if (v !== RECORD_VERSION || state !== "live" || !isText(id) || !isText(subject)) return false;
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every(isWrapped)) return false;
  return keys.every((key: WrappedKey, i) => i === 0 || key.version > (keys[i - 1] as WrappedKey).version);
}

function isWrapped(value: unknown): value is WrappedKey {
  if (!hasExactly(value, ["created", "kek", "version", "wrapped"])) return false;
  const { created, kek, version, wrapped } = value as Record<keyof WrappedKey, unknown>;
  return Number.isInteger(created) && isText(kek) && isVersion(version) && isText(wrapped);
}

function isDestroyed(value: unknown): value is DestroyedKeys {
  if (!hasExactly(value, ["at", "id", "state", "subject", "v", "versions"])) return false;
  const { at, id, state, subject, v, versions } = value as Record<keyof DestroyedKeys | "v", unknown>;
  if (v !== RECORD_VERSION || state !== "destroyed" || !isText(id) || !isText(subject)) return false;
  return Number.isInteger(at) && Number.isInteger(versions) && (versions as number) >= 1;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
