import { ConfigError, TrustError } from "../../core/errors.js";
import type { StoredRecord } from "../../core/event.js";
import type { EventStore } from "../../stores/port.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import { recordLeaf } from "../merkle/hash.js";
import { consistencyProof, inclusionProof } from "../merkle/prove.js";
import { parseCheckpoint, type Checkpoint } from "../note/checkpoint.js";
import { formatProof } from "../note/proof-file.js";
import { parseNote } from "../note/signed-note.js";
import { formatTlogPath } from "../tiles/layout.js";
import { TlogShelf } from "../tiles/shelf.js";
import { TrustedTiles } from "../tiles/trusted-tiles.js";
import { formatConsistencyProof } from "./consistency-file.js";

export interface ProveOptions {
  /** The note to prove against; default: the log's latest. */
  readonly checkpoint?: string | undefined;
  readonly runtime?: Runtime | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A tlog-proof (C2SP) of a record: its stored line as extra data, its path in the tree, and the checkpoint. Costs the record, the
 * checkpoint and a few tiles. Nobody's signature is checked: whoever verifies the proof does that.
 * @throws ConfigError when there is no such record, or no checkpoint has it yet; TrustError TREE_MISMATCH
 */
export async function proveInclusion(store: EventStore, seq: number, options: ProveOptions = {}): Promise<string> {
  const shelf = new TlogShelf(store.derived, options.runtime ?? systemRuntime);
  const note = options.checkpoint ?? (await latestNote(shelf, options.signal));
  const { size, root } = checkpointOf(note);
  if (!(Number.isSafeInteger(seq) && seq >= 0)) throw new ConfigError(`${String(seq)} is no seq`);
  if (seq >= size)
    throw new ConfigError(`record ${String(seq)} is not in the checkpoint, which has ${String(size)} records`, {
      facts: { seq, expected: seq + 1, actual: size },
      hint: "run `rynxs checkpoint`, or prove it against a later checkpoint",
    });
  const tiles = new TrustedTiles(shelf, { size, root });
  const [record, hashes, leaf] = await Promise.all([
    recordOf(store, seq, options.signal),
    inclusionProof(seq, size, tiles.read),
    tiles.leaf(seq),
  ]);
  if (!recordLeaf(record.eventHash).equals(leaf))
    throw new TrustError("TREE_MISMATCH", `record ${String(seq)} is not the one that was signed`, {
      facts: { seq },
      hint: "it was rewritten after it was signed: keep the log as evidence",
    });
  return formatProof({ extra: record.line, index: seq, hashes, checkpoint: note });
}

/**
 * That the tree of size `second` goes on from that of size `first`; both were signed and are stored. `second`: default, the latest.
 * @throws ConfigError when there is no checkpoint of that size; TrustError TREE_MISMATCH, FORKED
 */
export async function proveConsistency(
  store: EventStore,
  first: number,
  second?: number,
  options: Omit<ProveOptions, "checkpoint"> = {},
): Promise<string> {
  const shelf = new TlogShelf(store.derived, options.runtime ?? systemRuntime);
  const older = await noteOf(shelf, first, options.signal);
  const newer =
    second === undefined ? await latestNote(shelf, options.signal) : await noteOf(shelf, second, options.signal);
  const [from, to] = [checkpointOf(older), checkpointOf(newer)];
  if (from.size > to.size)
    throw new ConfigError(`a tree of ${String(to.size)} does not go on from one of ${String(from.size)}`, {
      hint: "give the smaller size first",
    });
  const hashes = await consistencyProof(from.size, to.size, new TrustedTiles(shelf, to).read);
  return formatConsistencyProof({ first: older, second: newer, hashes });
}

/** The stored note of the latest checkpoint. @throws ConfigError when there is none */
async function latestNote(shelf: TlogShelf, signal: AbortSignal | undefined): Promise<string> {
  const stored = await shelf.get(formatTlogPath({ kind: "checkpoint" }), signal);
  if (stored) return stored.body.toString();
  throw new ConfigError("the log has no checkpoint", { hint: "`rynxs checkpoint` signs one" });
}

async function noteOf(shelf: TlogShelf, size: number, signal: AbortSignal | undefined): Promise<string> {
  const stored = await shelf.get(formatTlogPath({ kind: "checkpoints", size }), signal);
  if (stored) return stored.body.toString();
  throw new ConfigError(`the log has no checkpoint of ${String(size)} records`, {
    hint: "`rynxs checkpoint --every N` signs at every multiple of N",
  });
}

function checkpointOf(note: string): Checkpoint {
  return parseCheckpoint(parseNote(note).text);
}

async function recordOf(store: EventStore, seq: number, signal: AbortSignal | undefined): Promise<StoredRecord> {
  for await (const record of store.readRecords({ fromSeq: seq, toSeq: seq, signal })) return record;
  throw new TrustError("ROLLED_BACK", `the log has no record ${String(seq)} any more, which was signed`, {
    facts: { seq },
    hint: "its end was cut off, or an old copy was put in its place",
  });
}
