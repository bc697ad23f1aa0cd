import { TrustError } from "../../core/errors.js";
import { HASH_BYTES } from "../merkle/hash.js";
import { decodeBase64 } from "./base64.js";

/** A C2SP tlog-proof: that an entry is in a signed tree, in one text that needs nothing else to be verified but keys. */
export interface TlogProof {
  /** Not authenticated by itself; of a record, its stored line. */
  readonly extra: Buffer | undefined;
  /** Zero-based: a record's seq. */
  readonly index: number;
  /** From the leaf's sibling up. */
  readonly hashes: readonly Buffer[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

const FIRST_LINE = "c2sp.org/tlog-proof@v1";
/** An inclusion proof in a tree of 2^53 leaves is shorter. */
const MAX_HASHES = 63;
/** A record has at most 8 MiB, a third more in base64. */
const MAX_PROOF_BYTES: number = 16 * 1024 * 1024;

export function formatProof({ extra, index, hashes, checkpoint }: TlogProof): string {
  const extraLine = extra === undefined ? "" : `extra ${extra.toString("base64")}\n`;
  const hashLines = hashes.map((hash) => `${hash.toString("base64")}\n`).join("");
  return `${FIRST_LINE}\n${extraLine}index ${String(index)}\n${hashLines}\n${checkpoint}`;
}

/** @throws TrustError PROOF_INVALID for everything that is not exactly one */
export function parseProof(text: string): TlogProof {
  if (text.length > MAX_PROOF_BYTES) throw malformed("it is too long");
  const blank = text.indexOf("\n\n");
  if (blank < 0) throw malformed("it has no checkpoint");
  const [first, ...lines] = text.slice(0, blank).split("\n");
  if (first !== FIRST_LINE) throw malformed(`it does not begin with ${FIRST_LINE}`);
  const extraText = lines[0]?.startsWith("extra ") ? lines.shift()?.slice("extra ".length) : undefined;
  const extra = extraText === undefined ? undefined : (decodeBase64(extraText) ?? null);
  if (extra === null) throw malformed("its extra data is not base64");
  const indexText = /^index (0|[1-9][0-9]{0,15})$/.exec(lines.shift() ?? "")?.[1];
  const index = Number(indexText);
  if (indexText === undefined || !Number.isSafeInteger(index)) throw malformed("it has no index");
  if (lines.length > MAX_HASHES) throw malformed("it has too many hashes");
  const hashes = lines.map((line) => {
    const hash = decodeBase64(line);
    if (hash?.length !== HASH_BYTES) throw malformed("a line of it is no hash");
    return hash;
  });
  return { extra, index, hashes, checkpoint: text.slice(blank + 2) };
}

function malformed(problem: string): TrustError {
  return new TrustError("PROOF_INVALID", `this is not a tlog-proof: ${problem}`);
}
