/** Hashes in a full tile: eight levels of the tree. */
export const TILE_WIDTH = 256;
/** Bytes of a hash, and of a log entry: the entries of this log are event hashes. */
export const HASH_BYTES = 32;
/** An entry as bundles hold it: two bytes of length before it. */
export const ENTRY_BYTES: number = 2 + HASH_BYTES;

/** A tile of hashes: of level 0 leaf hashes, above it the hashes of full tiles of the level below. */
export interface TileId {
  readonly level: number;
  readonly index: number;
  /** 1 … 256; less than 256 in the last tile of a level. */
  readonly width: number;
}

/** What an object under `_tlog/` is: C2SP tlog-tiles, and beside it every checkpoint for ever, and the edges of their trees. */
export type TlogPath =
  | ({ readonly kind: "tile" } & TileId)
  /** The log's entries, as many as the tile of level 0 has hashes. */
  | { readonly kind: "entries"; readonly index: number; readonly width: number }
  /** The latest checkpoint: the only one of these that is ever replaced. */
  | { readonly kind: "checkpoint" }
  | { readonly kind: "checkpoints"; readonly size: number }
  /** The roots of the largest whole subtrees of the tree of that size, largest first. */
  | { readonly kind: "edge"; readonly size: number };

/** The path below `_tlog/`. */
export function formatTlogPath(path: TlogPath): string {
  switch (path.kind) {
    case "tile":
      return `tile/${String(path.level)}/${placeText(path)}`;
    case "entries":
      return `tile/entries/${placeText(path)}`;
    case "checkpoint":
      return "checkpoint";
    case "checkpoints":
      return `checkpoints/${String(path.size)}`;
    case "edge":
      return `edges/${String(path.size)}`;
  }
}

const TILE = /^tile\/(entries|[0-9]|[1-5][0-9]|6[0-3])\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;
const OF_SIZE = /^(checkpoints|edges)\/(0|[1-9][0-9]{0,15})$/;

/** What a path below `_tlog/` names; null for every path that `formatTlogPath` does not give. */
export function parseTlogPath(path: string): TlogPath | null {
  if (path === "checkpoint") return { kind: "checkpoint" };
  const [, folder, sizeText] = OF_SIZE.exec(path) ?? [];
  if (sizeText !== undefined) {
    const size = Number(sizeText);
    if (!Number.isSafeInteger(size)) return null;
    return folder === "edges" ? { kind: "edge", size } : { kind: "checkpoints", size };
  }
  const [, level, name, partial] = TILE.exec(path) ?? [];
  if (level === undefined || name === undefined) return null;
  const index = Number(name.replaceAll(/[x/]/g, ""));
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  if (width > TILE_WIDTH - (partial === undefined ? 0 : 1) || indexText(index) !== name) return null;
  return level === "entries" ? { kind: "entries", index, width } : { kind: "tile", level: Number(level), index, width };
}

/** The tiles of a tree that are not full, lowest level first: those that stand only where a checkpoint has this size. */
export function partialTiles(size: number): TileId[] {
  const tiles: TileId[] = [];
  for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
    const width = hashes % TILE_WIDTH;
    if (width > 0) tiles.push({ level, index: (hashes - width) / TILE_WIDTH, width });
  }
  return tiles;
}

/** The tile of this place in the tree of `size` leaves; null where the tree has none. */
export function tileIn(size: number, level: number, index: number): TileId | null {
  const width = Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH);
  return width < 1 ? null : { level, index, width };
}

function placeText({ index, width }: { readonly index: number; readonly width: number }): string {
  return width === TILE_WIDTH ? indexText(index) : `${indexText(index)}.p/${String(width)}`;
}

/** `1234067` as `x001/x234/067`. */
function indexText(index: number): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, "0");
  const groups = padded.match(/[0-9]{3}/g) ?? [];
  return groups.map((group, i) => (i === groups.length - 1 ? group : `x${group}`)).join("/");
}
