import { ConfigError } from "../../core/errors.js";
import { CredentialCache, credentialProvider, type CredentialOptions } from "./credentials.js";
import { locateBucket, type BucketAddress } from "./endpoint.js";
import { HttpConnections, type HttpOptions } from "./http.js";
import { LeanTransport } from "./lean-transport.js";
import type { RetryOptions } from "./retry.js";
import { S3Objects } from "./s3-objects.js";
import { ServerClock } from "./server-clock.js";
import { SignedClient } from "./signed-client.js";

export interface S3ConnectionOptions extends BucketAddress, CredentialOptions, HttpOptions, RetryOptions {
  /** Default `rynxs-event-store`. */
  readonly userAgent?: string | undefined;
  /** Unix milliseconds. Default: `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

/**
 * An S3 bucket over a lean client of our own. Connects, and looks for credentials, at the first call.
 * @throws ConfigError when an option is wrong
 */
export function openS3Objects(options: S3ConnectionOptions): S3Objects {
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
  const identity = location.aws ? `s3://${location.bucket}` : location.origin + location.basePath;
  return new S3Objects(new LeanTransport(location, client), identity, options, location.note);
}
