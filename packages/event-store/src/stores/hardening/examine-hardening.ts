import { EventStoreError } from "../../core/errors.js";
import type { Check } from "../../log/examine-objects.js";
import type { LogKeys } from "../../log/keys.js";
import type { BucketSecurity, BucketSetting } from "../../objects/security.js";
import type { ObjectStore } from "../../objects/port.js";
import { judgePolicy } from "./judge-policy.js";

export interface HardeningOptions {
  readonly bucket: string;
  readonly keys: LogKeys;
  readonly security: BucketSecurity;
  /** `scheme://host[:port]`. */
  readonly origin: string;
  readonly aws: boolean;
  /** Try the policy with puts on a key that readers ignore: one object, which is removed again where that is allowed. */
  readonly probe?: { readonly objects: ObjectStore } | undefined;
}

type Said = Pick<Check, "detail" | "hint"> & { readonly status: NonNullable<Check["status"]> };

/** What of a log's protection is in force, one finding after the other. None of them makes a store unfit. */
export async function* examineHardening(options: HardeningOptions): AsyncGenerator<Check, void, undefined> {
  yield await finding("TLS", () => tls(options));
  yield await finding("bucket policy", () => policy(options));
  if (options.probe) {
    const { objects } = options.probe;
    yield await finding("policy at work", () => tryPolicy(options, objects));
  }
  yield await finding("versioning", () => versioning(options));
  yield await finding("object lock", () => objectLock(options));
  yield await finding("public access", () => publicAccess(options));
  yield await finding("encryption", () => encryption(options));
}

/** A question that fails is no verdict on the store: it is advice to look. */
async function finding(name: string, look: () => Said | Promise<Said>): Promise<Check> {
  let said: Said;
  try {
    said = await look();
  } catch (error) {
    if (!(error instanceof EventStoreError)) throw error;
    said = {
      status: "advice",
      detail: `${error.code}: ${error.message}`,
      ...(error.hint !== undefined && { hint: error.hint }),
    };
  }
  return { name, ok: true, ...said };
}

function ok(detail: string): Said {
  return { status: "ok", detail };
}

function advice(detail: string, hint: string): Said {
  return { status: "advice", detail, hint };
}

function tls({ origin }: HardeningOptions): Said {
  const { protocol, hostname } = new URL(origin);
  if (protocol === "https:") return ok(`${origin} is asked over TLS`);
  if (/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)) return ok(`${origin} is on this machine`);
  return advice(
    `${origin} is asked without TLS: what the log holds can be read on the way`,
    "give an https:// endpoint (signatures keep requests from being changed, not from being read)",
  );
}

const PERMISSIONS: Readonly<Record<BucketSetting, string>> = {
  policy: "s3:GetBucketPolicy",
  versioning: "s3:GetBucketVersioning",
  "object-lock": "s3:GetBucketObjectLockConfiguration",
  "public-access-block": "s3:GetBucketPublicAccessBlock",
  encryption: "s3:GetEncryptionConfiguration",
};

/** Asks, and has what is set or not judged; the other answers are findings by themselves. */
async function asked(
  { security }: HardeningOptions,
  setting: BucketSetting,
  judge: (document: string | null) => Said,
): Promise<Said> {
  const answer = await security.ask(setting);
  switch (answer.kind) {
    case "set":
      return judge(answer.document);
    case "unset":
      return judge(null);
    case "unsupported":
      return { status: "unsupported", detail: `this server does not know it (${answer.detail})` };
    case "denied":
      return {
        status: "denied",
        detail: `these credentials may not ask (${answer.detail})`,
        hint: `grant ${PERMISSIONS[setting]} to whoever runs the doctor (rynxs policy --for admin)`,
      };
  }
}

const PRINT = "rynxs policy --format bucket prints one";
const ELSEWHERE = "rynxs policy prints one for this server, and says what else there is to do";

function print({ aws }: HardeningOptions): string {
  return aws ? PRINT : ELSEWHERE;
}

function policy(options: HardeningOptions): Promise<Said> {
  return asked(options, "policy", (document) => {
    if (document === null) return advice("none: whoever may put objects can overwrite events", print(options));
    let parsed: unknown;
    try {
      parsed = JSON.parse(document);
    } catch {
      return advice("it cannot be read as JSON", print(options));
    }
    const { writtenOnce, kept, onlyOverTls, refuses, undecided } = judgePolicy(parsed, options.bucket, options.keys);
    const unsure = undecided ? "; it has statements that were not understood, which may deny more" : "";
    if (refuses.length > 0) {
      return advice(
        `it refuses ${refuses.join(", ")}, at least to whom it does not name${unsure}`,
        `exempt what a log has to write: ${print(options)}`,
      );
    }
    const lacks = [
      ...(writtenOnce ? [] : ["does not demand If-None-Match of puts on event keys"]),
      ...(kept ? [] : ["does not deny deleting events and segments"]),
      ...(onlyOverTls || !options.aws ? [] : ["does not deny requests without TLS"]),
    ];
    if (lacks.length > 0) return advice(`it ${lacks.join(", ")}${unsure}`, print(options));
    const believed = options.aws ? "" : "; whether this server enforces it, --probe-policy tells";
    return ok(`demands If-None-Match of event keys, not of the head, and denies deleting events${believed}${unsure}`);
  });
}

