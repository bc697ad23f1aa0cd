import { decodeBase64 } from "../note/base64.js";
import { HASH_BYTES } from "../merkle/hash.js";

/** What is asked of a witness: C2SP tlog-witness, "add-checkpoint". */
export interface AddCheckpoint {
  /** Size of the tree that the proof begins with: that of the last checkpoint that the witness has cosigned, 0 for none. */
  readonly oldSize: number;
  /** Consistency proof of RFC 6962, from the old size to the checkpoint's. */
  readonly proof: readonly Buffer[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

/** A proof in a tree of 2^63 leaves is not longer; the protocol's own limit. */
const MAX_PROOF_LINES = 63;
/** A checkpoint with sixteen post-quantum signatures, and a proof. */
export const MAX_REQUEST_BYTES: number = 128 * 1024;

export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return `old ${String(oldSize)}\n${proof.map((hash) => `${hash.toString("base64")}\n`).join("")}\n${checkpoint}`;
}

/** Null for everything that is not exactly a request; the checkpoint is not looked into. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint | null {
  const text = decoded(body);
  const blank = text?.indexOf("\n\n") ?? -1;
  if (text === null || blank < 0) return null;
  const [first = "", ...lines] = text.slice(0, blank).split("\n");
  const sizeText = /^old (0|[1-9][0-9]{0,15})$/.exec(first)?.[1];
  const oldSize = Number(sizeText);
  if (sizeText === undefined || !Number.isSafeInteger(oldSize) || lines.length > MAX_PROOF_LINES) return null;
  const proof: Buffer[] = [];
  for (const line of lines) {
    const hash = decodeBase64(line);
    if (hash?.length !== HASH_BYTES) return null;
    proof.push(hash);
  }
  return { oldSize, proof, checkpoint: text.slice(blank + 2) };
}

function decoded(bytes: Uint8Array): string | null {
  if (bytes.length > MAX_REQUEST_BYTES) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
