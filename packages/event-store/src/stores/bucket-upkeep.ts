import { ConfigError } from "../core/errors.js";
import { LogKeys } from "../log/keys.js";
import type { S3ConnectionOptions, S3Upkeep } from "../objects/s3/index.js";
import type { Runtime } from "../system/runtime.js";
import type { StoreConfig } from "./open.js";

/** A log in a bucket, by what its store is opened with. */
export type BucketLog = (StoreConfig | (S3ConnectionOptions & { readonly prefix?: string | undefined })) & {
  /** Clock and pauses, for tests. */
  readonly runtime?: Runtime | undefined;
};

export interface OpenUpkeep {
  readonly keys: LogKeys;
  readonly upkeep: S3Upkeep;
  readonly options: S3ConnectionOptions;
  readonly runtime: Runtime | undefined;
}

/** What there is to the bucket beside the log's objects. @throws ConfigError where there is no bucket, or none that we sign for */
export async function openUpkeep(log: BucketLog, what: string): Promise<OpenUpkeep> {
  if ("type" in log && log.type === "file") {
    throw new ConfigError(`a log in a file has no ${what}`, {
      hint: "name a log in a bucket: --store s3://BUCKET/PREFIX",
    });
  }
  if ("client" in log || "objects" in log) {
    throw new ConfigError(`${what} need a bucket that is named by itself, not an S3Client or an ObjectStore`, {
      hint: "give bucket, endpoint, region and credentials",
    });
  }
  const keys = new LogKeys(log.prefix ?? "events");
  const { openS3Upkeep } = await import("../objects/s3/index.js");
  return { keys, upkeep: openS3Upkeep(log), options: log, runtime: log.runtime };
}
