import { createPrivateKey, randomBytes, type KeyObject } from "node:crypto";
import { BackendError, ConfigError } from "../../core/errors.js";
import { decodeBase64 } from "./base64.js";
import { publicKeyOf, TYPE_BYTES, verifierKey, type SignatureType } from "./key.js";
import { createPrivateFile, readPrivateFile } from "./private-file.js";
import { localCosigner, localSigner, type NoteSigner } from "./signer.js";

/** A private key, with the name that it signs under. */
export interface PrivateKey {
  readonly name: string;
  readonly type: SignatureType;
  /** 32 bytes: the private key of RFC 8032. */
  readonly seed: Buffer;
}

const SEED_BYTES = 32;
const MAX_FILE_BYTES = 16 * 1024;

/** A new key. `random`: gives so many bytes; default: the system's. */
export function generatePrivateKey(
  name: string,
  type: SignatureType,
  random: (bytes: number) => Buffer = randomBytes,
): PrivateKey {
  const key = { name, type, seed: random(SEED_BYTES) };
  publicHalf(key);
  return key;
}

/**
 * `PRIVATE+KEY+name+hex(id)+base64(type || seed)`, one line: as Go's golang.org/x/mod/sumdb/note writes a log's key (type 0x01), and as
 * C2SP's tools have it for a cosigner's (0x04). The id is the verifier key's.
 */
export function formatPrivateKey(key: PrivateKey): string {
  const id = publicHalf(key).id.toString(16).padStart(8, "0");
  return `PRIVATE+KEY+${key.name}+${id}+${Buffer.concat([Buffer.of(TYPE_BYTES[key.type]), key.seed]).toString("base64")}`;
}

/**
 * One line as above, perhaps with a newline; or an Ed25519 key in PEM (PKCS #8), which has no name of its own: then `name` is needed. With
 * `name`, a key of another name is refused. @throws ConfigError, which says nothing of the text
 */
export function parsePrivateKey(text: string, name?: string): PrivateKey {
  const key = text.trimStart().startsWith("-----BEGIN ") ? fromPem(text, name) : fromLine(text);
  if (name !== undefined && key.name !== name)
    throw new ConfigError(`the private key is of ${key.name}, not of ${name}`, {
      hint: "a log's key has the log's name",
    });
  return key;
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
  return { name, type: "ed25519", seed: Buffer.from(der.subarray(der.length - SEED_BYTES)) };
}

function fromLine(text: string): PrivateKey {
  const [, name = "", id, material = ""] =
    /^PRIVATE\+KEY\+([^+\n]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)\r?\n?$/.exec(text) ?? [];
  const bytes = decodeBase64(material);
  const type = (Object.keys(TYPE_BYTES) as SignatureType[]).find((each) => TYPE_BYTES[each] === bytes?.[0]);
  if (bytes?.length !== 1 + SEED_BYTES || type === undefined) throw notAKey("is not one");
  const key: PrivateKey = { name, type, seed: bytes.subarray(1) };
  if (publicHalf(key).id !== Number.parseInt(id ?? "", 16)) throw notAKey("has an id that is not its own");
  return key;
}

/** Signs with the key; `now` (Unix milliseconds) is the time in cosignatures. */
export function signerOf({ name, type, seed }: PrivateKey, now: () => number): NoteSigner {
  return type === "ed25519" ? localSigner(name, seed) : localCosigner(name, seed, now);
}

/**
 * Reads a key file, which nobody but its owner has any right to.
 * @throws ConfigError for what is no key; BackendError PATH_UNUSABLE when others may use it, or it cannot be read
 */
export async function readPrivateKey(path: string): Promise<PrivateKey> {
  const text = await readPrivateFile(path, MAX_FILE_BYTES);
  if (text === null)
    throw new BackendError("PATH_UNUSABLE", `there is no key file ${path}`, {
      facts: { file: path, operation: "read", backendCode: "ENOENT" },
    });
  try {
    return parsePrivateKey(text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`${path}: ${error.message}`, {
      facts: { file: path },
      ...(error.hint && { hint: error.hint }),
    });
  }
}

/** Makes a key file, durable, with mode 0600. @throws BackendError PATH_UNUSABLE also when there is something of that name: a key is never replaced */
export function createPrivateKeyFile(path: string, key: PrivateKey): Promise<void> {
  return createPrivateFile(path, `${formatPrivateKey(key)}\n`);
}

function publicHalf({ name, type, seed }: PrivateKey): NoteSigner["key"] {
  return verifierKey(name, type, publicKeyOf(seed));
}

function notAKey(problem: string): ConfigError {
  return new ConfigError(`what was given as a private key ${problem}`, {
    hint: "a private key is one line PRIVATE+KEY+NAME+ID+KEY, as `rynxs key generate` writes it, or an Ed25519 key in PEM",
  });
}
