import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { events, json, newLog, rynxs, start, temporaryFolder, ZEROS } from "./rynxs.js";

const folder = await temporaryFolder();

interface Appended {
  readonly seq: number;
  readonly event_hash: string;
  readonly prev_hash: string;
}

describe("append of one event", () => {
  it("says the seq and the hash, for people and as JSON", async () => {
    const { path, store } = newLog(folder);
    const args = ["append", ...store, "--type", "OrderPlaced", "--aggregate", "order-1"];
    const first = await json<Appended>([...args, "--payload", '{"total":42}', "--meta", '{"by":"x"}', "--ts", "7"]);
    expect(first).toEqual({ seq: 0, event_hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string, prev_hash: ZEROS });
    const { code, stdout, stderr } = await rynxs(args);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^appended seq 1 {2}event_hash [0-9a-f]{64}\n$/);
    const [line] = (await readFile(path, "utf8")).split("\n");
    expect(line).toBe(
      `{"event":{"aggregate_id":"order-1","meta":{"by":"x"},"payload":{"total":42},"seq":0,"ts":7,"type":"OrderPlaced"},"event_hash":"${first.event_hash}","prev_hash":"${ZEROS}"}`,
    );
  });

  it("keeps the digits of numbers, in payload, meta and timestamp", async () => {
    const { path, store } = newLog(folder);
    const numbers = '{"a":1.0,"b":12345678901234567890123,"c":1e16}';
    await json([
      "append",
      ...store,
      "--type",
      "T",
      "--aggregate",
      "a",
      "--payload",
      numbers,
      "--meta",
      numbers,
      "--ts",
      "-12345678901234567890",
    ]);
    const stored = '{"a":1.0,"b":12345678901234567890123,"c":1e+16}';
    expect(await readFile(path, "utf8")).toContain(
      `"meta":${stored},"payload":${stored},"seq":0,"ts":-12345678901234567890,`,
    );
  });

  it("takes a payload from a file or from standard input", async () => {
    const { path, store } = newLog(folder);
    const file = join(folder, "payload.json");
    await writeFile(file, '{ "from": "file" }\n');
    await json(["append", ...store, "--type", "T", "--aggregate", "a", "--payload", `@${file}`]);
    await json(["append", ...store, "--type", "T", "--aggregate", "a", "--payload", "@-"], {
      input: '{"from":"stdin"}',
    });
    const text = await readFile(path, "utf8");
    expect(text).toContain('"payload":{"from":"file"}');
    expect(text).toContain('"payload":{"from":"stdin"}');
  });

  it.each([
    ['{"a":', "INVALID_EVENT"],
    ["{'a':1}", "INVALID_EVENT"],
    ['{"a":NaN}', "INVALID_EVENT"],
    ['{"a":1,"a":2}', "INVALID_EVENT"],
    ['{"a":"\\ud800"}', "INVALID_EVENT"],
    ["[1]", "INVALID_CONFIG"],
    ["@/nonexistent/file", "INVALID_CONFIG"],
  ])("refuses the payload %s", async (payload, errorCode) => {
    const { store } = newLog(folder);
    const { code, stdout } = await rynxs([
      "append",
      ...store,
      "--type",
      "T",
      "--aggregate",
      "a",
      "--payload",
      payload,
      "--json",
    ]);
    expect(code).toBe(1);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint: string } };
    expect(error.code).toBe(errorCode);
    expect(error.message).toMatch(/^--payload/);
    expect(error.hint).toMatch(/\w/);
    expect((await json<{ seq: number }>(["head", ...store]).catch(() => ({ seq: -1 }))).seq).toBe(-1);
  });

  it("refuses an empty type", async () => {
    const { code, stderr } = await rynxs(["append", ...newLog(folder).store, "--type", "", "--aggregate", "a"]);
    expect(code).toBe(1);
    expect(stderr).toContain("error INVALID_EVENT: event refused at $.type: must be a non-empty string");
  });

  it("is conditional with --expect-prev", async () => {
    const { store } = newLog(folder);
    const args = ["append", ...store, "--type", "T", "--aggregate", "a", "--expect-prev"];
    const { event_hash } = await json<Appended>([...args, ZEROS]);
    const lost = await rynxs([...args, ZEROS]);
    expect([lost.code, lost.stdout]).toEqual([1, ""]);
    expect(lost.stderr).toMatch(/^error CONFLICT: /);
    expect(lost.stderr).toContain(`  expected  ${ZEROS}\n  actual    ${event_hash}\nhint: `);
    expect((await json<Appended>([...args, event_hash])).seq).toBe(1);
    const asJson = await rynxs([...args, ZEROS, "--json"]);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ error: { code: "CONFLICT", expected: ZEROS } });
  });

  it("finds its log in the environment", async () => {
    const { path } = newLog(folder);
    await json(["append", "--type", "T", "--aggregate", "a"], {
      env: { EVENT_STORE_PATH: path, RYNXS_HASH_VERSION: "v2" },
    });
    expect(await readFile(path, "utf8")).toMatch(/^\{"event":\{"aggregate_id":"a","hash_version":"v2","payload":/);
  });

  it("says what is wrong with an unusable path", async () => {
    for (const path of [folder, "/dev/null/events.log"]) {
      const { code, stderr } = await rynxs(["append", "--store", `file:${path}`, "--type", "T", "--aggregate", "a"]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error PATH_UNUSABLE: .*\n(.*\n)*hint: /);
    }
  });
});

