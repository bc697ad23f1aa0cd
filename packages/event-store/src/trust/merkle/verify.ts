import { EMPTY_ROOT, HASH_BYTES, nodeHash } from "./hash.js";

/**
 * Whether the leaf with this hash is at `index` of the tree of `size` leaves with this root: RFC 9162, section 2.1.3.2. False for every
 * proof of a wrong length, also for a size of 0.
 */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isSize(index) || !isSize(size) || index >= size || !areHashes([leaf, root, ...proof])) return false;
  let [fn, sn] = [index, size - 1];
  let hash: Uint8Array = leaf;
  for (const sibling of proof) {
    if (sn === 0) return false;
    if (isOdd(fn) || fn === sn) {
      hash = nodeHash(sibling, hash);
      if (!isOdd(fn)) [fn, sn] = shiftedToOdd(fn, sn);
    } else hash = nodeHash(hash, sibling);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && equal(hash, root);
}

/**
 * Whether the tree of `second` leaves goes on from the one of `first`: RFC 9162, section 2.1.4.2. From an empty tree everything goes on,
 * with an empty proof and no other.
 */
export function verifyConsistency(
  first: number,
  second: number,
  proof: readonly Uint8Array[],
  firstRoot: Uint8Array,
  secondRoot: Uint8Array,
): boolean {
  if (!isSize(first) || !isSize(second) || first > second || !areHashes([firstRoot, secondRoot, ...proof]))
    return false;
  if (first === second) return proof.length === 0 && equal(firstRoot, secondRoot);
  if (first === 0) return proof.length === 0 && equal(firstRoot, EMPTY_ROOT);
  if (proof.length === 0) return false;
  const path = isPowerOfTwo(first) ? [firstRoot, ...proof] : proof;
  let [fn, sn] = [first - 1, second - 1];
  while (isOdd(fn)) [fn, sn] = [half(fn), half(sn)];
  const [start, ...rest] = path as [Uint8Array, ...Uint8Array[]];
  let [fr, sr]: [Uint8Array, Uint8Array] = [start, start];
  for (const node of rest) {
    if (sn === 0) return false;
    if (isOdd(fn) || fn === sn) {
      fr = nodeHash(node, fr);
      sr = nodeHash(node, sr);
      if (!isOdd(fn)) [fn, sn] = shiftedToOdd(fn, sn);
    } else sr = nodeHash(sr, node);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && equal(fr, firstRoot) && equal(sr, secondRoot);
}

/** Both shifted right until fn is odd or 0. */
function shiftedToOdd(fn: number, sn: number): [number, number] {
  let [f, s] = [fn, sn];
  while (!isOdd(f) && f !== 0) [f, s] = [half(f), half(s)];
  return [f, s];
}

const isSize = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
const isOdd = (n: number): boolean => n % 2 === 1;
const half = (n: number): number => Math.floor(n / 2);
const areHashes = (hashes: readonly Uint8Array[]): boolean => hashes.every(({ length }) => length === HASH_BYTES);
const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function isPowerOfTwo(n: number): boolean {
  let rest = n;
  while (rest % 2 === 0) rest /= 2;
  return rest === 1;
}
