import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { CompactRange } from "../../src/trust/merkle/compact-range.js";
import { EMPTY_ROOT, leafHash, nodeHash } from "../../src/trust/merkle/hash.js";
import { consistencyProof, inclusionProof, treeRoots, type NodeId } from "../../src/trust/merkle/prove.js";
import { verifyConsistency, verifyInclusion } from "../../src/trust/merkle/verify.js";

// The definitions of RFC 6962, section 2.1, word by word: slow, and nothing to be wrong about.

const k = (n: number): number => {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
};
const cache = new Map<number, Buffer>();
const mth = (leaves: readonly Buffer[], from = 0, to = leaves.length): Buffer => {
  if (to === from) return EMPTY_ROOT;
  if (to - from === 1) return leaves[from]!;
  const key = from * 1024 + to;
  let hash = cache.get(key);
  if (!hash) {
    const middle = from + k(to - from);
    cache.set(key, (hash = nodeHash(mth(leaves, from, middle), mth(leaves, middle, to))));
  }
  return hash;
};
const path = (m: number, leaves: readonly Buffer[], from: number, to: number): Buffer[] => {
  if (to - from === 1) return [];
  const middle = from + k(to - from);
  return m < middle - from
    ? [...path(m, leaves, from, middle), mth(leaves, middle, to)]
    : [...path(m - (middle - from), leaves, middle, to), mth(leaves, from, middle)];
};
const subproof = (m: number, leaves: readonly Buffer[], from: number, to: number, whole: boolean): Buffer[] => {
  if (m === to - from) return whole ? [] : [mth(leaves, from, to)];
  const middle = from + k(to - from);
  return m <= middle - from
    ? [...subproof(m, leaves, from, middle, whole), mth(leaves, middle, to)]
    : [...subproof(m - (middle - from), leaves, middle, to, false), mth(leaves, from, middle)];
};

const SIZE = 600;
const leaves = Array.from({ length: SIZE }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)));
const reader = (all: readonly Buffer[]) => async (nodes: readonly NodeId[]) =>
  nodes.map(({ level, index }) => {
    const [from, to] = [index * 2 ** level, (index + 1) * 2 ** level];
    if (to > all.length) throw new Error(`there is no whole subtree ${level}/${index}`);
    return mth(all, from, to);
  });
const read = reader(leaves);

/** The test vectors of the certificate-transparency project: inputs and roots of its reference tree. */
const INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

