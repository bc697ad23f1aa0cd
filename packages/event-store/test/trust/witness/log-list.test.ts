import { describe, expect, it } from "vitest";
import { formatVerifierKey, localCosigner, localSigner, parseLogList } from "../../../src/trust/index.js";

const [a, b, rotated] = [
  localSigner("a", Buffer.alloc(32, 1)),
  localSigner("b", Buffer.alloc(32, 2)),
  localSigner("a", Buffer.alloc(32, 3)),
].map(({ key }) => key);
const witness = formatVerifierKey(localCosigner("w", Buffer.alloc(32, 4), () => 0).key);
const line = (key: typeof a): string => formatVerifierKey(key!);

describe("a witness's list of logs", () => {
  it("has a key a line, or is a tlog-policy", () => {
    expect(parseLogList(`# logs\n${line(a)}\n\n  ${line(b)}\t\r\n${line(rotated)}`)).toEqual([a, b, rotated]);
    const policy = `log ${line(a)} https://a.example\nwitness w1 ${witness}\ngroup g any w1\nquorum g\nlog\t${line(b)}\n`;
    expect(parseLogList(policy)).toEqual([a, b]);
  });

  it.each([
    ["nothing", "# none\n", /no logs/],
    ["a witness's key", `${line(a)}\n${witness}\n`, /line 2 .* witness's key/],
    ["garbage", `${line(a)}\n\nx\n`, /line 3 .* no verifier key/],
    ["a log without a key", "log\n", /line 1 /],
    [
      "one key under two names",
      `${line(a)}\n${line(localSigner("c", Buffer.alloc(32, 1)).key)}\n`,
      /line 2 .* key of a again/,
    ],
  ])("with %s is refused", (_, text, problem) => {
    expect(() => parseLogList(text)).toThrow(problem);
  });
});
