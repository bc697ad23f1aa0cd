import { describe, expect, it } from "vitest";
import type { Attempt } from "../../../src/objects/s3/attempt.js";
import { classifyAnswer, classifyNetworkError, type Refusal, type Verdict } from "../../../src/objects/s3/classify.js";

const base = { bucket: "events", endpoint: "http://host:9000", region: "us-east-1" } as const;
const ATTEMPTS = {
  create: { ...base, operation: "PUT", key: "k", condition: "if-none-match" },
  replace: { ...base, operation: "PUT", key: "k", condition: "if-match" },
  get: { ...base, operation: "GET", key: "k" },
  head: { ...base, operation: "HEAD", key: "k" },
  list: { ...base, operation: "LIST" },
  delete: { ...base, operation: "DELETE", key: "k" },
} as const satisfies Record<string, Attempt>;
type Name = keyof typeof ATTEMPTS;
const ALL = Object.keys(ATTEMPTS) as Name[];
const WRITES: Name[] = ["create", "replace"];

function short(verdict: Verdict): string {
  if (verdict.kind === "trouble") return verdict.sent ? "trouble" : "trouble, not sent";
  return verdict.kind === "refused" ? verdict.error.code : verdict.kind;
}

function errorOf(verdict: Verdict) {
  if (!("error" in verdict)) throw new Error(`no error in ${verdict.kind}`);
  return verdict.error;
}

const ANSWERS: readonly (readonly [status: number, code: string | undefined, on: readonly Name[], means: string])[] = [
  [412, "PreconditionFailed", WRITES, "condition-failed"],
  [412, undefined, WRITES, "condition-failed"],
  [404, "NoSuchKey", ["replace"], "condition-failed"],
  [404, "NoSuchKey", ["get", "head", "delete"], "no-key"],
  [404, undefined, ["head"], "no-key"],
  // Not S3's words: an ingress without its backend must not pass for "no such event".
  [404, undefined, ["create", "replace", "get", "list", "delete"], "trouble"],
  [404, "NoSuchKey", ["create"], "trouble"],
  [404, "NoSuchBucket", ALL, "BUCKET_NOT_FOUND"],
  [416, "InvalidRange", ["get"], "range-beyond-end"],
  [408, undefined, ALL, "trouble"],
  [409, "ConditionalRequestConflict", ALL, "trouble"],
  [409, "OperationAborted", ALL, "trouble"],
  [429, undefined, ALL, "trouble"],
  [500, "InternalError", ALL, "trouble"],
  [502, undefined, ALL, "trouble"],
  [503, "SlowDown", ALL, "trouble"],
  [504, undefined, ALL, "trouble"],
  [400, "RequestTimeout", ALL, "trouble"],
  [400, "IncompleteBody", ALL, "trouble"],
  [400, "XAmzContentSHA256Mismatch", ALL, "trouble"],
  [403, "RequestTimeTooSkewed", ALL, "clock-skewed"],
  [400, "ExpiredToken", ALL, "credentials-expired"],
  [403, "ExpiredToken", ALL, "credentials-expired"],
  [403, "AccessDenied", ALL, "ACCESS_DENIED"],
  [403, undefined, ALL, "ACCESS_DENIED"],
  [401, undefined, ALL, "ACCESS_DENIED"],
  [403, "InvalidAccessKeyId", ALL, "ACCESS_DENIED"],
  [403, "SignatureDoesNotMatch", ALL, "ACCESS_DENIED"],
  [400, "InvalidToken", ALL, "ACCESS_DENIED"],
  [403, "InvalidObjectState", ["get"], "ARCHIVED"],
  [403, "InvalidObjectState", ["create", "list", "delete"], "REQUEST_REFUSED"],
  [403, "QuotaExceeded", WRITES, "REQUEST_REFUSED"],
  [501, "NotImplemented", WRITES, "UNSAFE_BACKEND"],
  [501, "NotImplemented", ["get", "list", "delete"], "REQUEST_REFUSED"],
  [301, "PermanentRedirect", ALL, "REQUEST_REFUSED"],
  [307, "TemporaryRedirect", ALL, "REQUEST_REFUSED"],
  [400, "AuthorizationHeaderMalformed", ALL, "REQUEST_REFUSED"],
  [400, "InvalidArgument", ALL, "REQUEST_REFUSED"],
  [400, undefined, ALL, "REQUEST_REFUSED"],
  [405, "MethodNotAllowed", ALL, "REQUEST_REFUSED"],
  [413, "EntityTooLarge", WRITES, "REQUEST_REFUSED"],
];

describe("what answers mean", () => {
  it.each(ANSWERS)("%i %s to %j: %s", (status, code, on, means) => {
    for (const name of on) expect(short(classifyAnswer({ status, code }, ATTEMPTS[name])), name).toBe(means);
  });

  it("keeps how long the server wants to be left alone", () => {
    expect(classifyAnswer({ status: 503, retryAfterMs: 2000 }, ATTEMPTS.create)).toMatchObject({
      kind: "trouble",
      retryAfterMs: 2000,
    });
    expect(classifyAnswer({ status: 503 }, ATTEMPTS.create)).not.toHaveProperty("retryAfterMs");
  });

  it("puts what was done, where, and what was said into the error", () => {
    const error = errorOf(classifyAnswer({ status: 403, code: "AccessDenied", message: "no\nway" }, ATTEMPTS.create));
    expect(error.message).toBe('PUT s3://events/k: access is denied (403 AccessDenied "no?way")');
    expect(error.facts).toEqual({
      operation: "PUT",
      bucket: "events",
      key: "k",
      endpoint: "http://host:9000",
      status: 403,
      backendCode: "AccessDenied",
    });
  });
});