describe("the Merkle tree", () => {
  it("has the published roots of the published leaves", () => {
    expect(EMPTY_ROOT.toString("hex")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const range = CompactRange.empty();
    for (const [i, input] of INPUTS.entries()) {
      range.append(leafHash(Buffer.from(input, "hex")));
      expect(range.root().toString("hex")).toBe(ROOTS[i]);
    }
  });

  it("grows to the root that the definition gives, at every size, and tells each subtree that is complete", async () => {
    const range = CompactRange.empty();
    const nodes = new Map<string, Buffer>();
    for (let size = 0; size <= SIZE; size++) {
      expect(range.size).toBe(size);
      expect(range.root()).toEqual(mth(leaves, 0, size));
      expect(CompactRange.of(size, await treeRoots(size, read)).root()).toEqual(range.root());
      expect(CompactRange.of(size, range.roots).roots).toEqual(range.roots);
      if (size < SIZE)
        range.append(leaves[size]!, ({ level, index, hash }) => {
          expect((index + 1) * 2 ** level).toBe(size + 1);
          nodes.set(`${level}/${index}`, hash);
        });
    }
    for (let level = 1; 2 ** level <= SIZE; level++)
      for (let index = 0; (index + 1) * 2 ** level <= SIZE; index++)
        expect(nodes.get(`${level}/${index}`)).toEqual(mth(leaves, index * 2 ** level, (index + 1) * 2 ** level));
  });

  it("proves inclusion as the definition does, for all pairs up to 600", async () => {
    for (let size = 1; size <= SIZE; size++) {
      const root = mth(leaves, 0, size);
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(index, size, read);
        const expected = path(index, leaves, 0, size);
        if (proof.length !== expected.length || proof.some((hash, i) => !hash.equals(expected[i]!)))
          expect(proof).toEqual(expected);
        if (!verifyInclusion(leaves[index]!, index, size, proof, root)) expect([index, size]).toBe("provable");
      }
    }
  }, 120_000);

  it("proves consistency as the definition does, for all pairs up to 600", async () => {
    for (let second = 0; second <= SIZE; second++) {
      for (let first = 0; first <= second; first++) {
        const proof = await consistencyProof(first, second, read);
        const expected = first === 0 ? [] : subproof(first, leaves, 0, second, true);
        if (proof.length !== expected.length || proof.some((hash, i) => !hash.equals(expected[i]!)))
          expect(proof).toEqual(expected);
        if (!verifyConsistency(first, second, proof, mth(leaves, 0, first), mth(leaves, 0, second)))
          expect([first, second]).toBe("consistent");
      }
    }
  }, 120_000);

  it("and beyond, at random, up to sizes of which no machine holds the leaves", async () => {
    // A tree whose subtrees of 2^20 leaves are all alike: its nodes can be computed at any size.
    const byLevel = [leafHash(Buffer.from("x"))];
    for (let level = 1; level <= 53; level++) byLevel[level] = nodeHash(byLevel[level - 1]!, byLevel[level - 1]!);
    const alike = async (nodes: readonly NodeId[]) => nodes.map(({ level }) => byLevel[level]!);
    const rootOf = async (size: number) => CompactRange.of(size, await treeRoots(size, alike)).root();
    for (let round = 0; round < 300; round++) {
      const size = 1 + Math.floor(2 ** (Math.random() * 52));
      const index = Math.floor(Math.random() * size);
      const proof = await inclusionProof(index, size, alike);
      expect(verifyInclusion(byLevel[0]!, index, size, proof, await rootOf(size))).toBe(true);
      const first = 1 + index;
      const consistency = await consistencyProof(first, size, alike);
      expect(verifyConsistency(first, size, consistency, await rootOf(first), await rootOf(size))).toBe(true);
    }
  });

  it("takes no proof that is changed, cut, lengthened or for something else", async () => {
    for (let round = 0; round < 3000; round++) {
      const size = 1 + Math.floor(Math.random() * SIZE);
      const index = Math.floor(Math.random() * size);
      const proof = await inclusionProof(index, size, read);
      const root = mth(leaves, 0, size);
      const leaf = leaves[index]!;
      const at = Math.floor(Math.random() * proof.length);
      const bad: [Buffer, number, number, Buffer[], Buffer][] = [
        [leaf, index, size, [...proof, randomBytes(32)], root],
        [leaf, index, size, proof, randomBytes(32)],
        [randomBytes(32), index, size, proof, root],
        [leaf, size, size, proof, root],
        [leaf, -1, size, proof, root],
        [leaf, index + 0.5, size, proof, root],
        [leaf, index, 0, proof, root],
        [leaf, index, size, proof, root.subarray(1)],
      ];
      if (proof.length > 0) {
        bad.push([leaf, index, size, proof.slice(1), root]);
        bad.push([leaf, index, size, proof.slice(0, -1), root]);
        bad.push([leaf, index, size, proof.with(at, randomBytes(32)), root]);
        bad.push([leaf, index, size, proof.with(at, proof[at]!.subarray(1)), root]);
        bad.push([leaf, index ^ 1, size, proof, root]);
      }
      for (const arguments_ of bad) expect(verifyInclusion(...arguments_)).toBe(false);
      const first = index + 1;
      const consistency = await consistencyProof(first, size, read);
      const [a, b] = [mth(leaves, 0, first), root];
      const worse: [number, number, Buffer[], Buffer, Buffer][] = [
        [first, size, [...consistency, randomBytes(32)], a, b],
        [first, size, consistency, randomBytes(32), b],
        [first, size, consistency, a, randomBytes(32)],
        [size + 1, size, consistency, a, b],
        [0, size, [randomBytes(32)], EMPTY_ROOT, b],
        [-1, size, consistency, a, b],
      ];
      if (consistency.length > 0) {
        worse.push([first, size, consistency.slice(1), a, b]);
        worse.push([first, size, [], a, b]);
        worse.push([first, size, consistency.with(0, randomBytes(32)), a, b]);
      }
      for (const arguments_ of worse) expect(verifyConsistency(...arguments_)).toBe(false);
    }
    expect(verifyConsistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)).toBe(true);
    expect(verifyConsistency(0, 0, [EMPTY_ROOT], EMPTY_ROOT, EMPTY_ROOT)).toBe(false);
    expect(verifyConsistency(0, 0, [], EMPTY_ROOT, leaves[0]!)).toBe(false);
  });
});
