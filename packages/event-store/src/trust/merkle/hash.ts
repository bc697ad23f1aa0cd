import { hash } from "node:crypto";

/** SHA-256 hashes, 32 bytes each. Source: RFC 6962, section 2.1 (RFC 9162, section 2.1.1). */
export const HASH_BYTES = 32;

/** Root of the tree without leaves: the hash of nothing. */
export const EMPTY_ROOT: Buffer = hash("sha256", Buffer.alloc(0), "buffer");

/** `SHA-256(0x00 || data)`. */
export function leafHash(data: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + data.length);
  input[0] = 0x00;
  input.set(data, 1);
  return hash("sha256", input, "buffer");
}

/** `SHA-256(0x01 || left || right)`: the prefix is what keeps an inner node from passing for a leaf. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + 2 * HASH_BYTES);
  input[0] = 0x01;
  input.set(left, 1);
  input.set(right, 1 + HASH_BYTES);
  return hash("sha256", input, "buffer");
}

/** The leaf of a record: what is logged of it is its event_hash, as 32 raw bytes. */
export function recordLeaf(eventHash: string): Buffer {
  return leafHash(Buffer.from(eventHash, "hex"));
}