describe("append --stdin", () => {
  it.each([[[]], [["--batch", "7"]]])("appends the events of all lines %j", async (batch) => {
    const { store } = newLog(folder);
    const { code, stdout, stderr } = await rynxs(["append", ...store, "--stdin", ...batch], {
      input: `\n  \r\n${events(25)}\n`,
    });
    expect([code, stderr]).toEqual([0, ""]);
    const { hash } = await json<{ hash: string }>(["head", ...store]);
    expect(stdout).toBe(`25 events appended, seq 0 to 24\nhead 24:${hash}\n`);
    expect(await json(["append", ...store, "--stdin", ...batch], { input: events(8) })).toEqual({
      appended: 8,
      first_seq: 25,
      last_seq: 32,
      head: { seq: 32, hash: (await json<{ hash: string }>(["head", ...store])).hash },
    });
    expect(await json(["verify", ...store])).toMatchObject({ valid: true, events: 33 });
  });

  it("takes a last line without a newline, CR LF, and nothing at all", async () => {
    const { store } = newLog(folder);
    const input = '{"type":"A","aggregate_id":"a"}\r\n{"type":"B","aggregate_id":"b"}';
    expect(await json(["append", ...store, "--stdin"], { input })).toMatchObject({ appended: 2, last_seq: 1 });
    expect(await json(["append", ...store, "--stdin"], { input: "" })).toEqual({ appended: 0 });
  });

  it("keeps the digits of numbers", async () => {
    const { path, store } = newLog(folder);
    const input =
      '{"type":"A","aggregate_id":"a","ts":123456789012345678901,"payload":{"n":1.0,"m":-0.0,"k":1E-7},"meta":{"x":10.50}}';
    await json(["append", ...store, "--stdin"], { input });
    expect(await readFile(path, "utf8")).toContain(
      '"meta":{"x":10.5},"payload":{"k":1e-07,"m":-0.0,"n":1.0},"seq":0,"ts":123456789012345678901,',
    );
  });

  it("splits lines on newline bytes alone, wherever the input is cut", async () => {
    const { path, store } = newLog(folder);
    const child = start(["append", ...store, "--stdin", "--json"]);
    const bytes = Buffer.from('{"type":"ünï\u2028\u0085","aggregate_id":"日本"}\n{"type":"B","aggregate_id":"b"}\n');
    for (const byte of bytes) {
      child.stdin.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    child.stdin.end();
    const { code } = await child.ended;
    expect(code).toBe(0);
    expect(await readFile(path, "utf8")).toContain('"type":"ünï\u2028\u0085"');
  });

  const deep = `${'{"a":'.repeat(129)}1${"}".repeat(129)}`;
  it.each([
    ["not JSON", "nonsense", "$"],
    ["an array", "[]", "$"],
    ["no type", '{"aggregate_id":"a"}', "$.type"],
    ["an unknown field", '{"type":"A","aggregate_id":"a","seq":1}', '$["seq"]'],
    ["a camelCase field", '{"type":"A","aggregateId":"a"}', '$["aggregateId"]'],
    ["a float timestamp", '{"type":"A","aggregate_id":"a","ts":1.5}', "$.ts"],
    ["a list as payload", '{"type":"A","aggregate_id":"a","payload":[]}', "$.payload"],
    ["a key twice", '{"type":"A","type":"B","aggregate_id":"a"}', "$"],
    ["deep nesting", `{"type":"A","aggregate_id":"a","payload":${deep}}`, "$.payload"],
    ["a byte-order mark", '\ufeff{"type":"A","aggregate_id":"a"}', "$"],
  ])("refuses %s by its line number; what came before is in the log, nothing behind it", async (_, bad, path) => {
    for (const batch of [[], ["--batch", "100"]]) {
      const { store } = newLog(folder);
      const { code, stdout, stderr } = await rynxs(["append", ...store, "--stdin", ...batch], {
        input: `${events(3)}\n${bad}\n${events(2)}`,
      });
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(
        /^error INVALID_EVENT: line 5 refused: .*; everything before it is in the log, up to seq 2\n/,
      );
      expect(stderr).toContain("  line           5\n");
      expect(stderr).toContain(`  path           ${path}`);
      expect(await json(["verify", ...store])).toMatchObject({ valid: true, events: 3 });
    }
  });

  it("refuses bytes that are not UTF-8, and says so as JSON", async () => {
    const { store } = newLog(folder);
    const input = Buffer.concat([Buffer.from(events(1)), Buffer.from([0x22, 0xff, 0x22, 0x0a])]);
    const { code, stdout } = await rynxs(["append", ...store, "--stdin", "--json"], { input });
    expect(code).toBe(1);
    const { hash } = await json<{ hash: string }>(["head", ...store]);
    expect(JSON.parse(stdout)).toEqual({
      appended: 1,
      first_seq: 0,
      last_seq: 0,
      head: { seq: 0, hash },
      error: {
        code: "INVALID_EVENT",
        message: "line 2 refused: event refused at $: not UTF-8; everything before it is in the log, up to seq 0",
        line: 2,
        log_up_to_seq: 0,
        path: "$",
        hint: "write the input as UTF-8",
      },
    });
  });

  it("refuses a record over 8 MiB by its line number", async () => {
    const { store } = newLog(folder);
    const large = `{"type":"A","aggregate_id":"a","payload":{"text":"${"x".repeat(8 * 1024 * 1024)}"}}`;
    for (const batch of [[], ["--batch", "10"]]) {
      const { code, stderr } = await rynxs(["append", ...store, "--stdin", ...batch], {
        input: `${events(2)}${large}\n${events(1)}`,
      });
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^error TOO_LARGE: line 3 refused: .*; everything before it is in the log, up to seq \d+\n/,
      );
    }
    expect(await json(["verify", ...store])).toMatchObject({ valid: true, events: 4 });
  });

  it("lets nobody get in between with --expect-prev", async () => {
    const { store } = newLog(folder);
    const args = ["append", ...store, "--stdin", "--expect-prev"];
    expect(await json([...args, ZEROS], { input: events(5) })).toMatchObject({ appended: 5, last_seq: 4 });
    const { code, stderr } = await rynxs([...args, ZEROS], { input: events(5) });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error CONFLICT: at line 1: .*; nothing before it was appended\n/);
    expect(await json(["verify", ...store])).toMatchObject({ events: 5 });
  });

  it("stops at Ctrl-C, saying what is in the log", async () => {
    const { path, store } = newLog(folder);
    const child = start(["append", ...store, "--stdin"]);
    child.stdin.write(events(2));
    while ((await readFile(path, "utf8").catch(() => "")).split("\n").length < 3)
      await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill("SIGINT");
    const { code, stderr } = await child.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(
      /^error INTERRUPTED: stopped by a signal: 2 events appended, seq 0 to 1, head 1:[0-9a-f]{64}\n/,
    );
  });
});

