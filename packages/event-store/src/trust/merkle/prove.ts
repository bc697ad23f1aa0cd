import { bitsOf } from "./compact-range.js";
import { nodeHash } from "./hash.js";

/** A subtree that is whole: the leaves [index · 2^level, (index + 1) · 2^level). */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** Hashes of whole subtrees: from tiles, or computed. */
export type NodeReader = (nodes: readonly NodeId[]) => Promise<readonly Buffer[]>;

/**
 * The hash of a range of leaves in a tree as RFC 6962 splits it: the roots of the largest whole subtrees, largest first, joined from the right.
 * `begin` is a multiple of the power of two that is the least one not below `end − begin`.
 */
interface RangeNodes {
  readonly nodes: readonly NodeId[];
}

function rangeNodes(begin: number, end: number): RangeNodes {
  let start = begin;
  const nodes = bitsOf(end - begin).map((level) => {
    const node = { level, index: start / 2 ** level };
    start += 2 ** level;
    return node;
  });
  return { nodes };
}

function joined(hashes: readonly Buffer[]): Buffer {
  return hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** Largest power of two below n (n ≥ 2). */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** PATH(index, D[size]) of RFC 6962, section 2.1.1: the leaf's sibling first. @throws RangeError unless 0 ≤ index < size */
export async function inclusionProof(index: number, size: number, read: NodeReader): Promise<Buffer[]> {
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size))
    throw new RangeError(`there is no leaf ${String(index)} in a tree of ${String(size)}`);
  const ranges: RangeNodes[] = [];
  let [begin, end] = [0, size];
  while (end - begin > 1) {
    const middle = begin + split(end - begin);
    if (index < middle) {
      ranges.push(rangeNodes(middle, end));
      end = middle;
    } else {
      ranges.push(rangeNodes(begin, middle));
      begin = middle;
    }
  }
  return hashesOf(ranges.reverse(), read);
}

/** PROOF(first, D[second]) of RFC 6962, section 2.1.2; empty when the sizes are equal or `first` is 0. @throws RangeError unless 0 ≤ first ≤ second */
export async function consistencyProof(first: number, second: number, read: NodeReader): Promise<Buffer[]> {
  if (!(Number.isSafeInteger(first) && Number.isSafeInteger(second) && first >= 0 && first <= second))
    throw new RangeError(`a tree of ${String(second)} does not go on from one of ${String(first)}`);
  if (first === 0 || first === second) return [];
  const ranges: RangeNodes[] = [];
  let [begin, end] = [0, second];
  // Whether the part that is left is a part of the first tree that the verifier knows as a whole.
  let isWhole = true;
  while (first !== end) {
    const middle = begin + split(end - begin);
    if (first <= middle) {
      ranges.push(rangeNodes(middle, end));
      end = middle;
    } else {
      ranges.push(rangeNodes(begin, middle));
      begin = middle;
      isWhole = false;
    }
  }
  if (!isWhole) ranges.push(rangeNodes(begin, end));
  return hashesOf(ranges.reverse(), read);
}

async function hashesOf(ranges: readonly RangeNodes[], read: NodeReader): Promise<Buffer[]> {
  const hashes = await read(ranges.flatMap(({ nodes }) => nodes));
  let at = 0;
  return ranges.map(({ nodes }) => joined(hashes.slice(at, (at += nodes.length))));
}

/** The roots of the largest whole subtrees of a tree, largest first: what `CompactRange.of` takes. */
export async function treeRoots(size: number, read: NodeReader): Promise<readonly Buffer[]> {
  return read(rangeNodes(0, size).nodes);
}
