import { createHash, createSecretKey, randomBytes, type KeyObject } from "node:crypto";
import { ConfigError, EventStoreError } from "../core/errors.js";
import { canonicalObject } from "../core/json/canonical-text.js";
import { quote } from "../core/json/strings.js";
import { decodeBytes } from "./bytes.js";
import { IV_BYTES, KEY_BYTES, seal, TAG_BYTES, unseal } from "./gcm.js";
import { readSecret } from "./secret-file.js";

/** What a data key belongs to; a wrapped key must not pass for another's. */
export interface KeyContext {
  readonly subject: string;
  readonly version: number;
}

/** A key-encryption key: wraps data keys, so that who has the key store alone has nothing. */
export interface Wrapper {
  /** Names the key-encryption key, and is stored beside what it wraps. No secret. */
  readonly id: string;

  /** @returns opaque text. @throws BackendError */
  wrap(key: Buffer, context: KeyContext): Promise<string>;

  /** @throws EventStoreError DECRYPTION_FAILED when it is not what `wrap` gave for this context; BackendError */
  unwrap(wrapped: string, context: KeyContext): Promise<Buffer>;
}

/** A key-encryption key of 32 bytes in this process's memory. Its id is a short hash of the key. */
export function localWrapper(kek: Uint8Array): Wrapper {
  if (kek.length !== KEY_BYTES) throw new ConfigError(`a key-encryption key has ${String(KEY_BYTES)} bytes`);
  return new LocalWrapper(createSecretKey(kek), idOf(kek));
}

/** As `localWrapper`, with the key in a file of its owner's alone: 32 bytes, or their base64 or hex. @throws ConfigError; BackendError */
export async function fileWrapper(path: string): Promise<Wrapper> {
  const bytes = await readSecret(path);
  return localWrapper(bytes.length === KEY_BYTES ? bytes : parseSecret(bytes.toString("latin1"), path));
}

/** 32 bytes as base64, base64url or hex. `name`: of the variable or file, for errors, which never hold the text. @throws ConfigError */
export function parseSecret(text: string, name: string): Buffer {
  const trimmed = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return Buffer.from(trimmed, "hex");
  const bytes = decodeBytes(trimmed.replaceAll("+", "-").replaceAll("/", "_").replace(/=$/, ""), KEY_BYTES);
  if (bytes !== null) return bytes;
  throw new ConfigError(`${name} holds no key: ${String(KEY_BYTES)} bytes as base64 or hex`, {
    hint: "make one with: openssl rand -base64 32",
  });
}

class LocalWrapper implements Wrapper {
  readonly id: string;
  readonly #kek: KeyObject;

  constructor(kek: KeyObject, id: string) {
    this.#kek = kek;
    this.id = id;
  }

  wrap(key: Buffer, context: KeyContext): Promise<string> {
    const { iv, ciphertext, tag } = seal(this.#kek, randomBytes(IV_BYTES), key, this.#additionalData(context));
    return Promise.resolve(Buffer.concat([iv, ciphertext, tag]).toString("base64url"));
  }

  unwrap(wrapped: string, context: KeyContext): Promise<Buffer> {
    const bytes = decodeBytes(wrapped, IV_BYTES + KEY_BYTES + TAG_BYTES);
    const key =
      bytes &&
      unseal(
        this.#kek,
        {
          iv: bytes.subarray(0, IV_BYTES),
          ciphertext: bytes.subarray(IV_BYTES, IV_BYTES + KEY_BYTES),
          tag: bytes.subarray(IV_BYTES + KEY_BYTES),
        },
        this.#additionalData(context),
      );
    return key === null ? Promise.reject(notWrapped(context)) : Promise.resolve(key);
  }

  #additionalData({ subject, version }: KeyContext): Buffer {
    return Buffer.from(
      canonicalObject([
        ["kek", quote(this.id)],
        ["subject", quote(subject)],
        ["use", quote("rynxs data key")],
        ["version", String(version)],
      ]),
    );
  }
}

/** Of a random key of 256 bits, a hash tells nothing. */
function idOf(kek: Uint8Array): string {
  return `local:${createHash("sha256").update("rynxs kek id v1\0").update(kek).digest("hex").slice(0, 16)}`;
}

function notWrapped({ version }: KeyContext): EventStoreError {
  return new EventStoreError("DECRYPTION_FAILED", "a stored data key was not wrapped for this subject and version", {
    facts: { expected: version },
    hint: "somebody changed the key store: restore the record from a backup, if its subject was not shredded since",
  });
}
