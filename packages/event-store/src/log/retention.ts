import { ConfigError } from "../core/errors.js";
import { RETENTION_MODES, type Retention, type RetentionMode } from "../objects/locks.js";

/** How long each event object is to be kept: days, or calendar months (UTC). */
export interface RetainPolicy {
  readonly mode: RetentionMode;
  readonly days: number;
  readonly months: number;
}

const DAY_MS = 86_400_000;
/** AWS allows a hundred years; a typing mistake in COMPLIANCE mode cannot be taken back. */
const MAX_YEARS = 100;

/**
 * `30d`, `12mo`, `7y`; `12m` is refused, since it could be minutes. @param name what errors call it
 * @throws ConfigError
 */
export function parseRetain(text: string, mode = "GOVERNANCE", name = "retain"): RetainPolicy {
  const [, digits, unit] = /^([1-9][0-9]{0,4})(d|mo|y)$/.exec(text.trim()) ?? [];
  const count = Number(digits);
  const years = unit === "d" ? count / 365 : unit === "mo" ? count / 12 : count;
  if (digits === undefined || years > MAX_YEARS) {
    throw new ConfigError(`${name} is ${JSON.stringify(text)}`, {
      hint: `valid: a number of days, months or years, as 30d, 12mo or 7y; at most ${String(MAX_YEARS)}y`,
    });
  }
  const known = RETENTION_MODES.find((each) => each === mode.trim().toUpperCase());
  if (known === undefined) {
    throw new ConfigError(`the mode of ${name} is ${JSON.stringify(mode)}`, {
      hint: `valid: ${RETENTION_MODES.join(", ")}`,
    });
  }
  if (unit === "d") return { mode: known, days: count, months: 0 };
  return { mode: known, days: 0, months: unit === "mo" ? count : count * 12 };
}

/**
 * What an object written at `from` (Unix milliseconds) is to carry, in whole seconds, never less than was asked for. A month has no 31st
 * when its last day is meant.
 */
export function retentionFrom({ mode, days, months }: RetainPolicy, from: number): Retention {
  const date = new Date(from + days * DAY_MS);
  const day = date.getUTCDate();
  date.setUTCMonth(date.getUTCMonth() + months);
  if (date.getUTCDate() !== day) date.setUTCDate(0);
  return { mode, until: Math.ceil(date.getTime() / 1000) * 1000 };
}

/** A put is stored at most so long after its retention was reckoned: an hour and three quarters (docs/SPEC.md, "Append"), and skew. */
const SLACK_MS = 2 * 3_600_000;

/** Does a retention keep what was written at `writtenAt` as the policy says? A stricter mode does, too. */
export function satisfies(retention: Retention | "none", policy: RetainPolicy, writtenAt: number): boolean {
  if (retention === "none" || (policy.mode === "COMPLIANCE" && retention.mode !== "COMPLIANCE")) return false;
  return retention.until >= retentionFrom(policy, writtenAt).until - SLACK_MS;
}
