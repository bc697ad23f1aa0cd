import type { CheckpointOptions, WitnessAddress } from "@rynxs/event-store/trust";
import { describe, usageError } from "./exit.js";
import type { Output } from "./output.js";

/** Who is to cosign checkpoints. */
export interface WitnessesFlags {
  /** `URL=VKEY`, for each. */
  readonly witness?: readonly string[];
  readonly quorum?: number;
  readonly failOpen?: true;
}

/** Asks the witnesses for each checkpoint; undefined without any. @throws CliError for flags that do not go together */
export async function cosigningOf(
  { witness = [], quorum, failOpen }: WitnessesFlags,
  output: Output,
  signal: AbortSignal,
): Promise<CheckpointOptions["cosign"]> {
  if (witness.length === 0) {
    if (quorum === undefined && failOpen === undefined) return undefined;
    throw usageError("--quorum and --fail-open are about witnesses", "give each with --witness URL=KEY");
  }
  if (quorum === undefined)
    throw usageError("how many of the witnesses must cosign?", "say it with --quorum; 0: none need to");
  const { gatherCosignatures } = await import("@rynxs/event-store/trust");
  const witnesses = await Promise.all(witness.map(addressOf));
  return async (note, proof) => {
    const options = { quorum, failOpen: failOpen ?? false, proof, signal };
    const { checkpoint, isWitnessed, failures } = await gatherCosignatures(note, witnesses, options);
    for (const { witness, error } of failures) {
      const { code, message } = describe(error);
      output.note(`warning ${code}: ${witness.url} did not cosign: ${message}`);
    }
    if (!isWitnessed) output.note(`warning NOT_WITNESSED: signed with fewer than ${String(quorum)} witnesses`);
    return checkpoint;
  };
}

async function addressOf(text: string): Promise<WitnessAddress> {
  const { parseVerifierKey } = await import("@rynxs/event-store/trust");
  const at = text.indexOf("=");
  if (at <= 0)
    throw usageError(`${JSON.stringify(text)} names no witness`, "give URL=KEY, the key as the witness prints it");
  return { url: text.slice(0, at), key: parseVerifierKey(text.slice(at + 1)) };
}
