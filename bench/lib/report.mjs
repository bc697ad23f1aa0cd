import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createRequire } from "node:module";
import { writeTables } from "./markdown.mjs";
import { drawChart } from "./svg.mjs";

const folder = join(import.meta.dirname, "..", "results");

/** Everything about one scenario's run, keys always in the same order. */
export function makeReport({ scenario, rows, measured, rounds, options, machine, about, seconds }) {
  return {
    name: scenario.name,
    title: scenario.title,
    about,
    date: new Date().toISOString().slice(0, 10),
    machine,
    versions: { node: process.version, ...packageVersions() },
    options: { rounds, events: options.events ?? null },
    seconds: Math.round(seconds),
    rows: rows.map(({ id, title, of, over, unit, goal, met, value }) => ({
      id,
      title,
      of,
      over,
      unit,
      goal,
      met,
      value,
    })),
    contenders: measured.map(({ contender: { id, title, ours, note }, skipped, rounds: raw }) => ({
      id,
      title,
      ours,
      note,
      skipped,
      rounds: raw,
    })),
    chart: scenario.chart,
  };
}

/** Versions of what is compared: the library, AWS's client and the peers that are installed. */
function packageVersions() {
  const found = {};
  const root = join(import.meta.dirname, "..");
  const wanted = [
    [root, "@rynxs/event-store"],
    [root, "@aws-sdk/client-s3"],
    [join(root, "peers", "sqlite"), "@event-driven-io/emmett-sqlite"],
    [join(root, "peers", "sqlite"), "sqlite3"],
    [join(root, "peers", "postgresql"), "@event-driven-io/emmett-postgresql"],
    [join(root, "peers", "others"), "@jimvella/s3-event-store"],
    [join(root, "peers", "others"), "nats"],
  ];
  for (const [from, name] of wanted) {
    const version = installedVersion(from, name);
    if (version !== undefined) found[name] = version;
  }
  return found;
}

function installedVersion(from, name) {
  for (const base of createRequire(join(from, "package.json")).resolve.paths(name) ?? []) {
    const file = join(base, name, "package.json");
    // A peer belongs to its own tree; what the workspace happens to have is not it.
    if (from.includes("peers") && dirname(base) !== from) continue;
    if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")).version;
  }
  return undefined;
}

export function saveReport(report) {
  mkdirSync(folder, { recursive: true });
  const text = JSON.stringify(report, null, 2).replaceAll(/\{\s+("[^{}[\]]*?)\s+\}/g, flat);
  writeFileSync(join(folder, `${report.name}.json`), `${text}\n`);
}

/** An object of plain values on one line: a round, a range, a goal. */
const flat = (_, inner) => `{ ${inner.replaceAll(/\n\s+/g, " ")} }`;

/** Draws the chart of all results anew, and writes the tables of docs/PERFORMANCE.md. @param {string[]} order of scenarios */
export function drawAll(order) {
  if (!existsSync(folder)) return;
  const reports = readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")))
    .filter(({ name }) => order.includes(name))
    .sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  if (reports.length === 0) return;
  writeFileSync(join(folder, "bench.svg"), drawChart(reports));
  writeTables(reports);
}
