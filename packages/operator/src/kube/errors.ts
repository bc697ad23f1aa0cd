/** What a Kubernetes API server answered, or why it did not. A closed set. */
export const KUBE_ERROR_CODES = [
  /** The client's configuration is wrong or incomplete; nothing was sent. */
  "INVALID_CONFIG",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "NOT_FOUND",
  /** 409: the object changed meanwhile, or exists already. */
  "CONFLICT",
  /** 410: the resourceVersion is too old; list anew. */
  "GONE",
  /** 400, 422: the object or request is not valid. */
  "INVALID",
  /** 429; `retryAfterMs` says when. */
  "THROTTLED",
  /** 5xx, no connection, a time-out, or an answer that broke off: it may have been done. */
  "UNAVAILABLE",
  /** The caller's signal aborted it. */
  "ABORTED",
  /** Any other refusal. */
  "REFUSED",
] as const;
export type KubeErrorCode = (typeof KUBE_ERROR_CODES)[number];

/** Never a secret. */
export interface KubeErrorFacts {
  readonly server?: string;
  readonly method?: string;
  readonly path?: string;
  /** HTTP status, or the code within an ERROR event. */
  readonly status?: number;
  /** The server's own word: `AlreadyExists`, `Expired` … */
  readonly reason?: string;
  readonly file?: string;
}

export class KubeError extends Error {
  readonly code: KubeErrorCode;
  readonly facts: KubeErrorFacts;
  readonly hint: string | undefined;
  /** What the server's Retry-After asked for. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: KubeErrorCode,
    message: string,
    details: { facts?: KubeErrorFacts; hint?: string; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "KubeError";
    this.code = code;
    this.facts = details.facts ?? {};
    this.hint = details.hint;
    this.retryAfterMs = details.retryAfterMs;
  }
}
