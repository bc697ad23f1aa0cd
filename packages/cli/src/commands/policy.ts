import type { Check, LogPolicies, PolicyRole, StoreConfig } from "@rynxs/event-store";
import { examineProtection, logPolicies } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { usageError } from "../exit.js";
import type { StoreFlags } from "../options.js";
import { bucketLog } from "../options.js";
import { paint } from "../output.js";
import { adviceFor, type Advice } from "../policy/advice.js";
import { oneLine } from "../text.js";
import { checkLines } from "./doctor.js";

export type PolicyFormat = "iam" | "bucket" | "advice" | "all";

export interface PolicyFlags extends StoreFlags {
  readonly bucket?: string;
  readonly prefix?: string;
  readonly for: PolicyRole;
  readonly format: PolicyFormat;
  readonly account?: string;
  readonly principal?: readonly string[];
  readonly awsConditions?: true;
  readonly objectLock?: true;
}

type S3Config = StoreConfig & { readonly type: "s3" };

/** Prints policies for a log's bucket. Asks the server nothing, but for advice about a store that was named as one. */
export async function policy(flags: PolicyFlags, { output, interrupts }: Context): Promise<void> {
  const config = await configOf(flags);
  const { bucket, prefix, headKey, region, endpoint } = config;
  const policies = logPolicies({
    ...{ bucket, prefix, headKey, region, endpoint },
    account: flags.account,
    deleters: flags.principal,
    ...(flags.awsConditions && { server: "aws" }),
    objectLock: flags.objectLock ?? config.retain !== undefined,
  });
  const { aws } = policies;
  const wants = (format: PolicyFormat): boolean => flags.format === format || flags.format === "all";
  const advice = wants("advice") ? adviceFor({ bucket, prefix, aws, pruned: flags.principal !== undefined }) : [];
  const found = wants("advice") && flags.bucket === undefined ? await lookAt(config, interrupts.stop) : null;
  const iam = wants("iam") ? policies.iam(flags.for) : undefined;
  const bucketPolicy = wants("bucket") ? policies.bucket : undefined;
  await output.result(textOf(flags, { iam, bucketPolicy, advice, found }), {
    bucket,
    prefix,
    server: aws ? "aws" : "other",
    ...(iam && { role: flags.for, iam }),
    ...(bucketPolicy && { bucket_policy: bucketPolicy }),
    ...(wants("advice") && { advice, ...(found && { checks: found }) }),
  });
}

async function configOf(flags: PolicyFlags): Promise<S3Config> {
  const { bucket, prefix, ...store } = flags;
  if (bucket === undefined && prefix !== undefined) throw usageError("--prefix goes with --bucket");
  const named = bucket === undefined ? store : { ...store, store: `s3://${bucket}/${prefix ?? "events"}` };
  const config = (await bucketLog(named)) as StoreConfig;
  if (config.type === "s3") return config;
  throw usageError("policies are for a log in a bucket", "give --store s3://BUCKET/PREFIX, or --bucket and --prefix");
}

/** What is in force; null when the server cannot be asked. */
async function lookAt(config: S3Config, signal: AbortSignal): Promise<readonly Check[] | null> {
  const checks: Check[] = [];
  for await (const check of examineProtection(config)) {
    // The first question that is one of the server: no more of them, when nobody answers.
    if (signal.aborted || /^(UNAVAILABLE|REQUEST_REFUSED|BUCKET_NOT_FOUND|ACCESS_DENIED): /.test(check.detail))
      return null;
    checks.push(check);
  }
  return checks;
}

interface Printed {
  readonly iam: ReturnType<LogPolicies["iam"]> | undefined;
  readonly bucketPolicy: LogPolicies["bucket"] | undefined;
  readonly advice: readonly Advice[];
  readonly found: readonly Check[] | null;
}

/** One format alone is that and nothing else, to be piped into a file. */
function textOf({ format, for: role, bucket }: PolicyFlags, { iam, bucketPolicy, advice, found }: Printed): string {
  const title = (text: string): string[] => (format === "all" ? [paint("bold", `# ${text}`)] : []);
  const parts: string[][] = [];
  if (iam) parts.push([...title(`IAM policy of the role ${role}`), JSON.stringify(iam, null, 2)]);
  if (bucketPolicy) parts.push([...title("bucket policy"), JSON.stringify(bucketPolicy, null, 2)]);
  if (advice.length > 0)
    parts.push([...title("advice"), ...advice.map(({ topic, text }) => `- ${topic}: ${oneLine(text)}`)]);
  if (found) parts.push([...title("what the server says now"), ...found.flatMap(checkLines)]);
  else if (advice.length > 0 && bucket === undefined)
    parts.push(["(the server could not be asked what is in force; rynxs doctor says why)"]);
  return parts.map((lines) => lines.join("\n")).join("\n\n");
}
