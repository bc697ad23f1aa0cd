import { ConfigError } from "../../core/errors.js";
import { isHash } from "../../core/hash.js";
import type { Memory } from "../checkpoint/memory.js";
import { CompactRange, bitsOf } from "../merkle/compact-range.js";
import { HASH_BYTES } from "../merkle/hash.js";
import { decodeBase64 } from "../note/base64.js";
import { openCheckpoint, type CheckpointTrust, type SignedCheckpoint } from "../note/checkpoint.js";

/** The newest checkpoint that a verifier has found good, and what it takes to go on behind it. */
export interface VerifierState {
  /** The note, verbatim. */
  readonly note: string;
  readonly checkpoint: SignedCheckpoint;
  /** Of the tree's largest whole subtrees, largest first. */
  readonly roots: readonly Buffer[];
  /** event_hash of its last record. */
  readonly head: string;
}

/** Null when nothing is remembered. @throws ConfigError when it cannot be read; TrustError when no trusted key has signed it */
export async function readVerifierState(memory: Memory, trust: CheckpointTrust): Promise<VerifierState | null> {
  const text = await memory.read();
  if (text === null) return null;
  const fields = parsed(text);
  const { checkpoint: note, roots: rootTexts, head } = fields ?? {};
  const roots = Array.isArray(rootTexts)
    ? rootTexts.map((root: unknown) => (typeof root === "string" ? decodeBase64(root) : null))
    : [];
  if (fields?.["verifier"] !== 1 || typeof note !== "string" || typeof head !== "string" || !isHash(head))
    throw unusable(memory);
  const checkpoint = openCheckpoint(note, trust);
  const whole = roots.filter((root) => root?.length === HASH_BYTES) as Buffer[];
  if (whole.length !== roots.length || whole.length !== bitsOf(checkpoint.size).length) throw unusable(memory);
  if (!CompactRange.of(checkpoint.size, whole).root().equals(checkpoint.root)) throw unusable(memory);
  return { note, checkpoint, roots: whole, head };
}

export async function writeVerifierState(
  memory: Memory,
  { note, roots, head }: Pick<VerifierState, "note" | "roots" | "head">,
): Promise<void> {
  const fields = { verifier: 1, checkpoint: note, roots: roots.map((root) => root.toString("base64")), head };
  await memory.write(`${JSON.stringify(fields)}\n`);
}

function parsed(text: string): {
  readonly [key: string]: unknown;
  readonly checkpoint?: unknown;
  readonly roots?: unknown;
  readonly head?: unknown;
} | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function unusable({ place }: Memory): ConfigError {
  return new ConfigError(`what the verifier remembers, ${place}, cannot be read`, {
    facts: { file: place },
    hint: "without it a rollback would go unnoticed: find out what happened to it; to begin anew, remove it and give a checkpoint that you kept (--from-checkpoint)",
  });
}
