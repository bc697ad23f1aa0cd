import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { rynxs, temporaryFolder } from "./rynxs.js";

const COMMANDS =
  "append read aggregates verify head key checkpoint prove verify-proof replay snapshot doctor compact prune copy lifecycle restore export query import demo".split(
    " ",
  );

describe("rynxs", () => {
  it("prints its version, and loads neither the library nor an HTTP client for it", async () => {
    const hook = `export async function resolve(name, context, next) { const found = await next(name, context); process._rawDebug(found.url); return found; }`;
    const url = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
    const register = `import { register } from "node:module"; register(${JSON.stringify(url(hook))});`;
    const { code, stdout, stderr } = await rynxs(["--version"], { nodeArgs: ["--import", url(register)] });
    expect([code, stdout]).toEqual([0, "0.1.0\n"]);
    expect(stderr).toContain("/version-");
    expect(stderr).not.toMatch(/event-store|undici|cli-progress|commander/);
    const path = join(await temporaryFolder(), "small.log");
    await rynxs(["append", "--store", `file:${path}`, "--type", "T", "--aggregate", "a"]);
    const head = await rynxs(["head", "--store", `file:${path}`], { nodeArgs: ["--import", url(register)] });
    expect(head.stdout).toMatch(/^0:[0-9a-f]{64}\n$/);
    expect(head.stderr).toContain("/file-event-store-");
    expect(head.stderr).not.toMatch(/undici|cli-progress|s3|worker|testing|hyparquet|duckdb/);
  });

  it("has help that names each command, the variables, the exit codes and how to begin", async () => {
    const { code, stdout, stderr } = await rynxs(["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name} {2,}\\w`, "m"));
    for (const name of [
      "EVENT_STORE_TYPE",
      "EVENT_STORE_PATH",
      "S3_BUCKET",
      "S3_PREFIX",
      "S3_ENDPOINT",
      "RYNXS_HASH_VERSION",
    ]) {
      expect(stdout).toContain(name);
    }
    expect(stdout).toContain("rynxs append --store file:my.log");
  });

  it.each(COMMANDS.slice(0, -1))("has help for %s, with examples", async (name) => {
    const { code, stdout } = await rynxs([name, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: rynxs ${name}`);
    expect(stdout).toContain(`Examples:\n  rynxs ${name}`);
  });

  it("prints the help and fails when no command is given", async () => {
    const { code, stdout, stderr } = await rynxs([]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("Usage: rynxs");
  });

  it.each([
    [["vrify"], "unknown command 'vrify'", "did you mean verify?"],
    [["verify", "--stroe", "x"], "unknown option '--stroe'", "did you mean --store?"],
    [["head", "extra"], "too many arguments for 'head'. Expected 0 arguments but got 1.", "see rynxs head --help"],
    [["copy", "file:a"], "missing required argument 'to'", "see rynxs copy --help"],
    [
      ["read", "--from", "x"],
      "option '--from <seq>' argument 'x' is invalid. A seq is an integer from 0 to 9999999999.",
      "see rynxs read --help",
    ],
    [
      ["read", "--from", "12345678901"],
      "option '--from <seq>' argument '12345678901' is invalid. A seq is an integer from 0 to 9999999999.",
      "see rynxs read --help",
    ],
    [["read", "--from", "5", "--to", "3"], "--to 3 lies before the first seq to read, 5", undefined],
    [
      ["read", "--limit", "0"],
      "option '--limit <n>' argument '0' is invalid. Give an integer from 1 to 9007199254740991.",
      "see rynxs read --help",
    ],
    [
      ["append", "--stdin", "--batch", "1001"],
      "option '--batch <n>' argument '1001' is invalid. Give an integer from 1 to 1000.",
      "see rynxs append --help",
    ],
    [
      ["append", "--stdin", "--type", "A"],
      "option '--stdin' cannot be used with option '--type <type>'",
      "see rynxs append --help",
    ],
    [["append", "--type", "A", "--aggregate", "a", "--batch", "2"], "--batch goes with --stdin", undefined],
    [
      ["append", "--type", "A"],
      "--aggregate is missing",
      "give --type and --aggregate for one event, or --stdin for NDJSON events on standard input",
    ],
    [
      ["append", "--expect-prev", "ABC"],
      "option '--expect-prev <hash>' argument 'ABC' is invalid. A hash is 64 lowercase hex digits.",
      "see rynxs append --help",
    ],
    [
      ["append", "--ts", "1.5"],
      "option '--ts <integer>' argument '1.5' is invalid. A timestamp is an integer (its unit is yours).",
      "see rynxs append --help",
    ],
    [["copy", "file:/tmp/a", "file:/tmp/a"], "FROM and TO are the same store", undefined],
  ])("refuses %j", async (args, message, hint) => {
    const { code, stdout, stderr } = await rynxs(args);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(`error INVALID_CONFIG: ${message}\n${hint === undefined ? "" : `hint: ${hint}\n`}`);
    const asJson = await rynxs([...args, "--json"]);
    expect([asJson.code, asJson.stderr]).toEqual([1, ""]);
    expect(JSON.parse(asJson.stdout)).toEqual({ error: { code: "INVALID_CONFIG", message, hint } });
  });

  it.each([
    ["5", "a seq without a hash"],
    [`5:${"A".repeat(64)}`, "upper case"],
    [`-1:${"a".repeat(64)}`, "an empty log with a hash"],
  ])("refuses --expect-head %s: %s", async (head) => {
    const { code, stderr } = await rynxs(["verify", "--expect-head", head]);
    expect(code).toBe(1);
    expect(stderr).toContain("Give SEQ:HASH as `rynxs head` prints it");
  });

  it.each([
    ["--store", "ftp://x"],
    ["--store", "s3://"],
    ["--store", "file:"],
    ["--store", "events.log"],
  ])("refuses %s %s with a hint", async (...args) => {
    const { code, stdout, stderr } = await rynxs(["head", ...args]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error INVALID_CONFIG: .*\n(.*\n)*hint: /);
  });

  it("refuses unknown values of variables, naming the valid ones", async () => {
    const { code, stderr } = await rynxs(["head"], { env: { EVENT_STORE_TYPE: "postgres" } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error INVALID_CONFIG: .*postgres/);
    expect(stderr).toMatch(/file.*s3/s);
  });
});
