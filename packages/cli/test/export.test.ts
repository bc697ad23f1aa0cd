import { access, copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { FileEventStore, recordTexts } from "@rynxs/event-store";
import { COLUMNS } from "../src/export/columns.js";
import { ParquetFile } from "../src/export/parquet.js";
import { parseManifest } from "../src/export/manifest.js";
import { events, json, newLog, rynxs, start, temporaryFolder, VECTORS } from "./rynxs.js";

const folder = await temporaryFolder();
let outputs = 0;
const newPath = (suffix: string): string => join(folder, `out-${String((outputs += 1))}${suffix}`);

/** Events that tempt a format to change them. */
const AWKWARD = [
  `{"type":"T","aggregate_id":"a","ts":1700000000123,"payload":{"f":1.0,"big":18446744073709551616,"e":1e-7,"z":-0.0},"meta":{"m":12345678901234567890}}`,
  `{"type":"=cmd|'/c calc'!A1","aggregate_id":"@SUM(1+1)","ts":-5,"payload":{"text":"a,b\\"c\\"\\r\\nd\\te","=":"="}}`,
  `{"type":"é, \\"quoted\\"","aggregate_id":"日本 😀","ts":9007199254740993,"payload":{"\\u0000":"\\u2028","😀":{"__proto__":null}}}`,
  `{"type":"-1","aggregate_id":"line\\nbreak","ts":0,"payload":{}}`,
].join("\n");

async function logOf(input: string, env: Record<string, string> = {}): Promise<{ path: string; store: string[] }> {
  const log = newLog(folder);
  await json(["append", ...log.store, "--stdin", "--batch", "500"], { input, env });
  return log;
}

/** RFC 4180, strictly. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  let row: string[] = [];
  while (field.lastIndex < text.length) {
    const at = field.lastIndex;
    const [, quoted, plain, end] = field.exec(text) ?? [];
    if (end === undefined) throw new Error(`no CSV at ${String(at)}: ${JSON.stringify(text.slice(at, at + 60))}`);
    row.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

async function sql(query: string): Promise<unknown[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const rows = (await connection.runAndReadAll(query)).getRowObjectsJson();
  connection.closeSync();
  return rows;
}

async function textsOf(path: string): Promise<ReturnType<typeof recordTexts>[]> {
  const store = await FileEventStore.open({ path, mustExist: true });
  const texts = [];
  for await (const record of store.readRecords()) texts.push(recordTexts(record));
  await store.close();
  return texts;
}

describe("export as ndjson", () => {
  it("writes each event with its numbers digit for digit, on a line of its own", async () => {
    const log = await logOf(AWKWARD);
    const { code, stdout, stderr } = await rynxs(["export", ...log.store]);
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(
      /^\{"seq":0,"type":"T","aggregate_id":"a","ts":1700000000123,"payload":\{"big":18446744073709551616,"e":1e-07,"f":1\.0,"z":-0\.0\},"meta":\{"m":12345678901234567890\},"hash_version":"v1","event_hash":"[0-9a-f]{64}","prev_hash":"0{64}"\}$/,
    );
    expect(JSON.parse(lines[2] ?? "")).toMatchObject({ type: 'é, "quoted"', aggregate_id: "日本 😀", seq: 2 });
    expect(lines[2]).toContain('"ts":9007199254740993');
  });

  it.each(["v1", "v2"])("comes back as the same events, hashes and all (%s)", async (version) => {
    const env = { RYNXS_HASH_VERSION: version };
    const log = await logOf(AWKWARD, env);
    const head = (await rynxs(["head", ...log.store])).stdout;
    for (const options of [[], ["--raw"]]) {
      const { stdout } = await rynxs(["export", ...log.store, ...options]);
      const copy = newLog(folder);
      await json(["import", "-", "--name", "back", ...copy.store], { input: stdout, env });
      expect((await rynxs(["head", ...copy.store])).stdout).toBe(head);
      expect(await readFile(copy.path)).toEqual(await readFile(log.path));
    }
  });

  it("--raw is the log, byte for byte", async () => {
    const log = newLog(folder);
    await copyFile(join(VECTORS, "chain-mixed.jsonl"), log.path);
    const path = newPath(".ndjson");
    await json(["export", ...log.store, "--raw", "--output", path]);
    expect(await readFile(path)).toEqual(await readFile(log.path));
  });

  it("takes a range and filters", async () => {
    const log = await logOf(events(60));
    const { stdout } = await rynxs([
      "export",
      ...log.store,
      "--from",
      "6",
      "--to",
      "40",
      "--type",
      "Type0",
      "--aggregate",
      "thing-1",
    ]);
    const seqs = stdout
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { seq: number }).seq);
    expect(seqs).toEqual([6, 21, 36]);
  });

  it("ends quietly when nobody reads on", async () => {
    const log = await logOf(events(20_000));
    const child = start(["export", ...log.store]);
    child.stdin.end();
    child.stdout.once("data", () => child.stdout.destroy());
    expect(await child.ended).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("export as csv", () => {
  it("is read back by a strict reader as what was stored", async () => {
    const log = await logOf(AWKWARD);
    const { stdout } = await rynxs(["export", ...log.store, "--format", "csv"]);
    const [header, ...rows] = parseCsv(stdout);
    expect(header?.join()).toBe("seq,type,aggregate_id,ts,payload,meta,hash_version,event_hash,prev_hash");
    expect(rows).toEqual(
      (await textsOf(log.path)).map((r) => [
        String(r.seq),
        r.type,
        r.aggregateId,
        r.ts,
        r.payload,
        r.meta,
        "v1",
        r.eventHash,
        r.prevHash,
      ]),
    );
  });

  it("--guard-formulas defuses names that a spreadsheet would run, and touches nothing else", async () => {
    const log = await logOf(AWKWARD);
    const plain = parseCsv((await rynxs(["export", ...log.store, "--format", "csv"])).stdout);
    const guarded = parseCsv((await rynxs(["export", ...log.store, "--format", "csv", "--guard-formulas"])).stdout);
    expect(guarded.map(([, type, id]) => [type, id])).toEqual([
      ["type", "aggregate_id"],
      ["T", "a"],
      ["'=cmd|'/c calc'!A1", "'@SUM(1+1)"],
      ['é, "quoted"', "日本 😀"],
      ["'-1", "line\nbreak"],
    ]);
    expect(guarded.map((row) => row.slice(3))).toEqual(plain.map((row) => row.slice(3)));
  });

  it("has a header also when there is nothing", async () => {
    const log = await logOf(events(3));
    const { stdout } = await rynxs(["export", ...log.store, "--format", "csv", "--type", "None"]);
    expect(stdout).toBe("seq,type,aggregate_id,ts,payload,meta,hash_version,event_hash,prev_hash\r\n");
  });
});

describe("export as parquet", () => {
  it("has typed columns, and every text as it is stored", async () => {
    const log = await logOf(AWKWARD);
    const path = newPath(".parquet");
    expect(await json(["export", ...log.store, "--output", path])).toMatchObject({ rows: 4, file: path });
    const schema = await sql(`select name, type, converted_type from parquet_schema('${path}') where type is not null`);
    expect(schema).toEqual(
      COLUMNS.map(({ name, type }) => ({
        name,
        type: type === "string" ? "BYTE_ARRAY" : "INT64",
        converted_type: { string: "UTF8", bigint: null, timestamp: "TIMESTAMP_MILLIS" }[type],
      })),
    );
    const rows = await sql(`select * from '${path}' order by seq`);
    expect(rows).toEqual(
      (await textsOf(log.path)).map((r) => ({
        seq: String(r.seq),
        type: r.type,
        aggregate_id: r.aggregateId,
        ts: r.ts,
        time: r.seq === 0 ? "2023-11-14 22:13:20.123" : null,
        payload: r.payload,
        meta: r.meta,
        hash_version: "v1",
        event_hash: r.eventHash,
        prev_hash: r.prevHash,
      })),
    );
    expect(await sql(`select (payload->'$.big')::varchar as big from '${path}' where seq = 0`)).toEqual([
      { big: "18446744073709551616" },
    ]);
  });

  it("takes every ts of 64 bits, and refuses a larger one by name, leaving no file", async () => {
    const edge = (ts: string): string => `{"type":"T","aggregate_id":"a","ts":${ts}}\n`;
    const log = await logOf(edge("9223372036854775807") + edge("-9223372036854775808"));
    const path = newPath(".parquet");
    await json(["export", ...log.store, "--output", path]);
    expect(await sql(`select ts, time from '${path}' order by seq`)).toEqual([
      { ts: "9223372036854775807", time: null },
      { ts: "-9223372036854775808", time: null },
    ]);
    await json(["append", ...log.store, "--stdin"], { input: edge("9223372036854775808") });
    const other = newPath(".parquet");
    const { code, stderr } = await rynxs(["export", ...log.store, "--output", other]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error INVALID_CONFIG: .* was not written: the ts of event 2 does not fit into 64 bits/);
    expect(stderr).toContain("hint: export as ndjson or csv");
    await expect(access(other)).rejects.toThrow("ENOENT");
    expect((await rynxs(["export", ...log.store, "--from", "2"])).stdout).toContain('"ts":9223372036854775808,');
  });

  it("is a file that can be read also when there is nothing", async () => {
    const log = await logOf(events(3));
    const path = newPath(".parquet");
    await json(["export", ...log.store, "--output", path, "--type", "None"]);
    expect(await sql(`select count(*)::int as n from '${path}'`)).toEqual([{ n: 0 }]);
  });

  it("holds back no more than a row group, by rows and by bytes", async () => {
    let written = 0;
    const file = await ParquetFile.create(async (chunk) => void (written += chunk.length));
    const row = {
      seq: 0,
      type: "T",
      aggregateId: "a",
      ts: "1",
      payload: "{}",
      meta: "{}",
      hashVersion: 1 as const,
      eventHash: "e",
      prevHash: "p",
    };
    let most = 0;
    for (let seq = 0; seq < 140_000; seq++) {
      await file.add({ ...row, seq });
      most = Math.max(most, file.rows);
    }
    expect(most).toBeLessThan(65_536);
    expect(written).toBeGreaterThan(100_000);
    const large = { ...row, payload: `{"x":"${"y".repeat(3_000_000)}"}` };
    for (let i = 0; i < 12; i++) {
      await file.add(large);
      expect(file.rows).toBeLessThan(20_000);
    }
    expect(file.rows).toBeLessThanOrEqual(6);
  });
});

describe("an export to a file", () => {
  it.each(["ndjson", "csv", "parquet"])(
    "of a log with a fault is not written, and what stood there stays (%s)",
    async (format) => {
      const log = newLog(folder);
      await copyFile(join(VECTORS, "tampered", "payload-changed.jsonl"), log.path);
      const place = newPath("");
      await mkdir(place);
      const path = join(place, `x.${format}`);
      await writeFile(path, "before");
      const { code, stdout } = await rynxs(["export", ...log.store, "--output", path, "--json"]);
      expect(code).toBe(2);
      expect(JSON.parse(stdout)).toMatchObject({ rows: 0, error: { code: "HASH_MISMATCH", seq: 17 } });
      expect(await readFile(path, "utf8")).toBe("before");
      expect(await readdir(place)).toEqual([`x.${format}`]);
    },
  );

  it("of a log whose end was cut off is not written", async () => {
    const log = newLog(folder);
    const env = { EVENT_STORE_MAX_BYTES: "2000" };
    await json(["append", ...log.store, "--stdin"], { input: events(30), env });
    await rm(log.path);
    const segments = (await readdir(folder))
      .filter((name) => name.startsWith(`${log.path.split("/").at(-1) ?? ""}.seg-`))
      .sort();
    await rm(join(folder, segments.at(-1) ?? ""));
    await writeFile(log.path, "");
    for (const path of [newPath(".csv"), `${newPath("")}/`]) {
      const { code, stderr } = await rynxs(["export", ...log.store, "--output", path]);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^error (TRUNCATED|HEAD_CONTRADICTS_LOG): /);
    }
    const { code } = await rynxs(["export", ...log.store]);
    expect(code).toBe(2);
  });

  it("replaces what was there with the whole result", async () => {
    const log = await logOf(events(10));
    const path = newPath(".csv");
    await writeFile(path, "before");
    const { stdout } = await rynxs(["export", ...log.store, "--output", path]);
    expect(stdout).toMatch(/^10 events exported to .*, \d+ bytes\nsha256 [0-9a-f]{64}\n$/);
    expect(parseCsv(await readFile(path, "utf8"))).toHaveLength(11);
  });

  it.each([
    [["--format", "parquet"], "parquet is written to a file, not to standard output"],
    [["--raw", "--format", "csv"], "--raw goes with --format ndjson"],
    [["--guard-formulas"], "--guard-formulas goes with --format csv"],
    [["--from", "5", "--to", "4"], "--to 4 lies before the first seq to export, 5"],
    [["--rows-per-file", "5"], "--rows-per-file, --partitioned and --full-parts are for an export into a folder"],
    [["--json"], "--json is for the summary of an export to a file"],
  ])("refuses %j", async (options, message) => {
    const log = await logOf(events(1));
    const { code, stdout, stderr } = await rynxs(["export", ...log.store, ...options]);
    expect(code).toBe(1);
    expect(stderr + stdout).toContain(message);
  });

  it("says what cannot be written", async () => {
    const log = await logOf(events(1));
    const { code, stderr } = await rynxs(["export", ...log.store, "--output", join(folder, "missing", "x.csv")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error PATH_UNUSABLE: .*ENOENT/);
  });
});

describe("an export into a folder", () => {
  const parts = async (place: string): Promise<string[]> =>
    (await readdir(place)).filter((name) => !name.startsWith("_")).sort();
  const seqs = async (place: string): Promise<unknown[]> =>
    (await sql(`select seq::int as seq from read_parquet('${place}/**/*.parquet') order by seq`)).map(
      (row) => (row as { seq: number }).seq,
    );

  it("has a part for each range of seqs, and goes on where it ended when the log has grown", async () => {
    const log = await logOf(events(25));
    const place = newPath("");
    const args = ["export", ...log.store, "--format", "parquet", "--output", `${place}/`];
    const first = await rynxs([...args, "--rows-per-file", "10"]);
    const head = (await rynxs(["head", ...log.store])).stdout;
    expect([first.stdout, first.stderr]).toEqual([
      `25 events of seq 0 to 24 exported to ${place}/, 3 files\nhead ${head}`,
      "",
    ]);
    expect(await parts(place)).toEqual([
      "events-0000000000-0000000009.parquet",
      "events-0000000010-0000000019.parquet",
      "events-0000000020-0000000024.parquet",
    ]);
    expect((await rynxs(args)).stdout).toBe(`nothing to export\nhead ${head}`);
    await json(["append", ...log.store, "--stdin"], { input: events(10) });
    // the folder is known by now, with or without a slash, and remembers its ranges
    const more = await rynxs([...args.slice(0, -1), place]);
    expect(more.stderr).toBe(`${place} already holds the events up to seq 24: going on behind them\n`);
    expect((await parts(place)).slice(3)).toEqual([
      "events-0000000025-0000000029.parquet",
      "events-0000000030-0000000034.parquet",
    ]);
    expect(await seqs(place)).toEqual([...Array(35).keys()]);
    const manifest = parseManifest(await readFile(join(place, "_export.json"), "utf8"));
    expect(manifest?.parts.map(({ rows }) => rows)).toEqual([10, 10, 5, 5, 5]);
  });

  it("leaves an unfinished part out with --full-parts, and filters, begins and ends where it is told", async () => {
    const log = await logOf(events(35));
    const place = `${newPath("")}/`;
    const args = [
      "export",
      ...log.store,
      "--output",
      place,
      "--format",
      "csv",
      "--rows-per-file",
      "10",
      "--from",
      "5",
      "--type",
      "Type1",
    ];
    await json([...args, "--full-parts"]);
    expect(await parts(place)).toEqual([
      "events-0000000005-0000000009.csv",
      "events-0000000010-0000000019.csv",
      "events-0000000020-0000000029.csv",
    ]);
    await json([...args, "--to", "32"]);
    expect((await parts(place)).at(-1)).toBe("events-0000000030-0000000032.csv");
    const rows = await Promise.all(
      (await parts(place)).map(async (name) => parseCsv(await readFile(join(place, name), "utf8")).slice(1)),
    );
    expect(rows.flat().map(([seq]) => Number(seq))).toEqual([7, 10, 13, 16, 19, 22, 25, 28, 31]);
  });

  it("can lay parts out as partitions", async () => {
    const log = await logOf(events(25));
    const place = newPath("");
    const args = ["export", ...log.store, "--output", `${place}/`, "--format", "parquet"];
    await json([...args, "--rows-per-file", "10", "--partitioned", "--to", "12"]);
    await json(args);
    expect(await parts(place)).toEqual(["range=0000000000", "range=0000000010", "range=0000000020"]);
    expect(await readdir(join(place, "range=0000000010"))).toEqual([
      "events-0000000010-0000000012.parquet",
      "events-0000000013-0000000019.parquet",
    ]);
    expect(await seqs(place)).toEqual([...Array(25).keys()]);
  });

  it("refuses another log, other events, and a manifest that is not one", async () => {
    const [log, other] = [await logOf(events(25)), await logOf(events(26).split("\n").slice(1).join("\n"))];
    const place = `${newPath("")}/`;
    const args = ["export", "--output", place, "--format", "parquet"];
    await json([...args, ...log.store, "--rows-per-file", "10"]);
    const before = await readFile(join(place, "_export.json"));
    const wrong = await rynxs([...args, ...other.store, "--json"]);
    expect(wrong.code).toBe(1);
    expect(JSON.parse(wrong.stdout)).toMatchObject({ error: { code: "NOT_A_PREFIX", seq: 24 } });
    for (const [options, name] of [
      [["--type", "Type1"], "--type"],
      [["--aggregate", "x"], "--aggregate"],
      [["--from", "1"], "--from"],
      [["--partitioned"], "--partitioned"],
    ] as const) {
      const { code, stderr } = await rynxs([...args, ...log.store, ...options]);
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining(`holds an export with another ${name}; nothing was exported`),
      ]);
    }
    const format = await rynxs(["export", ...log.store, "--output", place, "--format", "csv"]);
    expect(format.stderr).toContain("another --format");
    expect(await readFile(join(place, "_export.json"))).toEqual(before);
    for (const broken of [
      "{",
      before.toString().replace('"first": 10', '"first": 11'),
      before.toString().replace(/events-0000000010/, "../events-0000000010"),
    ]) {
      await writeFile(join(place, "_export.json"), broken);
      expect((await rynxs([...args, ...log.store])).stderr).toContain("is not the manifest of an export");
    }
    await rm(join(place, "_export.json"));
    expect((await rynxs([...args, ...log.store])).stderr).toContain("holds part files but no _export.json");
  });

  it("keeps the whole parts before a fault, and ends with exit 2", async () => {
    const log = newLog(folder);
    await copyFile(join(VECTORS, "tampered", "payload-changed.jsonl"), log.path);
    const place = newPath("");
    const { code, stderr } = await rynxs(["export", ...log.store, "--output", `${place}/`, "--rows-per-file", "10"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error HASH_MISMATCH: .* holds the events up to seq 9, in whole files; then: /);
    expect(await readdir(place)).toEqual(["_export.json", "events-0000000000-0000000009.ndjson"]);
  });

  it("goes on after Ctrl-C and after a kill, with the very files of an export that nothing disturbed", async () => {
    const log = await logOf(events(60_000));
    const [whole, place] = [newPath(""), newPath("")];
    const args = (to: string): string[] => [
      "export",
      ...log.store,
      "--format",
      "parquet",
      "--output",
      `${to}/`,
      "--rows-per-file",
      "2000",
    ];
    await json(args(whole));
    let interrupted = 0;
    for (const signal of ["SIGINT", "SIGKILL", "SIGINT"] as const) {
      const known = await readdir(place).catch(() => []);
      const child = start(args(place));
      child.stdin.end();
      while ((await readdir(place).catch(() => [])).length < known.length + 3);
      child.kill(signal);
      const { code, stderr } = await child.ended;
      if (code !== 0) interrupted += 1;
      if (signal === "SIGINT" && code !== 0) {
        expect(code).toBe(130);
        expect(stderr).toMatch(
          /error INTERRUPTED: stopped by a signal: .* holds the events up to seq \d+\nhint: run the same command again/,
        );
      }
    }
    // a part that was finished, but not yet in the manifest
    await writeFile(join(place, "events-0000059000-0000059999.parquet"), "of a run that was killed");
    await json(args(place));
    const kept = await readdir(place);
    expect(interrupted).toBeGreaterThan(0);
    expect(kept).toEqual(await readdir(whole));
    for (const name of kept)
      expect((await readFile(join(place, name))).equals(await readFile(join(whole, name)))).toBe(true);
  });
});
