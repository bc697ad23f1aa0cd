/**
 * @typedef {{ server: string, endpoint: string, bucket: string, region: string, accessKeyId: string, secretAccessKey: string, bareEtags?: boolean, traffic?: string }} Bucket
 * `bareEtags`: If-Match wants the ETag without its quotes. `traffic`: where it says what it was asked for (traffic.mjs).
 */
import { randomUUID } from "node:crypto";
import { openS3Objects, S3EventStore } from "./library.mjs";

/** @param {Bucket} bucket */
const address = ({ endpoint, bucket, region, accessKeyId, secretAccessKey }) => ({
  endpoint,
  bucket,
  region,
  accessKeyId,
  secretAccessKey,
});

/** A prefix that nobody else uses. */
export const freshPrefix = (name) => `${name}-${randomUUID().slice(0, 8)}`;

/** @param {Bucket} s3 @param {object} options of the store */
export const openStore = (s3, options) => S3EventStore.open({ ...address(s3), ...options });

/** Our driver alone. @param {Bucket} s3 */
export const openDriver = (s3) => openS3Objects(address(s3));

/**
 * AWS's client, with what suits it best: enough sockets for what is in flight, no checksums that the server does not ask for.
 * @param {Bucket} s3
 */
export async function openSdkClient({ endpoint, region, accessKeyId, secretAccessKey }, sdk) {
  const { S3Client } = sdk ?? (await import("@aws-sdk/client-s3"));
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { httpAgent: { keepAlive: true, maxSockets: 128 } },
  });
}
