import { hash } from "node:crypto";
import { BackendError, ConfigError } from "../../core/errors.js";
import { Turns } from "../../log/turns.js";
import { EMPTY_ROOT } from "../merkle/hash.js";
import { verifyConsistency } from "../merkle/verify.js";
import { parseCheckpoint, type Checkpoint } from "../note/checkpoint.js";
import type { VerifierKey } from "../note/key.js";
import {
  formatNote,
  formatSignature,
  parseNote,
  verifiedSignatures,
  type NoteSignature,
  type SignedNote,
} from "../note/signed-note.js";
import type { NoteSigner } from "../note/signer.js";
import { parseAddCheckpoint, type AddCheckpoint } from "./request.js";

/** What a witness remembers: of each log the last checkpoint that it cosigned. */
export interface WitnessState {
  /** The signed note; null when there never was one. What cannot be read is an error, never null. */
  read(origin: string): Promise<string | null>;
  /** Durable, and seen by every later `read`, when it returns. When it fails, either note may be there. */
  write(origin: string, note: string): Promise<void>;
}

export interface WitnessOptions {
  /** Keys of the logs that are witnessed. A log is its keys' name; several keys of one name are one log's. */
  readonly logs: readonly VerifierKey[];
  /** Makes cosignatures (`localCosigner`). */
  readonly signer: NoteSigner;
  readonly state: WitnessState;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** An answer as the protocol has it, and what it is about. */
export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly contentType: string;
  readonly body: string;
  /** Of a log that is witnessed. */
  readonly origin?: string | undefined;
  /** Of the checkpoint that was submitted, once its signature was found to be good. */
  readonly size?: number | undefined;
}

/** What was judged so far of a request. */
interface Submitted extends Checkpoint {
  readonly request: AddCheckpoint;
  readonly text: string;
  /** Of the log's keys. */
  readonly signatures: readonly NoteSignature[];
}

interface Remembered extends Checkpoint {
  readonly note: SignedNote;
}

const TEXT = "text/plain; charset=utf-8";
export const SIZE_TYPE = "text/x.tlog.size";

/**
 * The state machine of C2SP tlog-witness, whatever it is served by. It cosigns a tree of a log only if that goes on from the last one that it
 * cosigned, and has written down that it did before anybody is told.
 */
export class Witness {
  readonly key: VerifierKey;
  readonly #logs = new Map<string, VerifierKey[]>();
  readonly #byHash = new Map<string, string>();
  readonly #turns = new Map<string, Turns>();
  /** Notes that this process has written to the end: only these are known to be durable. */
  readonly #durable = new Map<string, string>();
  readonly #signer: NoteSigner;
  readonly #state: WitnessState;
  readonly #now: () => number;

  /** @throws ConfigError for keys that cannot do what they are for */
  constructor({ logs, signer, state, now }: WitnessOptions) {
    if (signer.key.type !== "cosignature/v1")
      throw new ConfigError("a witness needs a key for cosignatures (type 0x04), and this one signs logs");
    for (const key of logs) {
      if (key.type !== "ed25519") throw new ConfigError(`the key of ${key.name} is a witness's, not a log's`);
      if (key.publicKey.equals(signer.key.publicKey))
        throw new ConfigError(`${key.name} has the witness's own key: it would be its own witness`);
      this.#logs.set(key.name, [...(this.#logs.get(key.name) ?? []), key]);
      this.#byHash.set(originHash(key.name), key.name);
      this.#turns.set(key.name, new Turns());
    }
    this.key = signer.key;
    this.#signer = signer;
    this.#state = state;
    this.#now = now;
  }

