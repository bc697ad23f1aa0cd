import { BackendError, type ErrorFacts, type FailureCode } from "../../core/errors.js";

/** One request, as errors speak of it. */
export interface Attempt {
  readonly operation:
    | "PUT"
    | "GET"
    | "HEAD"
    | "LIST"
    | "DELETE"
    | "RESTORE"
    | "GET_LIFECYCLE"
    | "PUT_LIFECYCLE"
    | "GET_POLICY"
    | "GET_VERSIONING"
    | "GET_OBJECT_LOCK"
    | "GET_PUBLIC_ACCESS_BLOCK"
    | "GET_ENCRYPTION"
    | "LIST_VERSIONS"
    | "GET_RETENTION"
    | "GET_LEGAL_HOLD"
    | "PUT_LEGAL_HOLD";
  readonly bucket: string;
  readonly key?: string;
  readonly endpoint: string;
  readonly region?: string;
  /** The condition of a PUT. */
  readonly condition?: "if-none-match" | "if-match";
  /** A PUT that asks for a retention. */
  readonly retained?: true;
}

/** It may pass. `sent: false`: no byte of the request left this machine. */
export interface Trouble {
  readonly kind: "trouble";
  readonly error: BackendError;
  readonly sent: boolean;
  readonly retryAfterMs?: number;
  /** It was not sent because `notAfter` had passed. */
  readonly expired?: true;
}

export function trouble(error: BackendError, sent: boolean, retryAfterMs?: number): Trouble {
  return { kind: "trouble", error, sent, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** A put that was signed, or was about to be, when its time was over. Nothing of it was stored: an earlier send was refused. */
export function expiredPut(attempt: Attempt): Trouble {
  const hint = "this process or its clock stood still, or jumped: look at the end of the log again, and put anew";
  const error = failure("UNAVAILABLE", attempt, "it was not sent, since its time was over", { hint });
  return { kind: "trouble", error, sent: false, expired: true };
}

interface Details {
  readonly status?: number | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly hint?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly cause?: unknown;
}

export function failure(kind: FailureCode, attempt: Attempt, problem: string, details: Details = {}): BackendError {
  const { operation, bucket, key, endpoint } = attempt;
  const { status, code, message, hint, storageClass, cause } = details;
  const said = [
    status === undefined ? "" : String(status),
    code ?? "",
    message === undefined || message === "" ? "" : printable(`"${message}"`),
  ];
  const facts: ErrorFacts = {
    operation,
    bucket,
    endpoint,
    ...(key === undefined ? {} : { key }),
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { backendCode: code.slice(0, 100) }),
    ...(storageClass === undefined ? {} : { storageClass: printable(storageClass) }),
  };
  const answer = said.filter((part) => part !== "").join(" ");
  const target = key === undefined ? `s3://${bucket}` : `s3://${bucket}/${printable(key)}`;
  return new BackendError(kind, `${operation} ${target}: ${problem}${answer === "" ? "" : ` (${answer})`}`, {
    facts,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

function printable(text: string): string {
  const cleaned = text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, "?");
  return cleaned.length > 300 ? `${cleaned.slice(0, 300)}…` : cleaned;
}
