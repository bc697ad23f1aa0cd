/**
 * Every error the library throws. One closed set of codes; each error carries facts (what was expected, what was found,
 * where) and a hint that says what to do. Errors are returned to the caller, never logged here.
 */

/** A log is not what it claims to be. Order and meaning: docs/SPEC.md, "Verdicts". */
export const VERDICT_CODES = [
  "MALFORMED",
  "MISPLACED",
  "GAP",
  "DUPLICATE",
  "CHAIN_BROKEN",
  "HASH_MISMATCH",
  "TORN_TAIL",
  "HEAD_CONTRADICTS_LOG",
  "TRUNCATED",
] as const;
export type VerdictCode = (typeof VERDICT_CODES)[number];

/** A log is not the one that was signed for, or not as far as was promised. Meaning: docs/SPEC.md, "Trust". */
export const TRUST_CODES = [
  /** A signed text is malformed, or nobody who is trusted has signed it. */
  "SIGNATURE_INVALID",
  /** It is signed for a log of another name. */
  "ORIGIN_MISMATCH",
  /** A proof does not prove what it should. */
  "PROOF_INVALID",
  /** The records do not have the root hash that was signed: some of them were rewritten. */
  "TREE_MISMATCH",
  /** It is older than what was seen before: the end was cut off, or an old state put back. */
  "ROLLED_BACK",
  /** Two signed statements contradict each other: the signer has shown two logs. */
  "FORKED",
  /** Too few of the trusted witnesses have signed it. */
  "NOT_WITNESSED",
] as const;
export type TrustCode = (typeof TRUST_CODES)[number];

/** Everything else that can go wrong. */
export const FAILURE_CODES = [
  /** The caller's event cannot be written: `facts.path` is the JSON path of the offending value. */
  "INVALID_EVENT",
  /** An option, argument, variable or URL is wrong; nothing was done. */
  "INVALID_CONFIG",
  /** The record, or an atomic batch, is over its size limit; nothing was written. */
  "TOO_LARGE",
  /** The log holds its last possible record (seq 9,999,999,999). */
  "SEQ_EXHAUSTED",
  /** It is not known whether the record was stored; `facts.seq` and `facts.hash` name it. */
  "COMMIT_UNKNOWN",
  /** An earlier append's outcome is still unknown and could not be settled; nothing of this one was written. */
  "BLOCKED",
  /** Other writers won every race until the deadline; nothing was written. */
  "CONTENTION",
  /** Records to be imported do not continue the log; nothing was written. */
  "NOT_NEXT",
  /** The caller's signal aborted the call; nothing was written. */
  "ABORTED",
  /** The store was closed. */
  "CLOSED",
  /** The backend ignores conditional writes (or was not proved to honour them). */
  "UNSAFE_BACKEND",
  /** Credentials are missing, wrong, expired, or lack a permission. */
  "ACCESS_DENIED",
  "BUCKET_NOT_FOUND",
  /** The backend could not be reached, or kept failing, until the deadline. */
  "UNAVAILABLE",
  /** The backend answered with a refusal that retrying cannot change. */
  "REQUEST_REFUSED",
  /** A file or directory cannot be used: missing, not a file, not writable, no lock to be had. */
  "PATH_UNUSABLE",
  "DISK_FULL",
  /** The operating system reported an I/O error. */
  "IO_FAILED",
  /** The server or the bucket has no Object Lock: nothing can be retained or held there. */
  "NO_OBJECT_LOCK",
  /** The object is in an archive (S3 Glacier …) and must be restored before it can be read. */
  "ARCHIVED",
  /** Another consumer of the same name has moved the durable position: this one must stop. */
  "POSITION_TAKEN",
  /** A projection gave two different states for the same events, or a state that is not JSON. */
  "NOT_DETERMINISTIC",
  /** A projection's own code threw, or gave no state; `facts.seq` names the event. */
  "PROJECTION_FAILED",
  /** An optional package that this needs is not installed. */
  "PACKAGE_MISSING",
  /** The key that an encrypted payload needs is not there, and nothing says that it was destroyed; or the key that wraps it was not given. */
  "KEY_MISSING",
  /** An encrypted payload, or a stored key, is not what it was when it was made: changed, or moved here from elsewhere. */
  "DECRYPTION_FAILED",
  /** The subject's keys were destroyed: nothing new is encrypted for it. */
  "SUBJECT_SHREDDED",
] as const;
export type FailureCode = (typeof FAILURE_CODES)[number];
export type ErrorCode = VerdictCode | TrustCode | FailureCode;