describe("append --expect-version", () => {
  const one = (store: readonly string[], id: string, ...more: string[]): string[] => {
    return ["append", ...store, "--type", "T", "--aggregate", id, "--ts", "1", ...more];
  };

  it("appends at that version of the aggregate, and nowhere else", async () => {
    const { store } = newLog(folder);
    expect(await json(one(store, "a", "--expect-version", "0"))).toMatchObject({ seq: 0, version: 1 });
    expect(await json(one(store, "b"))).not.toHaveProperty("version");
    const { stdout } = await rynxs(one(store, "a", "--expect-version", "1"));
    expect(stdout).toMatch(/^appended seq 2 {2}version 2 {2}event_hash [0-9a-f]{64}\n$/);
    const late = await rynxs(one(store, "a", "--expect-version", "1"));
    expect(late.code).toBe(1);
    expect(late.stderr).toMatch(
      /^error CONFLICT: the aggregate does not have the expected version; nothing was appended\n {2}expected {2}1\n {2}actual {4}2\n/,
    );
    const other = await rynxs(one(store, "a", "--expect-version", "2", "--expect-prev", ZEROS));
    expect(other.stderr).toContain("the log's last event_hash is not the expected one");
    for (const bad of ["-1", "x", "1.5"])
      expect((await rynxs(one(store, "a", `--expect-version=${bad}`))).code).toBe(1);
    expect((await rynxs(["append", ...store, "--stdin", "--expect-version", "2"])).code).toBe(1);
    expect(await json<{ seq: number }>(["head", ...store])).toMatchObject({ seq: 2 });
  });
});
