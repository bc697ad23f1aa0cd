import { hash } from "node:crypto";
import { CompactRange, bitsOf } from "./compact-range.js";
import { HASH_BYTES } from "./hash.js";

/**
 * As `CompactRange`, for millions of leaves: it takes their data and makes no object for a hash. What a hash is taken over is brought
 * together in place, and hashes come as strings of 32 characters, one a byte, which is the fastest that Node gives them.
 */
export class HashStack {
  /** 0x00, and the data of a leaf. */
  readonly #leaf: Buffer = Buffer.alloc(1 + HASH_BYTES);
  /** By level: 0x01, the whole subtree that waits for the one beside it, and room for that. */
  readonly #nodes: Buffer[] = [];
  #size: number;

  /** `roots`: as `CompactRange.of` takes them. @throws RangeError when there are not as many as the size has 1 bits */
  constructor(size = 0, roots: readonly Buffer[] = []) {
    this.#size = CompactRange.of(size, roots).size;
    for (const [i, level] of bitsOf(size).entries()) this.#node(level).set(roots[i] as Buffer, 1);
  }

  get size(): number {
    return this.#size;
  }

  /** Largest subtree first; copies. */
  get roots(): Buffer[] {
    return bitsOf(this.#size).map((level) => Buffer.from(this.#node(level).subarray(1, 1 + HASH_BYTES)));
  }

  root(): Buffer {
    return CompactRange.of(this.#size, this.roots).root();
  }

  /**
   * Appends the leaf whose data are the 32 bytes at `at`. `onHash` is told its hash (level 0), and that of every subtree of 2^8, 2^16 …
   * leaves that it completes: what tiles hold.
   */
  append(data: Uint8Array, at: number, onHash?: (level: number, hash: string) => void): void {
    for (let i = 0; i < HASH_BYTES; i++) this.#leaf[i + 1] = data[at + i] as number;
    let digest = hash("sha256", this.#leaf, "binary");
    onHash?.(0, digest);
    let level = 0;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const node = this.#node(level);
      node.write(digest, 1 + HASH_BYTES, "latin1");
      digest = hash("sha256", node, "binary");
      level++;
      if (level % 8 === 0) onHash?.(level, digest);
    }
    this.#node(level).write(digest, 1, "latin1");
    this.#size++;
  }

  #node(level: number): Buffer {
    return (this.#nodes[level] ??= Buffer.alloc(1 + 2 * HASH_BYTES, 0x01));
  }
}
