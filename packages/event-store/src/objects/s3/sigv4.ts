import { createHmac, hash } from "node:crypto";
import type { S3Credentials } from "./credentials.js";

/*
 * AWS Signature Version 4, header form, for S3: the path is encoded once, and the SHA-256 of the body is always signed, so
 * that neither the body nor a signed header (the conditions of a write among them) can be changed on the way unnoticed.
 */

export interface UnsignedRequest {
  readonly method: string;
  /** Percent-encoded. */
  readonly path: string;
  /** Percent-encoded `name=value` pairs joined by `&`, in the order of their names; empty for none. */
  readonly query: string;
  /** Names in lower case, each once, `host` among them; every one of them is signed. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** SHA-256 of the body in hex. */
  readonly bodyHash: string;
}

export const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

export function sha256Hex(data: string | Uint8Array): string {
  return hash("sha256", data, "hex");
}

/** Signs for one region. Keeps the last signing key, which is good for one day and one secret. */
export class SigV4 {
  readonly #region: string;
  readonly #service: string;
  #key: { readonly day: string; readonly secret: string; readonly bytes: Buffer } | undefined;

  constructor(region: string, service = "s3") {
    this.#region = region;
    this.#service = service;
  }

  /** All headers to send: those given, the signature's own, and `authorization`; name, value, name, value … */
  sign(request: UnsignedRequest, credentials: S3Credentials, epochMs: number): string[] {
    const time = amzTime(epochMs);
    const day = time.slice(0, 8);
    const headers: (readonly [string, string])[] = [
      ...request.headers,
      ["x-amz-content-sha256", request.bodyHash],
      ["x-amz-date", time],
    ];
    if (credentials.sessionToken !== undefined) headers.push(["x-amz-security-token", credentials.sessionToken]);
    headers.sort(byName);

    const names = headers.map(([name]) => name).join(";");
    const scope = `${day}/${this.#region}/${this.#service}/aws4_request`;
    const canonical = canonicalRequest(request, headers, names);
    const signature = createHmac("sha256", this.#signingKey(credentials.secretAccessKey, day))
      .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256Hex(canonical)}`)
      .digest("hex");

    const flat: string[] = [];
    for (const [name, value] of headers) flat.push(name, value);
    flat.push(
      "authorization",
      `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
    );
    return flat;
  }

  #signingKey(secret: string, day: string): Buffer {
    if (this.#key?.day === day && this.#key.secret === secret) return this.#key.bytes;
    let bytes = hmac(`AWS4${secret}`, day);
    for (const part of [this.#region, this.#service, "aws4_request"]) bytes = hmac(bytes, part);
    this.#key = { day, secret, bytes };
    return bytes;
  }
}

function canonicalRequest(
  request: UnsignedRequest,
  sortedHeaders: readonly (readonly [string, string])[],
  names: string,
): string {
  let text = `${request.method}\n${request.path}\n${request.query}\n`;
  for (const [name, value] of sortedHeaders) text += `${name}:${canonicalValue(value)}\n`;
  return `${text}\n${names}\n${request.bodyHash}`;
}

/** `20130524T000000Z` */
export function amzTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
}

function canonicalValue(value: string): string {
  return value.includes("  ") ? value.trim().replaceAll(/ +/g, " ") : value.trim();
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : 1;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
