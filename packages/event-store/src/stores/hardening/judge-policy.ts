import { MAX_SEQ } from "../../core/event.js";
import type { LogKeys } from "../../log/keys.js";
import { evaluatePolicies, type PolicyDecision } from "./policy-evaluation.js";

/** What a bucket's policy does for a log, to whoever it does not name. */
export interface PolicyVerdict {
  /** Event keys and segments cannot be overwritten. */
  readonly writtenOnce: boolean;
  /** Events and segments cannot be deleted. */
  readonly kept: boolean;
  readonly onlyOverTls: boolean;
  /** What it refuses of what a log has to do. */
  readonly refuses: readonly ("appending" | "replacing the head" | "keeping positions")[];
  /** It has statements that were not understood: they may deny more than was found. */
  readonly undecided: boolean;
}

/** Somebody whom no policy names. */
const SOMEBODY = "arn:aws:iam::000000000000:user/rynxs-doctor";

/** Judges a policy by what it says of the requests that a log makes, and of those that a forger would. `policy`: as parsed. */
export function judgePolicy(policy: unknown, bucket: string, keys: LogKeys): PolicyVerdict {
  let undecided = false;
  const partition = /arn:(aws[a-z-]*):s3:::/.exec(JSON.stringify(policy))?.[1] ?? "aws";
  const denies = (action: string, key: string, context: Record<string, string> = {}): boolean => {
    const decision: PolicyDecision = evaluatePolicies([policy], {
      action: `s3:${action}`,
      resource: `arn:${partition}:s3:::${bucket}/${key}`,
      principal: SOMEBODY,
      context: { "aws:SecureTransport": "true", ...context },
    });
    undecided ||= decision === "undecided";
    return decision === "denied";
  };
  const create = { "s3:if-none-match": "*" };
  const replace = { "s3:if-match": "etag" };
  const events = [0, 1, 999_999_999, 1_234_567_890, 2_345_678_901, MAX_SEQ].map((seq) => keys.event(seq));
  const kept = [...events, keys.segment(0, 9_999)];
  const appends = events.every((key) => !denies("PutObject", key, create));
  return {
    writtenOnce: events.every((key) => denies("PutObject", key) && denies("PutObject", key, replace)),
    kept: kept.every((key) => denies("DeleteObject", key)),
    onlyOverTls: denies("GetObject", keys.event(0), { "aws:SecureTransport": "false" }),
    refuses: [
      ...(appends ? [] : (["appending"] as const)),
      ...([create, replace].some((context) => denies("PutObject", keys.head, context))
        ? (["replacing the head"] as const)
        : []),
      ...([create, replace].some((context) => denies("PutObject", keys.position("x"), context))
        ? (["keeping positions"] as const)
        : []),
    ],
    undecided,
  };
}
