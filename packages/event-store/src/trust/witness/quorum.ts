import { ConfigError, TrustError } from "../../core/errors.js";
import type { SignedCheckpoint } from "../note/checkpoint.js";
import type { VerifierKey } from "../note/key.js";
import type { VerifiedSignature } from "../note/signed-note.js";

/**
 * That at least `quorum` of these witnesses have cosigned a checkpoint, which was opened (`openCheckpoint`) with their keys as witnesses.
 * @returns their cosignatures
 * @throws TrustError NOT_WITNESSED; ConfigError for a quorum that cannot be
 */
export function checkQuorum(
  checkpoint: SignedCheckpoint,
  witnesses: readonly VerifierKey[],
  quorum: number,
): VerifiedSignature[] {
  requireQuorum(witnesses, quorum);
  const found = checkpoint.signatures.filter(({ key }) => witnesses.some((witness) => isSame(witness, key)));
  if (found.length < quorum) throw notWitnessed(checkpoint.origin, witnesses.length, quorum, found.length);
  return found;
}

/** One public key is one witness, under whatever names (C2SP tlog-policy). @throws ConfigError */
export function requireQuorum(witnesses: readonly VerifierKey[], quorum: number): void {
  const notOne = witnesses.find(({ type }) => type !== "cosignature/v1");
  if (notOne !== undefined) throw new ConfigError(`the key of ${notOne.name} is a log's, not a witness's`);
  if (new Set(witnesses.map(({ publicKey }) => publicKey.toString("hex"))).size < witnesses.length)
    throw new ConfigError("two of the witnesses have one key: they are one");
  if (!Number.isSafeInteger(quorum) || quorum < 0 || quorum > witnesses.length)
    throw new ConfigError(`a quorum of ${String(quorum)} cannot be reached by ${String(witnesses.length)} witnesses`);
}

export function notWitnessed(origin: string, witnesses: number, quorum: number, found: number): TrustError {
  return new TrustError("NOT_WITNESSED", `too few witnesses have cosigned the checkpoint of ${origin}`, {
    facts: { expected: `${String(quorum)} of ${String(witnesses)}`, actual: found },
    hint: "without them nobody can tell whether others were shown another log: ask the witnesses again (rynxs checkpoint --witness)",
  });
}

function isSame(a: VerifierKey, b: VerifierKey): boolean {
  return a.name === b.name && a.id === b.id && a.publicKey.equals(b.publicKey);
}
