import { ConfigError } from "../../core/errors.js";
import { checkBucketName } from "./bucket-name.js";

export interface BucketAddress {
  readonly bucket: string;
  /** Undefined or empty: the endpoint's, when AWS's host name tells it, else `us-east-1`. */
  readonly region?: string | undefined;
  /** Undefined or empty: AWS. Without a scheme it is http, but https on port 443 and for *.amazonaws.com. */
  readonly endpoint?: string | undefined;
  /** True: `host/bucket/key`. False: `bucket.host/key`. Default: by path, but by host on AWS if the name has no dots. */
  readonly forcePathStyle?: boolean | undefined;
}

/** Where a bucket's requests go. */
export interface BucketLocation {
  readonly bucket: string;
  readonly region: string;
  /** `scheme://host[:port]`: what to connect to. */
  readonly origin: string;
  /** The `Host` header: the origin without its scheme. */
  readonly host: string;
  /** What every path begins with: `/bucket`, or nothing when the bucket is in the host name. */
  readonly basePath: string;
  /** AWS itself, where a bucket's name says all about where it is. */
  readonly aws: boolean;
  /** Something the user should be told once: which scheme was assumed. */
  readonly note?: string;
}

const DEFAULT_REGION = "us-east-1";
const GOOD_ENDPOINT =
  'an endpoint looks like "https://minio.example.com:9000" or "storage.example.com", or is left empty for AWS';

/** DNS suffixes of the AWS partitions that are not amazonaws.com, by what their regions begin with. */
const PARTITIONS: readonly (readonly [string, string])[] = [
  ["cn-", "amazonaws.com.cn"],
  ["eusc-", "amazonaws.eu"],
  ["us-isob-", "sc2s.sgov.gov"],
  ["us-iso-", "c2s.ic.gov"],
];

/** @throws ConfigError */
export function locateBucket(address: BucketAddress): BucketLocation {
  const text = (address.endpoint ?? "").trim();
  const { url, note } = text === "" ? { url: undefined, note: undefined } : parseEndpoint(text);
  const region = checkRegion(address.region, url?.hostname);
  const host = url?.host ?? `s3.${region}.${awsSuffix(region)}`;
  const scheme = url?.protocol ?? "https:";

  const { bucket } = address;
  if (typeof (bucket as unknown) !== "string") checkBucketName(bucket, false);
  const aws = url === undefined || isAws(url.hostname);
  const hostHasBucket = aws && bucket !== "" && host.startsWith(`${bucket}.s3`);
  const byPath = !hostHasBucket && (address.forcePathStyle ?? (!aws || bucket.includes(".")));
  checkBucketName(bucket, aws || !byPath);

  const finalHost = byPath || hostHasBucket ? host : `${bucket}.${host}`;
  return {
    bucket,
    region,
    origin: `${scheme}//${finalHost}`,
    host: finalHost,
    basePath: byPath ? `/${bucket}` : "",
    aws,
    ...(note === undefined ? {} : { note }),
  };
}

function parseEndpoint(text: string): { url: URL; note: string | undefined } {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "http" && scheme !== "https") {
    throw refuse(text, `${scheme}:// is neither http:// nor https://`);
  }
  let url = parseUrl(text, scheme === undefined ? `http://${text}` : text);
  let note: string | undefined;
  if (scheme === undefined) {
    if (url.port === "443" || isAws(url.hostname)) url = parseUrl(text, `https://${text}`);
    note = `the endpoint ${text} has no scheme: ${url.origin} is used`;
  }
  return { url, note };
}

function parseUrl(text: string, candidate: string): URL {
  if (/[\s\p{Cc}\\]/u.test(candidate) || !URL.canParse(candidate)) throw refuse(text, "it is no host name or address");
  const url = new URL(candidate);
  if (url.username !== "" || url.password !== "" || candidate.includes("@")) {
    throw refuse(
      text,
      "it has a user name or password; credentials go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    );
  }
  if (candidate.includes("?") || candidate.includes("#")) throw refuse(text, "it has a query");
  if (url.pathname !== "/") throw refuse(text, "it has a path; the bucket and the prefix are given apart from it");
  // A URL takes a bare number for an IPv4 address.
  if (/^[a-z]+:\/\/\d+([:/]|$)/i.test(candidate)) throw refuse(text, "a number is no host name");
  return url;
}

/** What stands before an @ or behind a ? may be a secret and is not repeated. */
function refuse(text: string, problem: string): ConfigError {
  const shown =
    text.includes("@") || text.includes("?")
      ? "the S3 endpoint"
      : `the S3 endpoint ${JSON.stringify(text.slice(0, 200))}`;
  return new ConfigError(`${shown} is malformed: ${problem}`, { hint: GOOD_ENDPOINT });
}

function checkRegion(given: string | undefined, hostname: string | undefined): string {
  const region = (given ?? "").trim();
  if (region === "") return regionOfHost(hostname) ?? DEFAULT_REGION;
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(region)) {
    throw new ConfigError(`${JSON.stringify(region.slice(0, 100))} is not a region`, {
      hint: 'a region looks like "eu-central-1"; servers that have none take "us-east-1"',
    });
  }
  return region;
}

function regionOfHost(hostname: string | undefined): string | undefined {
  if (hostname === undefined || !isAws(hostname)) return undefined;
  return /(?:^|\.)s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d+)\./.exec(hostname)?.[1];
}

function isAws(hostname: string): boolean {
  return (
    hostname.endsWith(".amazonaws.com") || hostname.endsWith(".amazonaws.com.cn") || hostname.endsWith(".amazonaws.eu")
  );
}

function awsSuffix(region: string): string {
  return PARTITIONS.find(([start]) => region.startsWith(start))?.[1] ?? "amazonaws.com";
}
