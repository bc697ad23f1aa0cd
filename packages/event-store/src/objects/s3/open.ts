import { ConfigError } from "../../core/errors.js";
import type { ObjectArchive } from "../archive.js";
import type { ObjectLocks } from "../locks.js";
import type { ObjectVersions } from "../versions.js";
import type { BucketLifecycle } from "../lifecycle.js";
import type { BucketSecurity } from "../security.js";
import { S3Lifecycle } from "./bucket-lifecycle.js";
import { S3Security } from "./bucket-security.js";
import { CredentialCache, credentialProvider, type CredentialOptions } from "./credentials.js";
import { locateBucket, type BucketAddress, type BucketLocation } from "./endpoint.js";
import { HttpConnections, type HttpOptions } from "./http.js";
import { LeanTransport } from "./lean-transport.js";
import { S3Archive } from "./object-archive.js";
import { S3Locks } from "./object-locks.js";
import { S3Versions } from "./object-versions.js";
import type { RetryOptions } from "./retry.js";
import { S3Objects } from "./s3-objects.js";
import { ServerClock } from "./server-clock.js";
import { SignedClient } from "./signed-client.js";
import { UpkeepClient } from "./upkeep.js";

export interface S3ConnectionOptions extends BucketAddress, CredentialOptions, HttpOptions, RetryOptions {
  /** Default `rynxs-event-store`. */
  readonly userAgent?: string | undefined;
  /**
   * Send a checksum (`x-amz-checksum-sha256`) with each put: AWS demands one in buckets with Object Lock and a default retention. The body's
   * SHA-256 is part of each request's signature anyway. Default false.
   */
  readonly checksums?: boolean | undefined;
  /** Unix milliseconds. Default: `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

/**
 * An S3 bucket over a lean client of our own. Connects, and looks for credentials, at the first call.
 * @throws ConfigError when an option is wrong
 */
export function openS3Objects(options: S3ConnectionOptions): S3Objects {
  const { location, client } = connect(options);
  const identity = location.aws ? `s3://${location.bucket}` : location.origin + location.basePath;
  return new S3Objects(new LeanTransport(location, client, options.checksums), identity, options, location.note);
}

/** What there is to a bucket beside reading and writing objects. */
export interface S3Upkeep {
  readonly lifecycle: BucketLifecycle;
  readonly archive: ObjectArchive;
  readonly security: BucketSecurity;
  readonly locks: ObjectLocks;
  readonly versions: ObjectVersions;
  /** `scheme://host[:port]` that requests go to. */
  readonly origin: string;
  /** AWS itself: its storage classes and their rules. */
  readonly aws: boolean;
  close(): Promise<void>;
}

/** As `openS3Objects`. @throws ConfigError when an option is wrong */
export function openS3Upkeep(options: S3ConnectionOptions): S3Upkeep {
  const { location, client: signed } = connect(options);
  const client = new UpkeepClient(signed, options);
  return {
    lifecycle: new S3Lifecycle(location, client),
    archive: new S3Archive(location, client),
    security: new S3Security(location, client),
    locks: new S3Locks(location, client),
    versions: new S3Versions(location, client),
    origin: location.origin,
    aws: location.aws,
    close: () => client.close(),
  };
}

function connect(options: S3ConnectionOptions): { location: BucketLocation; client: SignedClient } {
  const location = locateBucket(options);
  const clock = options.clock ?? Date.now;
  const userAgent = options.userAgent ?? "rynxs-event-store";
  if (!/^[\x20-\x7e]+$/.test(userAgent)) throw new ConfigError("the user agent is not printable ASCII");
  const client = new SignedClient(
    location,
    new HttpConnections(location.origin, options),
    new CredentialCache(credentialProvider(options), clock),
    new ServerClock(clock),
    userAgent,
  );
  return { location, client };
}
