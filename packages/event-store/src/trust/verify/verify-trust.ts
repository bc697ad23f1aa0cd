import { ConfigError, TrustError } from "../../core/errors.js";
import { GENESIS_HASH, type Head } from "../../core/event.js";
import type { EventStore, VerifyOptions, VerifyReport } from "../../stores/port.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import type { Memory } from "../checkpoint/memory.js";
import { originOfPlace } from "../checkpoint/origin.js";
import { recordLeaf } from "../merkle/hash.js";
import { openCheckpoint, type CheckpointTrust, type SignedCheckpoint } from "../note/checkpoint.js";
import type { ProofTrust } from "../proof/verify-proof.js";
import { checkQuorum } from "../witness/quorum.js";
import { formatTlogPath } from "../tiles/layout.js";
import { TlogShelf } from "../tiles/shelf.js";
import { TrustedTiles } from "../tiles/trusted-tiles.js";
import type { TreeAt, TreeBegin } from "./hash-tree.js";
import { TreeBeside } from "./tree-thread.js";
import { readVerifierState, writeVerifierState, type VerifierState } from "./verifier-state.js";

export interface TrustOptions
  extends ProofTrust, Pick<VerifyOptions, "expectedHead" | "segments" | "onProgress" | "signal"> {
  /** The note to hold the log against; default: the one that is stored with it. */
  readonly checkpoint?: string | Uint8Array | undefined;
  /** A note that the verifier kept: the log must go on from it, and what lies before is taken for verified. */
  readonly fromCheckpoint?: string | Uint8Array | undefined;
  /** What the verifier remembers of the log, and is to remember. */
  readonly memory?: Memory | undefined;
  /** Verify all of it, whatever was verified before. */
  readonly full?: boolean | undefined;
  /** Threads for a long file. */
  readonly workers?: number | undefined;
  readonly runtime?: Runtime | undefined;
}

export interface TrustReport {
  /** Records that were verified in this run: those from seq `from` on. */
  readonly events: number;
  readonly from: number;
  /** The log's last record. */
  readonly head: Head;
  /** What the log was held against. */
  readonly checkpoint: SignedCheckpoint;
  /** Records behind the checkpoint: a good chain, which nobody has signed yet. */
  readonly unsigned: number;
  /** Size of the checkpoint that was remembered; null when there was none. */
  readonly remembered: number | null;
}

/** A signed checkpoint that the log must bear out. */
interface Claim {
  readonly note: string;
  readonly checkpoint: SignedCheckpoint;
}

const NOTHING: TreeBegin = { size: 0, roots: [], head: GENESIS_HASH };

/**
 * Verifies a log as somebody does who trusts neither whoever can write to it nor where it is kept, but a key: all that `verify` checks,
 * and that its records are those that were signed; with a memory, also that what was signed goes on from what was signed before.
 * @throws VerificationError, as `verify` reports it; TrustError: SIGNATURE_INVALID, ORIGIN_MISMATCH, NOT_WITNESSED, ROLLED_BACK, FORKED,
 *   TREE_MISMATCH; ConfigError; BackendError
 */
export async function verifyTrust(store: EventStore, options: TrustOptions): Promise<TrustReport> {
  const trust = trustOf(store, options);
  const { memory, signal } = options;
  const shelf = new TlogShelf(store.derived, options.runtime ?? systemRuntime);
  const remembered = memory ? await readVerifierState(memory, trust) : null;
  const from = options.fromCheckpoint === undefined ? null : claimOf(options.fromCheckpoint, trust);
  const note = options.checkpoint ?? (await shelf.get(formatTlogPath({ kind: "checkpoint" }), signal))?.body;
  if (note === undefined) throw noCheckpoint(remembered?.checkpoint ?? from?.checkpoint);
  const current = claimOf(note, trust);
  checkQuorum(current.checkpoint, options.witnesses ?? [], options.quorum ?? 0);
  const known = [remembered, from].filter((claim) => claim !== null);
  for (const older of known) await checkOrder(older, current, options);
  const begin = options.full === true ? NOTHING : await beginOf(store, shelf, remembered, from, current);
  const sizes = [...known, current].map(({ checkpoint }) => checkpoint.size);
  let walked = await walk(store, begin, sizes, options);
  // Only a walk of everything tells what is wrong.
  if (begin.size > 0 && !isGood(walked, [...known, current])) walked = await walk(store, NOTHING, sizes, options);
  const { report } = walked;
  if (!report.valid) throw report.error;
  const found = await judge(walked, known, current, memory);
  if (memory) await remember(memory, trust, current, found);
  return {
    events: report.events,
    from: walked.begin.size,
    head: report.head,
    checkpoint: current.checkpoint,
    unsigned: sizeOf(report) - current.checkpoint.size,
    remembered: remembered?.checkpoint.size ?? null,
  };
}

