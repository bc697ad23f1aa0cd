/** A Kubernetes MicroTime: RFC 3339 in UTC with exactly six fractional digits, which API servers insist on. */
export function microTime(unixMs: number): string {
  return new Date(unixMs).toISOString().replace("Z", "000Z");
}
