import type { VerificationError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import { headText } from "../../core/head-check.js";
import type { Checkpoint } from "../note/checkpoint.js";
import type { AuditFinding, AuditVerdict, ExpectedHead } from "./report.js";

const RANK: readonly AuditVerdict[] = ["valid", "not_witnessed", "head_older_than_expected", "invalid"];

/** The worst of what was found, and all of it, worst first. */
export function concluded(findings: readonly AuditFinding[]): {
  readonly verdict: AuditVerdict;
  readonly findings: readonly AuditFinding[];
} {
  const rank = ({ verdict }: AuditFinding): number => RANK.indexOf(verdict);
  const ordered = findings.toSorted((a, b) => rank(b) - rank(a));
  return { verdict: ordered[0]?.verdict ?? "valid", findings: ordered };
}

export function chainFinding({ code, message, seq, expected, actual }: VerificationError): AuditFinding {
  const verdict = isCut(code, seq, expected) ? "head_older_than_expected" : "invalid";
  return { code, verdict, message, seq, expected, actual };
}

/** A stored head says that there was more than there is; `seq` is the first that is not there. */
function isCut(code: VerificationError["code"], seq: number, expected: string | number): boolean {
  if (code === "TRUNCATED") return true;
  return code === "HEAD_CONTRADICTS_LOG" && Number.parseInt(String(expected), 10) >= seq;
}

/** `end`: the log's last record. */
export function expectedHeadFinding({ seq, hash, status }: ExpectedHead, end: Head): AuditFinding | null {
  if (status === "holds") return null;
  const expected = headText({ seq, hash });
  if (status === "differs") {
    const message = `record ${String(seq)} is not the one that was expected: this is another log, or it was rewritten`;
    return { code: "HEAD_CONTRADICTS_LOG", verdict: "invalid", message, seq, expected };
  }
  const message = `the log ends at seq ${String(end.seq)}, but it is known to have reached seq ${String(seq)}`;
  const at = { seq: end.seq + 1, expected, actual: headText(end) };
  return { code: "TRUNCATED", verdict: "head_older_than_expected", message, ...at };
}

/** Fewer records than were signed for. */
export function shorterThanSigned({ size }: Checkpoint, end: Head): AuditFinding | null {
  const actual = end.seq + 1;
  if (size <= actual) return null;
  const message = `a checkpoint was signed for ${String(size)} records, and the log has ${String(actual)}`;
  return { code: "ROLLED_BACK", verdict: "head_older_than_expected", message, seq: actual, expected: size, actual };
}

export function treeMismatch({ size, root }: Checkpoint, actual: Buffer): AuditFinding {
  const message = `the first ${String(size)} records do not have the root that was signed: some were rewritten`;
  const roots = { expected: root.toString("hex"), actual: actual.toString("hex") };
  return { code: "TREE_MISMATCH", verdict: "invalid", message, ...roots };
}

/** What the log's own checkpoint and one that the auditor has kept say against each other. */
export function checkpointsDiffer(stored: Checkpoint, given: Checkpoint): AuditFinding | null {
  const sizes = { expected: given.size, actual: stored.size };
  if (stored.size < given.size) {
    const message = "the log's checkpoint is older than the one that was kept";
    return { code: "ROLLED_BACK", verdict: "head_older_than_expected", message, ...sizes };
  }
  if (stored.size > given.size || stored.root.equals(given.root)) return null;
  const message = `two logs were signed: both checkpoints are of ${String(given.size)} records, and their roots differ`;
  const roots = { expected: given.root.toString("hex"), actual: stored.root.toString("hex") };
  return { code: "FORKED", verdict: "invalid", message, ...roots };
}
