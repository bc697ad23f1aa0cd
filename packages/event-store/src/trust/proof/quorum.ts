import { TrustError } from "../../core/errors.js";
import type { SignedCheckpoint } from "../note/checkpoint.js";
import type { VerifierKey } from "../note/key.js";

/** @throws TrustError NOT_WITNESSED when fewer than `quorum` of the witnesses have signed */
export function checkQuorum(
  { signatures }: SignedCheckpoint,
  witnesses: readonly VerifierKey[] = [],
  quorum = 0,
): void {
  // One witness may have several keys.
  const signed = new Set(signatures.filter(({ key }) => witnesses.includes(key)).map(({ key }) => key.name));
  if (signed.size >= quorum) return;
  throw new TrustError("NOT_WITNESSED", `${String(signed.size)} of ${String(quorum)} witnesses have signed`, {
    facts: { expected: quorum, actual: signed.size },
    hint: "wait for a checkpoint that they have signed, or ask why they have not",
  });
}