describe("hints say what to do", () => {
  const HINTS: readonly (readonly [Refusal, Name, RegExp])[] = [
    [{ status: 403, code: "AccessDenied" }, "create", /s3:PutObject/],
    [{ status: 403, code: "AccessDenied" }, "get", /s3:GetObject.*s3:ListBucket/],
    [{ status: 403, code: "AccessDenied" }, "list", /s3:ListBucket on the bucket events/],
    [{ status: 403, code: "AccessDenied" }, "delete", /s3:DeleteObject/],
    [{ status: 403, code: "InvalidAccessKeyId" }, "get", /AWS_ACCESS_KEY_ID/],
    [{ status: 403, code: "SignatureDoesNotMatch" }, "get", /AWS_SECRET_ACCESS_KEY/],
    [{ status: 400, code: "ExpiredToken" }, "get", /AWS_SESSION_TOKEN/],
    [{ status: 403, code: "RequestTimeTooSkewed" }, "get", /clock/],
    [{ status: 404, code: "NoSuchBucket" }, "get", /create the bucket/],
    [{ status: 403, code: "InvalidObjectState" }, "get", /rynxs restore/],
    [{ status: 501 }, "create", /If-None-Match/],
    [
      { status: 301, code: "PermanentRedirect", region: "eu-west-1" },
      "get",
      /the bucket is in eu-west-1: .*S3_REGION.*instead of us-east-1/,
    ],
    [{ status: 400, code: "AuthorizationHeaderMalformed", region: "eu-west-1" }, "create", /eu-west-1/],
    [{ status: 400, region: "eu-west-1" }, "head", /eu-west-1/],
    [{ status: 301 }, "get", /S3_ENDPOINT/],
    [{ status: 400 }, "get", /not one of S3's/],
    [{ status: 400, code: "KMS.DisabledException" }, "create", /encrypts/],
  ];
  it.each(HINTS)("%j to %s", (answer, name, hint) => {
    expect(errorOf(classifyAnswer(answer, ATTEMPTS[name])).hint).toMatch(hint);
  });

  it("does not take a region that comes with every answer for a wrong one", () => {
    expect(short(classifyAnswer({ status: 403, code: "AccessDenied", region: "eu-west-1" }, ATTEMPTS.get))).toBe(
      "ACCESS_DENIED",
    );
    expect(
      errorOf(classifyAnswer({ status: 400, code: "InvalidArgument", region: "us-east-1" }, ATTEMPTS.get)).message,
    ).not.toContain("elsewhere");
  });
});

function failed(code: string, more: object = {}): Error {
  return Object.assign(new Error(`failed: ${code}`), { code }, more);
}

describe("what a broken connection means", () => {
  const ERRORS: readonly (readonly [Error, boolean | undefined, string, RegExp])[] = [
    [failed("ECONNREFUSED", { syscall: "connect" }), false, "trouble, not sent", /start the server/],
    [failed("ECONNREFUSED"), undefined, "trouble, not sent", /host and port/],
    [new AggregateError([failed("ECONNREFUSED")]), undefined, "trouble, not sent", /start the server/],
    [new Error("wrapped", { cause: failed("ENOTFOUND") }), undefined, "trouble, not sent", /S3_ENDPOINT/],
    [failed("EAI_AGAIN"), undefined, "trouble, not sent", /DNS/],
    [failed("EHOSTUNREACH", { syscall: "connect" }), undefined, "trouble, not sent", /network/],
    [failed("EHOSTUNREACH", { syscall: "read" }), undefined, "trouble", /network/],
    [failed("ETIMEDOUT", { syscall: "read" }), undefined, "trouble", /network/],
    [failed("UND_ERR_CONNECT_TIMEOUT"), undefined, "trouble, not sent", /firewalls/],
    [failed("UND_ERR_HEADERS_TIMEOUT"), true, "trouble", /overloaded/],
    [failed("ECONNRESET"), true, "trouble", /^$/],
    [failed("ECONNRESET"), undefined, "trouble", /^$/],
    [failed("HPE_INVALID_CONSTANT"), true, "trouble", /https:\/\//],
    [failed("DEPTH_ZERO_SELF_SIGNED_CERT"), false, "REQUEST_REFUSED", /NODE_EXTRA_CA_CERTS/],
    [failed("CERT_HAS_EXPIRED"), false, "REQUEST_REFUSED", /renew/],
    [failed("ERR_TLS_CERT_ALTNAME_INVALID"), false, "REQUEST_REFUSED", /another name/],
    [failed("ERR_SSL_WRONG_VERSION_NUMBER"), false, "REQUEST_REFUSED", /http:\/\//],
    [failed("ERR_SSL_WRONG_VERSION_NUMBER"), true, "trouble", /http:\/\//],
  ];
  it.each(ERRORS)("%s, sent: %s: %s", (error, sent, means, hint) => {
    const verdict = classifyNetworkError(error, ATTEMPTS.create, sent);
    expect(short(verdict)).toBe(means);
    expect(errorOf(verdict).hint ?? "").toMatch(hint);
    expect(errorOf(verdict).cause).toBe(error);
  });
});
