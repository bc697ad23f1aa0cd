export const TIME_FORMATS = ["verbatim", "iso8601", "unix_s", "unix_ms", "unix_us", "unix_ns"] as const;
export type TimeFormat = (typeof TIME_FORMATS)[number];

export interface TimeRule {
  readonly format: TimeFormat;
  /** Of an ISO time that states none: `Z` or `+02:00`. */
  readonly zone: string | undefined;
  /** Cut off what is finer than a millisecond, instead of refusing it. */
  readonly truncate: boolean;
}

/** Powers of ten from the unit to milliseconds. */
const UNITS = { unix_s: 3, unix_ms: 0, unix_us: -3, unix_ns: -6 } as const;

/** What is wrong with a time, in words that follow the path of the value. */
export class TimeProblem {
  readonly problem: string;
  readonly hint: string | undefined;

  constructor(problem: string, hint?: string) {
    this.problem = problem;
    this.hint = hint;
  }
}

const TOO_FINE = new TimeProblem(
  "is finer than a millisecond",
  'say "truncate": true and keep the original in meta, or take the digits as they are with "format": "verbatim"',
);

/**
 * The `ts` that `text` (a string's content or a number's digits) stands for: Unix milliseconds, or with `verbatim` the
 * integer itself. Computed in integers, so that no digit is rounded.
 */
export function readTime(text: string, rule: TimeRule): bigint | TimeProblem {
  if (rule.format === "iso8601") return readIso(text, rule);
  if (rule.format !== "verbatim") return readDecimal(text, UNITS[rule.format], rule.truncate);
  if (/^-?\d+$/.test(text) && text.length <= MAX_DIGITS) return BigInt(text);
  return new TimeProblem("is not an integer", 'say with "format" what it is');
}

/** Of a number that is given as a string, too. */
const MAX_DIGITS = 1000;

function readDecimal(text: string, power: number, truncate: boolean): bigint | TimeProblem {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d{1,3}))?$/.exec(text) ?? [];
  if (whole === undefined || text.length > MAX_DIGITS) return new TimeProblem("is not a decimal number");
  const digits = BigInt(`${sign ?? ""}${whole}${fraction}`);
  return shift(digits, Number(exponent) - fraction.length + power, truncate);
}

/** `digits` · 10^`power`, downwards to an integer. */
function shift(digits: bigint, power: number, truncate: boolean): bigint | TimeProblem {
  if (power >= 0) return digits * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  const rest = digits % divisor;
  if (rest !== 0n && !truncate) return TOO_FINE;
  return digits / divisor - (rest < 0n ? 1n : 0n);
}

const ISO = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,30}))?)?)? ?([Zz]|[+-]\d\d:?\d\d)?$/;

function readIso(text: string, { zone, truncate }: TimeRule): bigint | TimeProblem {
  const [, date, clock = "00:00", seconds = "00", fraction = "", own] = ISO.exec(text) ?? [];
  if (date === undefined) return new TimeProblem("is not an ISO 8601 time", "as 2026-11-24T19:35:00.123Z");
  const offset = zoneMinutes(own ?? zone);
  if (offset === null)
    return new TimeProblem("has no time zone", 'say which it is meant in, as "zone": "Z" or "+02:00"');
  const local = `${date}T${clock}:${seconds}.000Z`;
  const ms = Date.parse(local);
  // a day or an hour that does not exist is carried over, or is NaN
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== local) return new TimeProblem("is no time that exists");
  const rest = shift(BigInt(fraction === "" ? "0" : fraction), 3 - fraction.length, truncate);
  return rest instanceof TimeProblem ? rest : BigInt(ms - offset * 60_000) + rest;
}

/** Null when it is no zone. */
export function zoneMinutes(zone: string | undefined): number | null {
  if (zone === "Z" || zone === "z") return 0;
  const [, sign, hours = "", minutes = ""] = /^([+-])([01]\d|2[0-3]):?([0-5]\d)$/.exec(zone ?? "") ?? [];
  if (sign === undefined) return null;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
