import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { events, json, newLog, rynxs, start, temporaryFolder, VECTORS } from "./rynxs.js";

const folder = await temporaryFolder();
const { path, store } = newLog(folder);
let lines: string[] = [];

beforeAll(async () => {
  await json(["append", ...store, "--stdin", "--batch", "1000"], { input: events(20) });
  lines = (await readFile(path, "utf8")).trimEnd().split("\n");
});

function hashOf(seq: number): string {
  return (JSON.parse(lines[seq] ?? "{}") as { event_hash: string }).event_hash;
}

/** The first two cells of each row. */
function rows(stdout: string): string[] {
  const [, ...body] = stdout.trimEnd().split("\n");
  return body.map((row) => row.trim().split(/\s+/).slice(0, 4).join(" "));
}

describe("read", () => {
  it("prints a table for people", async () => {
    const { code, stdout, stderr } = await rynxs(["read", ...store, "--to", "1"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(
      [
        "   SEQ  TIME                      TYPE              AGGREGATE         PAYLOAD",
        '     0  0                         Type0             thing-0           {"i":0}',
        '     1  1                         Type1             thing-1           {"i":1}',
        "",
      ].join("\n"),
    );
  });

  it("prints the stored lines with --json, byte for byte", async () => {
    const { code, stdout } = await rynxs(["read", ...store, "--json"]);
    expect(code).toBe(0);
    expect(stdout).toBe(await readFile(path, "utf8"));
  });

  it("prints golden records byte for byte", async () => {
    for (const name of ["chain-v1.jsonl", "chain-v2.jsonl", "chain-mixed.jsonl"]) {
      const { code, stdout } = await rynxs(["read", "--store", `file:${join(VECTORS, name)}`, "--json"]);
      expect(code).toBe(0);
      expect(stdout).toBe(await readFile(join(VECTORS, name), "utf8"));
    }
  });

  it("takes ranges, filters and a limit", async () => {
    const read = async (...args: string[]): Promise<string[]> =>
      rows((await rynxs(["read", ...store, ...args])).stdout);
    expect(await read("--from", "18")).toEqual(["18 18 Type0 thing-3", "19 19 Type1 thing-4"]);
    expect(await read("--from", "3", "--to", "4")).toEqual(["3 3 Type0 thing-3", "4 4 Type1 thing-4"]);
    expect(await read("--aggregate", "thing-1", "--type", "Type1")).toEqual([
      "1 1 Type1 thing-1",
      "16 16 Type1 thing-1",
    ]);
    expect(await read("--type", "Type2", "--limit", "2")).toEqual(["2 2 Type2 thing-2", "5 5 Type2 thing-0"]);
    const filtered = await rynxs(["read", ...store, "--json", "--type", "Type2", "--limit", "2"]);
    expect(filtered.stdout).toBe(`${lines[2] ?? ""}\n${lines[5] ?? ""}\n`);
  });

  it("says what a read from the middle stands on, but not among JSON", async () => {
    const args = ["read", ...store, "--from", "18"];
    const { stderr } = await rynxs(args);
    expect(stderr).toBe(`anchored on the record before, 17:${hashOf(17)}: what lies before seq 18 was not verified\n`);
    expect((await rynxs([...args, "--json"])).stderr).toBe("");
  });

  it("reads a log whose beginning is gone with an anchor", async () => {
    const chains = JSON.parse(await readFile(join(VECTORS, "chains.json"), "utf8")) as {
      dir?: string;
      first_seq?: number;
      first_prev_hash?: string;
    }[];
    const pruned = chains.find(({ dir }) => dir === "rotated-pruned");
    const log = ["--store", `file:${join(VECTORS, "rotated-pruned", "events.log")}`];
    const plain = await rynxs(["read", ...log]);
    expect(plain.code).toBe(2);
    expect(plain.stderr).toMatch(/^error GAP: /);
    const anchor = `${String((pruned?.first_seq ?? 0) - 1)}:${pruned?.first_prev_hash ?? ""}`;
    const { code, stdout } = await rynxs(["read", ...log, "--anchor", anchor, "--json"]);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(40);
  });

  it("shows times that can only be Unix milliseconds as dates", async () => {
    const log = newLog(folder);
    const input = [1_700_000_000_000, 1_700_000_000, -1]
      .map((ts) => `{"type":"A","aggregate_id":"a","ts":${String(ts)}}\n`)
      .join("");
    await json(["append", ...log.store, "--stdin"], { input });
    expect(rows((await rynxs(["read", ...log.store])).stdout)).toEqual([
      "0 2023-11-14T22:13:20.000Z A a",
      "1 1700000000 A a",
      "2 -1 A a",
    ]);
  });

  it("never lets stored text control the terminal", async () => {
    const log = newLog(folder);
    await json([
      "append",
      ...log.store,
      "--type",
      "\u001b[2JA\r\nB",
      "--aggregate",
      "a\u202e\u009b",
      "--payload",
      '{"k":"\\u001b[31m\u007f\u2028"}',
    ]);
    const { stdout } = await rynxs(["read", ...log.store]);
    expect(stdout.split("\n")).toHaveLength(3);
    expect(stdout).toContain("\\u001b[2JA\\u000d\\u000aB");
    // eslint-disable-next-line no-control-regex -- control characters are what this looks for
    expect(stdout).not.toMatch(/[\u001b\u009b\u202e\u007f\u2028\r]/);
  });

  it("ends quietly when its reader goes away", async () => {
    const log = newLog(folder);
    await json(["append", ...log.store, "--stdin", "--batch", "1000"], { input: events(20_000) });
    for (const args of [[], ["--json"]]) {
      const child = start(["read", ...log.store, ...args]);
      child.stdout.once("data", () => child.stdout.destroy());
      const { code, stderr } = await child.ended;
      expect([code, stderr]).toEqual([0, ""]);
    }
  });

  it("says that standard output is full", async () => {
    const bin = new URL("../bin/rynxs.js", import.meta.url).pathname;
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", 'exec "$0" "$@" > /dev/full', process.execPath, bin, "read", ...store],
      { encoding: "utf8" },
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error IO_FAILED: standard output cannot be written: ENOSPC/);
  });

  it("yields the good records before a fault, then fails with exit 2", async () => {
    const log = newLog(folder);
    await copyFile(join(VECTORS, "tampered", "payload-changed.jsonl"), log.path);
    const { code, stdout, stderr } = await rynxs(["read", ...log.store]);
    expect(code).toBe(2);
    expect(rows(stdout)).toHaveLength(17);
    expect(stderr).toMatch(/^error HASH_MISMATCH: /);
    expect(stderr).toMatch(/^ {2}seq +17$/m);
    expect(stderr).toMatch(/^ {2}expected +[0-9a-f]{64}$/m);
    expect(stderr).toMatch(/^ {2}actual +[0-9a-f]{64}$/m);
    const asJson = await rynxs(["read", ...log.store, "--json"]);
    expect([asJson.code, asJson.stderr]).toEqual([2, ""]);
    const output = asJson.stdout.trimEnd().split("\n");
    expect(output).toHaveLength(18);
    expect(JSON.parse(output[17] ?? "")).toMatchObject({ error: { code: "HASH_MISMATCH", seq: 17 } });
  });
});

describe("read --follow", () => {
  const FAST = ["--follow", "--interval", "0.05"];

  it("shows what is appended meanwhile, until Ctrl-C, which is no error", async () => {
    const log = newLog(folder);
    await json(["append", ...log.store, "--stdin"], { input: events(2) });
    const child = start(["read", ...log.store, ...FAST]);
    await child.said('{"i":1}');
    await json(["append", ...log.store, "--stdin"], { input: events(4) });
    await child.said('{"i":3}');
    child.kill("SIGINT");
    const { code, stdout, stderr } = await child.ended;
    expect([code, stderr]).toEqual([0, ""]);
    expect(rows(stdout).map((row) => row.split(" ")[0])).toEqual(["0", "1", "2", "3", "4", "5"]);
  });

  it("filters, and ends at the limit or at --to", async () => {
    const log = newLog(folder);
    await json(["append", ...log.store, "--stdin"], { input: events(3) });
    const limited = start(["read", ...log.store, ...FAST, "--json", "--type", "Type2", "--limit", "2"]).ended;
    const ranged = start(["read", ...log.store, ...FAST, "--from", "1", "--to", "4"]).ended;
    await json(["append", ...log.store, "--stdin"], { input: events(6) });
    const { code, stdout } = await limited;
    expect(code).toBe(0);
    const seqs = stdout
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { event: { seq: number } }).event.seq);
    expect(seqs).toEqual([2, 5]);
    expect(rows((await ranged).stdout).map((row) => row.split(" ")[0])).toEqual(["1", "2", "3", "4"]);
  });

  it("stops with exit 2 when something that does not link is put behind what it has seen", async () => {
    const log = newLog(folder);
    const other = newLog(folder);
    await json(["append", ...log.store, "--stdin"], { input: events(2) });
    await json(["append", ...other.store, "--stdin"], { input: `{"type":"X","aggregate_id":"x"}\n${events(3)}` });
    const child = start(["read", ...log.store, ...FAST]);
    await child.said('{"i":1}');
    const foreign = (await readFile(other.path, "utf8")).split("\n")[2] ?? "";
    await appendFile(log.path, `${foreign}\n`);
    const { code, stderr } = await child.ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error CHAIN_BROKEN: /);
  });
});

