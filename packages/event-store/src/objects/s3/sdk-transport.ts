import { hash } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import type { GetOptions, ListPage, PutFence, PutOptions } from "../port.js";
import { retryAfterMs, withoutSecrets } from "./answer-facts.js";
import { expiredPut, failure, trouble, type Attempt } from "./attempt.js";
import { classifyAnswer, classifyNetworkError, notS3, type Verdict } from "./classify.js";
import { noCredentials } from "./credentials.js";
import { onAbort } from "../../system/on-abort.js";
import { loadCommands, sendOnce, type S3Command, type S3Commands, type Sending } from "./sdk-commands.js";
import { ServerClock, SIGNATURE_LATE_MS } from "./server-clock.js";
import {
  rangeHeader,
  type Condition,
  type GotObject,
  type ListQuery,
  type Reply,
  type S3Transport,
} from "./transport.js";
import { listEntry } from "./xml.js";

export interface SdkConnection {
  readonly client: S3Client;
  readonly bucket: string;
  readonly commands?: S3Commands | undefined;
  readonly attemptTimeoutMs: number;
  readonly clock: () => number;
}

interface Call {
  readonly signal: AbortSignal;
  readonly sending: Sending;
}

/** The S3 requests a log needs, over the user's own `S3Client`, which stays the user's: `close` ends our calls and leaves it open. */
export class SdkTransport implements S3Transport {
  readonly #connection: SdkConnection;
  readonly #clock: ServerClock;
  #commands: Promise<S3Commands> | undefined;
  #endpoint = "the S3Client's endpoint";
  readonly #closing = new AbortController();

  constructor(connection: SdkConnection) {
    this.#connection = connection;
    this.#clock = new ServerClock(connection.clock);
  }

  get clockSkewMs(): number | undefined {
    return this.#clock.skewMs;
  }

  get fence(): PutFence {
    const { client, clock } = this.#connection;
    // The client signs with the system's clock, and by the server's once that was seen to be far off.
    return { now: () => clock() + client.config.systemClockOffset, lateMs: SIGNATURE_LATE_MS };
  }

