// The tables of docs/PERFORMANCE.md: what the document says was measured is what bench/results holds.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { machineLine } from "./machine.mjs";
import { goalText, readable } from "./table.mjs";

const file = join(import.meta.dirname, "..", "..", "docs", "PERFORMANCE.md");
const END = "<!-- end of results -->";
/** A place for tables: of the scenarios that are named, or of all that no other place names. */
const PLACE = /<!-- results(?: of ([a-z0-9 -]+))?: written by npm run bench -->[^]*?<!-- end of results -->/g;

/** @param {object[]} reports as lib/report.mjs makes them */
export function writeTables(reports) {
  const text = readFileSync(file, "utf8");
  const placed = [...text.matchAll(PLACE)].map(([, names]) => names?.split(" "));
  if (placed.length === 0) throw new Error(`${file} has no place for the results`);
  const elsewhere = new Set(placed.flatMap((names) => names ?? []));
  const written = text.replace(PLACE, (place, names) => {
    const wanted = names === undefined ? null : new Set(names.split(" "));
    const here = reports.filter(({ name }) => wanted?.has(name) ?? !elsewhere.has(name));
    const [begin] = place.split("\n");
    return [begin, "", ...here.map(section), END].join("\n");
  });
  writeFileSync(file, written);
}

function section({ name, title, about, date, machine, versions, options, rows, contenders }) {
  const rounds = `${options.rounds} rounds${options.events === null ? "" : `, --events ${options.events}`}`;
  const notes = contenders.filter(({ note, skipped }) => note !== undefined && skipped === undefined);
  const skipped = contenders.filter((contender) => contender.skipped !== undefined);
  return [
    `### ${name}: ${title}\n`,
    `${about.replaceAll("\n", " ")} ${date}, ${rounds}; ${machineLine(machine)}.\n`,
    "| | median | min – max | goal |",
    "| --- | ---: | --- | --- |",
    ...rows.filter(({ value }) => value !== null).map(row),
    "",
    ...notes.map(({ title: of, note }) => `- ${of}: ${note}`),
    ...skipped.map(({ title: of, skipped: why }) => `- left out: ${of} (${why})`),
    ...(name === "file-append" ? [`- versions: ${versionsText(versions)}`] : []),
    "",
  ].join("\n");
}

function row({ title, value, unit = "", over, goal, met }) {
  const range = value.min === value.max ? "" : `${readable(value.min)} – ${readable(value.max)}`;
  const verdict = met === undefined ? "" : met ? ", met" : ", **not met**";
  return `| ${title} | ${readable(value.median)} ${over === undefined ? unit : "×"} | ${range} | ${goalText(goal)}${verdict} |`;
}

const versionsText = (versions) =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