describe("read --follow --position", () => {
  const seqs = (stdout: string): number[] =>
    stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as { event: { seq: number } }).event.seq);

  it("goes on behind what was printed, filtered or not, also after it was killed", async () => {
    const log = newLog(folder);
    const args = ["read", ...log.store, "--follow", "--interval", "0.05", "--json", "--position", "mailer"];
    await json(["append", ...log.store, "--stdin"], { input: events(3) });
    const first = start([...args, "--from", "1"]);
    await first.said('"seq":2');
    await json(["append", ...log.store, "--stdin"], { input: events(2) });
    await first.said('"seq":4');
    first.kill("SIGINT");
    const ended = await first.ended;
    expect([ended.code, ended.stderr, seqs(ended.stdout)]).toEqual([0, "", [1, 2, 3, 4]]);

    // --from counted for the first run only.
    const filtered = start([...args, "--from", "0", "--type", "None"]);
    await json(["append", ...log.store, "--stdin"], { input: events(2) });
    const file = `${log.path}.derived/_positions/mailer.json`;
    const position = async (): Promise<number> => (JSON.parse(await readFile(file, "utf8")) as { seq: number }).seq;
    while ((await position()) < 6) await new Promise((resolve) => setTimeout(resolve, 10));
    filtered.kill("SIGKILL");
    expect((await filtered.ended).stdout).toBe("");

    await json(["append", ...log.store, "--stdin"], { input: events(3) });
    const limited = await rynxs([...args, "--limit", "2"]);
    expect([limited.code, seqs(limited.stdout)]).toEqual([0, [7, 8]]);
    const rest = await rynxs([...args, "--to", "9"]);
    expect([rest.code, seqs(rest.stdout)]).toEqual([0, [9]]);
  });

  it("stops one of two under the same name", async () => {
    const log = newLog(folder);
    const args = ["read", ...log.store, "--follow", "--interval", "0.05", "--json", "--position", "p"];
    await json(["append", ...log.store, "--stdin"], { input: events(1) });
    const one = start(args);
    await one.said('"seq":0');
    const file = `${log.path}.derived/_positions/p.json`;
    while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 10));
    const other = start(args);
    for (let n = 1; n < 4; n++) {
      await json(["append", ...log.store, "--stdin"], { input: events(1) });
      await Promise.race([other.said(`"seq":${String(n)}`), one.ended, other.ended]);
    }
    const loser = await Promise.race([one.ended, other.ended]);
    expect(loser.code).toBe(1);
    expect(loser.stdout).toMatch(/"error":\{"code":"POSITION_TAKEN"/);
    one.kill("SIGINT");
    other.kill("SIGINT");
    const codes = [(await one.ended).code, (await other.ended).code];
    expect(codes.toSorted()).toEqual([0, 1]);
  });

  it("does not remember what its reader did not take", async () => {
    const log = newLog(folder);
    await json(["append", ...log.store, "--stdin", "--batch", "1000"], { input: events(20_000) });
    const args = ["read", ...log.store, "--follow", "--interval", "0.05", "--json", "--position", "p"];
    const child = start(args);
    child.stdout.once("data", () => child.stdout.destroy());
    expect((await child.ended).code).toBe(0);
    const again = await rynxs([...args, "--limit", "1"]);
    const [next = 0] = seqs(again.stdout);
    expect(next).toBeLessThan(20_000);
  });

  it("refuses names and combinations that make no sense", async () => {
    for (const args of [
      ["--position", "p"],
      ["--follow", "--position", "a/b"],
      ["--follow", "--position", ""],
    ]) {
      const { code, stderr } = await rynxs(["read", ...store, ...args]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error INVALID_CONFIG: /);
    }
  });
});
