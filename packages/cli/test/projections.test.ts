import { appendFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { events, json, newLog, rynxs, start, temporaryFolder, ZEROS } from "./rynxs.js";

const folder = await temporaryFolder();
let files = 0;

async function moduleOf(code: string): Promise<string> {
  files += 1;
  const file = join(folder, `projection-${String(files)}.mjs`);
  await writeFile(file, code);
  return file;
}

const counts = await moduleOf(`export default {
  name: "counts",
  version: 1,
  initial: {},
  apply(state, { type }) {
    state[type] = (state[type] ?? 0) + 1;
    return state;
  },
};`);
const COUNTS = { Type0: 7, Type1: 7, Type2: 6 };

interface Replayed {
  readonly state: unknown;
  readonly from: number;
  readonly events: number;
  readonly head: { readonly seq: number; readonly hash: string };
}

async function logOf(count: number): Promise<{ path: string; store: string[] }> {
  const log = newLog(folder);
  await json(["append", ...log.store, "--stdin", "--batch", "1000"], { input: events(count) });
  return log;
}

const replay = (store: readonly string[], ...args: string[]): Promise<Replayed> =>
  json<Replayed>(["replay", ...store, "--projection", counts, ...args]);

describe("replay", () => {
  let store: string[] = [];
  beforeAll(async () => {
    ({ store } = await logOf(20));
  });

  it("prints the state for people, and says where it comes from", async () => {
    const { code, stdout, stderr } = await rynxs(["replay", ...store, "--projection", counts]);
    expect(code).toBe(0);
    expect(stdout).toBe('{\n  "Type0": 7,\n  "Type1": 7,\n  "Type2": 6\n}\n');
    expect(stderr).toMatch(/^counts, version 1, at 19:[0-9a-f]{64}: 20 events from the beginning of the log\n$/);
  });

  it("prints canonical JSON with --json", async () => {
    const { code, stdout, stderr } = await rynxs(["replay", ...store, "--projection", counts, "--json"]);
    expect([code, stderr]).toEqual([0, ""]);
    const { head } = await replay(store);
    const hash = (JSON.parse(stdout) as { state_hash: string }).state_hash;
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(stdout).toBe(
      `{"events":20,"from":-1,"head":{"hash":"${head.hash}","seq":19},"projection":"counts","state":{"Type0":7,"Type1":7,"Type2":6},"state_hash":"${hash}","version":1}\n`,
    );
  });

  it("stops where it is told to, and runs twice", async () => {
    expect(await replay(store, "--to", "4")).toMatchObject({ events: 5, state: { Type0: 2, Type1: 2, Type2: 1 } });
    expect(await replay(store, "--twice")).toMatchObject({ state: COUNTS });
    const { stderr } = await rynxs(["replay", ...store, "--projection", counts, "--twice"]);
    expect(stderr).toContain("20 events from the beginning of the log, twice, with the same state");
  });

  it("says which event a projection is not deterministic at", async () => {
    const file = await moduleOf(`let calls = 0;
      export const projection = { name: "p", version: 1, initial: 0, apply: (s, { seq }) => (seq === 13 ? ++calls : s) };`);
    expect((await rynxs(["replay", ...store, "--projection", file])).code).toBe(0);
    const { code, stderr } = await rynxs(["replay", ...store, "--projection", file, "--twice"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error NOT_DETERMINISTIC: .*first at seq 13 \(type Type1\)\n/);
    expect(stderr).toMatch(/\n {2}seq {7}13\n {2}expected {2}[0-9a-f]{64}\n {2}actual {4}[0-9a-f]{64}\nhint: /);
  });

  it("says which event an exception comes from", async () => {
    const file = await moduleOf(`export default { name: "p", version: 1, initial: 0, apply(s, event) {
      if (event.seq === 8) throw new RangeError("no such account");
      return s;
    } };`);
    const { code, stdout } = await rynxs(["replay", ...store, "--projection", file, "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: {
        code: "PROJECTION_FAILED",
        seq: 8,
        message: "projection p, version 1, threw at seq 8 (type Type2): RangeError: no such account",
      },
    });
  });

  it("says what is wrong with FILE", async () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      [join(folder, "missing.mjs"), /there is no file .*missing\.mjs/],
      [await moduleOf("export const x = 1;"), /exports no projection/],
      [await moduleOf("export default 5;"), /exports no projection/],
      [await moduleOf("export default {;"), /cannot be loaded: SyntaxError/],
      [await moduleOf('throw new Error("at once");'), /cannot be loaded: Error: at once/],
      [await moduleOf('export default { name: "a b", version: 1, initial: 0, apply() {} };'), /name of a projection/],
      [await moduleOf('export default { name: "a", version: 0, initial: 0, apply() {} };'), /positive integer/],
      [await moduleOf('export default { name: "a", version: 1, initial: 0 };'), /must be a function/],
    ];
    for (const [file, message] of wrong) {
      const { code, stderr } = await rynxs(["replay", ...store, "--projection", file]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error INVALID_CONFIG: --projection: /);
      expect(stderr).toMatch(message);
      expect(stderr).toContain("\nhint: ");
    }
    expect((await rynxs(["replay", ...store])).stderr).toContain("--projection");
  });

  it("fails with exit 2 when the log is at fault", async () => {
    const log = await logOf(5);
    const text = await readFile(log.path, "utf8");
    await writeFile(log.path, text.replace('{"i":3}', '{"i":4}'));
    const { code, stderr } = await rynxs(["replay", ...log.store, "--projection", counts]);
    expect(code).toBe(2);
    expect(stderr).toContain("HASH_MISMATCH");
  });

  it("prints every digit, and takes a module that imports the library", async () => {
    const log = newLog(folder);
    const payload = '{"n":12345678901234567890}';
    await json(["append", ...log.store, "--type", "T", "--aggregate", "a", "--payload", payload]);
    const file = await moduleOf(
      `export default { name: "big", version: 1, initial: {}, apply: (_, { payload }) => ({ twice: payload.n * 2n, list: [1.5, []], e: {} }) };`,
    );
    const { stdout } = await rynxs(["replay", ...log.store, "--projection", file, "--json"]);
    expect(stdout).toContain('"state":{"e":{},"list":[1.5,[]],"twice":24691357802469135780}');
    const people = await rynxs(["replay", ...log.store, "--projection", file]);
    expect(people.stdout).toBe(
      '{\n  "e": {},\n  "list": [\n    1.5,\n    []\n  ],\n  "twice": 24691357802469135780\n}\n',
    );
  });
});

