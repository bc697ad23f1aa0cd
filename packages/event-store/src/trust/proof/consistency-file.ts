import { TrustError } from "../../core/errors.js";
import { decodeBase64 } from "../note/base64.js";
import { HASH_BYTES } from "../tiles/layout.js";

/** That one signed tree goes on from another, in one text that needs nothing else to be verified but keys. */
export interface ConsistencyProof {
  /** The signed notes, verbatim. */
  readonly first: string;
  readonly second: string;
  /** PROOF of RFC 6962, section 2.1.2. */
  readonly hashes: readonly Buffer[];
}

const CONSISTENCY_LINE = "rynxs/consistency-proof@v1";
const MAX_HASHES = 64;
/** Two notes and the hashes. */
const MAX_BYTES: number = 4 * 1024 * 1024;

/** The first line, a line for each hash, an empty line, the older note, an empty line, the newer note. */
export function formatConsistencyProof({ first, second, hashes }: ConsistencyProof): string {
  return `${CONSISTENCY_LINE}\n${hashes.map((hash) => `${hash.toString("base64")}\n`).join("")}\n${first}\n${second}`;
}

/** Whether a text means to be one; else it may be a proof of a record. */
export function isConsistencyProof(text: string): boolean {
  return text.startsWith("rynxs/consistency-proof@");
}

/** @throws TrustError PROOF_INVALID for everything that is not exactly one */
export function parseConsistencyProof(text: string): ConsistencyProof {
  if (text.length > MAX_BYTES) throw malformed("it is too long");
  // A note has one empty line, before its signatures: a checkpoint's text has none.
  const [head = "", firstText, firstSignatures, secondText, secondSignatures, ...more] = text.split("\n\n");
  const [line, ...lines] = head.split("\n");
  if (line !== CONSISTENCY_LINE) throw malformed(`it does not begin with ${CONSISTENCY_LINE}`);
  if (secondSignatures === undefined || more.length > 0) throw malformed("it does not hold two checkpoints");
  if (lines.length > MAX_HASHES) throw malformed("it has too many hashes");
  const hashes = lines.map((line) => {
    const hash = decodeBase64(line);
    if (hash?.length !== HASH_BYTES) throw malformed("a line of it is no hash");
    return hash;
  });
  const first = `${String(firstText)}\n\n${String(firstSignatures)}\n`;
  return { first, second: `${String(secondText)}\n\n${secondSignatures}`, hashes };
}

function malformed(problem: string): TrustError {
  return new TrustError("PROOF_INVALID", `this is not a consistency proof: ${problem}`);
}