/** What a caller should do: `retry` the same call later, `conflict`: re-read and decide, `fix` the input or the set-up, `evidence`: stop and investigate. */
export type ErrorAction = "retry" | "conflict" | "fix" | "evidence";

/** Facts about a failure. Never a secret. A `seq` beyond 2^53 cannot occur (the last is 9,999,999,999). */
export interface ErrorFacts {
  readonly seq?: number;
  readonly expected?: string | number;
  readonly actual?: string | number;
  readonly bucket?: string;
  readonly key?: string;
  readonly endpoint?: string;
  /** The operation that failed: PUT, GET, LIST, DELETE, write, fsync, lock … */
  readonly operation?: string;
  /** HTTP status of the answer, when there was one. */
  readonly status?: number;
  /** The backend's own error code (`NoSuchBucket`, `ENOSPC` …). */
  readonly backendCode?: string;
  readonly file?: string;
  /** JSON path of an offending value, as in `$.payload.items[3]`. */
  readonly path?: string;
  readonly hash?: string;
  /** Storage class of an object that is archived. */
  readonly storageClass?: string;
}

export interface ErrorDetails {
  readonly facts?: ErrorFacts;
  /** One sentence: what to do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Base of all errors thrown by this library. `code` is the stable, machine-readable part; `message` is for people. */
export class EventStoreError extends Error {
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.facts = details.facts ?? {};
    this.hint = details.hint;
  }

  /** What a caller should do with this error. */
  get action(): ErrorAction {
    if (isVerdictCode(this.code) || isTrustCode(this.code)) return "evidence";
    switch (this.code) {
      case "UNAVAILABLE":
      case "IO_FAILED":
      case "ABORTED":
      case "BLOCKED":
        return "retry";
      case "CONTENTION":
      case "POSITION_TAKEN":
      case "NOT_NEXT":
      case "COMMIT_UNKNOWN":
        return "conflict";
      case "DECRYPTION_FAILED":
        return "evidence";
      default:
        return "fix";
    }
  }

  /** The error as plain data, for `--json` output and logs. */
  toJSON(): { code: ErrorCode; message: string; facts: ErrorFacts; hint: string | undefined } {
    return { code: this.code, message: this.message, facts: this.facts, hint: this.hint };
  }
}

/** A record, or the log as a whole, failed verification. `seq` is the seq expected at that place = the number of good records before it in a log read from 0. */
export class VerificationError extends EventStoreError {
  declare readonly code: VerdictCode;
  readonly seq: number;
  readonly expected: string | number;
  readonly actual: string | number;

  constructor(
    code: VerdictCode,
    at: { seq: number; expected: string | number; actual: string | number },
    message: string,
    details: ErrorDetails = {},
  ) {
    super(code, message, { ...details, facts: { ...details.facts, ...at } });
    this.seq = at.seq;
    this.expected = at.expected;
    this.actual = at.actual;
  }
}

/** What was signed, proved or remembered of a log does not hold. */
export class TrustError extends EventStoreError {
  declare readonly code: TrustCode;

  constructor(code: TrustCode, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}

/** An event that cannot be written. `path` is the JSON path of the offending value, `$` being the event. */
export class InvalidEventError extends EventStoreError {
  readonly path: string;

  constructor(path: string, problem: string, hint?: string) {
    super(
      "INVALID_EVENT",
      `event refused at ${path}: ${problem}`,
      hint === undefined ? { facts: { path } } : { facts: { path }, hint },
    );
    this.path = path;
  }
}

/** The outcome of an append is unknown: the record may or may not be in the log, now or later. */
export class CommitUnknownError extends EventStoreError {
  readonly seq: number;
  /** event_hash of the (last) record whose fate is unknown. */
  readonly eventHash: string;

  constructor(seq: number, eventHash: string, details: ErrorDetails = {}) {
    super("COMMIT_UNKNOWN", `it is not known whether the record for seq ${String(seq)} was stored`, {
      hint: "do not append the event again blindly: call settle(), or append the next event; either first finds out what became of this one, and getEventHash(seq) then tells whether it is in the log",
      ...details,
      facts: { ...details.facts, seq, hash: eventHash },
    });
    this.seq = seq;
    this.eventHash = eventHash;
  }
}

/** A storage backend (S3 server, directory, disk) refused or failed. */
export class BackendError extends EventStoreError {}

/** An option, argument or environment variable is wrong. */
export class ConfigError extends EventStoreError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("INVALID_CONFIG", message, details);
  }
}

export function isVerdictCode(code: string): code is VerdictCode {
  return (VERDICT_CODES as readonly string[]).includes(code);
}

export function isTrustCode(code: string): code is TrustCode {
  return (TRUST_CODES as readonly string[]).includes(code);
}
