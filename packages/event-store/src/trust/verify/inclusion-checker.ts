import { TrustError } from "../../core/errors.js";
import type { EventStore, InclusionChecker } from "../../stores/port.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import type { Tree } from "../checkpoint/signer-memory.js";
import { recordLeaf } from "../merkle/hash.js";
import { TILE_WIDTH } from "../tiles/layout.js";
import { TlogShelf } from "../tiles/shelf.js";
import { TrustedTiles } from "../tiles/trusted-tiles.js";

/** Tiles that are fetched at once. */
const WIDTH = 16;

/**
 * Checks records against a checkpoint that the caller has verified (`openCheckpoint`, `verifyTrust`), for reads with
 * `verify: "inclusion"`. A record costs at most a tile of each level, 8 KiB each; the tiles above are few, and kept.
 */
export function inclusionChecker(
  store: EventStore,
  checkpoint: Tree,
  { runtime = systemRuntime }: { readonly runtime?: Runtime | undefined } = {},
): InclusionChecker {
  const tiles = new TrustedTiles(new TlogShelf(store.derived, runtime), checkpoint);
  return {
    size: checkpoint.size,
    check: async (records, signal) => {
      const left = [...byTile(records)];
      const work = async (): Promise<void> => {
        for (let next = left.shift(); next; next = left.shift()) {
          signal?.throwIfAborted();
          const [index, some] = next;
          const leaves = await tiles.tile(0, index);
          for (const { seq, eventHash } of some)
            if (leaves[seq % TILE_WIDTH]?.equals(recordLeaf(eventHash)) !== true) throw notSigned(seq);
        }
      };
      await Promise.all(Array.from({ length: Math.min(WIDTH, left.length) }, work));
    },
  };
}

interface Checked {
  readonly seq: number;
  readonly eventHash: string;
}

function byTile(records: readonly Checked[]): Map<number, Checked[]> {
  const tiles = new Map<number, Checked[]>();
  for (const record of records) {
    const index = Math.floor(record.seq / TILE_WIDTH);
    const some = tiles.get(index);
    if (some) some.push(record);
    else tiles.set(index, [record]);
  }
  return tiles;
}

function notSigned(seq: number): TrustError {
  return new TrustError("TREE_MISMATCH", `record ${String(seq)} is not the one that was signed`, {
    facts: { seq },
    hint: "it was rewritten, or an index shows another log's record: run `rynxs verify --key …`",
  });
}
