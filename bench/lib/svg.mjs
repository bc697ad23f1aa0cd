// One chart of all results: horizontal bars, a group for each scenario, a thin line from the least to the most.

import { machineLine } from "./machine.mjs";
import { readable } from "./table.mjs";

const [WIDTH, LABELS, VALUES, BAR, GAP] = [960, 330, 130, 15, 7];
const PLOT = WIDTH - LABELS - VALUES - 40;

const STYLE = `
  text { font: 13px system-ui, "Segoe UI", "Helvetica Neue", sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; } .group { font-size: 14px; font-weight: 600; }
  .quiet { fill: #59636e; font-size: 12px; } .value { font-variant-numeric: tabular-nums; }
  .page { fill: #ffffff; } .ours { fill: #0b6bcb; } .other { fill: #afb8c1; }
  .range { stroke: #1f2328; stroke-width: 1.5; opacity: 0.55; } .axis { stroke: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .quiet { fill: #9198a1; } .page { fill: #0d1117; }
    .ours { fill: #4493f8; } .other { fill: #57606a; } .range { stroke: #e6edf3; } .axis { stroke: #3d444d; }
  }`;

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const text = (x, y, kind, content, more = "") =>
  `<text x="${x}" y="${y}" class="${kind}"${more}>${escaped(content)}</text>`;

/** @param {object[]} reports as lib/report.mjs makes them @returns {string} */
export function drawChart(reports) {
  const parts = [];
  let y = 34;
  parts.push(text(20, y, "title", "Rynxs event store, side by side"));
  y += 20;
  parts.push(
    text(
      20,
      y,
      "quiet",
      `${machineLine(reports[0].machine)}; ${reports
        .map(({ date }) => date)
        .sort()
        .at(-1)}`,
    ),
  );
  parts.push(
    `<rect class="ours" x="${WIDTH - 296}" y="23" width="12" height="12" rx="2"/>`,
    text(WIDTH - 278, 34, "quiet", "ours"),
    `<rect class="other" x="${WIDTH - 234}" y="23" width="12" height="12" rx="2"/>`,
    text(WIDTH - 216, 34, "quiet", "peers and limits; line: min to max"),
  );
  for (const report of reports) {
    for (const panel of report.chart) {
      const drawn = drawPanel(report, panel, y + 34);
      parts.push(...drawn.parts);
      y = drawn.end;
    }
  }
  const height = y + 24;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Benchmark results of the Rynxs event store and its peers">
<style>${STYLE}
</style>
<rect class="page" width="${WIDTH}" height="${height}" rx="8"/>
${parts.join("\n")}
</svg>
`;
}

/** @param {{ title: string, unit: string, rows: string[], log?: boolean, less?: boolean }} panel */
function drawPanel(report, panel, top) {
  const rows = panel.rows.map((id) => report.rows.find((row) => row.id === id)).filter((row) => row?.value);
  if (rows.length === 0) return { parts: [], end: top - 34 };
  const scale = makeScale(rows, panel.log === true);
  const hints = [panel.unit, panel.less ? "less is better" : "more is better", ...(panel.log ? ["log scale"] : [])];
  const parts = [
    text(20, top, "group", panel.title),
    text(WIDTH - 20, top, "quiet", hints.join(", "), ' text-anchor="end"'),
  ];
  let y = top + 12;
  parts.push(
    `<line class="axis" x1="${LABELS}" y1="${y - 2}" x2="${LABELS}" y2="${y + rows.length * (BAR + GAP) - GAP + 2}"/>`,
  );
  for (const { title, value, of } of rows) {
    const ours = report.contenders.find(({ id }) => id === of.split(".")[0])?.ours === true;
    const [end, least, most] = [value.median, value.min, value.max].map(scale);
    const middle = y + BAR / 2;
    parts.push(
      text(LABELS - 10, y + 12, "", title, ' text-anchor="end"'),
      `<rect class="${ours ? "ours" : "other"}" x="${LABELS}" y="${y}" width="${end.toFixed(1)}" height="${BAR}" rx="2"/>`,
      `<line class="range" x1="${(LABELS + least).toFixed(1)}" y1="${middle}" x2="${(LABELS + most).toFixed(1)}" y2="${middle}"/>`,
      text((LABELS + Math.max(end, most) + 8).toFixed(1), y + 12, "value", readable(value.median)),
    );
    y += BAR + GAP;
  }
  return { parts, end: y };
}

/** From a value to a length. A log scale begins at the power of ten below the least value. */
function makeScale(rows, log) {
  const most = Math.max(...rows.map(({ value }) => value.max));
  if (!log) return (value) => (value / most) * PLOT;
  const start = 10 ** Math.floor(Math.log10(Math.min(...rows.map(({ value }) => value.min))) - 0.001);
  return (value) => (Math.log10(value / start) / Math.log10(most / start)) * PLOT;
}
