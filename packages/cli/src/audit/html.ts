import { oneLine } from "../text.js";
import type { AuditDocument, Section, Table } from "./document.js";

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; --line: #8886; --good: #17632f; --bad: #a01212; }
@media (prefers-color-scheme: dark) { :root { --good: #6fcf8f; --bad: #ff8a80; } }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 1rem; }
h2 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; border-bottom: 1px solid var(--line); }
.verdict { font-weight: 700; font-size: 1.1rem; border: 2px solid; border-radius: 4px; padding: .6rem .9rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .15rem 1.2rem; margin: .5rem 0; }
dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; } td:first-child { min-width: 11rem; }
@media print {
  @page { margin: 18mm; }
  :root { color-scheme: light; font-size: 10pt; --good: #000; --bad: #000; }
  body { max-width: none; margin: 0; padding: 0; color: #000; background: #fff; }
  h2 { break-after: avoid; } tr, dt, dd { break-inside: avoid; } thead { display: table-header-group; }
}`;

/** One page that needs nothing else: no script, no font, no image, nothing from elsewhere, which its policy also says. */
export function auditHtml({ verdict, headline, sections }: AuditDocument): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Audit: ${escaped(headline)}</title>
<style>${STYLE}
</style>
</head>
<body>
<h1>Audit</h1>
<p class="verdict ${verdict === "valid" ? "good" : "bad"}">${escaped(headline)}</p>
${sections.map(sectionHtml).join("\n")}
</body>
</html>`;
}

function sectionHtml({ title, facts, table }: Section): string {
  const list = facts.map(([label, value]) => `<dt>${escaped(label)}</dt><dd>${escaped(value)}</dd>`).join("\n");
  const parts = [list === "" ? "" : `<dl>\n${list}\n</dl>`, table === undefined ? "" : tableHtml(table)];
  return `<section>\n<h2>${escaped(title)}</h2>\n${parts.filter((part) => part !== "").join("\n")}\n</section>`;
}

function tableHtml({ columns, rows }: Table): string {
  const row = (cells: readonly string[], tag: "th" | "td"): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  const body = rows.map((cells) => row(cells, "td")).join("\n");
  return `<table>\n<thead>${row(columns, "th")}</thead>\n<tbody>\n${body}\n</tbody>\n</table>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return oneLine(text).replace(/[&<>"']/g, (char) => ENTITIES[char] ?? "");
}
