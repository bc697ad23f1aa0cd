import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { COLUMNS } from "../src/export/columns.js";
import { json, newLog, rynxs, temporaryFolder } from "./rynxs.js";

const DOCS = join(import.meta.dirname, "../../../docs/operations");
const folder = await temporaryFolder();

/** Fenced blocks of a page that have this info string. */
async function blocks(page: string, info: string): Promise<string[]> {
  const text = await readFile(join(DOCS, page), "utf8");
  return [...text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === info)
    .map(([, , block = ""]) => block.trimEnd());
}

const ORDERS = [
  `{"type":"OrderPlaced","aggregate_id":"order-1","ts":1700000000000,"payload":{"total":12.50,"items":[{"sku":"a","qty":2},{"sku":"b","qty":1}]}}`,
  `{"type":"OrderPlaced","aggregate_id":"order-2","ts":1700000001000,"payload":{"total":7,"items":[{"sku":"c","qty":5}]}}`,
  `{"type":"OrderPaid","aggregate_id":"order-1","ts":1700000060000,"payload":{}}`,
].join("\n");

async function lake(): Promise<string> {
  const log = newLog(folder);
  await json(["append", ...log.store, "--stdin"], { input: ORDERS });
  const place = join(folder, "lake");
  await json(["export", ...log.store, "--format", "parquet", "--output", `${place}/`, "--rows-per-file", "2"]);
  return place;
}

describe("docs/operations/sql.md", async () => {
  const place = await lake();

  it("has statements that DuckDB runs, each with the answer that the text promises", async () => {
    const statements = await blocks("sql.md", "sql");
    const answers = await Promise.all(statements.map((sql) => json<unknown>(["query", "--files", place, sql])));
    expect(answers).toEqual([
      [
        { type: "OrderPlaced", events: 2, latest: "2023-11-14 22:13:21" },
        { type: "OrderPaid", events: 1, latest: "2023-11-14 22:14:20" },
      ],
      [
        { aggregate_id: "order-1", total: 12.5 },
        { aggregate_id: "order-2", total: 7 },
      ],
      [
        { seq: 0, sku: "a", qty: 2 },
        { seq: 0, sku: "b", qty: 1 },
        { seq: 1, sku: "c", qty: 5 },
      ],
      [{ aggregate_id: "order-1", took: "00:01:00" }],
      [
        { aggregate_id: "order-1", state: "OrderPaid", seq: 2, version: 2 },
        { aggregate_id: "order-2", state: "OrderPlaced", seq: 1, version: 1 },
      ],
      [{ broken: 0 }],
      [
        { type: "OrderPaid", events: 1 },
        { type: "OrderPlaced", events: 2 },
      ],
    ]);
  });

  it("has a view for DuckDB's own program that gives the same rows", async () => {
    const [view = ""] = await blocks("sql.md", "sql duckdb");
    const select = view.replace("create view events as ", "").replace("'lake/", `'${place}/`);
    expect(select).not.toBe(view);
    const ordered = "from events order by seq";
    expect(await json(["query", "--files", place, `from (${select}) order by seq`])).toEqual(
      await json(["query", "--files", place, ordered]),
    );
  });

  it("declares tables whose columns are those of the Parquet files, in name, order and type", async () => {
    const inFiles = await json<{ column_name: string; column_type: string }[]>([
      "query",
      "--files",
      place,
      "describe events",
    ]);
    const tables = [...(await blocks("sql.md", "sql athena")), ...(await blocks("sql.md", "sql trino"))].filter((sql) =>
      /^CREATE (EXTERNAL )?TABLE/.test(sql),
    );
    expect(tables).toHaveLength(3);
    const sameAs: Record<string, string> = {
      bigint: "BIGINT",
      string: "VARCHAR",
      varchar: "VARCHAR",
      timestamp: "TIMESTAMP",
      "timestamp(3)": "TIMESTAMP",
    };
    for (const table of tables) {
      const list = /\(\n([\s\S]*?)\n\)/.exec(table)?.[1] ?? "";
      const columns = list.split(",\n").map((line) => /^ +`?(\w+)`? ([\w()]+)$/.exec(line)?.slice(1) ?? [line]);
      expect(columns.map(([name, type = ""]) => [name, sameAs[type]])).toEqual(
        inFiles.map((c) => [c.column_name, c.column_type]),
      );
    }
    expect(inFiles.map((c) => c.column_name)).toEqual(COLUMNS.map(({ name }) => name));
  });

  it("has a partition projection that finds the folders of a partitioned export", async () => {
    const [, table = ""] = await blocks("sql.md", "sql athena");
    const property = (name: string): string =>
      new RegExp(`'${name.replaceAll(".", "\\.")}' = '([^']*)'`).exec(table)?.[1] ?? "";
    const log = newLog(folder);
    await json(["append", ...log.store, "--stdin"], { input: ORDERS });
    const place = join(folder, "partitioned");
    const done = await json<{ files: string[] }>([
      "export",
      ...log.store,
      "--format",
      "parquet",
      "--output",
      `${place}/`,
      "--partitioned",
    ]);
    const digits = Number(property("projection.range.digits"));
    const first = property("storage.location.template").replace("${range}", "0".padStart(digits, "0"));
    expect(first).toBe(`s3://my-lake/events/${done.files[0]?.replace(/[^/]*$/, "") ?? ""}`);
    const help = (await rynxs(["export", "--help"])).stdout.replace(/\s+/g, " ");
    expect(help).toContain(`default ${property("projection.range.interval")}`);
  });
});

