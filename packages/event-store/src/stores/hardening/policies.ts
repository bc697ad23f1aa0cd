import { ConfigError } from "../../core/errors.js";
import { locateBucket } from "../../objects/s3/endpoint.js";
import { LogKeys } from "../../log/keys.js";
import type { PolicyConditions, PolicyDocument, PolicyStatement } from "./policy-document.js";
import { evaluatePolicies } from "./policy-evaluation.js";

/**
 * Who uses a log, by what it does there. `reader`: reads, verifies, exports, follows without a position. `writer`: appends too, and
 * keeps positions, snapshots and imports. `operator`: appends, and nothing else. `compactor`: makes segments and indexes, and
 * prunes. `admin`: all of it, lifecycle rules, restoring, the bucket's policy, and what `rynxs doctor` asks.
 */
export const POLICY_ROLES = ["writer", "reader", "operator", "compactor", "admin"] as const;
export type PolicyRole = (typeof POLICY_ROLES)[number];

export interface PolicyOptions {
  readonly bucket: string;
  /** Default `events`. */
  readonly prefix?: string | undefined;
  readonly headKey?: string | undefined;
  /** Of the server; undefined or empty: AWS. */
  readonly endpoint?: string | undefined;
  /** Its partition (`aws-cn`, `aws-us-gov` …) goes into the ARNs. */
  readonly region?: string | undefined;
  /** Twelve digits. Requests that reach a bucket of another account are then not allowed, should somebody else have taken the name. */
  readonly account?: string | undefined;
  /** ARNs of those who may delete events and segments: the role that prunes. On AWS with * and ?. Default: nobody. */
  readonly deleters?: readonly string[] | undefined;
  /**
   * `other`: a server whose policies do not know AWS's condition keys, as Ceph's gateway. A statement that demands If-None-Match would
   * there deny every append, so these policies say without conditions what can be said so. Default: as the endpoint is AWS's or not.
   */
  readonly server?: "aws" | "other" | undefined;
  /**
   * The bucket has Object Lock: who appends may set a retention, and the admin sees versions and locks, and holds. Nobody may
   * bypass a retention. Default false.
   */
  readonly objectLock?: boolean | undefined;
}

/** The policies of one log. */
export interface LogPolicies {
  /** Whom they are for. */
  readonly server: "aws" | "other";
  /** The bucket is on AWS, as its endpoint says. */
  readonly aws: boolean;
  /** Least rights of a role, as an identity policy. */
  iam(role: PolicyRole): PolicyDocument;
  /** What nobody may do, whatever rights they have. Merge its statements into the bucket's own policy, if it has one. */
  readonly bucket: PolicyDocument;
}

/** @throws ConfigError */
export function logPolicies(options: PolicyOptions): LogPolicies {
  const names = new ResourceNames(options);
  const deleters = (options.deleters ?? []).map(checkArn);
  const forAws = bucketPolicy(names, deleters);
  checkHeadKey(names, forAws);
  const account = checkAccount(options.account);
  const { aws } = locateBucket(options);
  const { server = aws ? "aws" : "other", objectLock = false } = options;
  if (server === "aws")
    return { server, aws, iam: (role) => identityPolicy(names, role, account, objectLock), bucket: forAws };
  return {
    server,
    aws,
    iam: (role) => withoutHeaders(identityPolicy(names, role, undefined, objectLock)),
    bucket: plainBucketPolicy(names, deleters),
  };
}

const UNCONDITIONAL: PolicyConditions = { Null: { "s3:if-none-match": "true" } };
const CONDITIONAL: PolicyConditions = { Null: { "s3:if-none-match": "false" } };

/** The ARNs of a log's keys. */
class ResourceNames {
  readonly keys: LogKeys;
  readonly bucket: string;
  readonly #objects: string;

