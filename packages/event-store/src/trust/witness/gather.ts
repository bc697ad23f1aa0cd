import { EventStoreError } from "../../core/errors.js";
import { systemRuntime } from "../../system/runtime.js";
import { parseCheckpoint } from "../note/checkpoint.js";
import { formatNote, parseNote } from "../note/signed-note.js";
import { cosign, submissionUrl, type Cosignature, type CosignOptions, type WitnessAddress } from "./cosign.js";
import { notWitnessed, requireQuorum } from "./quorum.js";

export interface GatherOptions extends Omit<CosignOptions, "witness" | "oldSize"> {
  /** So many of the witnesses must cosign; 0: none need to. */
  readonly quorum: number;
  /** Where too few can be reached: true goes on without them, and the result says so; false fails. Never hides what a witness testifies against the log. */
  readonly failOpen: boolean;
  /** What each witness is known to have seen; default: nothing. */
  readonly oldSize?: ((witness: WitnessAddress) => number) | undefined;
  /** Once there are enough, how long the others are still waited for, in milliseconds; default 1,000. */
  readonly lingerMs?: number | undefined;
}

export interface Gathered {
  /** The checkpoint with the cosignatures behind its own signatures. */
  readonly checkpoint: string;
  readonly cosignatures: readonly Cosignature[];
  /** Whether there are as many as the quorum: false only when failing open. */
  readonly isWitnessed: boolean;
  /** Witnesses that did not cosign, and why; a TrustError among them is evidence, of the log or of the witness. */
  readonly failures: readonly WitnessFailure[];
}

export interface WitnessFailure {
  readonly witness: WitnessAddress;
  readonly error: unknown;
}

/**
 * Asks several witnesses at once.
 * @throws TrustError NOT_WITNESSED when there are too few and `failOpen` is false; ROLLED_BACK, PROOF_INVALID … when there are too few and
 *   one of them testifies against the log, whatever `failOpen` is; EventStoreError ABORTED; ConfigError
 */
export async function gatherCosignatures(
  checkpoint: string,
  witnesses: readonly WitnessAddress[],
  options: GatherOptions,
): Promise<Gathered> {
  const { quorum, failOpen, oldSize, lingerMs = 1000, runtime = systemRuntime, signal, ...rest } = options;
  requireQuorum(
    witnesses.map(({ key }) => key),
    quorum,
  );
  for (const witness of witnesses) submissionUrl(witness);
  const { origin } = parseCheckpoint(parseNote(checkpoint).text);
  const enough = new AbortController();
  const ended = new AbortController();
  const cosignatures: Cosignature[] = [];
  const failures: WitnessFailure[] = [];
  const ask = async (witness: WitnessAddress): Promise<void> => {
    const both = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
    try {
      const asked = { ...rest, witness, oldSize: oldSize?.(witness), runtime, signal: both };
      cosignatures.push(await cosign(checkpoint, asked));
    } catch (error) {
      failures.push({ witness, error });
    }
    if (cosignatures.length >= quorum) enough.abort();
  };
  const all = Promise.all(witnesses.map(ask));
  await Promise.race([all, aborted(enough.signal)]);
  const calm = new AbortController();
  void all.then(() => {
    calm.abort();
  });
  if (enough.signal.aborted) await runtime.sleep(lingerMs, calm.signal);
  ended.abort();
  await all;
  if (signal?.aborted === true)
    throw new EventStoreError("ABORTED", "the request for cosignatures was aborted", { cause: signal.reason });
  const isWitnessed = cosignatures.length >= quorum;
  if (!isWitnessed) {
    const evidence = failures.find(({ error }) => isAgainstLog(error));
    if (evidence !== undefined) throw evidence.error;
    if (!failOpen) throw notWitnessed(origin, witnesses.length, quorum, cosignatures.length);
  }
  return { checkpoint: withCosignatures(checkpoint, cosignatures), cosignatures, isWitnessed, failures };
}

/** The checkpoint with these behind its signatures; one of a key that had signed before takes that one's place. */
export function withCosignatures(checkpoint: string, cosignatures: readonly Cosignature[]): string {
  const { text, signatures } = parseNote(checkpoint);
  const isReplaced = ({ name, keyId }: { name: string; keyId: number }): boolean =>
    cosignatures.some(({ key }) => key.name === name && key.id === keyId);
  const kept = signatures.filter((signature) => !isReplaced(signature));
  return formatNote({ text, signatures: [...kept, ...cosignatures.map(({ signature }) => signature)] });
}

/** A false signature only shows that the witness is none. */
function isAgainstLog(error: unknown): boolean {
  return error instanceof EventStoreError && error.action === "evidence" && error.code !== "SIGNATURE_INVALID";
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
}
