import { beforeAll, describe, expect, it } from "vitest";
import { events, json, newLog, rynxs, temporaryFolder } from "./rynxs.js";

const folder = await temporaryFolder();
const { store } = newLog(folder);

beforeAll(async () => {
  await json(["append", ...store, "--stdin", "--batch", "1000"], { input: events(12) });
  await json(["append", ...store, "--type", "T", "--aggregate", "other\nthing"]);
});

/** The lines of a `--json` output. */
async function summaries(...flags: string[]): Promise<unknown[]> {
  const { code, stdout } = await rynxs(["aggregates", ...store, ...flags, "--json"]);
  expect(code).toBe(0);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
}

const summary = (n: number, count: number): object => ({
  aggregate_id: `thing-${String(n)}`,
  count,
  first_seq: n,
  last_seq: n + 5 * (count - 1),
});

describe("aggregates", () => {
  it("prints a table for people, ids last and on one line", async () => {
    const { code, stdout, stderr } = await rynxs(["aggregates", ...store, "--limit", "2"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(
      [
        "     COUNT       FIRST        LAST  AGGREGATE",
        "         1          12          12  other\\u000athing",
        "         3           0          10  thing-0",
        "",
      ].join("\n"),
    );
  });

  it("prints an object a line with --json, in order of ids", async () => {
    expect(await summaries()).toEqual([
      { aggregate_id: "other\nthing", count: 1, first_seq: 12, last_seq: 12 },
      summary(0, 3),
      summary(1, 3),
      summary(2, 2),
      summary(3, 2),
      summary(4, 2),
    ]);
  });

  it("begins behind an id, keeps to a prefix, and ends at a limit", async () => {
    expect(await summaries("--after", "thing-2")).toEqual([summary(3, 2), summary(4, 2)]);
    expect(await summaries("--prefix", "thing-", "--limit", "1")).toEqual([summary(0, 3)]);
    expect(await summaries("--prefix", "none")).toEqual([]);
  });

  it("refuses a limit that is none", async () => {
    const { code, stderr } = await rynxs(["aggregates", ...store, "--limit", "0"]);
    expect(code).toBe(1);
    expect(stderr).toContain("--limit");
  });
});

describe("read --verify", () => {
  it("takes chain and record, and nothing else", async () => {
    const flags = ["read", ...store, "--aggregate", "thing-1", "--json", "--verify"];
    const chain = await rynxs([...flags, "chain"]);
    expect(chain.stdout.trimEnd().split("\n")).toHaveLength(3);
    expect(await rynxs([...flags, "record"])).toEqual(chain);
    const other = await rynxs([...flags, "nothing"]);
    expect(other.code).toBe(1);
    expect(other.stderr || other.stdout).toContain("chain");
  });
});