  constructor({ bucket, prefix = "events", headKey, region = "" }: PolicyOptions) {
    if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i.test(bucket))
      throw new ConfigError(`${JSON.stringify(bucket)} is not the name of a bucket`);
    this.keys = new LogKeys(prefix, headKey);
    this.bucket = `arn:${partitionOf(region)}:s3:::${bucket}`;
    this.#objects = `${this.bucket}/`;
  }

  /** A key, literally. */
  key(key: string): string {
    return this.#objects + literal(key);
  }

  /** All keys that begin so. */
  under(prefix: string): string {
    return `${this.key(prefix)}*`;
  }

  /** A derived part of the log: `_segments`. */
  part(name: string): string {
    return this.under(`${this.keys.root}_${name}/`);
  }

  /**
   * All event keys. A policy knows no digits, only "any one character", and a `?` matches a slash too: `??????????.json` would also be
   * `_imports/x.json`. The first character tells: a digit, where all else of a log begins with an underscore.
   */
  get events(): string[] {
    return Array.from("0123456789", (digit) => `${this.key(this.keys.root)}${digit}?????????.json`);
  }

  get everything(): string {
    return `${this.#objects}*`;
  }

  get log(): string[] {
    const { head, root } = this.keys;
    return [this.under(root), ...(head.startsWith(root) ? [] : [this.key(head)])];
  }
}

function bucketPolicy(names: ResourceNames, deleters: readonly string[]): PolicyDocument {
  const deny = (Sid: string, Action: string[], Resource: string[], Condition?: PolicyConditions): PolicyStatement => {
    return { Sid, Effect: "Deny", Principal: "*", Action, Resource, ...(Condition && { Condition }) };
  };
  const others = deleters.length === 0 ? undefined : { ArnNotLike: { "aws:PrincipalArn": deleters } };
  // After pruning, segments are the only copy of the events they hold. They are never replaced either; all else of a log is.
  const kept = [...names.events, names.part("segments")];
  return {
    Version: "2012-10-17",
    Statement: [
      deny("WrittenOnce", ["s3:PutObject"], kept, UNCONDITIONAL),
      deny("Kept", ["s3:DeleteObject", "s3:DeleteObjectVersion"], kept, others),
      deny("OnlyOverTls", ["s3:*"], [names.bucket, names.everything], { Bool: { "aws:SecureTransport": "false" } }),
    ],
  };
}

/** What can be said without conditions: who may delete. */
function plainBucketPolicy(names: ResourceNames, deleters: readonly string[]): PolicyDocument {
  const who = deleters.length === 0 ? { Principal: "*" as const } : { NotPrincipal: { AWS: deleters } };
  const Resource = [...names.events, names.part("segments")];
  const Action = ["s3:DeleteObject", "s3:DeleteObjectVersion"];
  return { Version: "2012-10-17", Statement: [{ Sid: "Kept", Effect: "Deny", ...who, Action, Resource }] };
}

/** Without what is said of the headers of a put: a server that does not know it would allow none. */
function withoutHeaders({ Statement, ...document }: PolicyDocument): PolicyDocument {
  return {
    ...document,
    Statement: Statement.map(({ Condition, ...statement }) =>
      Condition === undefined || "Null" in Condition ? statement : { ...statement, Condition },
    ),
  };
}

