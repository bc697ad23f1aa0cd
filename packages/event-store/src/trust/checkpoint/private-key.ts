import { createPrivateKey, randomBytes, type KeyObject } from "node:crypto";
import { ConfigError } from "../../core/errors.js";
import { decodeBase64 } from "../note/base64.js";
import { isKeyName, publicKeyOf, verifierKey } from "../note/key.js";

/** A signing key: whoever has it can sign for the log of that name. */
export interface PrivateKey {
  readonly name: string;
  /** 32 bytes: the private key of RFC 8032. */
  readonly seed: Buffer;
}

const ED25519 = 0x01;

/** `PRIVATE+KEY+name+hex(id)+base64(type || seed)`: as Go's golang.org/x/mod/sumdb/note has it. */
export function formatPrivateKey({ name, seed }: PrivateKey): string {
  const { id } = verifierKey(name, "ed25519", publicKeyOf(seed));
  const material = Buffer.concat([Buffer.from([ED25519]), seed]).toString("base64");
  return `PRIVATE+KEY+${name}+${id.toString(16).padStart(8, "0")}+${material}`;
}

/**
 * One line as above, or an Ed25519 key in PEM (PKCS #8), which has no name of its own: `name` is then needed.
 * @throws ConfigError, which has nothing of the text
 */
export function parsePrivateKey(text: string, name?: string): PrivateKey {
  const trimmed = text.trim();
  const key = trimmed.startsWith("-----BEGIN ") ? fromPem(trimmed, name) : fromLine(trimmed);
  if (name !== undefined && key.name !== name)
    throw new ConfigError(`the signing key is of ${key.name}, not of ${name}`, {
      hint: "a log's key has the log's name",
    });
  return key;
}

export function generatePrivateKey(name: string): PrivateKey {
  const seed = randomBytes(32);
  // Throws when the name is none.
  verifierKey(name, "ed25519", publicKeyOf(seed));
  return { name, seed };
}

function fromLine(line: string): PrivateKey {
  const [, name = "", id = "", material = ""] =
    /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(line) ?? [];
  const bytes = decodeBase64(material);
  if (!isKeyName(name) || bytes?.length !== 33 || bytes[0] !== ED25519) throw notAKey("is not one");
  const seed = Buffer.from(bytes.subarray(1));
  if (verifierKey(name, "ed25519", publicKeyOf(seed)).id !== Number.parseInt(id, 16))
    throw notAKey("has an id that is not its own");
  return { name, seed };
}

function fromPem(pem: string, name: string | undefined): PrivateKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw notAKey("is PEM that cannot be read (an encrypted key must be decrypted first)");
  }
  if (key.asymmetricKeyType !== "ed25519") throw notAKey("is of another kind than Ed25519");
  if (name === undefined)
    throw new ConfigError("a key in PEM has no name", { hint: "give the log's name with --origin" });
  const der = key.export({ type: "pkcs8", format: "der" });
  return { name, seed: Buffer.from(der.subarray(der.length - 32)) };
}

function notAKey(problem: string): ConfigError {
  return new ConfigError(`what was given as a signing key ${problem}`, {
    hint: "a signing key is one line PRIVATE+KEY+NAME+ID+KEY, as `rynxs key generate` writes it, or an Ed25519 key in PEM",
  });
}
