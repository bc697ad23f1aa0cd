import { BackendError, ConfigError, EventStoreError, TrustError } from "../../core/errors.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import { parseCheckpoint, type Checkpoint } from "../note/checkpoint.js";
import type { VerifierKey } from "../note/key.js";
import { parseNote, parseSignature, verifiedSignatures, type NoteSignature } from "../note/signed-note.js";
import { askWitness, type AskOptions, type WitnessReply } from "./ask-witness.js";
import { formatAddCheckpoint } from "./request.js";
import { SIZE_TYPE } from "./witness.js";

/** A witness as a log knows it. */
export interface WitnessAddress {
  /** Submission prefix: `/add-checkpoint` comes behind it. http or https. */
  readonly url: string;
  /** Of type `cosignature/v1`. */
  readonly key: VerifierKey;
}

export interface CosignOptions {
  readonly witness: WitnessAddress;
  /** Size of the last checkpoint that the witness is known to have cosigned; default 0. A wrong one costs a request. */
  readonly oldSize?: number | undefined;
  /** Consistency proof from a tree of `old` leaves (0 < old ≤ the checkpoint's size) to the checkpoint's. */
  readonly proof: (old: number) => Promise<readonly Buffer[]>;
  /** For all tries together, in milliseconds; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** For each, in milliseconds; default 5,000. */
  readonly requestTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly runtime?: Runtime | undefined;
}

/** What a witness said of a checkpoint, verified. */
export interface Cosignature {
  readonly key: VerifierKey;
  readonly signature: NoteSignature;
  /** Seconds since the epoch. */
  readonly time: number;
}

/**
 * Asks a witness to cosign a checkpoint (C2SP tlog-witness, "add-checkpoint"), beginning with the tree that it is known to have seen, and once
 * more with the one that it says to have seen.
 * @throws TrustError ROLLED_BACK: it has seen a larger tree; PROOF_INVALID: it has seen another tree; SIGNATURE_INVALID: its answer is not its
 *   own word on this checkpoint; BackendError UNAVAILABLE, REQUEST_REFUSED; EventStoreError CONTENTION, ABORTED; ConfigError
 */
export async function cosign(checkpoint: string, options: CosignOptions): Promise<Cosignature> {
  const { witness, proof, timeoutMs = 10_000, requestTimeoutMs = 5000, signal, runtime = systemRuntime } = options;
  const url = submissionUrl(witness);
  const { text } = parseNote(checkpoint);
  const tree = parseCheckpoint(text);
  const ask: AskOptions = { runtime, requestTimeoutMs, deadline: runtime.elapsed() + timeoutMs, signal };
  const post = async (oldSize: number): Promise<WitnessReply> => {
    const hashes = oldSize === 0 ? [] : await proof(oldSize);
    return askWitness(url, formatAddCheckpoint({ oldSize, proof: hashes, checkpoint }), ask);
  };
  let reply = await post(Math.min(options.oldSize ?? 0, tree.size));
  if (reply.status === 409) {
    reply = await post(seenSize(reply, tree, witness));
    if (reply.status === 409) {
      seenSize(reply, tree, witness);
      throw new EventStoreError("CONTENTION", `${witness.key.name} was asked by another process meanwhile`, {
        facts: { endpoint: url.href },
        hint: "let one process alone ask for cosignatures, or ask again",
      });
    }
  }
  if (reply.status !== 200) throw refused(reply, tree, witness, url);
  return verified(reply.body, text, witness.key);
}

/** Where the request goes. @throws ConfigError */
export function submissionUrl({ url, key }: WitnessAddress): URL {
  if (key.type !== "cosignature/v1")
    throw new ConfigError(`the key of ${key.name} is a log's, not a witness's: its type is not 0x04`);
  const base = URL.canParse(url) ? new URL(url) : null;
  if (base === null || !/^https?:$/.test(base.protocol) || base.username !== "" || base.search !== "")
    throw new ConfigError(`the address of the witness ${key.name} cannot be used`, {
      hint: "give its submission prefix: https://witness.example/log",
    });
  base.pathname = `${base.pathname.replace(/\/+$/, "")}/add-checkpoint`;
  base.hash = "";
  return base;
}

/** The size in a 409's body. @throws TrustError ROLLED_BACK when it is beyond ours */
function seenSize({ contentType, body }: WitnessReply, { origin, size }: Checkpoint, witness: WitnessAddress): number {
  const seen = /^(0|[1-9][0-9]{0,15})\n$/.test(body) ? Number(body) : NaN;
  if (contentType.split(";", 1)[0]?.trim() !== SIZE_TYPE || !Number.isSafeInteger(seen))
    throw new BackendError(
      "REQUEST_REFUSED",
      `the witness ${witness.key.name} refuses, and does not say what it has seen`,
      {
        facts: { endpoint: witness.url, status: 409 },
        hint: "it does not speak C2SP tlog-witness: check its address",
      },
    );
  if (seen > size)
    throw new TrustError("ROLLED_BACK", `the witness ${witness.key.name} has seen more of ${origin} than there is`, {
      facts: { expected: seen, actual: size, endpoint: witness.url },
      hint: "unless another process has just made a larger checkpoint, the log's end was cut off or an old state put back: compare it with the checkpoint that the witness keeps",
    });
  return seen;
}

function refused({ status, body }: WitnessReply, { origin }: Checkpoint, { key, url }: WitnessAddress, at: URL): Error {
  const facts = { endpoint: at.href, status };
  if (status === 422)
    return new TrustError("PROOF_INVALID", `the witness ${key.name} has seen another tree of ${origin}`, {
      facts: { endpoint: url, status },
      hint: "either records were rewritten that it had seen, or the witness is wrong: compare its checkpoint with the one of that size that was kept",
    });
  const [problem, hint] = REFUSALS[status] ?? [
    `answers ${String(status)}`,
    "check its address: it must be the submission prefix itself, since redirects are not followed",
  ];
  const said = status === 400 && body !== "" ? `: ${JSON.stringify(body.slice(0, 200).trim())}` : "";
  return new BackendError("REQUEST_REFUSED", `the witness ${key.name} ${problem}${said}`, { facts, hint });
}

const REFUSALS: Readonly<Record<number, readonly [string, string]>> = {
  400: ["calls the request malformed", "this is a defect here or there: report it"],
  403: ["does not know the key that signed the checkpoint", "have its operator add the log's present verifier key"],
  404: ["does not know the log", "have its operator add the log's verifier key, or check the address"],
};

/** The answer's line that is the witness's; those of other keys are ignored. @throws TrustError SIGNATURE_INVALID */
function verified(body: string, text: string, key: VerifierKey): Cosignature {
  if (!body.endsWith("\n")) throw notIts(key, "its answer has no end");
  const lines = body.slice(0, -1).split("\n");
  const signatures = lines.map(parseSignature);
  const [found] = verifiedSignatures({ text, signatures }, [key]);
  const signature = signatures.find(({ name, keyId }) => name === key.name && keyId === key.id);
  if (found === undefined || signature === undefined) throw notIts(key, "its answer has no signature of this key");
  if (!found.time) throw notIts(key, "its cosignature has no time");
  return { key, signature, time: found.time };
}

function notIts({ name }: VerifierKey, problem: string): TrustError {
  return new TrustError("SIGNATURE_INVALID", `the witness ${name} has not cosigned this: ${problem}`, {
    hint: "check the witness's verifier key against the one that it publishes",
  });
}
