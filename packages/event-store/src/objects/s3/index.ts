export { openS3Objects, openS3Upkeep, type S3ConnectionOptions, type S3Upkeep } from "./open.js";
export { sdkS3Objects, type SdkClient, type SdkS3Options } from "./sdk-objects.js";
export { S3Objects } from "./s3-objects.js";
export { locateBucket, type BucketAddress, type BucketLocation } from "./endpoint.js";
export type { CredentialOptions, S3Credentials, S3CredentialsProvider } from "./credentials.js";
export type { HttpOptions, TlsOptions } from "./http.js";
export type { RetryOptions } from "./retry.js";
