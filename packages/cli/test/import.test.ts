import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { events, json, newLog, rynxs, start, temporaryFolder } from "./rynxs.js";

const folder = await temporaryFolder();
let files = 0;

async function file(content: string, suffix = ".ndjson"): Promise<string> {
  const path = join(folder, `input-${String((files += 1))}${suffix}`);
  await writeFile(path, content);
  return path;
}

interface Shown {
  readonly type: string;
  readonly aggregate_id: string;
  readonly payload: unknown;
}

/** What the map makes of the lines. */
async function mapped(
  map: unknown,
  ...lines: string[]
): Promise<{ events: number; skipped: number; lines: number; first: Shown[]; text: string }> {
  const args = [
    "import",
    await file(lines.join("\n")),
    "--map",
    await file(typeof map === "string" ? map : JSON.stringify(map), ".json"),
    "--dry-run",
  ];
  const { code, stdout } = await rynxs([...args, "--json"]);
  if (code !== 0) throw new Error(stdout);
  return {
    ...(JSON.parse(stdout) as { events: number; skipped: number; lines: number; first: Shown[] }),
    text: stdout,
  };
}

async function eventsOf(store: readonly string[]): Promise<Record<string, unknown>[]> {
  const { stdout } = await rynxs(["export", ...store]);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const BASE = { type: { const: "T" }, aggregate_id: { const: "a" } };

describe("a map", () => {
  it("takes values by path, as constants, from templates and with defaults, their digits kept", async () => {
    const map = {
      type: "$.eventType",
      aggregate_id: { template: 'order-{$.order["id no"]}/{$.lines[0].sku}{{}}' },
      ts: { path: "$.at", format: "verbatim" },
      payload: {
        data: "$.data",
        first: "$.lines[0]",
        gone: { path: "$.none", optional: true },
        empty: { path: "$.nil", default: { deep: 1.5 } },
        kept: "$.nil",
        deeper: { object: { const: "$.eventType" } },
      },
      meta: { source: { const: "legacy" }, n: { const: 18446744073709551616.0 } },
    };
    const line = `{"eventType":"Pl\\u00e4ced","order":{"id no":18446744073709551617},"at":123456789012345678901,"data":{"f":1.0,"big":18446744073709551616},"lines":[{"sku":"é😀"}],"nil":null}`;
    const { first, text } = await mapped(
      JSON.stringify(map).replace("18446744073709552000", "18446744073709551616"),
      line,
    );
    expect(first).toHaveLength(1);
    expect(text).toContain('"aggregate_id":"order-18446744073709551617/é😀{}","ts":123456789012345678901,');
    expect(text).toContain(
      '"payload":{"data":{"big":18446744073709551616,"f":1.0},"deeper":{"const":"Pläced"},"empty":{"deep":1.5},"first":{"sku":"é😀"},"kept":null}',
    );
    expect(text).toContain('"meta":{"n":18446744073709551616,"source":"legacy"}');
  });

  it.each([
    ["iso8601", '"2024-02-29T12:34:56.789Z"', {}, "1709210096789"],
    ["iso8601", '"2024-02-29 12:34:56,7+02:00"', {}, "1709202896700"],
    ["iso8601", '"2024-02-29T12:34:56.123000000Z"', {}, "1709210096123"],
    ["iso8601", '"2024-02-29"', { zone: "-0130" }, "1709170200000"],
    ["iso8601", '"1969-12-31T23:59:59.9995Z"', { truncate: true }, "-1"],
    ["unix_s", "1700000000", {}, "1700000000000"],
    ["unix_s", "1700000000.5", {}, "1700000000500"],
    ["unix_s", '"1700000000.123"', {}, "1700000000123"],
    ["unix_s", "-1.0015", { truncate: true }, "-1002"],
    ["unix_ms", "9007199254740993", {}, "9007199254740993"],
    ["unix_us", "1700000000123000", {}, "1700000000123"],
    ["unix_ns", '"1700000000123456789"', { truncate: true }, "1700000000123"],
    ["verbatim", '"-12345678901234567890"', {}, "-12345678901234567890"],
  ])("reads %s %s %j as %s", async (format, value, options, ts) => {
    const { text } = await mapped({ ...BASE, ts: { path: "$.t", format, ...options } }, `{"t":${value}}`);
    expect(text).toContain(`"ts":${ts},`);
  });

  it.each([
    ["iso8601", '"2024-02-30T00:00:00Z"', "is no time that exists"],
    ["iso8601", '"2024-02-29T25:00:00Z"', "is no time that exists"],
    ["iso8601", '"2024-02-29T12:00:00"', "has no time zone"],
    ["iso8601", '"yesterday"', "is not an ISO 8601 time"],
    ["iso8601", '"2024-02-29T12:34:56.1234Z"', "is finer than a millisecond"],
    ["iso8601", "null", "is not an ISO 8601 time"],
    ["unix_s", "1.0001", "is finer than a millisecond"],
    ["unix_ns", "1700000000123456789", "is finer than a millisecond"],
    ["unix_ms", '"0x10"', "is not a decimal number"],
    ["unix_ms", "true", "is not a decimal number"],
    ["verbatim", "1.0", "is not an integer"],
  ])("refuses %s %s: it %s", async (format, value, problem) => {
    const map = { ...BASE, ts: { path: "$.t", format } };
    await expect(
      mapped(
        map,
        '{"t":"2024-02-29T00:00:00Z"}'.replace(/"2024.*"/, format === "iso8601" ? '"2024-02-29T00:00:00Z"' : "1"),
        `{"t":${value}}`,
      ),
    ).rejects.toThrow(problem);
  });

  it("skips lines by value, by list and by presence", async () => {
    const skip = [
      { path: "$.k", equals: "beat" },
      { path: "$.k", in: [1, null] },
      { path: "$.id", exists: false },
    ];
    const {
      events: kept,
      skipped,
      lines,
    } = await mapped(
      { ...BASE, skip },
      '{"k":"beat","id":1}',
      '{"k":1,"id":1}',
      '{"k":null,"id":1}',
      '{"k":1.0,"id":1}',
      '{"id":1}',
      '{"k":"x"}',
      "",
    );
    expect([kept, skipped, lines]).toEqual([2, 4, 6]);
  });

  it.each([
    [{ aggregate_id: "$.a" }, "the map, at $.type: is missing"],
    [{ ...BASE, typ: "$.a" }, 'the map, at $["typ"]: is not known here'],
    [{ ...BASE, type: "eventType" }, 'the map, at $.type: "eventType" is no path'],
    [{ ...BASE, type: "$.a..b" }, "is no path"],
    [{ ...BASE, type: "$[-1]" }, "is no path"],
    [{ ...BASE, type: { const: "T", path: "$.t" } }, 'the map, at $.type["path"]: is not known here'],
    [{ ...BASE, type: { template: "a-{$.b" } }, "the map, at $.type.template: has a single {"],
    [{ ...BASE, type: { template: "a-{b}" } }, '"b" is no path'],
    [{ ...BASE, payload: { n: 5 } }, 'the map, at $.payload["n"]: is no rule'],
    [{ ...BASE, payload: { a: { path: "$.x", optional: "yes" } } }, "must be true or false"],
    [{ ...BASE, payload: { a: { path: "$.x", optional: true, default: 1 } } }, "is optional and has a default"],
    [{ ...BASE, ts: { path: "$.t", format: "unix" } }, 'the map, at $.ts.format: "unix" is not known'],
    [{ ...BASE, ts: { path: "$.t", format: "iso8601", zone: "CET" } }, "the map, at $.ts.zone: must be"],
    [{ ...BASE, skip: { path: "$.a", equals: 1 } }, "the map, at $.skip: must be an array"],
    [{ ...BASE, skip: [{ path: "$.a" }] }, "must say one of equals, in, exists"],
    ["[]", "the map, at $: must be an object"],
    ['{"type":"$.a","type":"$.b"}', "the map is not JSON"],
  ])("that is wrong is refused before anything is read: %j", async (map, message) => {
    const path = await file(typeof map === "string" ? map : JSON.stringify(map), ".json");
    const { code, stderr } = await rynxs(["import", join(folder, "never-read"), "--map", path, "--dry-run"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error INVALID_CONFIG: the map/);
    expect(stderr).toContain(message);
  });

  it.each([
    [{ ...BASE, type: "$.t" }, '{"t":7}', "does not give a type: a non-empty string", "$.t"],
    [{ ...BASE, type: "$.t" }, '{"t":""}', "does not give a type", "$.t"],
    [{ ...BASE, type: "$.t" }, '{"u":1}', "there is no such value in this line", "$.t"],
    [{ ...BASE, type: { template: "{$.t}" } }, '{"t":{}}', "is neither a string nor a number", "$.t"],
    [{ ...BASE, payload: "$.d" }, '{"d":[1]}', "does not give a payload: an object", "$.d"],
    [{ ...BASE, payload: "$.d" }, "[1]", "there is no such value", "$.d"],
    [BASE, '{"a":1,"a":2}', "duplicate key", "$.a"],
    [BASE, '{"a":1e400}', "beyond the range", "$.a"],
    [BASE, '{"a":"\\ud800"}', "lone surrogate", "$.a"],
    [BASE, "{a:1}", "an object key is expected", "$"],
  ])("tells line and path of what it cannot map: %j %s", async (map, line, message, path) => {
    const input = await file(`\n${line}\n`);
    const args = ["import", input, "--map", await file(JSON.stringify(map), ".json"), "--dry-run", "--json"];
    const { code, stdout } = await rynxs(args);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "INVALID_EVENT", line: 2, path } });
    expect((JSON.parse(stdout) as { error: { message: string } }).error.message).toMatch(
      /^line 2 refused: event refused at /,
    );
    expect(stdout).toContain(message);
  });
});

