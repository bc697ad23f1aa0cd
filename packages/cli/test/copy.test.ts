import { access, copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { events, json, newLog, rynxs, temporaryFolder, VECTORS } from "./rynxs.js";

const folder = await temporaryFolder();

describe("copy", () => {
  it("copies a log byte for byte, and then what is new", async () => {
    const [from, to] = [newLog(folder), newLog(folder)];
    await copyFile(join(VECTORS, "chain-mixed.jsonl"), from.path);
    const args = ["copy", `file:${from.path}`, `file:${to.path}`];
    const first = await rynxs(args);
    expect([first.code, first.stderr]).toEqual([0, ""]);
    const head = (await rynxs(["head", ...from.store])).stdout.trim();
    expect(first.stdout).toBe(`200 events copied, seq 0 to 199\nhead of FROM  ${head}\nhead of TO    ${head}\n`);
    expect(await readFile(to.path)).toEqual(await readFile(from.path));
    expect((await rynxs(args)).stdout).toContain("nothing to copy");
    await json(["append", ...from.store, "--stdin"], { input: events(3) });
    expect(await json(args)).toMatchObject({ copied: 3, first_seq: 200, head: { seq: 202 } });
    expect(await readFile(to.path)).toEqual(await readFile(from.path));
  });

  it("goes on behind what an interrupted copy left", async () => {
    const [from, to] = [newLog(folder), newLog(folder)];
    await copyFile(join(VECTORS, "chain-v1.jsonl"), from.path);
    const lines = (await readFile(from.path, "utf8")).split("\n");
    await writeFile(to.path, `${lines.slice(0, 77).join("\n")}\n`);
    const { code, stdout, stderr } = await rynxs(["copy", `file:${from.path}`, `file:${to.path}`, "--batch", "10"]);
    expect(code).toBe(0);
    expect(stdout).toContain("123 events copied, seq 77 to 199\n");
    expect(stderr).toBe(`file:${to.path} already holds the log up to seq 76: going on behind it\n`);
    expect(await readFile(to.path)).toEqual(await readFile(from.path));
  });

  it("refuses a target that is not the beginning of the source", async () => {
    const [from, to, longer] = [newLog(folder), newLog(folder), newLog(folder)];
    await json(["append", ...from.store, "--stdin"], { input: events(5) });
    await json(["append", ...to.store, "--stdin"], { input: '{"type":"Other","aggregate_id":"o"}\n' });
    const before = await readFile(to.path);
    const { code, stderr } = await rynxs(["copy", `file:${from.path}`, `file:${to.path}`]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error NOT_A_PREFIX: .* is not the beginning of .*: nothing was copied\n {2}seq +0\n {2}expected +[0-9a-f]{64}\n {2}actual +[0-9a-f]{64}\nhint: /,
    );
    expect(await readFile(to.path)).toEqual(before);

    await copyFile(from.path, longer.path);
    await json(["append", ...longer.store, "--stdin"], { input: events(1) });
    const ahead = await rynxs(["copy", `file:${from.path}`, `file:${longer.path}`, "--json"]);
    expect(ahead.code).toBe(1);
    expect(JSON.parse(ahead.stdout)).toMatchObject({
      error: { code: "NOT_A_PREFIX", seq: 5, expected: "no record 5 in FROM" },
    });
  });

  it("copies the good records before a fault, then fails with exit 2", async () => {
    const [from, to] = [newLog(folder), newLog(folder)];
    await copyFile(join(VECTORS, "tampered", "payload-changed.jsonl"), from.path);
    const { code, stderr } = await rynxs(["copy", `file:${from.path}`, `file:${to.path}`]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error HASH_MISMATCH: file:.* holds the log up to seq 16; then: .*\n {2}seq +17\n/);
    expect(await json(["verify", ...to.store])).toMatchObject({ valid: true, events: 17 });
  });

  it("says that the source is not there, and makes no target then", async () => {
    const [from, to] = [newLog(folder), newLog(folder)];
    const { code, stderr } = await rynxs(["copy", `file:${from.path}`, `file:${to.path}`]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error PATH_UNUSABLE: /);
    await expect(access(to.path)).rejects.toThrow("ENOENT");
  });
});
