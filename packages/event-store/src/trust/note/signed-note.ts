import { TrustError } from "../../core/errors.js";
import { decodeBase64 } from "./base64.js";
import { isKeyName, isSignedBy, type VerifierKey } from "./key.js";

/** A text and who signed it: C2SP signed-note. */
export interface SignedNote {
  /** Ends with a newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface NoteSignature {
  readonly name: string;
  readonly keyId: number;
  /** What follows the id: 64 bytes of Ed25519; of a cosignature, 8 bytes of time before them. */
  readonly signature: Buffer;
}

/** Of a note; the signatures of sixteen post-quantum keys have room. */
export const MAX_NOTE_BYTES: number = 1024 * 1024;
const MAX_SIGNATURES = 64;
const PREFIX = "— ";

/** @throws TrustError SIGNATURE_INVALID for everything that is not exactly a signed note */
export function parseNote(note: string | Uint8Array): SignedNote {
  const full = typeof note === "string" ? note : decoded(note);
  if (Buffer.byteLength(full) > MAX_NOTE_BYTES) throw malformed("it is too long");
  // eslint-disable-next-line no-control-regex -- these are what must not be there
  if (!full.isWellFormed() || /[\u0000-\u0009\u000b-\u001f]/.test(full)) throw malformed("it has control characters");
  const blank = full.lastIndexOf("\n\n");
  if (blank < 0 || !full.endsWith("\n")) throw malformed("it has no signatures");
  const lines = full.slice(blank + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw malformed("it has too many signatures");
  return { text: full.slice(0, blank + 1), signatures: lines.map(parseSignature) };
}

export function formatNote({ text, signatures }: SignedNote): string {
  return `${text}\n${signatures.map(formatSignature).join("")}`;
}

/** `— name base64(id || signature)` and a newline. */
export function formatSignature({ name, keyId, signature }: NoteSignature): string {
  const id = Buffer.alloc(4);
  id.writeUInt32BE(keyId);
  return `${PREFIX}${name} ${Buffer.concat([id, signature]).toString("base64")}\n`;
}

/** One line, with its newline or without. @throws TrustError SIGNATURE_INVALID */
export function parseSignature(line: string): NoteSignature {
  const [, name = "", encoded = ""] = /^— (\S+) (\S+)\n?$/u.exec(line) ?? [];
  const bytes = decodeBase64(encoded);
  if (!isKeyName(name) || bytes === null || bytes.length < 5) throw malformed("a line of it is no signature");
  return { name, keyId: bytes.readUInt32BE(0), signature: bytes.subarray(4) };
}

/** What a trusted key has said of a note. */
export interface VerifiedSignature {
  readonly key: VerifierKey;
  /** Of a cosignature: seconds since the epoch. */
  readonly time?: number | undefined;
}

/**
 * The signatures of keys that are trusted. Those of unknown keys are ignored.
 * @throws TrustError SIGNATURE_INVALID when a trusted key's signature does not hold, or is there twice
 */
export function verifiedSignatures(note: SignedNote, trusted: readonly VerifierKey[]): VerifiedSignature[] {
  const found: VerifiedSignature[] = [];
  for (const { name, keyId, signature } of note.signatures) {
    const key = trusted.find((key) => key.name === name && key.id === keyId);
    if (!key) continue;
    if (found.some((one) => one.key === key)) throw malformed(`it has two signatures of ${name}`);
    found.push(key.type === "ed25519" ? plain(note, key, signature) : cosigned(note, key, signature));
  }
  return found;
}

function plain({ text }: SignedNote, key: VerifierKey, signature: Buffer): VerifiedSignature {
  if (!isSignedBy(key, Buffer.from(text), signature)) throw forged(key);
  return { key };
}

function cosigned({ text }: SignedNote, key: VerifierKey, signature: Buffer): VerifiedSignature {
  if (signature.length !== 72) throw forged(key);
  const time = signature.readBigUInt64BE(0);
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) throw forged(key);
  if (!isSignedBy(key, cosignedMessage(text, Number(time)), signature.subarray(8))) throw forged(key);
  return { key, time: Number(time) };
}

/** What a witness signs: C2SP tlog-cosignature, "Ed25519 signed message". */
export function cosignedMessage(text: string, time: number): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${String(time)}\n${text}`);
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed("it is not UTF-8");
  }
}

function malformed(problem: string): TrustError {
  return new TrustError("SIGNATURE_INVALID", `this is not a signed note: ${problem}`);
}

function forged({ name }: VerifierKey): TrustError {
  return new TrustError(
    "SIGNATURE_INVALID",
    `the signature of ${name} is not its own: the text or the signature was changed`,
  );
}