function isGood({ report, passed }: Walked, claims: readonly Claim[]): boolean {
  return report.valid && claims.every(({ checkpoint: { size, root } }) => passed.get(size)?.root.equals(root) === true);
}

function trustOf(store: EventStore, { keys, origin, witnesses }: TrustOptions): CheckpointTrust {
  const [key] = keys;
  if (key === undefined) throw new ConfigError("a verifier needs the log's key");
  const place = originOfPlace(store.location);
  if (origin === undefined && place !== null && place !== key.name)
    throw new TrustError("ORIGIN_MISMATCH", "the key is of another log than the one in this place", {
      facts: { expected: key.name, actual: place },
      hint: "a copy of a log does not pass for it; if this one is known to be the log of that name, say so with --origin",
    });
  return { keys, origin: origin ?? key.name, witnesses };
}

function claimOf(note: string | Uint8Array, trust: CheckpointTrust): Claim {
  return { note: Buffer.from(note as Uint8Array).toString(), checkpoint: openCheckpoint(note, trust) };
}

/** What was seen before is not ahead of what is shown now, and is no other log. */
async function checkOrder(older: Claim, current: Claim, { checkpoint, memory }: TrustOptions): Promise<void> {
  const [expected, actual] = [older.checkpoint.size, current.checkpoint.size];
  // One that the caller gave may well be older.
  if (actual < expected && checkpoint === undefined)
    throw new TrustError(
      "ROLLED_BACK",
      `the log's checkpoint has ${String(actual)} records; one with ${String(expected)} was seen before`,
      {
        facts: { expected, actual, ...(await evidence(memory, older, current)) },
        hint: "an old state was put back: ask for the log as it was, and keep this one as evidence",
      },
    );
  if (actual === expected && !current.checkpoint.root.equals(older.checkpoint.root))
    throw await forked(memory, older, current);
}

async function forked(memory: Memory | undefined, older: Claim, current: Claim): Promise<TrustError> {
  const [expected, actual] = [older.checkpoint.size, current.checkpoint.size];
  return new TrustError(
    "FORKED",
    `the checkpoint of ${String(actual)} records does not go on from the one of ${String(expected)} that was seen before, though both are signed`,
    {
      facts: { expected, actual, ...(await evidence(memory, older, current)) },
      hint: "the signer has shown two logs: keep both checkpoints, and show them to others who verify it",
    },
  );
}

/** Both texts, in a file that is named. */
async function evidence(memory: Memory | undefined, a: Claim, b: Claim): Promise<{ readonly file?: string }> {
  if (!memory) return {};
  const name = `${String(a.checkpoint.size)}-${String(b.checkpoint.size)}`;
  return { file: await memory.keepEvidence(name, `${a.note}\n${b.note}`) };
}

/** The furthest point behind which the log need not be verified again. */
async function beginOf(
  store: EventStore,
  shelf: TlogShelf,
  remembered: VerifierState | null,
  from: Claim | null,
  current: Claim,
): Promise<TreeBegin> {
  const state = remembered && { size: remembered.checkpoint.size, roots: remembered.roots, head: remembered.head };
  // Whatever is older than where a walk begins cannot be compared on the way.
  if (from && from.checkpoint.size > 0 && (state === null || from.checkpoint.size === state.size))
    return state ?? (await beginAt(store, shelf, from.checkpoint, current)) ?? NOTHING;
  if (from || state === null || state.size > current.checkpoint.size) return NOTHING;
  return state;
}

