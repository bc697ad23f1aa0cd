import type { BackendError, FailureCode } from "../../core/errors.js";
import { failure, trouble, type Attempt, type Trouble } from "./attempt.js";
import { accessHint, hintForCode, networkHint, regionHint, OBJECT_LOCK_HINT, RESTORE_HINT } from "./hints.js";

/*
 * What an answer, or the lack of one, means. docs/SPEC.md, "Append", has the table for writes. Pure, and shared by both
 * S3 drivers: whatever is not known to be a refusal leaves it open whether a write was stored.
 */

/** An answer other than success. */
export interface Refusal {
  readonly status: number;
  /** `<Code>` of the error document; undefined when the answer had none that could be read. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** The bucket's region, when the answer tells it. */
  readonly region?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Of the object, when the answer tells it. */
  readonly storageClass?: string | undefined;
}

export type Verdict =
  | Trouble
  /** Final, and nothing was stored. */
  | { readonly kind: "refused"; readonly error: BackendError }
  /** The condition of a PUT did not hold. */
  | { readonly kind: "condition-failed" }
  | { readonly kind: "no-key" }
  | { readonly kind: "range-beyond-end" }
  /** Refused, nothing stored, but worth one more request: signed by the server's clock, or with fresh credentials. */
  | { readonly kind: "clock-skewed" | "credentials-expired"; readonly error: BackendError };

const PASSING_STATUS = new Set([408, 409, 425, 429]);
/** 400s that are about one transmission, not about the request. */
const PASSING_CODES = new Set([
  "RequestTimeout",
  "IncompleteBody",
  "BadDigest",
  "XAmzContentSHA256Mismatch",
  "SlowDown",
  "OperationAborted",
]);
const EXPIRED_CODES = new Set(["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"]);
const CREDENTIAL_CODES = new Set(["InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurity"]);
const ELSEWHERE_CODES = new Set([
  "PermanentRedirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
]);

