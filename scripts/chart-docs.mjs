// node scripts/chart-docs.mjs [--check]: writes the table of values in helm/rynxs/README.md from the comments in values.yaml.
// A comment that begins with "--" documents the value below it and whatever is inside that value.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { isMap, isScalar, parseDocument } from "yaml";

const chart = new URL("../helm/rynxs/", import.meta.url);
const begin = "<!-- values: begin (node scripts/chart-docs.mjs) -->";
const end = "<!-- values: end -->";

/** Rows of `{path, fallback, text}`. @throws for a value that no comment documents */
export function documentedValues(yaml) {
  const rows = [];
  const visit = (map, prefix) => {
    for (const [index, { key, value }] of map.items.entries()) {
      const path = [...prefix, key.value].join(".");
      // yaml hangs what stands before a map's first key on the map
      const comment = key.commentBefore ?? (index === 0 ? map.commentBefore : undefined);
      const text = documentation(comment);
      if (text !== undefined) rows.push({ path, fallback: JSON.stringify(value.toJSON()), text });
      else if (isMap(value) && value.items.length > 0) visit(value, [...prefix, key.value]);
      else throw new Error(`${path} has no comment that begins with "--"`);
    }
  };
  const document = parseDocument(yaml);
  if (!isMap(document.contents) || document.errors.length > 0) throw new Error("values.yaml is not a map");
  if (document.contents.items.some(({ key }) => !isScalar(key))) throw new Error("keys are plain names");
  visit(document.contents, []);
  return rows;
}

/** The README with the table as it should be, formatted. */
export async function withTable(readme, yaml) {
  const [before, rest] = readme.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`README.md has no lines "${begin}" and "${end}"`);
  const cell = (text) => text.replaceAll("|", "\\|");
  const rows = documentedValues(yaml).map(
    ({ path, fallback, text }) => `| \`${path}\` | \`${cell(fallback)}\` | ${cell(text)} |`,
  );
  const text = `${before}${begin}\n\n| value | default | what it is |\n| --- | --- | --- |\n${rows.join("\n")}\n\n${end}${after}`;
  return format(text, { ...(await resolveConfig(fileURLToPath(chart))), parser: "markdown" });
}

function documentation(comment) {
  if (comment === undefined || comment === null) return undefined;
  // Of several comments only the last block belongs to the value.
  const block = comment.split(/\n\s*\n/).at(-1);
  const lines = block.split("\n").map((line) => line.trim());
  const start = lines.findIndex((line) => line.startsWith("-- "));
  return start < 0 ? undefined : lines.slice(start).join(" ").slice(3);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = new URL("README.md", chart);
  const readme = readFileSync(file, "utf8");
  const wanted = await withTable(readme, readFileSync(new URL("values.yaml", chart), "utf8"));
  if (!process.argv.includes("--check")) writeFileSync(file, wanted);
  else if (wanted !== readme) {
    console.error("helm/rynxs/README.md does not say what values.yaml says: run node scripts/chart-docs.mjs");
    process.exitCode = 1;
  }
}
