import { badRequest } from "./failure.js";
import { isObject } from "./json.js";

const MICRO_TIME = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/;
const RFC3339 =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt ]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** metav1.Time as servers write it: whole seconds. */
export function apiTime(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19)}Z`;
}

export function isDateTime(text: string): boolean {
  return RFC3339.test(text);
}

/**
 * Refuses a time that is no metav1.MicroTime: with any other than six fractional digits a real server answers 400. (It would take
 * an offset in place of the Z, which this one does not: stricter, never laxer.) @throws ApiFailure
 */
export function checkMicroTime(kind: string, holder: unknown, key: string): void {
  const value = isObject(holder) ? holder[key] : undefined;
  if (value === undefined || value === null) return;
  if (typeof value === "string" && MICRO_TIME.test(value)) return;
  const said = typeof value === "string" ? `parsing time "${value}"` : `parsing ${typeof value} of ${key}`;
  throw badRequest(
    `${kind} in version "v1" cannot be handled as a ${kind}: ${said} as "2006-01-02T15:04:05.000000Z07:00": cannot parse`,
  );
}
