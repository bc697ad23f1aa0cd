import { S3Client } from "@aws-sdk/client-s3";
import { onTestFinished } from "vitest";
import { openS3Objects, sdkS3Objects, type RetryOptions, type S3Objects } from "../../../src/objects/s3/index.js";

export interface Target extends RetryOptions {
  readonly endpoint: string;
  readonly bucket?: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
  readonly clock?: () => number;
}

export const SECRET = "hush-secret-access-key";
export const TOKEN = "hush-session-token";

/** Each S3 driver, opened for one test. */
export const DRIVERS: Readonly<Record<string, (target: Target) => S3Objects>> = {
  lean: (target) => {
    const store = openS3Objects({ bucket: "events", accessKeyId: "test", secretAccessKey: "testsecret", ...target });
    onTestFinished(() => store.close());
    return store;
  },
  sdk: ({
    endpoint,
    bucket = "events",
    region = "us-east-1",
    accessKeyId = "test",
    secretAccessKey = "testsecret",
    sessionToken,
    ...rest
  }) => {
    const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    onTestFinished(() => client.destroy());
    return sdkS3Objects({ client, bucket, ...rest });
  },
};
