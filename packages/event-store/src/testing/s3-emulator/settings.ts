import { evaluatePolicies } from "../../stores/hardening/policy-evaluation.js";
import { answer, refusal, xmlAnswer, type Answer, type S3Request } from "./answer.js";
import type { Quirks } from "./objects.js";
import { element, xmlDocument } from "./xml.js";

interface Kind {
  /** The query parameter that names it. */
  readonly parameter: string;
  /** What is answered while it is not set; null: an empty document. */
  readonly unset: string | null;
  readonly root: string;
}

/** A setting of a bucket, as the emulator names its operations. */
export type SettingKind = "POLICY" | "VERSIONING" | "OBJECT_LOCK" | "PUBLIC_ACCESS_BLOCK" | "ENCRYPTION";

const KINDS: Readonly<Record<SettingKind, Kind>> = {
  POLICY: { parameter: "policy", unset: "NoSuchBucketPolicy", root: "" },
  VERSIONING: { parameter: "versioning", unset: null, root: "VersioningConfiguration" },
  OBJECT_LOCK: {
    parameter: "object-lock",
    unset: "ObjectLockConfigurationNotFoundError",
    root: "ObjectLockConfiguration",
  },
  PUBLIC_ACCESS_BLOCK: {
    parameter: "publicAccessBlock",
    unset: "NoSuchPublicAccessBlockConfiguration",
    root: "PublicAccessBlockConfiguration",
  },
  ENCRYPTION: {
    parameter: "encryption",
    unset: "ServerSideEncryptionConfigurationNotFoundError",
    root: "ServerSideEncryptionConfiguration",
  },
};

const NAMES = Object.keys(KINDS) as SettingKind[];

/** Which setting a query is about. */
export function settingOf(query: URLSearchParams): SettingKind | undefined {
  return NAMES.find((name) => query.has(KINDS[name].parameter));
}

/** Is it an operation on a setting: `GET_POLICY`? */
export function isSetting(operation: string): boolean {
  return NAMES.some((name) => operation.endsWith(`_${name}`));
}

/** What policies call the operations of a log. */
const ACTIONS: Readonly<Record<string, string>> = {
  PUT: "s3:PutObject",
  GET: "s3:GetObject",
  HEAD: "s3:GetObject",
  DELETE: "s3:DeleteObject",
  LIST: "s3:ListBucket",
  RESTORE: "s3:RestoreObject",
  LIST_VERSIONS: "s3:ListBucketVersions",
  GET_RETENTION: "s3:GetObjectRetention",
  GET_LEGAL_HOLD: "s3:GetObjectLegalHold",
  PUT_LEGAL_HOLD: "s3:PutObjectLegalHold",
};

/** The settings of one bucket, kept as they came. Only the policy's Denies have effect: whoever has the key may do all else. */
export class BucketSettings {
  readonly documents: Map<SettingKind, string> = new Map();

  /** DELETE leaves a marker, and PUT what was there before. */
  get versioned(): boolean {
    return this.documents.get("VERSIONING")?.includes("<Status>Enabled</Status>") ?? false;
  }

  /** Objects can be retained and held. */
  get locking(): boolean {
    return this.versioned && this.documents.has("OBJECT_LOCK");
  }

  /** Versioning too, which it needs. */
  enableObjectLock(): void {
    this.documents.set("VERSIONING", xmlDocument("VersioningConfiguration", element("Status", "Enabled")));
    const enabled = element("ObjectLockEnabled", "Enabled");
    this.documents.set("OBJECT_LOCK", xmlDocument("ObjectLockConfiguration", enabled));
  }

  answer(operation: string, body: Buffer): Answer {
    const [method = "", ...rest] = operation.split("_");
    const name = rest.join("_") as SettingKind;
    const { unset, root } = KINDS[name];
    if (method === "DELETE") {
      this.documents.delete(name);
      return answer(204);
    }
    if (method === "PUT") return this.#put(name, root, body.toString());
    const document = this.documents.get(name);
    if (document !== undefined)
      return name === "POLICY"
        ? answer(200, { "content-type": "application/json" }, document)
        : xmlAnswer(200, document);
    if (unset === null) return xmlAnswer(200, xmlDocument(root));
    return refusal(404, unset, "The bucket has no such configuration");
  }

  /** A refusal when the policy denies the request. */
  refuse({ bucket, key, headers, query }: S3Request, operation: string, quirks: Quirks): Answer | null {
    const policy = this.documents.get("POLICY");
    const action = ACTIONS[operation];
    if (policy === undefined || action === undefined) return null;
    const context: Record<string, string> = { "aws:SecureTransport": String(quirks.behindTls ?? false) };
    const prefix = query.get("prefix");
    if (operation === "LIST" && prefix !== null) context["s3:prefix"] = prefix;
    for (const name of quirks.ignorePolicyConditions === true ? [] : ["if-none-match", "if-match"]) {
      const value = headers.get(name);
      if (value !== undefined) context[`s3:${name}`] = value;
    }
    const accessKey = /Credential=([^/]+)\//.exec(headers.get("authorization") ?? "")?.[1] ?? "unknown";
    const decision = evaluatePolicies([JSON.parse(policy)], {
      action,
      resource: `arn:aws:s3:::${bucket}${key === "" ? "" : `/${key}`}`,
      principal: `arn:aws:iam::000000000000:user/${accessKey}`,
      context,
    });
    if (decision === "undecided") return refusal(501, "NotImplemented", "The emulator does not understand the policy");
    return decision === "denied" ? refusal(403, "AccessDenied", "Access Denied by the bucket's policy") : null;
  }

  #put(name: SettingKind, root: string, text: string): Answer {
    const good = name === "POLICY" ? isPolicy(text) : new RegExp(`<${root}[\\s/>]`).test(text);
    if (!good) {
      return name === "POLICY"
        ? refusal(400, "MalformedPolicy", "This policy contains invalid Json")
        : refusal(400, "MalformedXML", "The XML you provided was not well-formed");
    }
    this.documents.set(name, text);
    return answer(name === "POLICY" ? 204 : 200);
  }
}

function isPolicy(text: string): boolean {
  try {
    const policy: unknown = JSON.parse(text);
    return typeof policy === "object" && policy !== null && "Statement" in policy;
  } catch {
    return false;
  }
}
