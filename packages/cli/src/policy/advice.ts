/** One thing to set up beside the policies. */
export interface Advice {
  readonly topic: string;
  readonly text: string;
}

export interface AdvisedLog {
  readonly bucket: string;
  readonly prefix: string;
  readonly aws: boolean;
  /** Somebody may delete events. */
  readonly pruned: boolean;
}

/** What protects a log beside the policies, and what of it does harm: docs/operations/hardening.md. */
export function adviceFor(log: AdvisedLog): readonly Advice[] {
  return [...(log.aws ? onAws(log) : elsewhere(log)), ...everywhere(log)];
}

function onAws({ bucket, prefix }: AdvisedLog): Advice[] {
  const root = prefix === "" ? "" : `${prefix}/`;
  return [
    {
      topic: "bucket policy",
      text: `merge it into the one that the bucket has, then: aws s3api put-bucket-policy --bucket ${bucket} --policy file://policy.json`,
    },
    {
      topic: "versioning",
      text: "enable it: If-None-Match and If-Match hold in versioned buckets of AWS, and what is overwritten or deleted can be had back. Each write of the head leaves an old version: have a lifecycle rule expire noncurrent versions",
    },
    {
      topic: "object lock",
      text: `for a log that nobody may shorten: a bucket of its own with Object Lock, default retention in COMPLIANCE mode. AWS then takes only puts with a checksum: set RYNXS_S3_CHECKSUMS=true. Retention also keeps each version of ${root}_head.json, and what compact replaces`,
    },
    {
      topic: "public access",
      text: "block it in all four ways, in the bucket or the account",
    },
    {
      topic: "encryption",
      text: "SSE-S3 is AWS's default; with SSE-KMS writers need kms:GenerateDataKey and readers kms:Decrypt on the key",
    },
    {
      topic: "who is above the policy",
      text: "whoever may call PutBucketPolicy, PutLifecycleConfiguration, PutReplicationConfiguration or BypassGovernanceRetention can do away with all this: keep these rights from the roles that use the log, best by a service control policy",
    },
  ];
}

function elsewhere({ bucket }: AdvisedLog): Advice[] {
  return [
    {
      topic: "bucket policy",
      text: `it says only who may delete: on servers that do not know the condition key s3:if-none-match (Ceph's gateway among them) a statement that demands it would refuse every append. To find out: rynxs policy --format bucket --aws-conditions, put that policy on a bucket for trying, then rynxs doctor --probe-policy there. This one: aws s3api put-bucket-policy --bucket ${bucket} --policy file://policy.json --endpoint-url URL`,
    },
    {
      topic: "versioning",
      text: "keep it off where rynxs doctor does not find that conditional puts hold in the very bucket: Ceph's gateway ignores If-None-Match in versioned buckets, and so writers would overwrite each other. That rules out Object Lock there, which needs versioning",
    },
    {
      topic: "credentials",
      text: "without the demand for If-None-Match, whoever may put objects can overwrite events: give keys that may write to as few as possible, and readers keys that may only read",
    },
    { topic: "TLS", text: "give the endpoint as https://" },
  ];
}

function everywhere({ pruned }: AdvisedLog): Advice[] {
  return [
    {
      topic: "deleting",
      text: pruned
        ? "only the named principals may delete events and segments: use them for compact and prune, and for nothing else"
        : "nobody may delete events and segments, so prune does not work, nor does compact make damaged segments anew; name the role that does these with --principal",
    },
    {
      topic: "noticing",
      text: "no policy shows that a log was cut or replaced: note rynxs head elsewhere, and verify against it (--expect-head)",
    },
  ];
}