describe("import", () => {
  it("takes its own events, in every form that the command line writes or takes", async () => {
    const log = newLog(folder);
    await json(["append", ...log.store, "--stdin"], { input: events(20) });
    const forms = [["export"], ["export", "--raw"], ["read", "--json"]];
    for (const form of forms) {
      const { stdout } = await rynxs([...form, ...log.store]);
      const copy = newLog(folder);
      expect(await json(["import", await file(stdout), ...copy.store])).toMatchObject({
        imported: 20,
        first_seq: 0,
        last_seq: 19,
      });
      expect(await readFile(copy.path)).toEqual(await readFile(log.path));
    }
    const copy = newLog(folder);
    await json(["import", await file(events(20)), ...copy.store]);
    expect(await readFile(copy.path)).toEqual(await readFile(log.path));
  });

  it.each([
    ['{"type":"T"}', "$.aggregate_id"],
    ['{"type":"T","aggregate_id":"a","ts":1.0}', "$.ts"],
    ['{"type":"T","aggregate_id":"a","ts":"1"}', "$.ts"],
    ['{"type":"T","aggregate_id":"a","payload":[]}', "$.payload"],
    ['{"type":"T","aggregate_id":"a","kind":1}', '$["kind"]'],
    ["7", "$"],
  ])("refuses %s as an event of its own", async (line, path) => {
    const { code, stdout } = await rynxs(["import", await file(line), "--dry-run", "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "INVALID_EVENT", line: 1, path } });
  });

  it("--dry-run shows the first events and counts all, without a log", async () => {
    const input = await file(events(9));
    const { code, stdout, stderr } = await rynxs([
      "import",
      input,
      "--dry-run",
      "--show",
      "2",
      "--store",
      `file:${join(folder, "no.log")}`,
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(
      '{"type":"Type0","aggregate_id":"thing-0","ts":0,"payload":{"i":0},"meta":{}}\n{"type":"Type1","aggregate_id":"thing-1","ts":1,"payload":{"i":1},"meta":{}}\n9 events of 9 lines, 0 skipped; nothing was imported\n',
    );
  });

  it("imports each line once, however often it runs, and what the file has grown by", async () => {
    const log = newLog(folder);
    const input = await file(events(10).trimEnd());
    const args = ["import", input, ...log.store];
    const first = await rynxs(args);
    const head = (await rynxs(["head", ...log.store])).stdout;
    expect([first.code, first.stdout, first.stderr]).toEqual([0, `10 events imported, seq 0 to 9\nhead ${head}`, ""]);
    expect((await rynxs(args)).stdout).toBe(`0 events imported, 10 were there before\nhead ${head}`);
    await json(["append", ...log.store, "--type", "Other", "--aggregate", "x"]);
    await appendFile(input, `\n${events(13).split("\n").slice(10).join("\n")}`);
    expect(await json(args)).toMatchObject({ imported: 3, already: 10, lines: 13, first_seq: 11, last_seq: 13 });
    expect((await eventsOf(log.store)).map(({ payload }) => (payload as { i?: number }).i)).toEqual([
      ...Array(10).keys(),
      undefined,
      10,
      11,
      12,
    ]);
    expect(await json(["verify", ...log.store])).toMatchObject({ valid: true, events: 14 });
  });

  it("goes on behind a line that was mended", async () => {
    const log = newLog(folder);
    const lines = events(10).trimEnd().split("\n");
    const input = await file([...lines.slice(0, 6), '{"type":"T"}', ...lines.slice(7)].join("\n"));
    const args = ["import", input, ...log.store, "--batch", "4"];
    const { code, stdout } = await rynxs([...args, "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      imported: 6,
      lines: 6,
      last_seq: 5,
      error: { code: "INVALID_EVENT", line: 7 },
    });
    await writeFile(input, lines.join("\n"));
    expect(await json(args)).toMatchObject({ imported: 4, already: 6, last_seq: 9 });
    expect((await eventsOf(log.store)).map(({ ts }) => ts)).toEqual([...Array(10).keys()]);
  });

  it("finds the line of an event that reads well and cannot be written", async () => {
    const log = newLog(folder);
    const deep = `{"type":"T","aggregate_id":"a","payload":${'{"a":'.repeat(200)}1${"}".repeat(200)}}`;
    const input = await file([...events(3).trimEnd().split("\n"), deep, events(1)].join("\n"));
    const { code, stdout } = await rynxs(["import", input, ...log.store, "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ imported: 3, lines: 3, error: { code: "INVALID_EVENT", line: 4 } });
  });

  it("gives events without a ts the time when the import began, at every attempt", async () => {
    const log = newLog(folder);
    const input = await file('{"type":"T","aggregate_id":"a"}\n{"type":"U"}\n');
    await rynxs(["import", input, ...log.store]);
    await writeFile(input, '{"type":"T","aggregate_id":"a"}\n{"type":"U","aggregate_id":"b"}\n');
    await json(["import", input, ...log.store]);
    const [first, second] = await eventsOf(log.store);
    expect(first?.["ts"]).toBeGreaterThan(1_700_000_000_000);
    expect(second?.["ts"]).toBe(first?.["ts"]);
  });

  it("refuses another beginning, a shorter input, another map and another log under a name", async () => {
    const log = newLog(folder);
    const input = await file(events(10));
    const map = await file(JSON.stringify({ type: "$.type", aggregate_id: "$.aggregate_id", ts: "$.ts" }), ".json");
    const run = (...more: string[]): ReturnType<typeof rynxs> =>
      rynxs(["import", input, "--name", "one", ...log.store, ...more]);
    await run();
    const before = await readFile(log.path);
    await writeFile(input, events(12).replace('"i":4', '"i":44'));
    expect((await run()).stderr).toContain("the input does not begin with the 10 lines that were imported");
    await writeFile(input, events(9));
    expect((await run()).stderr).toContain("the input does not begin with the 10 lines that were imported");
    await writeFile(input, events(10));
    expect((await run("--map", map)).stderr).toContain("this import was begun with another map");
    expect(await readFile(log.path)).toEqual(before);
    await writeFile(log.path, "");
    await json(["append", ...log.store, "--stdin"], { input: events(12).split("\n").slice(1).join("\n") });
    const other = await rynxs(["import", input, "--name", "one", ...log.store, "--json"]);
    expect(JSON.parse(other.stdout)).toMatchObject({ error: { code: "NOT_A_PREFIX", seq: 9 } });
    expect((await rynxs(["import", input, "--name", "two", ...log.store, "--json"])).code).toBe(0);
  });

  it("goes on after Ctrl-C and after a kill, each line once", async () => {
    const log = newLog(folder);
    const input = await file(events(3000));
    const args = ["import", input, ...log.store, "--batch", "1"];
    let interrupted = 0;
    for (const signal of ["SIGKILL", "SIGINT", "SIGKILL"] as const) {
      const before = await json<{ seq: number }>(["head", ...log.store]).catch(() => ({ seq: -1 }));
      const child = start(args);
      child.stdin.end();
      const length = async (): Promise<number> =>
        (await readFile(log.path).catch(() => Buffer.alloc(0))).toString("latin1").split("\n").length;
      while ((await length()) < before.seq + 30);
      child.kill(signal);
      const { code, stderr } = await child.ended;
      if (code !== 0) interrupted += 1;
      if (signal === "SIGINT" && code !== 0)
        expect(stderr).toMatch(
          /^error INTERRUPTED: stopped by a signal: \d+ events imported, .*\nhint: run the same command again/,
        );
    }
    expect(interrupted).toBeGreaterThan(0);
    expect(await json(args)).toMatchObject({ lines: 3000, head: { seq: 2999 } });
    expect((await eventsOf(log.store)).map(({ ts }) => ts)).toEqual([...Array(3000).keys()]);
  });

  it.each([
    [["-"], "--name is missing"],
    [["x y.ndjson"], '"x y.ndjson" cannot be an import\'s name'],
    [["x", "--name", "../x"], '"../x" cannot be an import\'s name'],
    [["x", "--show", "2"], "--show goes with --dry-run"],
    [["missing.ndjson"], "cannot read missing.ndjson"],
    [["x", "--map", "missing.json"], "cannot read missing.json"],
    [["x", "--format", "xml"], "Allowed choices are ndjson"],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await rynxs(["import", ...args, ...newLog(folder).store]);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });
});