function identityPolicy(
  names: ResourceNames,
  role: PolicyRole,
  account: string | undefined,
  objectLock: boolean,
): PolicyDocument {
  const allow = (
    Sid: string,
    actions: string[],
    Resource: string[],
    Condition: PolicyConditions = {},
  ): PolicyStatement => {
    const ours = account === undefined ? Condition : { ...Condition, StringEquals: { "aws:ResourceAccount": account } };
    const Action = actions.map((action) => `s3:${action}`);
    return { Sid, Effect: "Allow", Action, Resource, ...(Object.keys(ours).length > 0 && { Condition: ours }) };
  };
  const { keys } = names;
  const under = `${literal(keys.root)}*`;
  const reading = [
    allow("ReadLog", ["GetObject"], names.log),
    // IfExists: S3 asks for this right, without a prefix, before it says 404 instead of 403 of a key that is not there.
    allow("ListLog", ["ListBucket"], [names.bucket], { StringLikeIfExists: { "s3:prefix": under } }),
  ];
  const appending = [
    allow("AppendEvents", ["PutObject"], names.events, CONDITIONAL),
    // A right of its own, beside that to put; it is not asked with the headers of the put.
    ...(objectLock ? [allow("RetainEvents", ["PutObjectRetention"], names.events)] : []),
    allow("KeepHeadAndProbe", ["PutObject"], [names.key(keys.head), names.key(keys.probe)]),
  ];
  const keeping = [
    allow(
      "KeepPositionsSnapshotsImports",
      ["PutObject"],
      ["positions", "snapshots", "imports"].map((name) => names.part(name)),
    ),
  ];
  const compacting = [
    allow("MakeSegments", ["PutObject"], [names.part("segments")], CONDITIONAL),
    allow("MakeIndex", ["PutObject"], [names.part("index")]),
    allow("ReplaceSegmentsAndIndex", ["DeleteObject"], [names.part("segments"), names.part("index")]),
    allow("Prune", ["DeleteObject"], names.events),
  ];
  const administering = [
    allow(
      "DeleteDerived",
      ["DeleteObject"],
      [...["snapshots", "positions", "imports"].map((name) => names.part(name)), names.key(keys.head)],
    ),
    allow("Examine", ["PutObject", "DeleteObject"], [names.under(`${keys.root}_probe`)]),
    allow("RestoreSegments", ["RestoreObject"], [names.part("segments")]),
    allow(
      "SeeAndSetTheBucketsRules",
      [
        ...["GetBucketPolicy", "PutBucketPolicy", "GetLifecycleConfiguration", "PutLifecycleConfiguration"],
        ...["GetBucketVersioning", "GetBucketObjectLockConfiguration", "GetBucketPublicAccessBlock"],
        "GetEncryptionConfiguration",
      ],
      [names.bucket],
    ),
  ];
  const locking = objectLock
    ? [
        allow("ListVersions", ["ListBucketVersions"], [names.bucket], { StringLikeIfExists: { "s3:prefix": under } }),
        allow(
          "SeeVersionsAndHoldThem",
          ["GetObjectVersion", "GetObjectRetention", "GetObjectLegalHold", "PutObjectLegalHold"],
          // Event keys and segments one by one would take an admin's policy beyond AWS's limit.
          names.log,
        ),
      ]
    : [];
  const statements: Readonly<Record<PolicyRole, PolicyStatement[]>> = {
    reader: reading,
    operator: [...reading, ...appending],
    writer: [...reading, ...appending, ...keeping],
    compactor: [...reading, ...compacting],
    admin: [...reading, ...appending, ...keeping, ...compacting, ...administering, ...locking],
  };
  return { Version: "2012-10-17", Statement: statements[role] };
}

/** A head of another name must not be taken for an event by the policy's wildcards: then it could never be replaced. */
function checkHeadKey(names: ResourceNames, bucket: PolicyDocument): void {
  const resource = `${names.bucket}/${names.keys.head}`;
  const context = { "aws:SecureTransport": "true" };
  const put = evaluatePolicies([bucket], { action: "s3:PutObject", resource, principal: "*", context });
  if (put !== "denied") return;
  throw new ConfigError(`no policy can tell the head key ${names.keys.head} from the key of an event`, {
    hint: "choose a name that begins with _",
  });
}

/** Text that a policy takes as it is. */
function literal(text: string): string {
  return text.replace(/[*?$]/g, "${$&}");
}

function partitionOf(region: string): string {
  if (region.startsWith("cn-")) return "aws-cn";
  if (region.startsWith("us-gov-")) return "aws-us-gov";
  return region.startsWith("eusc-") ? "aws-eusc" : "aws";
}

function checkArn(arn: string): string {
  // Other servers have tenants where AWS has accounts.
  if (/^arn:[a-z*-]+:(iam|sts)::[\w*?-]*:[\x21-\x7e]+$/.test(arn)) return arn;
  throw new ConfigError(`${JSON.stringify(arn)} is not the ARN of a user or role`, {
    hint: "for example arn:aws:iam::123456789012:role/rynxs-compactor; of an assumed role, give the role's own ARN",
  });
}

function checkAccount(account: string | undefined): string | undefined {
  if (account === undefined || /^[0-9]{12}$/.test(account)) return account;
  throw new ConfigError(`${JSON.stringify(account)} is not an AWS account: twelve digits`);
}