describe("snapshot", () => {
  it("writes what replay begins with", async () => {
    const { path, store } = await logOf(20);
    const args = ["snapshot", ...store, "--projection", counts];
    const { head } = await replay(store);
    expect(await json(args)).toMatchObject({
      projection: "counts",
      version: 1,
      seq: 19,
      from: -1,
      events: 20,
      head,
    });
    expect(await replay(store)).toMatchObject({ from: 19, events: 0, state: COUNTS, head });
    expect((await rynxs(args)).stdout).toBe(`nothing new behind the snapshot of seq 19\nhead 19:${head.hash}\n`);
    await json(["append", ...store, "--type", "Type0", "--aggregate", "a"]);
    expect(await replay(store)).toMatchObject({ from: 19, events: 1, state: { ...COUNTS, Type0: 8 } });
    expect(await replay(store, "--no-snapshot")).toMatchObject({ from: -1, events: 21 });
    expect((await rynxs(args)).stdout).toMatch(/^snapshot of seq 20, 1 event behind seq 19\nhead 20:/);
    expect((await readdir(folder)).some((name) => name.startsWith(path.split("/").at(-1) ?? "?"))).toBe(true);
  });

  it("writes one after every N events, keeps the newest, lists and deletes them", async () => {
    const { store } = await logOf(95);
    const args = ["snapshot", ...store, "--projection", counts];
    await json([...args, "--every", "10", "--keep", "3"]);
    const listed = await json<{ snapshots: { seq: number; version: number; bytes: number }[] }>([...args, "--list"]);
    expect(listed.snapshots.map(({ seq, version }) => [seq, version])).toEqual([
      [79, 1],
      [89, 1],
      [94, 1],
    ]);
    const table = (await rynxs([...args, "--list"])).stdout.split("\n");
    expect(table[0]).toMatch(/^VERSION +SEQ +BYTES/);
    expect(table[3]).toMatch(/^ +1 +94 +[0-9]+/);
    expect(await json([...args, "--delete"])).toEqual({ projection: "counts", deleted: 3 });
    expect((await rynxs([...args, "--list"])).stdout).toBe("no snapshots of counts\n");
    for (const wrong of [
      ["--list", "--delete"],
      ["--list", "--every", "5"],
      ["--delete", "--keep", "1"],
      ["--keep", "0"],
    ])
      expect((await rynxs([...args, ...wrong])).code).toBe(1);
  });

  it("has none of an empty log", async () => {
    const { path, store } = newLog(folder);
    await appendFile(path, "");
    expect(await json(["snapshot", ...store, "--projection", counts])).toMatchObject({
      seq: null,
      events: 0,
      head: { seq: -1, hash: ZEROS },
    });
  });

  it("does not use one that was tampered with, and says so", async () => {
    const { path, store } = await logOf(20);
    await json(["snapshot", ...store, "--projection", counts]);
    const [file] = await findSnapshots(path);
    const text = await readFile(file ?? "", "utf8");
    await writeFile(file ?? "", text.replace('"Type0":7', '"Type0":8'));
    const { stdout, stderr } = await rynxs(["replay", ...store, "--projection", counts, "--json"]);
    expect(stderr).toMatch(
      /^warning SNAPSHOT_UNUSABLE: .*0000000019\.json is of no use: its state does not have the hash/,
    );
    expect(JSON.parse(stdout)).toMatchObject({ from: -1, state: COUNTS });
    await json(["snapshot", ...store, "--projection", counts]);
    expect(await readFile(file ?? "", "utf8")).toBe(text);
  });

  it("can be interrupted, and goes on from the last one", async () => {
    const { store } = await logOf(3000);
    const slow = await moduleOf(`export default { name: "slow", version: 1, initial: 0, apply(state, { seq }) {
      if (seq === 1500 && !process.env.QUICK) { console.log("half-way"); const end = Date.now() + 300; while (Date.now() < end); }
      return state + 1;
    } };`);
    const args = ["snapshot", ...store, "--projection", slow, "--every", "1000"];
    const running = start([...args, "--json"]);
    running.stdin.end();
    await running.said("half-way");
    running.kill("SIGINT");
    const { code, stdout } = await running.ended;
    expect(code).toBe(130);
    expect(stdout).toContain('"code":"INTERRUPTED"');
    const again = await json<{ from: number }>(args, { env: { QUICK: "1" } });
    expect(again).toMatchObject({ seq: 2999, events: 2999 - again.from });
    // The signal may have come before or after the second one was written.
    expect([999, 1999]).toContain(again.from);
    expect(await json(["replay", ...store, "--projection", slow], { env: { QUICK: "1" } })).toMatchObject({
      state: 3000,
    });
  });
});

/** The files of all snapshots beside a log. */
async function findSnapshots(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && entry.parentPath.startsWith(path) && entry.parentPath.includes("_snapshots"))
      found.push(join(entry.parentPath, entry.name));
  return found;
}
