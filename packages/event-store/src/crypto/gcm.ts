import { createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";

/** AES-256-GCM, by the name that JOSE (RFC 7518) gives it. */
export const ALGORITHM = "A256GCM";
export const KEY_BYTES = 32;
/** 96 bits, the size that GCM is made for. */
export const IV_BYTES = 12;
export const TAG_BYTES = 16;

export interface Sealed {
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

/** `iv` must never be used twice with one key: with two messages under one, both can be read and any can be forged. */
export function seal(key: KeyObject, iv: Buffer, plaintext: Uint8Array, aad: Uint8Array): Sealed {
  const cipher = createCipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { iv, ciphertext, tag: cipher.getAuthTag() };
}

/** Null when anything at all is not what it was. */
export function unseal(key: KeyObject, { iv, ciphertext, tag }: Sealed, aad: Uint8Array): Buffer | null {
  if (iv.length !== IV_BYTES || tag.length !== TAG_BYTES) return null;
  const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const start = decipher.update(ciphertext);
  try {
    return Buffer.concat([start, decipher.final()]);
  } catch {
    return null;
  }
}
