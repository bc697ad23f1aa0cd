import { TrustError } from "../../core/errors.js";
import { createDerived } from "../../log/compaction/derived-object.js";
import { backOff } from "../../system/runtime.js";
import { consistencyProof } from "../merkle/prove.js";
import { verifyConsistency } from "../merkle/verify.js";
import { openCheckpoint, type CheckpointTrust, type SignedCheckpoint } from "../note/checkpoint.js";
import { formatTlogPath } from "../tiles/layout.js";
import type { TlogShelf } from "../tiles/shelf.js";
import { TrustedTiles } from "../tiles/trusted-tiles.js";
import type { Tree } from "./signer-memory.js";

/** Text of a note. */
const CONTENT_TYPE = "text/plain; charset=utf-8";
const LATEST: string = formatTlogPath({ kind: "checkpoint" });
const TRIES = 8;

/** The latest checkpoint as it is stored. */
export interface Published extends SignedCheckpoint {
  readonly etag: string;
  /** The note, verbatim. */
  readonly body: Buffer;
}

/** Null when there is none. @throws TrustError SIGNATURE_INVALID, ORIGIN_MISMATCH */
export async function latestCheckpoint(
  shelf: TlogShelf,
  trust: CheckpointTrust,
  signal?: AbortSignal,
): Promise<Published | null> {
  const stored = await shelf.get(LATEST, signal);
  return stored && { ...openCheckpoint(stored.body, trust), etag: stored.etag, body: stored.body };
}

/** Whether the tree `newer`, whose tiles are stored, goes on from `older`. @throws TrustError TREE_MISMATCH when its tiles are not its own */
export async function goesOnFrom(shelf: TlogShelf, older: Tree, newer: Tree): Promise<boolean> {
  if (older.size > newer.size) return false;
  const tiles = new TrustedTiles(shelf, newer);
  const proof = await consistencyProof(older.size, newer.size, tiles.read);
  return verifyConsistency(older.size, newer.size, proof, older.root, newer.root);
}

/** Two signed checkpoints contradict each other. */
export function forked(message: string, sizes: { readonly expected: number; readonly actual: number }): TrustError {
  return new TrustError("FORKED", message, {
    facts: sizes,
    hint: "keep both checkpoints as evidence: somebody has signed two logs with this key, or has stolen it",
  });
}

export interface PublishParts {
  readonly shelf: TlogShelf;
  readonly trust: CheckpointTrust;
  /** The stored checkpoint that the new one was checked against. */
  readonly known: Published | null;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Stores a checkpoint for ever, and then as the latest one, which is only ever moved forward. Its tiles are stored. Whoever else does
 * the same meanwhile, for the same log, is no trouble. @throws TrustError FORKED; BackendError
 */
export async function publish(note: string, { shelf, trust, known, signal }: PublishParts): Promise<Published> {
  const ours = openCheckpoint(note, trust);
  const body = Buffer.from(note);
  await keep(shelf, ours, body, trust, signal);
  let current = known;
  for (let tries = 1; ; tries++) {
    if (current !== null && !isOlder(current, ours)) return current;
    const options = { contentType: CONTENT_TYPE, signal };
    const key = shelf.key(LATEST);
    const answer = current
      ? await shelf.objects.replaceIfMatch(key, body, current.etag, options)
      : await shelf.objects.putIfAbsent(key, body, options);
    if (answer.outcome === "stored") return { ...ours, etag: answer.etag, body };
    if (answer.outcome === "unknown") {
      if (tries >= TRIES || signal?.aborted === true) throw answer.cause;
      await shelf.runtime.sleep(Math.max(answer.retryAfterMs ?? 0, backOff(shelf.runtime, tries, 50, 2000)), signal);
    }
    current = await latestCheckpoint(shelf, trust, signal);
    if (current !== null) await checkRival(shelf, current, ours);
  }
}

/** At the same size, more signatures are more. */
function isOlder(current: SignedCheckpoint, ours: SignedCheckpoint): boolean {
  if (current.size !== ours.size) return current.size < ours.size;
  return current.note.signatures.length < ours.note.signatures.length;
}

async function keep(
  shelf: TlogShelf,
  ours: SignedCheckpoint,
  body: Buffer,
  trust: CheckpointTrust,
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = formatTlogPath({ kind: "checkpoints", size: ours.size });
  const key = shelf.key(path);
  const options = { runtime: shelf.runtime, contentType: CONTENT_TYPE, signal };
  if ((await createDerived(shelf.objects, key, body, options)) === "stored") return;
  const there = await shelf.get(path, signal);
  if (there === null || there.body.equals(body)) return;
  const theirs = openCheckpoint(there.body, trust);
  // Perhaps with other signatures: any of them will do.
  if (theirs.size !== ours.size || !theirs.root.equals(ours.root))
    throw forked(`${key} is signed, and contradicts this log`, { expected: ours.size, actual: theirs.size });
}

async function checkRival(shelf: TlogShelf, current: Tree, ours: Tree): Promise<void> {
  const [older, newer] = current.size <= ours.size ? [current, ours] : [ours, current];
  if (await goesOnFrom(shelf, older, newer)) return;
  throw forked("the checkpoint that somebody has stored meanwhile contradicts this log", {
    expected: ours.size,
    actual: current.size,
  });
}
