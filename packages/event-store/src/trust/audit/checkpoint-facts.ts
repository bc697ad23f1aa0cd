import { ConfigError, TrustError } from "../../core/errors.js";
import type { EventStore } from "../../stores/port.js";
import { openCheckpoint, parseCheckpoint, type SignedCheckpoint } from "../note/checkpoint.js";
import type { VerifierKey } from "../note/key.js";
import { MAX_NOTE_BYTES, parseNote } from "../note/signed-note.js";
import { checkQuorum } from "../witness/quorum.js";
import type { AuditFinding, CheckpointFacts } from "./report.js";

/** Whom the auditor trusts. */
export interface AuditTrust {
  /** The log's verifier keys; none: nothing that was signed is verified. */
  readonly keys: readonly VerifierKey[];
  /** Default: the name of the first key. */
  readonly origin?: string | undefined;
  readonly witnesses: readonly VerifierKey[];
  /** So many of the witnesses must have cosigned the newest checkpoint. */
  readonly quorum: number;
}

export interface JudgedCheckpoint {
  readonly facts: Omit<CheckpointFacts, "tree">;
  /** When its signatures hold. */
  readonly checkpoint: SignedCheckpoint | null;
  readonly finding: AuditFinding | null;
}

/** The checkpoint that stands beside the log; null when there is none. @throws BackendError */
export async function storedCheckpoint({ derived }: EventStore, signal?: AbortSignal): Promise<Uint8Array | null> {
  const { objects, root } = derived;
  const found = await objects.get(`${root}_tlog/checkpoint`, { range: { start: 0, end: MAX_NOTE_BYTES + 1 }, signal });
  return found?.body ?? null;
}

/** What a checkpoint says and who has signed it; what is wrong with that is a finding, never an error. */
export function judgeCheckpoint(
  source: CheckpointFacts["source"],
  note: string | Uint8Array | null,
  trust: AuditTrust,
): JudgedCheckpoint {
  const nothing = { source, origin: null, size: null, root: null, signers: [], witnesses: [] };
  if (note === null) {
    const isAsked = trust.keys.length > 0;
    const message = "the log has no signed checkpoint";
    const finding: AuditFinding = { code: "SIGNATURE_INVALID", verdict: "invalid", message };
    return { facts: { ...nothing, status: "missing" }, checkpoint: null, finding: isAsked ? finding : null };
  }
  if (trust.keys.length === 0)
    return { facts: { ...nothing, ...claimed(note), status: "unverified" }, checkpoint: null, finding: null };
  try {
    const checkpoint = openCheckpoint(note, trust);
    return { facts: { ...verified(source, checkpoint, trust), status: "verified" }, checkpoint, finding: null };
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    const { code, message, facts } = error;
    const finding: AuditFinding = {
      code,
      verdict: "invalid",
      message: `${source} checkpoint: ${message}`,
      ...at(facts),
    };
    return { facts: { ...nothing, ...claimed(note), status: code }, checkpoint: null, finding };
  }
}

/** That enough witnesses have cosigned. @throws ConfigError for a quorum that cannot be */
export function quorumFinding(checkpoint: SignedCheckpoint, { witnesses, quorum }: AuditTrust): AuditFinding | null {
  try {
    checkQuorum(checkpoint, witnesses, quorum);
    return null;
  } catch (error) {
    if (error instanceof ConfigError || !(error instanceof TrustError)) throw error;
    return { code: error.code, verdict: "not_witnessed", message: error.message, ...at(error.facts) };
  }
}

function verified(
  source: CheckpointFacts["source"],
  { origin, size, root, signatures }: SignedCheckpoint,
  trust: AuditTrust,
): Omit<CheckpointFacts, "tree" | "status"> {
  const signers = signatures.filter(({ key }) => trust.keys.includes(key)).map(({ key }) => key.name);
  const witnesses = trust.witnesses.map((witness) => {
    const time = signatures.find(({ key }) => key === witness)?.time;
    return { name: witness.name, cosignedAt: time === undefined ? null : time * 1000 };
  });
  return { source, origin, size, root: root.toString("hex"), signers, witnesses };
}

/** What it says, whoever has written it. */
function claimed(note: string | Uint8Array): Partial<Pick<CheckpointFacts, "origin" | "size" | "root">> {
  try {
    const { origin, size, root } = parseCheckpoint(parseNote(note).text);
    return { origin, size, root: root.toString("hex") };
  } catch {
    return {};
  }
}

function at({ expected, actual }: TrustError["facts"]): Pick<AuditFinding, "expected" | "actual"> {
  return { ...(expected !== undefined && { expected }), ...(actual !== undefined && { actual }) };
}
