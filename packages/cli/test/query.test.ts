import { appendFile, copyFile, cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { INSTALL } from "../src/query/duckdb.js";
import { events, json, newLog, rynxs, start, temporaryFolder, VECTORS } from "./rynxs.js";

const folder = await temporaryFolder();

const ORDERS = [
  `{"type":"OrderPlaced","aggregate_id":"order-1","ts":1700000000123,"payload":{"total":12.50,"id":18446744073709551617,"items":[{"sku":"a","qty":2},{"sku":"b"}]}}`,
  `{"type":"OrderPlaced","aggregate_id":"order-2","ts":1700000001000,"payload":{"total":7,"name":"é \\"x\\",\\ny"}}`,
  `{"type":"OrderPaid","aggregate_id":"order-1","ts":3,"payload":{}}`,
].join("\n");

/** The scratch folders of queries go into a folder of their own, so that a test sees what is left. */
async function setUp(
  input = ORDERS,
): Promise<{ store: string[]; path: string; scratch: string; env: Record<string, string> }> {
  const log = newLog(folder);
  await json(["append", ...log.store, "--stdin", "--batch", "500"], { input });
  const scratch = `${log.path}.tmp`;
  await mkdir(scratch);
  return { ...log, scratch, env: { TMPDIR: scratch } };
}

describe("query", () => {
  it("answers in SQL over verified events, as a table, and leaves nothing behind", async () => {
    const { store, scratch, env } = await setUp();
    const { code, stdout, stderr } = await rynxs(
      ["query", ...store, "select type, count(*) as n from events group by 1 order by 2 desc"],
      { env },
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe("type         n\nOrderPlaced  2\nOrderPaid    1\n");
    expect(await readdir(scratch)).toEqual([]);
  });

  it("has the columns of an export, times in UTC, and values within payloads, whatever the zone", async () => {
    const { store } = await setUp();
    const rows = await json<unknown[]>(
      [
        "query",
        ...store,
        "select seq, ts, time, time::timestamptz as tz, payload->>'$.total' as total, payload->>'$.id' as id, hash_version from events order by seq",
      ],
      { env: { TZ: "Asia/Tokyo" } },
    );
    expect(rows).toEqual([
      {
        seq: 0,
        ts: 1700000000123,
        time: "2023-11-14 22:13:20.123",
        tz: "2023-11-14 22:13:20.123+00",
        total: "12.5",
        id: "18446744073709551617",
        hash_version: "v1",
      },
      {
        seq: 1,
        ts: 1700000001000,
        time: "2023-11-14 22:13:21",
        tz: "2023-11-14 22:13:21+00",
        total: "7",
        id: null,
        hash_version: "v1",
      },
      { seq: 2, ts: 3, time: null, tz: null, total: null, id: null, hash_version: "v1" },
    ]);
  });

  it("shows every kind of value without losing a digit", async () => {
    const { store } = await setUp();
    const select = `select 170141183460469231731687303715884105727::hugeint as huge, 12345678901234567.89::decimal(19,2) as dec, [1, null, 3] as list,
      {'a': 1, 'b': [true]} as struct, map {'k': 9007199254740993} as map, 1.1::float as float, 0.1::double as double, 'nan'::double as nan,
      date '2024-02-29' as date, interval 90 minute as interval, '\\xAA'::blob as blob, (payload->'$.items') as json, null as nothing, '' as empty,
      'x'::varchar as text, uuid '00000000-0000-0000-0000-000000000001' as id from events where seq = 0`;
    const { stdout } = await rynxs(["query", ...store, select, "--format", "ndjson"]);
    expect(stdout).toBe(
      '{"huge":170141183460469231731687303715884105727,"dec":12345678901234567.89,"list":[1,null,3],"struct":{"a":1,"b":[true]},' +
        '"map":[{"key":"k","value":9007199254740993}],"float":1.1,"double":0.1,"nan":"NaN","date":"2024-02-29","interval":"01:30:00",' +
        '"blob":"\\\\xAA","json":[{"qty":2,"sku":"a"},{"sku":"b"}],"nothing":null,"empty":"","text":"x","id":"00000000-0000-0000-0000-000000000001"}\n',
    );
    const csv = await rynxs(["query", ...store, select, "--format", "csv"]);
    expect(csv.stdout.split("\r\n")[1]).toBe(
      '170141183460469231731687303715884105727,12345678901234567.89,"[1,null,3]","{""a"":1,""b"":[true]}","[{""key"":""k"",""value"":9007199254740993}]",' +
        '1.1,0.1,NaN,2024-02-29,01:30:00,\\xAA,"[{""qty"":2,""sku"":""a""},{""sku"":""b""}]",,"",x,00000000-0000-0000-0000-000000000001',
    );
    const table = await rynxs([
      "query",
      ...store,
      "select payload->>'$.name' as name, null as nothing from events where seq = 1",
    ]);
    expect(table.stdout).toBe('name           nothing\né "x",\\u000ay     null\n');
  });

  it("prints many rows, and none", async () => {
    const { store } = await setUp(events(5000));
    const rows = await json<{ seq: number }[]>(["query", ...store, "select seq from events order by seq"]);
    expect(rows.map(({ seq }) => seq)).toEqual([...Array(5000).keys()]);
    expect(await json(["query", ...store, "from events where false"])).toEqual([]);
    expect((await rynxs(["query", ...store, "select seq from events order by seq"])).stdout.split("\n")).toHaveLength(
      5002,
    );
    expect(await json(["query", ...store, "select count(*) as n from events", "--type", "None"])).toEqual([{ n: 0 }]);
  });

  it("takes a range and filters, and its statement from a file or standard input", async () => {
    const { store } = await setUp(events(60));
    const file = join(folder, "statement.sql");
    await writeFile(file, "-- which\nselect list(seq order by seq) as seqs from events;\n");
    const options = ["--from", "6", "--to", "40", "--type", "Type0", "--aggregate", "thing-1"];
    expect(await json(["query", ...store, `@${file}`, ...options])).toEqual([{ seqs: [6, 21, 36] }]);
    expect(await json(["query", ...store, "-", ...options], { input: await readFile(file) })).toEqual([
      { seqs: [6, 21, 36] },
    ]);
  });

  it("ends with exit 2 on a log with a fault, whatever is asked", async () => {
    const log = newLog(folder);
    await copyFile(join(VECTORS, "tampered", "payload-changed.jsonl"), log.path);
    const { code, stdout, stderr } = await rynxs(["query", ...log.store, "select 1"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^error HASH_MISMATCH/);
  });

  it.each([
    ["selec 1", "syntax error"],
    ["select nothing from events", 'Referenced column "nothing" not found'],
    ["select 'x'::int", "Could not convert"],
    ["select 1; select 2", "one statement is taken, not 2"],
    ["", "one statement is taken, not 0"],
    ["/* nothing */", "one statement is taken, not 0"],
    ["set threads = 1", "only statements that read are taken"],
    ["create table t as from events", "only statements that read are taken"],
    ["copy events to 'OUT'", "only statements that read are taken"],
    ["explain analyze copy events to 'OUT'", "only statements that read are taken"],
    ["attach 'OUT' as x", "only statements that read are taken"],
    ["install httpfs", "only statements that read are taken"],
  ])("refuses %j", async (sql, message) => {
    const { store, scratch, env } = await setUp();
    const out = `${scratch}.out`;
    const { code, stdout, stderr } = await rynxs(["query", ...store, sql.replace("OUT", out)], { env });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error INVALID_CONFIG: /);
    expect(stderr).toContain(message);
    expect(await readdir(scratch)).toEqual([]);
    expect(await readdir(folder)).not.toContain(out.split("/").at(-1));
  });

  it("is stopped by Ctrl-C in the middle of a statement, and leaves nothing behind", async () => {
    const { store, scratch, env } = await setUp();
    const child = start(
      [
        "query",
        ...store,
        "select count(*) from range(1000000000) a, range(1000000000) b where (a.range * b.range) % 7 = 3",
      ],
      { env },
    );
    child.stdin.end();
    while ((await readdir(scratch)).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await new Promise((resolve) => setTimeout(resolve, 500));
    child.kill("SIGINT");
    const { code, stderr } = await child.ended;
    expect([code, stderr]).toEqual([130, "error INTERRUPTED: stopped by a signal\n"]);
    expect(await readdir(scratch)).toEqual([]);
  });

  it("says how to install DuckDB where it is missing, before it reads anything", async () => {
    const { path } = await setUp();
    const hook = `export async function resolve(name, context, next) { if (name.startsWith("@duckdb/")) throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" }); return next(name, context); }`;
    const url = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
    const register = `import { register } from "node:module"; register(${JSON.stringify(url(hook))});`;
    const { code, stdout, stderr } = await rynxs(["query", "--store", `file:${path}.missing`, "select 1"], {
      nodeArgs: ["--import", url(register)],
    });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(
      `error PACKAGE_MISSING: rynxs query needs the package @duckdb/node-api, which cannot be loaded\nhint: ${INSTALL} (with -g where rynxs was installed with -g)\n`,
    );
  });

  it("names the version to install that it is tested with", async () => {
    const lock = JSON.parse(await readFile(join(import.meta.dirname, "../../../package-lock.json"), "utf8")) as {
      packages: Record<string, { version: string }>;
    };
    expect(INSTALL).toBe(`npm install @duckdb/node-api@${lock.packages["node_modules/@duckdb/node-api"]?.version}`);
  });
});

describe("query --files", () => {
  async function lake(): Promise<string> {
    const { store } = await setUp(events(35));
    const place = join(folder, `lake-${String(Math.floor(performance.now() * 1000))}`);
    await json(["export", ...store, "--format", "parquet", "--output", `${place}/`, "--rows-per-file", "10"]);
    return place;
  }

  it("asks an export without a log, within a range and filters", async () => {
    const place = await lake();
    expect(await json(["query", "--files", place, "select count(*) as n, max(seq) as last from events"])).toEqual([
      { n: 35, last: 34 },
    ]);
    const options = ["--from", "6", "--to", "30", "--type", "Type0", "--aggregate", "thing-1"];
    expect(
      await json(["query", "--files", place, "select list(seq order by seq) as seqs from events", ...options]),
    ).toEqual([{ seqs: [6, 21] }]);
  });

  it("reads what the manifest names, and nothing else", async () => {
    const place = await lake();
    const copy = "events-0000000035-0000000044.parquet";
    await cp(join(place, "events-0000000000-0000000009.parquet"), join(place, copy));
    expect(await json(["query", "--files", place, "select count(*) as n from events"])).toEqual([{ n: 35 }]);
  });

  it("refuses a part that is not what was exported, with exit 2, unless it is not needed", async () => {
    const place = await lake();
    await appendFile(join(place, "events-0000000010-0000000019.parquet"), "x");
    const { code, stderr } = await rynxs(["query", "--files", place, "select 1"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^error HASH_MISMATCH: .*events-0000000010-0000000019\.parquet is not the file that was exported/,
    );
    expect(await json(["query", "--files", place, "select count(*) as n from events", "--from", "20"])).toEqual([
      { n: 15 },
    ]);
  });

  it.each([
    [["--files", "FOLDER"], "holds no export"],
    [["--files", "FOLDER", "--store", "file:x"], "--files is instead of a store"],
    [["--from", "3", "--to", "2"], "--to 2 lies before the first seq, 3"],
  ])("refuses %j", async (options, message) => {
    const args = options.map((option) => option.replace("FOLDER", folder));
    const { code, stderr } = await rynxs(["query", "select 1", ...args]);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });
});
