import type { TrustCode, VerdictCode } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import type { SeqList } from "./seq-list.js";

/**
 * What an audit comes to, worst last:
 * `valid`: every record of the range is whole and linked, and what was signed of the log holds;
 * `not_witnessed`: that too, but fewer witnesses have cosigned than were asked for;
 * `head_older_than_expected`: what is there is whole, but there was more: it was cut off, or an old state was put back;
 * `invalid`: records were changed or are missing, or the log is not the one that was signed for.
 */
export type AuditVerdict = "valid" | "not_witnessed" | "head_older_than_expected" | "invalid";

/** The findings of an audit, as plain data: what is of the log is untrusted text, for whoever shows it to escape. */
export interface AuditReport {
  readonly verdict: AuditVerdict;
  /** Why it is not `valid`, worst first. */
  readonly findings: readonly AuditFinding[];
  readonly location: string;
  /** Unix milliseconds. */
  readonly auditedAt: number;
  readonly range: AuditRange;
  readonly records: AuditRecords;
  readonly chain: AuditChain;
  readonly expectedHead: ExpectedHead | null;
  readonly checkpoints: readonly CheckpointFacts[];
  readonly contents: AuditContents;
}

export interface AuditFinding {
  readonly code: VerdictCode | TrustCode;
  /** What the audit comes to at best, with this. */
  readonly verdict: Exclude<AuditVerdict, "valid">;
  readonly message: string;
  readonly seq?: number | undefined;
  readonly expected?: string | number | undefined;
  readonly actual?: string | number | undefined;
}

export interface AuditRange {
  readonly askedFrom: number;
  /** Null: to the end. */
  readonly askedTo: number | null;
  /** Of the records that were found; null when there is none. */
  readonly first: number | null;
  readonly last: number | null;
  /** Timestamps of the first and the last, as they are in the log: their unit is the application's. */
  readonly firstTs: number | bigint | null;
  readonly lastTs: number | bigint | null;
}

export interface AuditRecords {
  /** Whole, in place, and linked to the one before, where that is there and good. */
  readonly valid: number;
  /** Of the valid ones, those behind the first fault: nothing links them to the beginning any more. */
  readonly apart: SeqList;
  readonly invalid: SeqList;
  readonly missing: SeqList;
  /** Valid records whose payload is encrypted (`{"$enc": …}`): it can be read only as long as its subject's key is there. */
  readonly redacted: SeqList;
  /** `SubjectShredded` events: each says that a subject's key was destroyed. */
  readonly shredded: SeqList;
}

export interface AuditChain {
  /** Whether what is there is whole. */
  readonly isValid: boolean;
  /** The last record that was found. */
  readonly head: Head;
  /** Where it was given up; null: it was looked at to the end. */
  readonly unexaminedFrom: number | null;
}

export interface ExpectedHead extends Head {
  readonly status: "holds" | "differs" | "beyond_the_end";
}

export interface CheckpointFacts {
  /** `stored`: the log's own, under `_tlog/checkpoint`; `given`: one that the auditor has kept. */
  readonly source: "stored" | "given";
  /** `unverified`: no key was given, or it is not there. */
  readonly status: "verified" | "unverified" | "missing" | TrustCode;
  readonly origin: string | null;
  /** Records. */
  readonly size: number | null;
  /** 64 hex digits. */
  readonly root: string | null;
  /** Names of the keys whose signatures hold, of the log. */
  readonly signers: readonly string[];
  readonly witnesses: readonly WitnessFacts[];
  /** Whether the records that were read have the root that was signed; `not_checked`: they were not all read, or not all good. */
  readonly tree: "matches" | "differs" | "not_checked";
}

export interface WitnessFacts {
  readonly name: string;
  /** Unix milliseconds; null: it has not cosigned. */
  readonly cosignedAt: number | null;
}

export interface AuditContents {
  readonly types: Tallied;
  readonly aggregates: Tallied;
  readonly writers: readonly WriterFacts[];
  /** Writers beyond the first hundred. */
  readonly moreWriters: boolean;
  /** Records that name no writer. */
  readonly withoutWriter: number;
  /** The first hundred `LeaderElected` events. */
  readonly leaders: readonly LeaderFacts[];
  readonly leaderChanges: number;
}

export interface Tallied {
  /** How many different ones; where `isComplete` is false, at least. */
  readonly distinct: number;
  readonly isComplete: boolean;
  /** The most frequent ones, at most twenty. */
  readonly top: readonly { readonly name: string; readonly count: number }[];
}

export interface WriterFacts {
  readonly id: string;
  readonly count: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export interface LeaderFacts {
  readonly seq: number;
  readonly ts: number | bigint;
  readonly epoch: number | null;
  readonly holder: string | null;
  /** Whether the epoch is the next one behind that of the leader before. */
  readonly isNext: boolean;
}
