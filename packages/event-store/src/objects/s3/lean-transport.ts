import { hash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { GetOptions, ListPage, PutFence, PutOptions } from "../port.js";
import type { Attempt } from "./attempt.js";
import { notS3 } from "./classify.js";
import type { BucketLocation } from "./endpoint.js";
import { attemptOn, bucketPath, objectPath } from "./bucket-requests.js";
import type { SignedClient } from "./signed-client.js";
import {
  rangeHeader,
  type Condition,
  type GotObject,
  type ListQuery,
  type Reply,
  type S3Transport,
} from "./transport.js";
import { encodeComponent } from "./uri.js";
import { parseList } from "./xml.js";

const METADATA = "x-amz-meta-";

/** The S3 requests a log needs, over a client of our own. */
export class LeanTransport implements S3Transport {
  readonly #location: BucketLocation;
  readonly #client: SignedClient;
  readonly #checksums: boolean;

  /** `checksums`: send `x-amz-checksum-sha256` with each put. */
  constructor(location: BucketLocation, client: SignedClient, checksums = false) {
    this.#location = location;
    this.#client = client;
    this.#checksums = checksums;
  }

  get clockSkewMs(): number | undefined {
    return this.#client.clockSkewMs;
  }

  get fence(): PutFence {
    return this.#client.fence;
  }

  async put(key: string, body: Uint8Array, condition: Condition, options: PutOptions): Promise<Reply<string>> {
    const headers: [string, string][] = [
      ["content-type", options.contentType ?? "application/json"],
      [condition.header, condition.header === "if-match" ? condition.etag : "*"],
    ];
    for (const [name, value] of Object.entries(options.metadata ?? {})) headers.push([METADATA + name, value]);
    const { retention } = options;
    if (this.#checksums || retention) headers.push(["x-amz-checksum-sha256", hash("sha256", body, "base64")]);
    if (retention) {
      headers.push(
        ["x-amz-object-lock-mode", retention.mode],
        ["x-amz-object-lock-retain-until-date", new Date(retention.until).toISOString()],
        // A digest is demanded: older servers want this one.
        ["content-md5", hash("md5", body, "base64")],
      );
    }
    const attempt: Attempt = {
      ...this.attempt("PUT", key),
      condition: condition.header,
      ...(retention && { retained: true }),
    };
    const reply = await this.#client.send(
      { attempt, method: "PUT", path: this.#path(key), headers, body, notAfter: options.notAfter },
      options.signal,
    );
    if (reply.kind !== "ok") return reply;
    const { etag } = reply.value.headers;
    // It may or may not have been stored: writing it again tells.
    return etag === undefined
      ? notS3(attempt, reply.value.status, "a write was answered without an ETag")
      : { kind: "ok", value: etag };
  }

  get(key: string, range: GetOptions["range"], signal: AbortSignal | undefined): Promise<Reply<GotObject>> {
    return this.#read("GET", key, range === undefined ? [] : [["range", rangeHeader(range)]], signal);
  }

  head(key: string, signal: AbortSignal | undefined): Promise<Reply<GotObject>> {
    return this.#read("HEAD", key, [], signal);
  }

  async #read(
    method: "GET" | "HEAD",
    key: string,
    headers: [string, string][],
    signal: AbortSignal | undefined,
  ): Promise<Reply<GotObject>> {
    const attempt = this.attempt(method, key);
    const reply = await this.#client.send({ attempt, method, path: this.#path(key), headers }, signal);
    if (reply.kind !== "ok") return reply;
    const { status, headers: answered, body } = reply.value;
    if (answered.etag === undefined) return notS3(attempt, status, "an object came without an ETag");
    const object = { body, etag: answered.etag, metadata: metadataOf(answered), contentType: answered["content-type"] };
    return { kind: "ok", value: { object, partial: status === 206 } };
  }

  async list({ prefix, startAfter, maxKeys }: ListQuery, signal: AbortSignal | undefined): Promise<Reply<ListPage>> {
    // In the order of their names, as the signature wants them.
    let query = `encoding-type=url&list-type=2&max-keys=${String(maxKeys)}&prefix=${encodeComponent(prefix)}`;
    if (startAfter !== "") query += `&start-after=${encodeComponent(startAfter)}`;
    const attempt = this.attempt("LIST");
    const path = bucketPath(this.#location);
    const reply = await this.#client.send({ attempt, method: "GET", path, query, headers: [] }, signal);
    if (reply.kind !== "ok") return reply;
    const page = parseList(reply.value.body);
    if (page === null || (page.truncated && page.entries.length === 0)) {
      return notS3(attempt, reply.value.status, "the listing cannot be read");
    }
    return { kind: "ok", value: page };
  }

  async delete(key: string, signal: AbortSignal | undefined): Promise<Reply<null>> {
    const attempt = this.attempt("DELETE", key);
    const reply = await this.#client.send({ attempt, method: "DELETE", path: this.#path(key), headers: [] }, signal);
    return reply.kind === "ok" ? { kind: "ok", value: null } : reply;
  }

  attempt(operation: Attempt["operation"], key?: string): Attempt {
    return attemptOn(this.#location, operation, key);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #path(key: string): string {
    return objectPath(this.#location, key);
  }
}

/** User metadata of an object, as an answer's headers have it. */
export function metadataOf(headers: IncomingHttpHeaders): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const value = name.startsWith(METADATA) ? headers[name] : undefined;
    if (typeof value === "string") metadata[name.slice(METADATA.length)] = value;
  }
  return metadata;
}