/** Nothing of an unconditional put is left in a log: the key is none that readers look at, and the log's own keys are not touched. */
async function tryPolicy(options: HardeningOptions, objects: ObjectStore): Promise<Said> {
  const { security, keys } = options;
  const key = keys.policyProbe;
  const body = Buffer.from('{"about":"tries the bucket\'s policy; no event; safe to delete"}');
  const overwriting = await security.overwrite(key, body);
  const creating = await creates(objects, key, body);
  const removed = await removes(objects, key);
  const left = removed ? "" : `; ${key}, which readers ignore, stays, since deleting it was refused`;
  if (!creating) {
    return advice(
      `a put with If-None-Match on a key like an event's (${key}) was refused: so is every append`,
      "take away the statement that demands If-None-Match: this server does not know the condition key s3:if-none-match; or, if it names who may append, run this as one of those",
    );
  }
  if (overwriting === "stored")
    return advice(`an unconditional put on a key like an event's (${key}) was taken${left}`, print(options));
  return ok(`an unconditional put on a key like an event's was refused, a conditional one was not${left}`);
}

/** A put with If-None-Match is answered, whether the key is there by now or not. */
async function creates(objects: ObjectStore, key: string, body: Uint8Array): Promise<boolean> {
  try {
    const answer = await objects.putIfAbsent(key, body);
    if (answer.outcome === "unknown") throw answer.cause;
    return true;
  } catch (error) {
    if (isDenied(error)) return false;
    throw error;
  }
}

async function removes(objects: ObjectStore, key: string): Promise<boolean> {
  try {
    await objects.delete(key);
    return true;
  } catch (error) {
    if (isDenied(error)) return (await objects.get(key)) === null;
    throw error;
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof EventStoreError && error.code === "ACCESS_DENIED";
}

function versioning(options: HardeningOptions): Promise<Said> {
  return asked(options, "versioning", (document) => {
    const status = valueOf(document, "Status");
    if (status === "Enabled" && !options.aws) {
      return advice(
        "enabled",
        "Ceph's gateway ignores If-None-Match in such a bucket, so that writers overwrite each other: keep the log in one that was never versioned (the check `create only once` says what this server does)",
      );
    }
    if (status === "Enabled") return ok("enabled: overwritten and deleted objects can be had back");
    if (!options.aws) return ok("off, as conditional puts need it on Ceph's gateway");
    return advice(
      status === "Suspended" ? "suspended" : "off: what is deleted or overwritten is gone",
      "on AWS, enable it: conditional puts hold there; and let lifecycle rules expire old versions of _head.json",
    );
  });
}

function objectLock(options: HardeningOptions): Promise<Said> {
  return asked(options, "object-lock", (document) => {
    const mode = valueOf(document, "Mode");
    const enabled = valueOf(document, "ObjectLockEnabled") === "Enabled";
    if (enabled && mode !== null) {
      const [days, years] = [valueOf(document, "Days"), valueOf(document, "Years")];
      const period = days === null ? `${years ?? "?"} years` : `${days} days`;
      return ok(
        `every new object is kept for ${period} (${mode}), the head's old versions and segments too; writers need RYNXS_S3_CHECKSUMS=true`,
      );
    }
    if (enabled) return ok("enabled, without a default retention: objects are kept only as long as each says");
    if (!options.aws) return ok("off: it needs versioning, in which not every server honours conditional puts");
    return advice(
      "off: whoever may delete can delete",
      "for a log that nobody may ever shorten: docs/operations/worm.md",
    );
  });
}

const BLOCKS = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

function publicAccess(options: HardeningOptions): Promise<Said> {
  return asked(options, "public-access-block", (document) => {
    const missing = BLOCKS.filter((name) => valueOf(document, name) !== "true");
    if (missing.length === 0) return ok("blocked in all four ways");
    return advice(
      `not blocked by the bucket: ${missing.join(", ")}`,
      "block public access to the bucket, or to the whole account",
    );
  });
}

function encryption(options: HardeningOptions): Promise<Said> {
  return asked(options, "encryption", (document) => {
    const algorithm = valueOf(document, "SSEAlgorithm");
    if (algorithm === null) return advice("no default encryption", "set one, if the disks below are not encrypted");
    return ok(
      `by default ${algorithm}${algorithm.startsWith("aws:kms") ? ": writers need kms:GenerateDataKey, readers kms:Decrypt" : ""}`,
    );
  });
}

/** Text of an element; null when there is none. These documents are a few flat elements that nobody else writes into. */
function valueOf(xml: string | null, name: string): string | null {
  const value = xml === null ? undefined : new RegExp(`<${name}>\\s*([^<]*?)\\s*</${name}>`).exec(xml)?.[1];
  return value === undefined || value === "" ? null : value;
}
