import { createHash, createHmac } from "node:crypto";
import { refusal, type Answer, type S3Request } from "./answer.js";

/*
 * AWS Signature Version 4 as a server checks it, in its header form, written from the server's side of the
 * specification: what was received is unescaped, escaped again by the rules, and signed.
 */

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Then every request must carry it. */
  readonly sessionToken?: string | undefined;
}

/** The server refuses what was signed more than 15 minutes before or after its own time. */
const MAX_SKEW_MS: number = 15 * 60 * 1000;

const ALGORITHM = "AWS4-HMAC-SHA256";

export interface Verification {
  readonly credentials: Credentials;
  /** The server's clock, Unix milliseconds. */
  readonly now: number;
  /** The only region that requests may be signed for; any when undefined. */
  readonly region?: string | undefined;
}

/** The refusal that a request earns by its signature; null when it is good. The body is compared by payload.ts. */
export function verifySignature(request: S3Request, { credentials, now, region }: Verification): Answer | null {
  const header = request.headers.get("authorization");
  if (header === undefined) return refusal(403, "AccessDenied", "Anonymous access is not allowed.");
  const given = parseAuthorization(header);
  if (given === null) return malformed("The authorization header is malformed.");
  if (given.accessKeyId !== credentials.accessKeyId) {
    const message = "The AWS Access Key Id you provided does not exist in our records.";
    return refusal(403, "InvalidAccessKeyId", message, { AWSAccessKeyId: given.accessKeyId });
  }
  const token = request.headers.get("x-amz-security-token");
  if (token !== credentials.sessionToken) {
    if (token === undefined) return refusal(403, "AccessDenied", "These credentials need a session token.");
    return refusal(400, "InvalidToken", "The provided token is malformed or otherwise invalid.");
  }
  if (region !== undefined && given.region !== region) {
    return malformed(`The region '${given.region}' is wrong; expecting '${region}'`, { Region: region });
  }

  const date = request.headers.get("x-amz-date") ?? "";
  const signedAt = parseDate(date);
  if (signedAt === null)
    return refusal(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header");
  if (Math.abs(now - signedAt) > MAX_SKEW_MS) {
    return refusal(
      403,
      "RequestTimeTooSkewed",
      "The difference between the request time and the current time is too large.",
      {
        RequestTime: date,
        ServerTime: new Date(now).toISOString(),
        MaxAllowedSkewMilliseconds: String(MAX_SKEW_MS),
      },
    );
  }
  if (!date.startsWith(given.day)) return malformed("The date of the credential scope is not that of the request.");

  const unsigned = unsignedHeaders(request, given.signedHeaders);
  if (unsigned.length > 0) {
    return refusal(403, "AccessDenied", "There were headers present in the request which were not signed", {
      HeadersNotSigned: unsigned.join(", "),
    });
  }
  const canonical = canonicalRequest(request, given.signedHeaders);
  const scope = `${given.day}/${given.region}/s3/aws4_request`;
  const toSign = [ALGORITHM, date, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  const key = [given.day, given.region, "s3", "aws4_request"].reduce<Buffer | string>(
    hmac,
    `AWS4${credentials.secretAccessKey}`,
  );
  if (hmac(key, toSign).toString("hex") === given.signature) return null;
  return refusal(
    403,
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided.",
    {
      AWSAccessKeyId: given.accessKeyId,
      StringToSign: toSign,
      SignatureProvided: given.signature,
      CanonicalRequest: canonical,
    },
  );
}

function hmac(key: Buffer | string, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

function malformed(message: string, detail: Record<string, string> = {}): Answer {
  return refusal(400, "AuthorizationHeaderMalformed", message, detail);
}

interface Authorization {
  readonly accessKeyId: string;
  readonly day: string;
  readonly region: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

function parseAuthorization(header: string): Authorization | null {
  const [algorithm, ...rest] = header.split(" ");
  if (algorithm !== ALGORITHM) return null;
  const fields = new Map(
    rest
      .join("")
      .split(",")
      .map((field): [string, string] => {
        const at = field.indexOf("=");
        return [field.slice(0, at), field.slice(at + 1)];
      }),
  );
  const scope = /^(?<accessKeyId>.+)\/(?<day>\d{8})\/(?<region>[^/]+)\/s3\/aws4_request$/.exec(
    fields.get("Credential") ?? "",
  );
  const names = fields.get("SignedHeaders");
  const signature = fields.get("Signature");
  const [, accessKeyId, day, region] = scope ?? [];
  if (accessKeyId === undefined || day === undefined || region === undefined) return null;
  if (names === undefined || signature === undefined) return null;
  return { accessKeyId, day, region, signature, signedHeaders: names.split(";") };
}

/** `20260131T235959Z` in Unix milliseconds. */
function parseDate(text: string): number | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number);
  return Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second);
}

/** `host` and every `x-amz-*` header must be signed, or they could be changed on the way. */
function unsignedHeaders(request: S3Request, signed: readonly string[]): string[] {
  const names = [...request.headers.keys()].filter((name) => name === "host" || name.startsWith("x-amz-"));
  return names.filter((name) => !signed.includes(name));
}

function canonicalRequest(request: S3Request, signed: readonly string[]): string {
  const headers = signed.map((name) => `${name}:${(request.headers.get(name) ?? "").trim().replaceAll(/ +/g, " ")}\n`);
  return [
    request.method,
    request.rawPath
      .split("/")
      .map((segment) => escape(unescape(segment)))
      .join("/"),
    canonicalQuery(request.rawQuery),
    headers.join(""),
    signed.join(";"),
    request.headers.get("x-amz-content-sha256") ?? "",
  ].join("\n");
}

function canonicalQuery(rawQuery: string): string {
  if (rawQuery === "") return "";
  return rawQuery
    .split("&")
    .map((pair) => {
      const [name = "", ...value] = pair.split("=");
      return [name, value.join("=")].map((part) => escape(unescape(part.replaceAll("+", " "))));
    })
    .sort(([nameA = "", valueA = ""], [nameB = "", valueB = ""]) => order(nameA, nameB) || order(valueA, valueB))
    .map((pair) => pair.join("="))
    .join("&");
}

function order(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** The bytes that an escaped text stands for. */
function unescape(text: string): Buffer {
  const parts = text.split(/%([0-9A-Fa-f]{2})/);
  return Buffer.concat(parts.map((part, i) => Buffer.from(part, i % 2 === 1 ? "hex" : "utf8")));
}

/** Everything but letters, digits, `-`, `.`, `_` and `~` as `%XX`. */
function escape(bytes: Buffer): string {
  let text = "";
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    text += /[A-Za-z0-9\-._~]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
