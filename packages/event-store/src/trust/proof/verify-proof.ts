import { checkAlone } from "../../core/chain.js";
import { TrustError, VerificationError } from "../../core/errors.js";
import type { AnyEvents, RecordedEvent } from "../../core/event.js";
import { EventParser } from "../../core/recorded-event.js";
import type { RecordView } from "../../core/record-view.js";
import { recordLeaf } from "../merkle/hash.js";
import { verifyConsistency, verifyInclusion } from "../merkle/verify.js";
import { openCheckpoint, type CheckpointTrust, type SignedCheckpoint } from "../note/checkpoint.js";
import { parseProof } from "../note/proof-file.js";
import { parseConsistencyProof } from "./consistency-file.js";
import { checkQuorum } from "../witness/quorum.js";

export interface ProofTrust extends CheckpointTrust {
  /** So many of the witnesses must have signed; default 0. */
  readonly quorum?: number | undefined;
}

/** A record that was proved. */
export interface ProvenRecord {
  readonly event: RecordedEvent;
  /** The stored line. */
  readonly line: Buffer;
  readonly checkpoint: SignedCheckpoint;
}

/**
 * Verifies what `proveInclusion` gives: the record has its own hash, that hash is the leaf at its seq, the leaf is in the tree of the
 * checkpoint, and that is signed. Needs nothing but the text and the keys.
 * @throws TrustError PROOF_INVALID, SIGNATURE_INVALID, ORIGIN_MISMATCH, NOT_WITNESSED
 */
export function verifyProof(text: string, trust: ProofTrust): ProvenRecord {
  const { extra, index, hashes, checkpoint: note } = parseProof(text);
  const checkpoint = openCheckpoint(note, trust);
  checkQuorum(checkpoint, trust.witnesses ?? [], trust.quorum ?? 0);
  if (extra === undefined) throw invalid("it has no record", index);
  const view = recordIn(extra, index);
  if (!verifyInclusion(recordLeaf(view.eventHash), index, checkpoint.size, hashes, checkpoint.root))
    throw invalid("the record is not in the tree that was signed", index);
  return { event: new EventParser<AnyEvents>().parse(view), line: extra, checkpoint };
}

/**
 * Verifies what `proveConsistency` gives: both checkpoints are signed, and the second's tree goes on from the first's.
 * @throws TrustError PROOF_INVALID, SIGNATURE_INVALID, ORIGIN_MISMATCH, NOT_WITNESSED
 */
export function verifyConsistencyProof(
  text: string,
  trust: ProofTrust,
): { readonly first: SignedCheckpoint; readonly second: SignedCheckpoint } {
  const proof = parseConsistencyProof(text);
  const first = openCheckpoint(proof.first, trust);
  const second = openCheckpoint(proof.second, trust);
  checkQuorum(second, trust.witnesses ?? [], trust.quorum ?? 0);
  if (!verifyConsistency(first.size, second.size, proof.hashes, first.root, second.root))
    throw new TrustError("PROOF_INVALID", "the second checkpoint is not proved to go on from the first", {
      facts: { expected: first.size, actual: second.size },
      hint: "if both signatures are good and no proof can be had, the signer has shown two logs",
    });
  return { first, second };
}

/** Its form, its place and its own hash. */
function recordIn(line: Buffer, seq: number): RecordView {
  try {
    if (line.includes(0x0a)) throw invalid("its record is more than one line", seq);
    return checkAlone(line, seq);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw new TrustError("PROOF_INVALID", `the record in it is not good: ${error.message}`, {
      facts: { seq, expected: error.expected, actual: error.actual },
      cause: error,
    });
  }
}

function invalid(problem: string, seq: number): TrustError {
  return new TrustError("PROOF_INVALID", `the proof does not hold: ${problem}`, { facts: { seq } });
}
