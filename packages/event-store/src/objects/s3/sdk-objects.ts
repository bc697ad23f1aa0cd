import type { S3Client } from "@aws-sdk/client-s3";
import { checkBucketName } from "./bucket-name.js";
import type { RetryOptions } from "./retry.js";
import { S3Objects } from "./s3-objects.js";
import type { S3Commands } from "./sdk-commands.js";
import { SdkTransport } from "./sdk-transport.js";

/** An `S3Client` of `@aws-sdk/client-s3`. Described by its shape, so that these types compile where that package is not installed. */
export interface SdkClient {
  send(command: never, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown>;
  destroy(): void;
}

export interface SdkS3Options extends RetryOptions {
  /** Yours: configure it and `destroy()` it yourself. Its own retries are left unused. */
  readonly client: SdkClient;
  readonly bucket: string;
  /** The package `@aws-sdk/client-s3` as a module, for bundles; by default it is imported at the first call. */
  readonly commands?: object | undefined;
  /** How long one request may take, its answer included; the client itself may have no limit. Default 30,000. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Unix milliseconds. Default: `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

/** Tells clients apart, since two of them may mean two servers. */
const numbers = new WeakMap<SdkClient, number>();
let clients = 0;

/**
 * An S3 bucket over your own `S3Client` (optional peer dependency `@aws-sdk/client-s3`): for set-ups that the lean driver
 * does not know. It takes about ten times the CPU per request.
 */
export function sdkS3Objects(options: SdkS3Options): S3Objects {
  const { client, bucket, commands, attemptTimeoutMs = 30_000, clock = Date.now } = options;
  checkBucketName(bucket, false);
  const number = numbers.get(client) ?? ++clients;
  numbers.set(client, number);
  const transport = new SdkTransport({
    client: client as unknown as S3Client,
    bucket,
    commands: commands as S3Commands | undefined,
    attemptTimeoutMs,
    clock,
  });
  return new S3Objects(transport, `s3-client-${String(number)}://${bucket}`, options);
}
