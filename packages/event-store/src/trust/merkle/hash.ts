import { hash } from "node:crypto";

/** SHA-256 hashes, 32 bytes each. Source: RFC 6962, section 2.1 (RFC 9162, section 2.1.1). */
export const HASH_BYTES = 32;

/** Root of the tree without leaves: the hash of nothing. */
export const EMPTY_ROOT: Buffer = hash("sha256", Buffer.alloc(0), "buffer");

// Of the ways to have a short hash from Node, a latin1 string is by far the cheapest, a third of a Buffer. What is hashed is
// put together in buffers that are used again: nothing here waits.
const leafInput = Buffer.alloc(1 + HASH_BYTES, 0x00);
const nodeInput = Buffer.alloc(1 + 2 * HASH_BYTES, 0x01);

function sha256(input: Uint8Array): Buffer {
  return Buffer.from(hash("sha256", input, "binary"), "latin1");
}

/** `SHA-256(0x00 || data)`. */
export function leafHash(data: Uint8Array): Buffer {
  if (data.length === HASH_BYTES) {
    leafInput.set(data, 1);
    return sha256(leafInput);
  }
  const input = Buffer.alloc(1 + data.length, 0x00);
  input.set(data, 1);
  return sha256(input);
}

/** `SHA-256(0x01 || left || right)`: the prefix is what keeps an inner node from passing for a leaf. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return sha256(nodeInput);
}

/** The leaf of a record: what is logged of it is its event_hash, as 32 raw bytes. */
export function recordLeaf(eventHash: string): Buffer {
  if (leafInput.write(eventHash, 1, "hex") !== HASH_BYTES) throw new RangeError("an event_hash has 64 hex digits");
  return sha256(leafInput);
}
