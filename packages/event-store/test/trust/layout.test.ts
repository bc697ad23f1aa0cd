import { hash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { leafHash, nodeHash, formatTlogPath, GrowingTree, parseTlogPath, partialTiles } from "../../src/trust/index.js";
import { fc, test } from "./property.js";

const entry = (i: number): Buffer => hash("sha256", `record ${String(i)}`, "buffer");

/** RFC 6962 as it is written: every hash anew. */
function rootOf(hashes: readonly Buffer[]): Buffer {
  if (hashes.length === 1) return hashes[0] as Buffer;
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return nodeHash(rootOf(hashes.slice(0, k)), rootOf(hashes.slice(k)));
}

function built(size: number): { tree: GrowingTree; full: Map<string, Buffer> } {
  const tree = GrowingTree.empty();
  const full = new Map<string, Buffer>();
  for (let i = 0; i < size; i++) {
    tree.append(entry(i));
    for (const { path, body } of tree.takeFull()) full.set(path, body);
  }
  return { tree, full };
}

describe("paths of tlog-tiles", () => {
  it("are those of the specification", () => {
    expect(formatTlogPath({ kind: "tile", level: 0, index: 1234067, width: 256 })).toBe("tile/0/x001/x234/067");
    expect(formatTlogPath({ kind: "tile", level: 2, index: 0, width: 17 })).toBe("tile/2/000.p/17");
    expect(formatTlogPath({ kind: "entries", index: 1000, width: 256 })).toBe("tile/entries/x001/000");
    expect(partialTiles(70_000)).toEqual([
      { level: 0, index: 273, width: 112 },
      { level: 1, index: 1, width: 17 },
      { level: 2, index: 0, width: 1 },
    ]);
    expect(partialTiles(256)).toEqual([{ level: 1, index: 0, width: 1 }]);
  });

  const id = { index: fc.nat({ max: 2 ** 31 - 1 }), width: fc.integer({ min: 1, max: 256 }) };
  test(
    "are read back as what they name",
    [
      fc.oneof(
        fc.record({ kind: fc.constant("tile" as const), level: fc.nat({ max: 63 }), ...id }),
        fc.record({ kind: fc.constant("entries" as const), ...id }),
        fc.record({ kind: fc.constantFrom("checkpoints" as const, "edge" as const), size: fc.maxSafeNat() }),
        fc.constant({ kind: "checkpoint" as const }),
      ),
    ],
    (path) => {
      expect(parseTlogPath(formatTlogPath(path))).toEqual(path);
    },
  );

  test(
    "name nothing when they are spelled otherwise",
    [
      fc.oneof(
        fc.string(),
        fc.stringMatching(/^tile\/(entries|[0-9]{1,3})\/(x?[0-9]{1,4}\/){0,3}[0-9]{1,4}(\.p\/[0-9]{1,4})?$/),
      ),
    ],
    (text) => {
      const found = parseTlogPath(text);
      if (found) expect(formatTlogPath(found)).toBe(text);
    },
  );

  it.each([
    "tile/0/067.p/0",
    "tile/0/067.p/256",
    "tile/0/67",
    "tile/0/x000/067",
    "tile/00/067",
    "tile/64/067",
    "tile/0/001/067",
    "checkpoints/01",
    "tile/0/067/",
    "/tile/0/067",
  ])("refuses %s", (path) => {
    expect(parseTlogPath(path)).toBeNull();
  });
});

describe("tiles of a growing tree", () => {
  it.each([1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537])("of %i leaves, path by path", (size) => {
    const { tree, full } = built(size);
    const leaves = Array.from({ length: size }, (_, i) => leafHash(entry(i)));
    expect(tree.root()).toEqual(rootOf(leaves));
    const expected = new Map<string, Buffer>();
    for (let level = 0, row: Buffer[] = leaves; row.length > 0; level++) {
      const above: Buffer[] = [];
      for (let n = 0; n * 256 < row.length; n++) {
        const tile = row.slice(n * 256, (n + 1) * 256);
        const name = String(n).padStart(3, "0") + (tile.length < 256 ? `.p/${String(tile.length)}` : "");
        expected.set(`tile/${String(level)}/${name}`, Buffer.concat(tile));
        if (level === 0) {
          const entries = tile.flatMap((_, i) => [Buffer.from([0, 32]), entry(n * 256 + i)]);
          expected.set(`tile/entries/${name}`, Buffer.concat(entries));
        }
        if (tile.length === 256) above.push(rootOf(tile));
      }
      row = above;
    }
    const found = new Map(full);
    for (const { path, body } of tree.ofSize()) if (!path.startsWith("edges/")) found.set(path, body);
    expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [path, body] of expected) expect(found.get(path)?.equals(body), path).toBe(true);
  });

  it.each([1, 255, 256, 257, 1000, 65_535, 65_536, 65_537])("goes on from its edge at %i", (size) => {
    const { tree } = built(size);
    const edge = tree.ofSize();
    const tiles: Buffer[] = [];
    let entries = Buffer.alloc(0);
    for (const { path, body } of edge) {
      const named = parseTlogPath(path);
      if (named?.kind === "tile") tiles[named.level] = body;
      if (named?.kind === "entries") entries = Buffer.from(body);
    }
    const resumed = GrowingTree.resume({ size, tiles, entries });
    expect(resumed.root()).toEqual(tree.root());
    for (let i = size; i < size + 300; i++) for (const t of [tree, resumed]) t.append(entry(i));
    expect(resumed.root()).toEqual(tree.root());
    tree.takeFull();
    const { full } = built(size + 300);
    for (const { path, body } of resumed.takeFull()) expect(full.get(path)?.equals(body), path).toBe(true);
    expect(resumed.ofSize()).toEqual(tree.ofSize());
  });
});