describe("docs/operations/import.md", () => {
  it("has an example that does what it says", async () => {
    const path = async (name: string): Promise<string> => {
      const file = join(folder, name);
      await writeFile(file, `${(await blocks("import.md", `json ${name}`))[0] ?? ""}\n`);
      return file;
    };
    const args = ["import", await path("legacy.ndjson"), "--map", await path("legacy-map.json")];
    const [shown] = await blocks("import.md", "text dry-run");
    const dry = await rynxs([...args, "--dry-run"]);
    expect([dry.code, dry.stdout]).toEqual([0, `${shown ?? ""}\n`]);
    const log = newLog(folder);
    expect(await json([...args, ...log.store])).toMatchObject({ imported: 2, skipped: 1, lines: 3 });
    const { stdout } = await rynxs(["export", ...log.store]);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/"seq":\d+,/, "").replace(/,"hash_version".*/, "}"));
    expect(lines).toEqual(shown?.split("\n").slice(0, 2));
  });
});

describe("docs/operations/decisions.md", () => {
  it("has a program that does what it says", async () => {
    const place = join(folder, "decisions");
    await mkdir(place);
    await symlink(join(import.meta.dirname, "../../../node_modules"), join(place, "node_modules"));
    const [program = ""] = await blocks("decisions.md", "js decisions.mjs");
    await writeFile(join(place, "decisions.mjs"), program);
    const run = async (): Promise<string> =>
      (await promisify(execFile)(process.execPath, ["decisions.mjs"], { cwd: place })).stdout;
    const page = await readFile(join(DOCS, "decisions.md"), "utf8");
    const first = await run();
    expect(first).toBe("seq 1 because of seq 0\n");
    expect(page).toContain(`    $ node decisions.mjs\n    ${first}`);
    expect(await run()).toBe("seq 3 because of seq 2\n");
    const store = ["--store", `file:${join(place, "decisions.log")}`];
    expect(await json(["verify", ...store, "--pointers"])).toMatchObject({
      valid: true,
      events: 4,
      pointers: { checked: 2, broken_count: 0 },
    });
  });
});

describe("docs/operations/hardening.md", () => {
  it("names the roles, checks and statements that there are", async () => {
    const page = await readFile(join(DOCS, "hardening.md"), "utf8");
    const help = (await rynxs(["policy", "--help"])).stdout.replace(/\s+/g, " ");
    const [, roles = ""] = /choices: ("writer".*?)(, default|\))/.exec(help) ?? [];
    expect(roles.match(/\w+/g)).toHaveLength(5);
    for (const role of roles.match(/\w+/g) ?? []) expect(page).toContain(`| \`${role}\``);
    const { bucket_policy, iam } = await json<{
      bucket_policy: { Statement: { Sid: string }[] };
      iam: { Statement: { Sid: string }[] };
    }>(["policy", "--bucket", "b-1", "--for", "compactor"]);
    for (const { Sid } of bucket_policy.Statement) expect(page).toContain(`| \`${Sid}\``);
    expect(iam.Statement.map(({ Sid }) => Sid)).toEqual(expect.arrayContaining(["Prune", "ReplaceSegmentsAndIndex"]));
    const [, commands = ""] = /\n\n( {4}rynxs policy[\s\S]*?)\n\n/.exec(page) ?? [];
    for (const command of commands.split("\n").filter((line) => line.includes("--bucket"))) {
      const args = command
        .replace(/ [>#].*$/, "")
        .trim()
        .split(" ")
        .slice(1);
      if (args[0] === "policy") expect((await rynxs(args)).code, command).toBe(0);
    }
  });
});
