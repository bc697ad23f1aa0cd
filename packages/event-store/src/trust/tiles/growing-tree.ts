import { bitsOf } from "../merkle/compact-range.js";
import { HashStack } from "../merkle/hash-stack.js";
import { nodeHash } from "../merkle/hash.js";
import { ENTRY_BYTES, HASH_BYTES, TILE_WIDTH, formatTlogPath, partialTiles } from "./layout.js";

/** An object below `_tlog/`, as it is to be. */
export interface TlogObject {
  readonly path: string;
  readonly body: Buffer;
}

/** What a tree goes on from: the hashes of its tiles that are not full, by level, and the entries of the last bundle that is not. */
export interface TreeEdge {
  readonly size: number;
  readonly tiles: readonly (Buffer | undefined)[];
  readonly entries: Buffer;
}

/** A tree that grows by event hashes, and says what tiles and bundles that gives. The same records give the same bytes. */
export class GrowingTree {
  readonly #stack: HashStack;
  /** By level: the hashes of the last tile, and how many there are. */
  readonly #tiles: { readonly hashes: Buffer; count: number }[] = [];
  readonly #entries: Buffer = Buffer.allocUnsafeSlow(TILE_WIDTH * ENTRY_BYTES);
  #full: TlogObject[] = [];

  private constructor(stack: HashStack) {
    this.#stack = stack;
  }

  static empty(): GrowingTree {
    return new GrowingTree(new HashStack());
  }

  /** @throws RangeError when the edge is not one of that size */
  static resume({ size, tiles, entries }: TreeEdge): GrowingTree {
    const partial = partialTiles(size);
    const roots: Buffer[] = [];
    for (const { level, width } of partial) {
      const hashes = tiles[level];
      if (hashes?.length !== width * HASH_BYTES) throw new RangeError("a tile has another width");
      roots.unshift(...subtreeRoots(hashesOf(hashes)));
    }
    const tree = new GrowingTree(new HashStack(size, roots));
    for (const { level, width } of partial) {
      const tile = tree.#tile(level);
      tiles[level]?.copy(tile.hashes);
      tile.count = width;
    }
    if (entries.length !== (size % TILE_WIDTH) * ENTRY_BYTES) throw new RangeError("a bundle has another width");
    entries.copy(tree.#entries);
    return tree;
  }

  get size(): number {
    return this.#stack.size;
  }

  root(): Buffer {
    return this.#stack.root();
  }

  /** Largest whole subtree first. */
  get roots(): Buffer[] {
    return this.#stack.roots;
  }

  /** @param eventHash 32 bytes */
  append(eventHash: Uint8Array): void {
    const place = this.size % TILE_WIDTH;
    const at = place * ENTRY_BYTES;
    this.#entries.writeUInt16BE(HASH_BYTES, at);
    this.#entries.set(eventHash, at + 2);
    const index = (this.size - place) / TILE_WIDTH;
    if (place === TILE_WIDTH - 1) {
      const path = formatTlogPath({ kind: "entries", index, width: TILE_WIDTH });
      this.#full.push({ path, body: Buffer.from(this.#entries) });
    }
    const { size } = this;
    this.#stack.append(eventHash, 0, (level, hash) => {
      this.#push(level / 8, Math.floor(size / 2 ** level), hash);
    });
  }

  /** Full tiles and bundles that nobody has taken. */
  get fullCount(): number {
    return this.#full.length;
  }

  /** The full tiles and bundles that were completed since the last call. */
  takeFull(): TlogObject[] {
    const full = this.#full;
    this.#full = [];
    return full;
  }

  /** What is there only for a checkpoint of this size: partial tiles, the partial bundle, and the edge. */
  ofSize(): TlogObject[] {
    const { size } = this;
    const partial = partialTiles(size);
    const objects = partial.map((tile) => ({
      path: formatTlogPath({ kind: "tile", ...tile }),
      body: Buffer.from(this.#tile(tile.level).hashes.subarray(0, tile.width * HASH_BYTES)),
    }));
    const [lowest] = partial;
    if (lowest?.level === 0) {
      const { index, width } = lowest;
      const body = Buffer.from(this.#entries.subarray(0, width * ENTRY_BYTES));
      objects.push({ path: formatTlogPath({ kind: "entries", index, width }), body });
    }
    if (size > 0) objects.push({ path: formatTlogPath({ kind: "edge", size }), body: Buffer.concat(this.roots) });
    return objects;
  }

  #push(level: number, index: number, hash: string): void {
    const tile = this.#tile(level);
    tile.hashes.write(hash, tile.count * HASH_BYTES, "latin1");
    tile.count++;
    if (tile.count < TILE_WIDTH) return;
    const path = formatTlogPath({ kind: "tile", level, index: Math.floor(index / TILE_WIDTH), width: TILE_WIDTH });
    this.#full.push({ path, body: Buffer.from(tile.hashes) });
    tile.count = 0;
  }

  #tile(level: number): { readonly hashes: Buffer; count: number } {
    return (this.#tiles[level] ??= { hashes: Buffer.allocUnsafeSlow(TILE_WIDTH * HASH_BYTES), count: 0 });
  }
}

/** Hashes that stand one behind the other. */
export function hashesOf(bytes: Buffer): Buffer[] {
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, i) =>
    bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );
}

/** The roots of the largest whole subtrees over some hashes, largest first. */
export function subtreeRoots(hashes: readonly Buffer[]): Buffer[] {
  let start = 0;
  return bitsOf(hashes.length).map((level) => wholeRoot(hashes.slice(start, (start += 2 ** level))));
}

/** The root over hashes whose number is a power of two. */
export function wholeRoot(hashes: readonly Buffer[]): Buffer {
  let row = hashes;
  while (row.length > 1)
    row = Array.from({ length: row.length / 2 }, (_, i) => nodeHash(row[2 * i] as Buffer, row[2 * i + 1] as Buffer));
  return row[0] as Buffer;
}
