import { describe, expect, it } from "vitest";
import { parseRetain, retentionFrom, satisfies } from "../../src/log/retention.js";
import { memoryObjects } from "../../src/objects/memory.js";

const at = (text: string): number => Date.parse(text);
const until = (period: string, from: string): string =>
  new Date(retentionFrom(parseRetain(period), at(from)).until).toISOString();

describe("how long an event object is kept", () => {
  it.each([
    ["30d", "2026-01-31T10:00:00Z", "2026-03-02T10:00:00.000Z"],
    ["1mo", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00.000Z"],
    ["1mo", "2028-01-31T10:00:00Z", "2028-02-29T10:00:00.000Z"],
    ["12mo", "2026-05-31T10:00:00Z", "2027-05-31T10:00:00.000Z"],
    ["7y", "2026-03-04T10:00:00Z", "2033-03-04T10:00:00.000Z"],
    ["1y", "2028-02-29T00:00:00Z", "2029-02-28T00:00:00.000Z"],
    ["1d", "2026-12-31T23:59:59.001Z", "2027-01-02T00:00:00.000Z"],
  ])("%s from %s is %s", (period, from, end) => {
    expect(until(period, from)).toBe(end);
  });

  it.each(["", "7", "0d", "7 y", "-1d", "1.5y", "12m", "7Y", "101y", "1213mo", "36501d", "99999999d"])(
    "refuses %j",
    (text) => {
      expect(() => parseRetain(text)).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }));
    },
  );

  it("knows two modes, and GOVERNANCE is meant by none", () => {
    expect(parseRetain("1d").mode).toBe("GOVERNANCE");
    expect(parseRetain("1d", "compliance").mode).toBe("COMPLIANCE");
    expect(() => parseRetain("1d", "forever", "RYNXS_S3_RETAIN")).toThrow(/mode of RYNXS_S3_RETAIN/);
  });

  it("what was stored a little later than it was signed is kept long enough; a day less is not; COMPLIANCE is stricter", () => {
    const policy = parseRetain("7y");
    const written = at("2026-01-01T00:00:00Z");
    const end = retentionFrom(policy, written).until;
    const governed = (ms: number) => ({ mode: "GOVERNANCE" as const, until: ms });
    expect(satisfies(governed(end), policy, written + 3_600_000)).toBe(true);
    expect(satisfies(governed(end), policy, written + 86_400_000)).toBe(false);
    expect(satisfies("none", policy, written)).toBe(false);
    expect(satisfies(governed(end), parseRetain("7y", "COMPLIANCE"), written)).toBe(false);
    expect(satisfies({ mode: "COMPLIANCE", until: end }, policy, written)).toBe(true);
  });

  it("a backend without Object Lock refuses, and stores nothing", async () => {
    const objects = memoryObjects();
    const retention = { mode: "GOVERNANCE", until: Date.now() } as const;
    const put = objects.putIfAbsent("a", Buffer.from("x"), { retention });
    await expect(put).rejects.toMatchObject({ code: "NO_OBJECT_LOCK", facts: { key: "a" } });
    expect(objects.bucket.size).toBe(0);
  });
});