  get origins(): readonly string[] {
    return [...this.#logs.keys()];
  }

  /** Judges the body of an add-checkpoint request. @throws BackendError when the state cannot be read or written: then nobody was told anything */
  async addCheckpoint(body: Uint8Array): Promise<WitnessAnswer> {
    const submitted = this.#opened(body);
    if ("status" in submitted) return submitted;
    // What was last and what comes next are one step: nobody else's request for the log may come between (C2SP tlog-witness, "the following race").
    const turn = this.#turns.get(submitted.origin);
    const answer = await turn?.run(() => this.#decided(submitted));
    return answer ?? refusal(404, "this log is not known here");
  }

  /** The last checkpoint that was cosigned, by the hash of its origin (64 lowercase hex digits); null when there is none. */
  async checkpoint(hash: string): Promise<string | null> {
    const origin = this.#byHash.get(hash);
    return origin === undefined ? null : this.#state.read(origin);
  }

  /** Up to where it needs no state: form, origin, signature. */
  #opened(body: Uint8Array): Submitted | WitnessAnswer {
    const request = parseAddCheckpoint(body);
    if (request === null) return refusal(400, "this is not an add-checkpoint request");
    let note: SignedNote;
    let checkpoint: Checkpoint;
    try {
      note = parseNote(request.checkpoint);
      checkpoint = parseCheckpoint(note.text);
    } catch {
      return refusal(400, "the checkpoint is malformed");
    }
    const { origin, size } = checkpoint;
    const keys = this.#logs.get(origin);
    if (keys === undefined) return refusal(404, "this log is not known here");
    if (!isSigned(note, keys)) return refusal(403, "no key of the log that is known here has signed this", { origin });
    if (request.oldSize > size) return refusal(400, "the old size is beyond the checkpoint's", { origin, size });
    const signatures = note.signatures.filter(({ name, keyId }) =>
      keys.some((key) => key.name === name && key.id === keyId),
    );
    return { ...checkpoint, request, text: note.text, signatures };
  }

  async #decided(submitted: Submitted): Promise<WitnessAnswer> {
    const { origin, size } = submitted;
    const last = await this.#last(origin);
    if (submitted.request.oldSize !== (last?.size ?? 0))
      return { status: 409, contentType: SIZE_TYPE, body: `${String(last?.size ?? 0)}\n`, origin, size };
    const fault = inconsistency(submitted, last);
    if (fault !== null) return refusal(422, fault, { origin, size });
    const body = this.#recent(submitted.text, last) ?? (await this.#cosigned(submitted));
    return { status: 200, contentType: TEXT, body, origin, size };
  }

  async #last(origin: string): Promise<Remembered | null> {
    const stored = await this.#state.read(origin);
    if (stored === null) return null;
    try {
      const note = parseNote(stored);
      const checkpoint = parseCheckpoint(note.text);
      if (checkpoint.origin !== origin) throw new Error(`it is of ${checkpoint.origin}`);
      // throws where a signature that can be checked does not hold
      verifiedSignatures(note, [this.key, ...(this.#logs.get(origin) ?? [])]);
      return { ...checkpoint, note };
    } catch (cause) {
      // Beginning anew would let the log go back.
      throw new BackendError("IO_FAILED", `what was written down of ${origin} is damaged`, {
        hint: "restore the witness's state from a copy that is not older than its last cosignature; never delete it",
        cause,
      });
    }
  }

  /** The cosignature of this very second, so that repeating a request costs neither a signature nor a write. */
  #recent(text: string, last: Remembered | null): string | null {
    if (last?.note.text !== text || this.#durable.get(last.origin) !== formatNote(last.note)) return null;
    const own = last.note.signatures.find(({ name, keyId }) => name === this.key.name && keyId === this.key.id);
    const seconds = BigInt(Math.floor(this.#now() / 1000));
    return own?.signature.readBigUInt64BE(0) === seconds ? formatSignature(own) : null;
  }

  async #cosigned({ origin, text, signatures }: Submitted): Promise<string> {
    const own = await this.#signer.sign(text);
    const note = formatNote({ text, signatures: [...signatures, own] });
    this.#durable.delete(origin);
    await this.#state.write(origin, note);
    this.#durable.set(origin, note);
    return formatSignature(own);
  }
}

/** How a witness names a log in addresses: SHA-256 of its origin, in hex. */
export function originHash(origin: string): string {
  return hash("sha256", origin, "hex");
}

function isSigned(note: SignedNote, keys: readonly VerifierKey[]): boolean {
  try {
    return verifiedSignatures(note, keys).length > 0;
  } catch {
    return false;
  }
}

/** What the trees say against one another; null when the new one goes on from the last. The old size is the last one's. */
function inconsistency({ size, root, request }: Submitted, last: Remembered | null): string | null {
  if (size === 0 && !root.equals(EMPTY_ROOT)) return "the root of an empty tree is the hash of nothing";
  const isConsistent = verifyConsistency(request.oldSize, size, request.proof, last?.root ?? EMPTY_ROOT, root);
  if (isConsistent) return null;
  if (request.oldSize === size && request.proof.length === 0)
    return "the tree of this size that was cosigned before has another root";
  return "the proof does not lead from the tree that was cosigned last to this one";
}

function refusal(
  status: 400 | 403 | 404 | 422,
  problem: string,
  about: { readonly origin?: string; readonly size?: number } = {},
): WitnessAnswer {
  return { status, contentType: TEXT, body: `${problem}\n`, ...about };
}
