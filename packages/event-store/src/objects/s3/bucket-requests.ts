import type { Attempt } from "./attempt.js";
import type { BucketLocation } from "./endpoint.js";
import { encodePath } from "./uri.js";

/* How requests to a bucket are addressed, and how errors speak of them. */

export function bucketPath({ basePath }: BucketLocation): string {
  return basePath === "" ? "/" : basePath;
}

export function objectPath({ basePath }: BucketLocation, key: string): string {
  return `${basePath}/${encodePath(key)}`;
}

export function attemptOn(location: BucketLocation, operation: Attempt["operation"], key?: string): Attempt {
  const { bucket, origin: endpoint, region } = location;
  return key === undefined ? { operation, bucket, endpoint, region } : { operation, bucket, endpoint, region, key };
}