  put(key: string, body: Uint8Array, condition: Condition, options: PutOptions): Promise<Reply<string>> {
    const { bucket: Bucket, client } = this.#connection;
    const { retention } = options;
    const attempt: Attempt = {
      ...this.attempt("PUT", key),
      condition: condition.header,
      ...(retention && { retained: true }),
    };
    return this.#call(attempt, options.signal, async ({ PutObjectCommand }, start) => {
      const command = new PutObjectCommand({
        Bucket,
        Key: key,
        Body: body,
        ContentType: options.contentType ?? "application/json",
        ...(options.metadata === undefined ? {} : { Metadata: { ...options.metadata } }),
        ...(retention && {
          ObjectLockMode: retention.mode,
          ObjectLockRetainUntilDate: new Date(retention.until),
          ChecksumSHA256: hash("sha256", body, "base64"),
          ContentMD5: hash("md5", body, "base64"),
        }),
        ...(condition.header === "if-match" ? { IfMatch: condition.etag } : { IfNoneMatch: "*" }),
      });
      const { signal, sending } = start(command, options.notAfter);
      const { ETag } = await client.send(command, { abortSignal: signal });
      return ETag === undefined
        ? notS3(attempt, sending.status ?? 200, "a write was answered without an ETag")
        : ok(ETag);
    });
  }

  get(key: string, range: GetOptions["range"], outer: AbortSignal | undefined): Promise<Reply<GotObject>> {
    const { bucket: Bucket, client } = this.#connection;
    const attempt = this.attempt("GET", key);
    return this.#call(attempt, outer, async ({ GetObjectCommand }, start) => {
      const command = new GetObjectCommand({
        Bucket,
        Key: key,
        ...(range === undefined ? {} : { Range: rangeHeader(range) }),
      });
      const { signal, sending } = start(command);
      const output = await client.send(command, { abortSignal: signal });
      const bytes = (await output.Body?.transformToByteArray()) ?? new Uint8Array();
      if (output.ETag === undefined) return notS3(attempt, sending.status ?? 200, "an object came without an ETag");
      const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const object = { body, etag: output.ETag, metadata: output.Metadata ?? {}, contentType: output.ContentType };
      return ok({ object, partial: sending.status === 206 });
    });
  }

  head(key: string, outer: AbortSignal | undefined): Promise<Reply<GotObject>> {
    const { bucket: Bucket, client } = this.#connection;
    const attempt = this.attempt("HEAD", key);
    return this.#call(attempt, outer, async ({ HeadObjectCommand }, start) => {
      const command = new HeadObjectCommand({ Bucket, Key: key });
      const { signal, sending } = start(command);
      const output = await client.send(command, { abortSignal: signal });
      if (output.ETag === undefined) return notS3(attempt, sending.status ?? 200, "an object came without an ETag");
      const { ETag: etag, Metadata: metadata = {}, ContentType: contentType } = output;
      return ok({ object: { body: Buffer.alloc(0), etag, metadata, contentType }, partial: false });
    });
  }

  list({ prefix, startAfter, maxKeys }: ListQuery, outer: AbortSignal | undefined): Promise<Reply<ListPage>> {
    const { bucket: Bucket, client } = this.#connection;
    const attempt = this.attempt("LIST");
    return this.#call(attempt, outer, async ({ ListObjectsV2Command }, start) => {
      const command = new ListObjectsV2Command({
        Bucket,
        Prefix: prefix,
        MaxKeys: maxKeys,
        EncodingType: "url",
        ...(startAfter === "" ? {} : { StartAfter: startAfter }),
      });
      const { signal, sending } = start(command);
      const output = await client.send(command, { abortSignal: signal });
      const entries = (output.Contents ?? []).map(({ Key: key, Size, LastModified, StorageClass: storageClass }) =>
        listEntry(
          { key, size: Size?.toString(), lastModified: LastModified?.toISOString(), storageClass },
          output.EncodingType,
        ),
      );
      const truncated = output.IsTruncated;
      const good = entries.filter((entry) => entry !== null);
      if (truncated === undefined || good.length < entries.length || (truncated && good.length === 0)) {
        return notS3(attempt, sending.status ?? 200, "the listing cannot be read");
      }
      return ok({ entries: good, truncated });
    });
  }

  delete(key: string, outer: AbortSignal | undefined): Promise<Reply<null>> {
    const { bucket: Bucket, client } = this.#connection;
    return this.#call(this.attempt("DELETE", key), outer, async ({ DeleteObjectCommand }, start) => {
      const command = new DeleteObjectCommand({ Bucket, Key: key });
      await client.send(command, { abortSignal: start(command).signal });
      return ok(null);
    });
  }

  attempt(operation: Attempt["operation"], key?: string): Attempt {
    const { bucket } = this.#connection;
    return key === undefined
      ? { operation, bucket, endpoint: this.#endpoint }
      : { operation, bucket, endpoint: this.#endpoint, key };
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  /** Runs `action` once; a second time only if the server refused the date, which the client has corrected by then. */
  async #call<T>(
    attempt: Attempt,
    outer: AbortSignal | undefined,
    action: (commands: S3Commands, start: (command: S3Command, notAfter?: number) => Call) => Promise<Reply<T>>,
  ): Promise<Reply<T>> {
    const { commands: given, attemptTimeoutMs } = this.#connection;
    const commands = given ?? (await (this.#commands ??= loadCommands()));
    for (let second = false; ; second = true) {
      if (isAborted(outer)) return { kind: "aborted", sent: false };
      const controller = new AbortController();
      const { signal } = controller;
      const releases = [outer, this.#closing.signal].map((each) => onAbort(each, () => controller.abort()));
      const timer = setTimeout(() => controller.abort(), attemptTimeoutMs);
      let sending: Sending = { sent: false };
      try {
        return await action(commands, (command, notAfter) => {
          sending = sendOnce(command, notAfter);
          return { signal, sending };
        });
      } catch (error) {
        // What went before was refused, for its date or for the bucket's region: nothing was stored.
        if (sending.held !== undefined) return heldBack(sending.held, attempt);
        if (isAborted(outer)) return { kind: "aborted", sent: sending.sent };
        const closed = this.#closing.signal.aborted;
        const cause =
          signal.aborted && !closed
            ? Object.assign(new Error("no answer in time", { cause: error }), { code: "ETIMEDOUT" })
            : error;
        const verdict = await this.#verdict(cause, sending, attempt);
        if (second || verdict.kind !== "clock-skewed") return verdict;
      } finally {
        clearTimeout(timer);
        for (const release of releases) release();
        if (sending.endpoint !== undefined) this.#endpoint = sending.endpoint;
        this.#clock.learn(sending.headers?.["date"]);
      }
    }
  }

  async #verdict(error: unknown, { sent, endpoint, status, headers = {} }: Sending, before: Attempt): Promise<Verdict> {
    const attempt: Attempt = endpoint === undefined ? before : { ...before, endpoint };
    if (status !== undefined && status >= 300) {
      const { code, message, region, storageClass } = documentOf(error);
      return classifyAnswer(
        {
          status,
          code,
          message: withoutSecrets(message, await this.#connection.client.config.credentials()),
          region: headers["x-amz-bucket-region"] ?? region,
          retryAfterMs: retryAfterMs(headers, this.#clock.now()),
          storageClass: headers["x-amz-storage-class"] ?? storageClass,
        },
        attempt,
      );
    }
    if (sent) return classifyNetworkError(error, attempt, status === undefined ? undefined : true);
    const none = noCredentials(error, attempt);
    if (none !== undefined) return { kind: "refused", error: none };
    const message = error instanceof Error ? error.message : String(error);
    const hint = "look at the S3Client's region, endpoint and credentials";
    return trouble(
      failure("UNAVAILABLE", attempt, "the S3Client did not send it", { message, hint, cause: error }),
      false,
    );
  }
}

function ok<T>(value: T): { readonly kind: "ok"; readonly value: T } {
  return { kind: "ok", value };
}

function heldBack(why: NonNullable<Sending["held"]>, attempt: Attempt): Verdict {
  if (why === "expired") return expiredPut(attempt);
  const problem = "the S3Client signs no x-amz-date, so nothing bounds how late this put could be stored";
  return {
    kind: "refused",
    error: failure("REQUEST_REFUSED", attempt, problem, { hint: "let the client sign with SigV4" }),
  };
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** The names that the client gives to answers without an error document of S3's. */
const NO_CODE = /^(?:Error|\w*Exception|UnknownError|Unknown|NotFound|SyntaxError|TypeError|\d+)$/;

function documentOf(error: unknown): { code?: string; message?: string; region?: string; storageClass?: string } {
  if (!(error instanceof Error)) return {};
  const { Code, Region, StorageClass } = error as { Code?: unknown; Region?: unknown; StorageClass?: unknown };
  const code = typeof Code === "string" ? Code : error.name;
  return {
    ...(NO_CODE.test(code) ? {} : { code }),
    ...(NO_CODE.test(code) || NO_CODE.test(error.message) ? {} : { message: error.message }),
    ...(typeof Region === "string" ? { region: Region } : {}),
    ...(typeof StorageClass === "string" ? { storageClass: StorageClass } : {}),
  };
}
