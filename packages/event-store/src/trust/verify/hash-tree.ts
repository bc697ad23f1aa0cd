import { HashStack } from "../merkle/hash-stack.js";
import { HASH_BYTES } from "../tiles/layout.js";

/** A tree at one of the sizes that somebody wanted to know it at. */
export interface TreeAt {
  readonly root: Buffer;
  /** Of its largest whole subtrees, largest first. */
  readonly roots: readonly Buffer[];
  /** event_hash of its last record. */
  readonly head: string;
}

/** A tree to go on behind. */
export interface TreeBegin {
  readonly size: number;
  /** Of its largest whole subtrees, largest first. */
  readonly roots: readonly Uint8Array[];
  /** event_hash of its last record. */
  readonly head: string;
}

/** The tree over event hashes, of which only what is asked for is kept. */
export class HashTree {
  #head: string;
  readonly #stack: HashStack;
  readonly #stops: ReadonlySet<number>;
  readonly passed: Map<number, TreeAt> = new Map();

  /** Goes on behind `begin`. */
  constructor(begin: TreeBegin, stops: readonly number[]) {
    this.#stack = new HashStack(
      begin.size,
      begin.roots.map((root) => Buffer.from(root)),
    );
    this.#stops = new Set(stops);
    this.#head = begin.head;
    this.#note();
  }

  /** What another one can go on behind. */
  state(): TreeBegin {
    const { size, roots } = this.#stack;
    return { size, roots, head: this.#head };
  }

  /** 32 bytes each. */
  append(hashes: Buffer): void {
    for (let at = 0; at < hashes.length; at += HASH_BYTES) {
      this.#stack.append(hashes, at);
      if (this.#stops.has(this.#stack.size)) {
        this.#head = hashes.toString("hex", at, at + HASH_BYTES);
        this.#note();
      }
    }
    if (hashes.length > 0) this.#head = hashes.toString("hex", hashes.length - HASH_BYTES);
  }

  #note(): void {
    const { size, roots } = this.#stack;
    if (this.#stops.has(size)) this.passed.set(size, { root: this.#stack.root(), roots, head: this.#head });
  }
}
