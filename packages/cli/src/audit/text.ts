import { paint } from "../output.js";
import { oneLine, pad, displayWidth } from "../text.js";
import type { AuditDocument, Section, Table } from "./document.js";

/** For a terminal: every value on its line, with nothing in it that could move the cursor. */
export function auditText({ verdict, headline, sections }: AuditDocument): string {
  const colour = verdict === "valid" ? "green" : "red";
  return [paint(colour, headline), ...sections.flatMap(sectionLines)].join("\n");
}

function sectionLines({ title, facts, table }: Section): string[] {
  const width = Math.max(0, ...facts.map(([label]) => label.length));
  const lines = facts.map(([label, value]) => `  ${label.padEnd(width)}  ${oneLine(value)}`.trimEnd());
  return ["", title, ...lines, ...(table === undefined ? [] : tableLines(table))];
}

function tableLines({ columns, rows }: Table): string[] {
  const cells = [columns, ...rows].map((row) => row.map(oneLine));
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => displayWidth(row[i] ?? ""))));
  return cells.map((row) => `  ${row.map((cell, i) => pad(cell, widths[i] ?? 0)).join("  ")}`.trimEnd());
}
