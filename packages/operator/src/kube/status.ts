import { KubeError, type KubeErrorCode, type KubeErrorFacts } from "./errors.js";

/** metav1.Status, as far as it matters here. */
interface Status {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly code?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown } | null;
}

/** Of a message: servers may repeat what was sent to them. */
const MAX_MESSAGE = 1000;

/** What an HTTP status, or the code of an ERROR event, means. */
function codeOfStatus(status: number): KubeErrorCode {
  switch (status) {
    case 400:
    case 422:
      return "INVALID";
    case 401:
      return "UNAUTHORIZED";
    case 403:
      return "FORBIDDEN";
    case 404:
      return "NOT_FOUND";
    case 409:
      return "CONFLICT";
    case 410:
      return "GONE";
    case 429:
      return "THROTTLED";
    default:
      return status === 408 || status >= 500 ? "UNAVAILABLE" : "REFUSED";
  }
}

/**
 * The error for an answer that is no success.
 * @param body parsed, if it was JSON
 * @param retryAfter the header: seconds, or a date
 */
export function refusal(
  status: number,
  body: unknown,
  facts: KubeErrorFacts,
  retryAfter: string | undefined,
  now: number,
): KubeError {
  const { message, reason } = statusOf(body);
  const said = typeof message === "string" && message !== "" ? `: ${message.slice(0, MAX_MESSAGE)}` : "";
  const word = typeof reason === "string" && reason !== "" ? reason : undefined;
  const code = codeOfStatus(status);
  const wait = retryAfterMs(retryAfter, now) ?? detailedWait(body);
  const hint = HINTS[code];
  return new KubeError(
    code,
    `${facts.method ?? ""} ${facts.path ?? ""}: ${String(status)}${word === undefined ? "" : ` ${word}`}${said}`,
    {
      facts: { ...facts, status, ...(word === undefined ? {} : { reason: word }) },
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
      ...(hint === undefined ? {} : { hint }),
    },
  );
}

/** The error for an ERROR event of a watch. */
export function refusedWatch(object: unknown, facts: KubeErrorFacts, now: number): KubeError {
  const { code } = statusOf(object);
  return refusal(typeof code === "number" ? code : 500, object, facts, undefined, now);
}

/** Milliseconds that a Retry-After header asks for; undefined without one, or with one that says nothing. */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? "";
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  const date = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function detailedWait(body: unknown): number | undefined {
  const seconds = statusOf(body).details?.retryAfterSeconds;
  return typeof seconds === "number" && seconds > 0 ? seconds * 1000 : undefined;
}

function statusOf(body: unknown): Status {
  return typeof body === "object" && body !== null ? body : {};
}

const HINTS: Partial<Record<KubeErrorCode, string>> = {
  UNAUTHORIZED:
    "the API server does not know who this is: see the service account's token, or the user in the kubeconfig",
  FORBIDDEN: "grant it with a Role or ClusterRole; `kubectl auth can-i` tells what is granted",
};
