import { oneLine } from "../text.js";
import type { AuditDocument, Section, Table } from "./document.js";

export function auditMarkdown({ headline, sections }: AuditDocument): string {
  return [`# Audit`, "", `**${escaped(headline)}**`, ...sections.flatMap(sectionLines)].join("\n");
}

function sectionLines({ title, facts, table }: Section): string[] {
  const items = facts.map(([label, value]) => `- ${escaped(label)}: ${escaped(value)}`);
  return [
    ...["", `## ${escaped(title)}`],
    ...(items.length === 0 ? [] : ["", ...items]),
    ...(table === undefined ? [] : ["", ...tableLines(table)]),
  ];
}

function tableLines({ columns, rows }: Table): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(" | ")} |`;
  return [line(columns), `|${" --- |".repeat(columns.length)}`, ...rows.map(line)];
}

/** Text that Markdown shows as it is: no markup, no HTML, no link, no end of a cell. */
function escaped(text: string): string {
  const escapedHtml = oneLine(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  // an @ or a scheme would be made into a mention or a link by some
  return escapedHtml.replace(/[\\`*_{}[\]()!|~$^]/g, "\\$&").replace(/:\/\/|@|www\./g, (found) => LINKS[found] ?? "");
}

const LINKS: Readonly<Record<string, string>> = { "://": "&#58;//", "@": "&#64;", "www.": "www&#46;" };
