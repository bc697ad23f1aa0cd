import { EMPTY_ROOT, nodeHash } from "./hash.js";

/** A node of the tree whose whole subtree is there: hash of the leaves [index · 2^level, (index + 1) · 2^level). */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Buffer;
}

/**
 * A growing Merkle tree, kept as the roots of its largest whole subtrees, at most one a level: what is needed to go on with it, and no more.
 * Sizes are at most 2^53 − 1.
 */
export class CompactRange {
  /** By level; undefined where the size has a 0 bit. */
  readonly #roots: (Buffer | undefined)[];
  #size: number;

  private constructor(size: number, roots: (Buffer | undefined)[]) {
    this.#size = size;
    this.#roots = roots;
  }

  static empty(): CompactRange {
    return new CompactRange(0, []);
  }

  /** From the roots of a tree of `size` leaves, largest subtree first. @throws RangeError when there are not as many as the size has 1 bits */
  static of(size: number, roots: readonly Buffer[]): CompactRange {
    const levels = bitsOf(size);
    if (roots.length !== levels.length) throw new RangeError("a tree has one whole subtree for each 1 bit of its size");
    const byLevel: (Buffer | undefined)[] = [];
    for (const [i, level] of levels.entries()) byLevel[level] = roots[i];
    return new CompactRange(size, byLevel);
  }

  get size(): number {
    return this.#size;
  }

  /** Largest subtree first. */
  get roots(): Buffer[] {
    return this.#roots.filter((root) => root !== undefined).reverse();
  }

  /** Appends a leaf's hash; `onNode` is told every subtree that it completes above the leaf, lowest first. */
  append(leaf: Buffer, onNode?: (node: TreeNode) => void): void {
    let hash = leaf;
    let level = 0;
    for (let root = this.#roots[0]; root !== undefined; root = this.#roots[level]) {
      this.#roots[level] = undefined;
      hash = nodeHash(root, hash);
      level++;
      onNode?.({ level, index: Math.floor(this.#size / 2 ** level), hash });
    }
    this.#roots[level] = hash;
    this.#size++;
  }

  /** Merkle Tree Hash of all leaves. */
  root(): Buffer {
    let hash: Buffer | undefined;
    for (const root of this.#roots) {
      if (root === undefined) continue;
      hash = hash === undefined ? root : nodeHash(root, hash);
    }
    return hash ?? EMPTY_ROOT;
  }
}

/** The levels at which a tree of this size has a whole subtree, highest first. */
export function bitsOf(size: number): number[] {
  const levels: number[] = [];
  for (let rest = size, level = 0; rest > 0; rest = Math.floor(rest / 2), level++)
    if (rest % 2 === 1) levels.unshift(level);
  return levels;
}