export function classifyAnswer(answer: Refusal, attempt: Attempt): Verdict {
  const { status, code } = answer;
  const final = (kind: FailureCode, problem: string, hint: string | undefined): BackendError =>
    failure(kind, attempt, problem, { status, code, message: answer.message, hint });
  const archived = (): BackendError => {
    const { message, storageClass } = answer;
    const problem = `the object is archived${storageClass === undefined ? "" : ` in ${storageClass}`}`;
    return failure("ARCHIVED", attempt, problem, { status, code, message, storageClass, hint: RESTORE_HINT });
  };
  const refused = (kind: FailureCode, problem: string, hint: string | undefined): Verdict => ({
    kind: "refused",
    error: final(kind, problem, hint),
  });
  const passing = (problem: string, hint?: string): Verdict =>
    trouble(final("UNAVAILABLE", problem, hint), true, answer.retryAfterMs);

  if (status === 412 && attempt.condition !== undefined) return { kind: "condition-failed" };
  if (status === 404) {
    if (code === "NoSuchBucket") {
      return refused(
        "BUCKET_NOT_FOUND",
        "there is no such bucket",
        "create the bucket, or correct its name, the endpoint or the region",
      );
    }
    const noKey = code === "NoSuchKey" || (attempt.operation === "HEAD" && code === undefined);
    // AWS answers 404 where others answer 412.
    if (noKey && attempt.condition === "if-match") return { kind: "condition-failed" };
    if (noKey && attempt.condition === undefined) return { kind: "no-key" };
    // A proxy without its backend, say: not what S3 answers, so it says nothing about the object.
    return passing(
      "the answer is not one of S3's",
      "check that the endpoint is an S3 server and not something in front of it",
    );
  }
  if (status === 416 && attempt.operation === "GET") return { kind: "range-beyond-end" };
  if (code === "RequestTimeTooSkewed") {
    return {
      kind: "clock-skewed",
      error: final("REQUEST_REFUSED", "the server's clock and this machine's disagree", hintForCode(code)),
    };
  }
  if (code !== undefined && EXPIRED_CODES.has(code)) {
    return {
      kind: "credentials-expired",
      error: final("ACCESS_DENIED", "the credentials have expired", hintForCode("ExpiredToken")),
    };
  }
  if (PASSING_STATUS.has(status) || (code !== undefined && PASSING_CODES.has(code)))
    return passing("it failed for now");
  // Both before anything was stored. S3 has no code of its own for it.
  if (attempt.retained === true && (status === 501 || (status === 400 && code === "InvalidRequest")))
    return refused("NO_OBJECT_LOCK", "the retention was refused, as by a bucket without Object Lock", OBJECT_LOCK_HINT);
  if (status === 501) {
    return attempt.condition === undefined
      ? refused("REQUEST_REFUSED", "the server cannot do this", "this server lacks a part of S3 that a log needs")
      : refused(
          "UNSAFE_BACKEND",
          "the server has no conditional writes",
          "a log needs a server that honours If-None-Match and If-Match on PUT",
        );
  }
  if (status >= 500) return passing("it failed for now");
  const otherRegion = status === 400 && answer.region !== undefined && answer.region !== attempt.region;
  if (otherRegion || (status >= 300 && status < 400) || (code !== undefined && ELSEWHERE_CODES.has(code))) {
    return refused("REQUEST_REFUSED", "the bucket is elsewhere", regionHint(answer.region, attempt.region));
  }
  if (code === "InvalidObjectState") {
    if (attempt.operation === "GET") return { kind: "refused", error: archived() };
    return refused("REQUEST_REFUSED", "the object's storage class does not allow that", "look at its class with HEAD");
  }
  if (status === 401 || status === 403 || (code !== undefined && CREDENTIAL_CODES.has(code))) {
    if (code === "QuotaExceeded")
      return refused("REQUEST_REFUSED", "the quota is used up", "raise the quota of the bucket or user");
    const denied = code === undefined || code === "AccessDenied";
    return refused("ACCESS_DENIED", "access is denied", denied ? accessHint(attempt) : hintForCode(code));
  }
  return refused(
    "REQUEST_REFUSED",
    "the server refused the request",
    code === undefined ? "the answer is not one of S3's: check the endpoint" : hintForCode(code),
  );
}

/**
 * @param sent whether the request left this machine; undefined when only the error can tell
 */
export function classifyNetworkError(error: unknown, attempt: Attempt, sent?: boolean): Verdict {
  const code = codeOf(error);
  const wasSent = sent ?? !failedToConnect(error, code);
  const hint = networkHint(code, attempt.endpoint);
  const details = { code: code ?? (error instanceof Error ? error.name : undefined), cause: error, hint: hint?.text };
  if (hint?.final === true && !wasSent)
    return { kind: "refused", error: failure("REQUEST_REFUSED", attempt, hint.problem, details) };
  return trouble(failure("UNAVAILABLE", attempt, hint?.problem ?? "the connection failed", details), wasSent);
}

/** A success that is not what S3 answers: it proves nothing. */
export function notS3(attempt: Attempt, status: number, problem: string): Trouble {
  const hint = "check that the endpoint is an S3 server and not something in front of it";
  return trouble(failure("UNAVAILABLE", attempt, problem, { status, hint }), true);
}

/** The deepest `code` that says something: libraries wrap the system's errors, and several addresses give several errors. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const own = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (own !== undefined) return own;
  if (error.name === "HTTPParserError") return error.name;
  return codeOf(error instanceof AggregateError ? error.errors[0] : error.cause);
}

const CONNECT_CODES = new Set(["ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);

/** EHOSTUNREACH and its like also strike connections that had long been made: only in `connect` do they prove that nothing was sent. */
function failedToConnect(error: unknown, code: string | undefined): boolean {
  if (code === "ECONNREFUSED" || (code !== undefined && CONNECT_CODES.has(code))) return true;
  return (
    error instanceof Error && (error instanceof AggregateError || ("syscall" in error && error.syscall === "connect"))
  );
}
