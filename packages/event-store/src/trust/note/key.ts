import { createPrivateKey, createPublicKey, hash, sign, verify, type KeyObject } from "node:crypto";
import { ConfigError } from "../../core/errors.js";
import { decodeBase64 } from "./base64.js";

/** What a key signs with (C2SP signed-note, "Signature types"): the note itself, or a witness's statement with a time. */
export type SignatureType = "ed25519" | "cosignature/v1";

export const TYPE_BYTES: Readonly<Record<SignatureType, number>> = { ed25519: 0x01, "cosignature/v1": 0x04 };

/** A public key as verifiers pin it. */
export interface VerifierKey {
  /** Without spaces and `+`; of a log's key, its origin. */
  readonly name: string;
  readonly type: SignatureType;
  /** First four bytes of `SHA-256(name || 0x0A || type || public key)`. */
  readonly id: number;
  /** 32 bytes. */
  readonly publicKey: Buffer;
}

/** `name+hex(id)+base64(type || public key)`: C2SP signed-note, "Verifier keys". */
export function formatVerifierKey({ name, type, id, publicKey }: VerifierKey): string {
  return `${name}+${idText(id)}+${typed(type, publicKey).toString("base64")}`;
}

/** @throws ConfigError */
export function parseVerifierKey(text: string): VerifierKey {
  const [, name = "", idHex = "", material = ""] =
    /^([^+]*)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  const bytes = decodeBase64(material);
  const type = typeOf(bytes?.[0]);
  if (!isKeyName(name) || bytes?.length !== 33 || type === null) throw notAKey("is not one");
  const key = verifierKey(name, type, bytes.subarray(1));
  if (idText(key.id) !== idHex) throw notAKey("has an id that is not its own");
  return key;
}

/** @throws ConfigError for a name that is none, or a key of another length */
export function verifierKey(name: string, type: SignatureType, publicKey: Buffer): VerifierKey {
  if (!isKeyName(name))
    throw new ConfigError(`${JSON.stringify(name)} cannot be the name of a key`, {
      hint: "a name has no spaces, no + and no control characters: example.com/my-log",
    });
  if (publicKey.length !== 32) throw new ConfigError("an Ed25519 public key has 32 bytes");
  const id = hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), typed(type, publicKey)]), "buffer").readUInt32BE(
    0,
  );
  return { name, type, id, publicKey: Buffer.from(publicKey) };
}

export function isKeyName(name: string): boolean {
  return name !== "" && name.isWellFormed() && !/[\s\p{Z}\p{Cc}+]/u.test(name);
}

/** Whether an Ed25519 signature (RFC 8032) of `message` is this key's. */
export function isSignedBy(key: VerifierKey, message: Uint8Array, signature: Uint8Array): boolean {
  return signature.length === 64 && verify(null, message, publicKeyObject(key.publicKey), signature);
}

/** The public half of a private key. */
export function publicKeyOf(seed: Uint8Array): Buffer {
  const der = createPublicKey(privateKeyObject(seed)).export({ type: "spki", format: "der" });
  return der.subarray(der.length - 32);
}

export function signWith(seed: Uint8Array, message: Uint8Array): Buffer {
  return sign(null, message, privateKeyObject(seed));
}

// Ed25519 keys in DER differ only in their last 32 bytes (RFC 8410).
const SPKI = Buffer.from("302a300506032b6570032100", "hex");
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

function publicKeyObject(bytes: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: "der", type: "spki" });
}

function privateKeyObject(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
}

function typed(type: SignatureType, publicKey: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([TYPE_BYTES[type]]), publicKey]);
}

function typeOf(byte: number | undefined): SignatureType | null {
  if (byte === TYPE_BYTES.ed25519) return "ed25519";
  return byte === TYPE_BYTES["cosignature/v1"] ? "cosignature/v1" : null;
}

function idText(id: number): string {
  return id.toString(16).padStart(8, "0");
}

function notAKey(problem: string): ConfigError {
  return new ConfigError(`what was given as a verifier key ${problem}`, {
    hint: "a verifier key is one line NAME+ID+KEY, as `rynxs key show` prints it",
  });
}
