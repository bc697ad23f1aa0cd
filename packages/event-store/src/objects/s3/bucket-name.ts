import { ConfigError } from "../../core/errors.js";

const DNS_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const LOOSE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/;

/**
 * Refuses what cannot be a bucket's name. `strict`: the rules of AWS, and of every name that becomes part of a host name;
 * else those of servers addressed by path, which also take capitals, underscores and long names.
 */
export function checkBucketName(bucket: string, strict: boolean): void {
  const refuse = (problem: string, hint: string): never => {
    throw new ConfigError(`${JSON.stringify(bucket)} is not a bucket name: ${problem}`, { hint });
  };
  if (typeof (bucket as unknown) !== "string") refuse("it is no string", "set S3_BUCKET, or give the option `bucket`");
  if (bucket === "") refuse("it is empty", "set S3_BUCKET, or give the option `bucket`");
  if (bucket.startsWith("arn:"))
    refuse("it is an ARN", "give the bucket's name, or the access point's alias (it ends in -s3alias)");
  if (bucket.includes("/"))
    refuse("it has a slash", "give the name alone, without s3:// in front; what comes behind it is the prefix");
  if (bucket.endsWith("--x-s3")) {
    refuse("it is a directory bucket, which lists its keys in no order", "a log needs a general purpose bucket");
  }
  if (!(strict ? DNS_NAME : LOOSE_NAME).test(bucket) || bucket.includes("..")) {
    refuse(
      strict
        ? "a name has 3 to 63 of a-z, 0-9, - and ., with a letter or digit at both ends"
        : "a name has at least 3 of A-Z, a-z, 0-9, -, _ and .",
      "check the name of the bucket",
    );
  }
  if (/^\d+\.\d+\.\d+\.\d+$/.test(bucket)) refuse("it is an IP address", "the server's address goes into the endpoint");
}
