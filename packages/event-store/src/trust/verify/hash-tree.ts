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

/** The tree over event hashes, of which only what is asked for is kept. */
export class HashTree {
  readonly #stack: HashStack;
  readonly #stops: ReadonlySet<number>;
  readonly passed: Map<number, TreeAt> = new Map();

  /** Behind a tree of `size` leaves, whose last record has the hash `head`. */
  constructor(
    begin: { readonly size: number; readonly roots: readonly Buffer[]; readonly head: string },
    stops: readonly number[],
  ) {
    this.#stack = new HashStack(begin.size, begin.roots);
    this.#stops = new Set(stops);
    this.#note(begin.head);
  }

  /** 32 bytes each. */
  append(hashes: Buffer): void {
    for (let at = 0; at < hashes.length; at += HASH_BYTES) {
      this.#stack.append(hashes, at);
      if (this.#stops.has(this.#stack.size)) this.#note(hashes.toString("hex", at, at + HASH_BYTES));
    }
  }

  #note(head: string): void {
    const { size, roots } = this.#stack;
    if (this.#stops.has(size)) this.passed.set(size, { root: this.#stack.root(), roots, head });
  }
}
