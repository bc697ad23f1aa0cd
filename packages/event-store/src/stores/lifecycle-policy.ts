import { createHash } from "node:crypto";
import { ConfigError } from "../core/errors.js";
import type { LogKeys } from "../log/keys.js";
import { ruleXml, type LifecycleRule } from "../objects/s3/lifecycle-rules.js";

/** AWS's classes for what is read rarely. (ONEZONE_IA is left out: one fire ends it.) Of GLACIER and DEEP_ARCHIVE, objects must be restored before a read. */
export const SEGMENT_CLASSES = ["STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"] as const;

/** What a bucket is to do with a log's objects by itself. Event objects are never touched, and segments never deleted. */
export interface LifecyclePolicy {
  /** Move segments to another storage class so many days after they were written. */
  readonly segments?: { readonly storageClass: string; readonly days: number } | undefined;
  /** Delete snapshots so many days after they were written: replaying costs more then, and nothing is lost. */
  readonly expireSnapshotsDays?: number | undefined;
}

const MAX_DAYS = 36_500;
/** AWS refuses less. */
const MIN_IA_DAYS = 30;

/** @throws ConfigError */
export function checkPolicy({ segments, expireSnapshotsDays }: LifecyclePolicy, aws: boolean): void {
  if (segments !== undefined) {
    const { storageClass, days } = segments;
    const known = (SEGMENT_CLASSES as readonly string[]).includes(storageClass);
    // Other servers have classes of their own, and take any name.
    if (!known && (aws || !/^[A-Z][A-Z0-9_-]{0,63}$/.test(storageClass))) {
      throw new ConfigError(`${JSON.stringify(storageClass)} is not a storage class for segments`, {
        hint: `valid: ${SEGMENT_CLASSES.join(", ")}`,
      });
    }
    const least = storageClass === "STANDARD_IA" ? MIN_IA_DAYS : 1;
    checkDays("days", days, least, least > 1 ? `; ${storageClass} takes no younger objects` : "");
  }
  if (expireSnapshotsDays !== undefined) checkDays("expireSnapshotsDays", expireSnapshotsDays, 1, "");
}

function checkDays(name: string, days: number, least: number, why: string): void {
  if (Number.isInteger(days) && days >= least && days <= MAX_DAYS) return;
  throw new ConfigError(`${name} is ${String(days)}`, {
    hint: `give a whole number from ${String(least)} to ${String(MAX_DAYS)}${why}`,
  });
}

/** What the ids of a log's own rules begin with. A hash, so that logs that share a bucket never take each other's for theirs. */
export function ownIds({ root }: LogKeys): string {
  return `rynxs-${createHash("sha256").update(root).digest("hex").slice(0, 16)}-`;
}

/** The policy as rules, XML. */
export function policyRules(policy: LifecyclePolicy, keys: LogKeys): string[] {
  const rules: string[] = [];
  const { segments: transition, expireSnapshotsDays } = policy;
  if (transition !== undefined)
    rules.push(ruleXml({ id: `${ownIds(keys)}segments`, prefix: keys.segments, transition }));
  if (expireSnapshotsDays !== undefined) {
    rules.push(
      ruleXml({ id: `${ownIds(keys)}snapshots`, prefix: keys.snapshots, expirationDays: expireSnapshotsDays }),
    );
  }
  return rules;
}

/** What somebody else's rule would do to the log; undefined when it does no harm that can be seen. */
export function harmOf(rule: LifecycleRule, keys: LogKeys): string | undefined {
  if (!rule.enabled) return undefined;
  const { root, segments } = keys;
  const { prefix, parts } = rule;
  const events = root.startsWith(prefix) || (prefix.startsWith(root) && /^[0-9]/.test(prefix.slice(root.length)));
  const reaches = events || segments.startsWith(prefix) || prefix.startsWith(segments);
  const may = rule.narrowed ? "may " : "";
  const said = `rule ${JSON.stringify(rule.id)}, which is not ours,`;
  // An expiration without days or a date only removes delete markers.
  const deletes = parts.find((part) => /^Expiration .*(?:Days|Date)=/.test(part));
  if (reaches && deletes !== undefined) return `${said} ${may}delete${may ? "" : "s"} objects of the log (${deletes})`;
  const archives = parts.find((part) => /^Transition .*StorageClass=(?:GLACIER|DEEP_ARCHIVE)$/.test(part));
  if (events && archives !== undefined)
    return `${said} ${may}archive${may ? "" : "s"} the event objects one by one, and reads then fail (${archives})`;
  return undefined;
}
