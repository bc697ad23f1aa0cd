import { TrustError } from "../../core/errors.js";
import { HASH_BYTES } from "../merkle/hash.js";
import { decodeBase64 } from "./base64.js";
import type { VerifierKey } from "./key.js";
import { parseNote, verifiedSignatures, type SignedNote, type VerifiedSignature } from "./signed-note.js";

/** What is said of a log: it has so many records, and the Merkle tree over them this root. C2SP tlog-checkpoint, without extensions. */
export interface Checkpoint {
  /** The log's name. */
  readonly origin: string;
  /** Records. */
  readonly size: number;
  /** 32 bytes. */
  readonly root: Buffer;
}

/** A checkpoint that somebody trusted has signed. */
export interface SignedCheckpoint extends Checkpoint {
  readonly note: SignedNote;
  /** Of trusted keys, at least one. */
  readonly signatures: readonly VerifiedSignature[];
}

/** The text that is signed. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${String(size)}\n${root.toString("base64")}\n`;
}

/** @throws TrustError SIGNATURE_INVALID for a text that is none; extension lines are allowed, and not told of */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = "", sizeText = "", rootText = "", ...rest] = text.split("\n");
  const root = decodeBase64(rootText);
  const size = /^(0|[1-9][0-9]{0,15})$/.test(sizeText) ? Number(sizeText) : NaN;
  const extensions = rest.slice(0, -1);
  if (origin === "" || !Number.isSafeInteger(size) || root?.length !== HASH_BYTES)
    throw new TrustError("SIGNATURE_INVALID", "the signed text is not a checkpoint");
  if (rest.at(-1) !== "" || extensions.includes(""))
    throw new TrustError("SIGNATURE_INVALID", "the checkpoint has an empty line");
  return { origin, size, root };
}

export interface CheckpointTrust {
  /** The log's keys: one of them must have signed. */
  readonly keys: readonly VerifierKey[];
  /** Default: the name of the first key. */
  readonly origin?: string | undefined;
  /** Keys of witnesses, whose cosignatures are verified and told. */
  readonly witnesses?: readonly VerifierKey[] | undefined;
}

/** A checkpoint as it is stored, verified. @throws TrustError SIGNATURE_INVALID, ORIGIN_MISMATCH */
export function openCheckpoint(
  note: string | Uint8Array,
  { keys, origin, witnesses = [] }: CheckpointTrust,
): SignedCheckpoint {
  const parsed = parseNote(note);
  const checkpoint = parseCheckpoint(parsed.text);
  const expected = origin ?? keys[0]?.name;
  if (checkpoint.origin !== expected)
    throw new TrustError("ORIGIN_MISMATCH", "the checkpoint is of another log", {
      facts: { expected: expected ?? "", actual: checkpoint.origin },
      hint: "a copy of a log under another name does not pass for it; if this is the log that you mean, give its own verifier key and --origin",
    });
  const signatures = verifiedSignatures(parsed, [...keys, ...witnesses]);
  if (!signatures.some(({ key }) => keys.includes(key)))
    throw new TrustError("SIGNATURE_INVALID", "no key that is trusted has signed the checkpoint", {
      facts: {
        expected: keys.map(({ name }) => name).join(", "),
        actual: parsed.signatures.map(({ name }) => name).join(", "),
      },
      hint: "give the log's verifier key, as its operator published it",
    });
  return { ...checkpoint, note: parsed, signatures };
}
