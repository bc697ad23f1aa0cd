import { CompactRange, bitsOf } from "../merkle/compact-range.js";
import type { NodeId, NodeReader } from "../merkle/prove.js";
import { hashesOf, subtreeRoots, wholeRoot } from "./growing-tree.js";
import { formatTlogPath, HASH_BYTES, partialTiles, tileIn, TILE_WIDTH, type TileId } from "./layout.js";
import { missing, notOurs, type TlogShelf } from "./shelf.js";

/** Full tiles that are kept; 8 KiB each. */
const KEPT = 256;

/**
 * The tiles of a tree whose root is trusted. Every hash that it hands out was checked up to that root, so that nothing is ever concluded
 * from a tile that somebody has changed. @throws TrustError TREE_MISMATCH, of a tile that was changed or is missing
 */
export class TrustedTiles {
  readonly #shelf: TlogShelf;
  readonly size: number;
  readonly root: Buffer;
  readonly #kept = new Map<string, Promise<readonly Buffer[]>>();
  #edge: Promise<CompactRange> | null = null;

  constructor(shelf: TlogShelf, tree: { readonly size: number; readonly root: Buffer }) {
    this.#shelf = shelf;
    this.size = tree.size;
    this.root = tree.root;
  }

  /** The roots of its largest whole subtrees, which have that root together. */
  edge(): Promise<CompactRange> {
    this.#edge ??= this.#readEdge().catch((error: unknown) => {
      this.#edge = null;
      throw error;
    });
    return this.#edge;
  }

  /** The hashes of a tile. */
  tile(level: number, index: number): Promise<readonly Buffer[]> {
    const name = `${String(level)}/${String(index)}`;
    const kept = this.#kept.get(name);
    if (kept) {
      this.#kept.delete(name);
      this.#kept.set(name, kept);
      return kept;
    }
    const fetched = this.#trusted(level, index).catch((error: unknown) => {
      this.#kept.delete(name);
      throw error;
    });
    this.#kept.set(name, fetched);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(oldest);
    }
    return fetched;
  }

  readonly read: NodeReader = (nodes) => Promise.all(nodes.map((node) => this.node(node)));

  async leaf(index: number): Promise<Buffer> {
    return this.node({ level: 0, index });
  }

  async node({ level, index }: NodeId): Promise<Buffer> {
    const known = (await this.#edgeRoots()).get(`${String(level)}/${String(index)}`);
    if (known) return known;
    const tileLevel = Math.floor(level / 8);
    const count = 2 ** (level % 8);
    const first = index * count;
    const hashes = await this.tile(tileLevel, Math.floor(first / TILE_WIDTH));
    const at = first % TILE_WIDTH;
    if (at + count > hashes.length) throw new RangeError("the tree has no such node");
    return wholeRoot(hashes.slice(at, at + count));
  }

  async #trusted(level: number, index: number): Promise<readonly Buffer[]> {
    const tile = tileIn(this.size, level, index);
    if (tile === null) throw new RangeError("the tree has no such tile");
    if (tile.width < TILE_WIDTH) {
      const [hashes, roots] = await Promise.all([this.#fetch(tile), this.#edgeRoots()]);
      this.#checkPartial(tile, hashes, roots);
      return hashes;
    }
    // All the way up at once: the tree is a few tiles high.
    const [hashes, above] = await Promise.all([this.#fetch(tile), this.node({ level: 8 * (level + 1), index })]);
    if (!wholeRoot(hashes).equals(above)) throw notOurs(this.#keyOf(tile));
    return hashes;
  }

  /** The whole subtrees of a tile that is not full are among the tree's own. */
  #checkPartial(tile: TileId, hashes: readonly Buffer[], roots: ReadonlyMap<string, Buffer>): void {
    let at = tile.index * TILE_WIDTH;
    const found = subtreeRoots(hashes);
    for (const [i, bit] of bitsOf(tile.width).entries()) {
      const root = roots.get(`${String(8 * tile.level + bit)}/${String(at / 2 ** bit)}`);
      if (root?.equals(found[i] as Buffer) !== true) throw notOurs(this.#keyOf(tile));
      at += 2 ** bit;
    }
  }

  async #edgeRoots(): Promise<ReadonlyMap<string, Buffer>> {
    return rootsByNode(await this.edge());
  }

  async #readEdge(): Promise<CompactRange> {
    const stored = await this.#shelf.get(formatTlogPath({ kind: "edge", size: this.size }));
    const bits = bitsOf(this.size);
    if (stored?.body.length === bits.length * HASH_BYTES) {
      const range = CompactRange.of(this.size, hashesOf(stored.body));
      if (range.root().equals(this.root)) return range;
    }
    // As other logs have it: from the tiles that are not full.
    const tiles = partialTiles(this.size);
    const parts = await Promise.all(tiles.map((tile) => this.#fetch(tile)));
    const range = CompactRange.of(this.size, parts.reverse().flatMap(subtreeRoots));
    if (!range.root().equals(this.root)) {
      const [lowest] = tiles;
      throw notOurs(lowest === undefined ? this.#shelf.key("") : this.#keyOf(lowest));
    }
    return range;
  }

  async #fetch(tile: TileId): Promise<readonly Buffer[]> {
    const stored =
      (await this.#shelf.get(formatTlogPath({ kind: "tile", ...tile })))?.body ??
      // Partial tiles may be gone once the full one is there.
      (tile.width < TILE_WIDTH
        ? (await this.#shelf.get(formatTlogPath({ kind: "tile", ...tile, width: TILE_WIDTH })))?.body.subarray(
            0,
            tile.width * HASH_BYTES,
          )
        : undefined);
    if (stored === undefined) throw missing(this.#keyOf(tile));
    if (stored.length !== tile.width * HASH_BYTES) throw notOurs(this.#keyOf(tile));
    return hashesOf(stored);
  }

  #keyOf(tile: TileId): string {
    return this.#shelf.key(formatTlogPath({ kind: "tile", ...tile }));
  }
}

const byNode = new WeakMap<CompactRange, ReadonlyMap<string, Buffer>>();

function rootsByNode(range: CompactRange): ReadonlyMap<string, Buffer> {
  let map = byNode.get(range);
  if (map === undefined) {
    let start = 0;
    const { roots } = range;
    map = new Map(
      bitsOf(range.size).map((level, i) => {
        const name = `${String(level)}/${String(start / 2 ** level)}`;
        start += 2 ** level;
        return [name, roots[i] as Buffer] as const;
      }),
    );
    byNode.set(range, map);
  }
  return map;
}