/** From the stored tiles, which bear out the signed root; null when they do not. */
async function beginAt(
  store: EventStore,
  shelf: TlogShelf,
  { size, root }: SignedCheckpoint,
  current: Claim,
): Promise<TreeBegin | null> {
  if (size > current.checkpoint.size) return null;
  try {
    const tiles = new TrustedTiles(shelf, { size, root });
    const head = await store.getEventHash(size - 1);
    if (head === null || !recordLeaf(head).equals(await tiles.leaf(size - 1))) return null;
    return { size, roots: (await tiles.edge()).roots, head };
  } catch (error) {
    if (error instanceof TrustError) return null;
    throw error;
  }
}

interface Walked {
  readonly begin: TreeBegin;
  readonly report: VerifyReport;
  readonly passed: ReadonlyMap<number, TreeAt>;
}

async function walk(
  store: EventStore,
  begin: TreeBegin,
  sizes: readonly number[],
  options: TrustOptions,
  beside = true,
): Promise<Walked> {
  const { expectedHead, segments, workers, onProgress, signal } = options;
  const tree = new TreeBeside(begin, sizes, beside ? undefined : null);
  try {
    const report = await store.verify({
      fromSeq: begin.size,
      ...(begin.size > 0 && { anchor: { seq: begin.size - 1, hash: begin.head } }),
      expectedHead,
      segments,
      workers,
      onProgress,
      signal,
      onHashes: (hashes) => tree.append(hashes),
    });
    const passed = await tree.passed();
    // No thread could be had here.
    return passed ? { begin, report, passed } : await walk(store, begin, sizes, options, false);
  } finally {
    await tree.close();
  }
}

/** The tree at the current checkpoint, which the log bears out, as all that were seen before. @throws TrustError */
async function judge(
  { report, passed }: Walked,
  known: readonly Claim[],
  current: Claim,
  memory: Memory | undefined,
): Promise<TreeAt> {
  const size = sizeOf(report);
  for (const { checkpoint } of [current, ...known]) {
    if (checkpoint.size <= size) continue;
    throw new TrustError(
      "ROLLED_BACK",
      `the log has ${String(size)} records; a checkpoint of ${String(checkpoint.size)} was signed`,
      {
        facts: { expected: checkpoint.size, actual: size },
        hint: "its end was cut off, or an old copy was put in its place",
      },
    );
  }
  const found = passed.get(current.checkpoint.size);
  if (found?.root.equals(current.checkpoint.root) !== true)
    throw new TrustError(
      "TREE_MISMATCH",
      `the first ${String(current.checkpoint.size)} records are not those that were signed, though they are a good chain`,
      {
        facts: {
          expected: current.checkpoint.root.toString("base64"),
          actual: found?.root.toString("base64") ?? "",
        },
        hint: "records were rewritten, with all their hashes: keep the log as evidence, and look for the first record that differs from a copy",
      },
    );
  for (const older of known)
    if (passed.get(older.checkpoint.size)?.root.equals(older.checkpoint.root) !== true)
      throw await forked(memory, older, current);
  return found;
}

function sizeOf({ head }: VerifyReport): number {
  return head.seq + 1;
}

async function remember(
  memory: Memory,
  trust: CheckpointTrust,
  current: Claim,
  { roots, head }: TreeAt,
): Promise<void> {
  await memory.exclusively(async () => {
    const now = await readVerifierState(memory, trust);
    if ((now?.checkpoint.size ?? -1) >= current.checkpoint.size) return;
    await writeVerifierState(memory, { note: current.note, roots, head });
  });
}

function noCheckpoint(seen: SignedCheckpoint | undefined): TrustError {
  if (seen === undefined)
    return new TrustError("SIGNATURE_INVALID", "the log has no checkpoint", {
      hint: "whoever has the signing key makes one with `rynxs checkpoint`; or give one with --checkpoint",
    });
  return new TrustError("ROLLED_BACK", "the log has no checkpoint any more; one was seen before", {
    facts: { expected: seen.size, actual: 0 },
    hint: "it was deleted, or another log was put in its place",
  });
}
