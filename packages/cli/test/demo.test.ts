import { readdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { json, newLog, rynxs, temporaryFolder } from "./rynxs.js";

const folder = await temporaryFolder();

describe("demo", () => {
  it("shows a forgery and a cut at their exact seqs, and leaves the files for its next commands", async () => {
    const { code, stdout, stderr } = await rynxs(["demo"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/valid: 6 events, seq 0 to 5\n {3}head 5:[0-9a-f]{64}\n/);
    expect(stdout).toMatch(
      /error HASH_MISMATCH: .*\n {5}seq +3\n {5}expected {2}[0-9a-f]{64}\n {5}actual {4}[0-9a-f]{64}\n/,
    );
    expect(stdout).toMatch(
      /error TRUNCATED: .*\n {5}seq +4\n {5}expected {2}5:[0-9a-f]{64}\n {5}actual {4}3:[0-9a-f]{64}\n/,
    );

    const commands = stdout.slice(stdout.indexOf("Try it yourself")).match(/^ {3}rynxs (?:read|verify) .*$/gm) ?? [];
    const codes = [];
    for (const command of commands) codes.push((await rynxs(command.trim().split(" ").slice(1))).code);
    expect(codes).toEqual([0, 2, 2]);
    const path = /file:(\S+events\.log)/.exec(stdout)?.[1] ?? "";
    expect((await readdir(dirname(path))).filter((name) => name.endsWith(".log"))).toEqual([
      "cut.log",
      "events.log",
      "forged.log",
    ]);
    await rm(dirname(path), { recursive: true });
  });
});

describe("doctor", () => {
  it("checks a file's surroundings, a line each", async () => {
    const { store } = newLog(folder);
    const { code, stdout, stderr } = await rynxs(["doctor", ...store]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const name of ["directory", "write", "sync to disk", "lock", "free space", "log"]) {
      expect(stdout).toMatch(new RegExp(`^✓ ${name} {2,}\\S`, "m"));
    }
    expect(stdout).toMatch(/\nsafe to use\n$/);
    const { ok, checks } = await json<{ ok: boolean; checks: { ok: boolean }[] }>(["doctor", ...store]);
    expect(ok).toBe(true);
    expect(checks).toHaveLength(6);
  });

  it("fails with what to do", async () => {
    const { code, stdout } = await rynxs(["doctor", "--store", "file:/proc/self/status/events.log"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ directory .*\n {2}what to do: .*\nNOT safe to use: 1 of 1 checks failed\n$/);
  });
});
