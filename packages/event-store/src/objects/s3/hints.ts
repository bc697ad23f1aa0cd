import type { Attempt } from "./attempt.js";

/* What to do about it, one sentence each. */

const BY_CODE: Readonly<Record<string, string>> = {
  InvalidAccessKeyId:
    "the server does not know this access key: check AWS_ACCESS_KEY_ID, and that it belongs to this endpoint",
  SignatureDoesNotMatch:
    "the secret key is wrong: check AWS_SECRET_ACCESS_KEY; if it is right, something on the way changes requests",
  ExpiredToken: "get new credentials, and AWS_SESSION_TOKEN with them; a profile or role would renew them by itself",
  InvalidToken: "AWS_SESSION_TOKEN does not belong to this access key: set all three anew, or unset it",
  RequestTimeTooSkewed: "set the clock (NTP) of this machine or of the server",
  EntityTooLarge: "the server takes only smaller objects",
  InvalidBucketName: "correct the bucket's name",
  KeyTooLongError: "choose a shorter prefix",
};

export const OBJECT_LOCK_HINT =
  "keep the log in a bucket with Object Lock, which is set when the bucket is made (it needs versioning, and a server that honours If-None-Match there, as AWS does), or leave the retention out; docs/operations/worm.md";

export const NO_LOCK_HINT =
  "retention and legal hold need a bucket that was made with Object Lock, on a server that has it: docs/operations/worm.md";

export const RESTORE_HINT =
  "have it restored, which takes minutes to days, and read again: rynxs restore --from SEQ --to SEQ --wait for a log's segments, aws s3api restore-object for other keys";

export function hintForCode(code: string): string | undefined {
  return (
    BY_CODE[code] ??
    (code.startsWith("KMS")
      ? "the key that encrypts the bucket cannot be used: check its state and its policy"
      : undefined)
  );
}

const PERMISSIONS: Readonly<Record<Attempt["operation"], string>> = {
  PUT: "s3:PutObject",
  GET: "s3:GetObject (and s3:ListBucket, without which S3 denies what it should call missing)",
  HEAD: "s3:GetObject",
  LIST: "s3:ListBucket",
  DELETE: "s3:DeleteObject",
  RESTORE: "s3:RestoreObject",
  GET_LIFECYCLE: "s3:GetLifecycleConfiguration",
  PUT_LIFECYCLE: "s3:PutLifecycleConfiguration",
  GET_POLICY: "s3:GetBucketPolicy",
  GET_VERSIONING: "s3:GetBucketVersioning",
  GET_OBJECT_LOCK: "s3:GetBucketObjectLockConfiguration",
  GET_PUBLIC_ACCESS_BLOCK: "s3:GetBucketPublicAccessBlock",
  GET_ENCRYPTION: "s3:GetEncryptionConfiguration",
  LIST_VERSIONS: "s3:ListBucketVersions",
  GET_RETENTION: "s3:GetObjectRetention",
  GET_LEGAL_HOLD: "s3:GetObjectLegalHold",
  PUT_LEGAL_HOLD: "s3:PutObjectLegalHold",
};

export function accessHint({ operation, bucket, key, retained }: Attempt): string {
  const on = operation === "LIST" || key === undefined ? `the bucket ${bucket}` : `the objects of bucket ${bucket}`;
  return `grant ${PERMISSIONS[operation]}${retained ? " and s3:PutObjectRetention" : ""} on ${on} to these credentials, and look for a policy that denies it`;
}

export function regionHint(actual: string | undefined, used: string | undefined): string {
  if (actual === undefined || actual === "" || actual === used) {
    return "check the endpoint and the region (S3_ENDPOINT, S3_REGION) against where the bucket is";
  }
  const instead = used === undefined ? "" : ` instead of ${used}`;
  return `the bucket is in ${actual}: set the region (S3_REGION) to that${instead}`;
}

interface NetworkHint {
  readonly problem: string;
  readonly text: string;
  /** It cannot pass by itself. */
  readonly final?: true;
}

const CERTIFICATE =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+|ERR_TLS_CERT_ALTNAME_INVALID)$/;
const NOT_TLS = /^(?:EPROTO|ERR_SSL_\w+)$/;

export function networkHint(code: string | undefined, endpoint: string): NetworkHint | undefined {
  if (code === undefined) return undefined;
  if (CERTIFICATE.test(code)) {
    const text =
      code === "CERT_HAS_EXPIRED"
        ? "renew the server's certificate"
        : code === "ERR_TLS_CERT_ALTNAME_INVALID"
          ? "the certificate is for another name: use a name it has as the endpoint"
          : "give the authority that signed it: NODE_EXTRA_CA_CERTS=/path/ca.pem, or the option tls.ca";
    return { problem: "the server's certificate is not trusted", text, final: true };
  }
  if (NOT_TLS.test(code)) {
    return {
      problem: "no TLS connection could be made",
      text: `if ${endpoint} does not speak TLS, begin the endpoint with http://`,
      final: true,
    };
  }
  if (code.startsWith("HPE_") || code === "HTTPParserError") {
    return {
      problem: "the answer is not HTTP",
      text: `check that ${endpoint} is an S3 server; if it speaks TLS, begin the endpoint with https://`,
    };
  }
  switch (code) {
    case "ECONNREFUSED":
      return {
        problem: `nothing listens at ${endpoint}`,
        text: "start the server, or correct the host and port of the endpoint",
      };
    case "ENOTFOUND":
      return {
        problem: `the host name of ${endpoint} is not known`,
        text: "correct the endpoint (S3_ENDPOINT), or look at the machine's DNS",
      };
    case "EAI_AGAIN":
      return {
        problem: `the host name of ${endpoint} could not be looked up`,
        text: "look at the machine's DNS and network",
      };
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return {
        problem: `${endpoint} cannot be reached`,
        text: "look at the network, routes and firewalls between here and the endpoint",
      };
    case "UND_ERR_CONNECT_TIMEOUT":
    case "ETIMEDOUT":
      return {
        problem: `no connection to ${endpoint} in time`,
        text: "look at the network and firewalls between here and the endpoint",
      };
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
      return {
        problem: "no answer in time",
        text: "the server is overloaded or hangs: look at it, or allow it more time",
      };
    default:
      return undefined;
  }
}
