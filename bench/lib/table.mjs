/** Numbers as people read them: three or four digits that mean something. */
export function readable(value) {
  const size = Math.abs(value);
  if (size >= 10_000) return Math.round(value).toLocaleString("en");
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(size >= 0.1 || size === 0 ? 2 : 3);
}

/** @param {import("./results.mjs").Goal | undefined} goal */
export function goalText(goal) {
  if (goal === undefined) return "";
  return goal.atLeast !== undefined ? `≥ ${readable(goal.atLeast)}` : `≤ ${readable(goal.atMost)}`;
}

/** @param {object} report as lib/report.mjs makes it @returns {string} */
export function scenarioTable(report) {
  const header = ["", "median", "unit", "min – max", "goal", ""];
  const rows = report.rows.filter(({ value }) => value !== null).map(cells);
  const widths = header.map((text, i) => Math.max(text.length, ...rows.map((row) => row[i].length)));
  const line = (row) =>
    row
      .map((text, i) => (i === 1 ? text.padStart(widths[i]) : text.padEnd(widths[i])))
      .join("  ")
      .trimEnd();
  const skipped = report.contenders.filter((contender) => contender.skipped !== undefined);
  const notes = report.contenders.filter((contender) => contender.note !== undefined && !contender.skipped);
  return [
    `${report.name}: ${report.title}`,
    ...report.about.split("\n").map((text) => `  ${text}`),
    "",
    ...[header, ...rows].map((row) => `  ${line(row)}`),
    ...section(
      notes,
      ({ note }) => note,
      (titles, note) => `${titles}: ${note}`,
    ),
    ...section(
      skipped,
      ({ skipped: why }) => why,
      (titles, why) => `left out: ${titles} (${why})`,
    ),
    "",
  ].join("\n");
}

/** A line for all contenders that share a remark. */
function section(contenders, remark, line) {
  const remarks = [...new Set(contenders.map(remark))];
  const lines = remarks.map((text) => {
    const titles = contenders.filter((contender) => remark(contender) === text).map(({ title }) => title);
    return `  ${line(titles.join("; "), text)}`;
  });
  return lines.length > 0 ? ["", ...lines] : [];
}

function cells({ title, value, unit = "", over, goal, met }) {
  const range = value.min === value.max ? "" : `${readable(value.min)} – ${readable(value.max)}`;
  const verdict = met === undefined ? "" : met ? "met" : "NOT MET";
  return [title, readable(value.median), over === undefined ? unit : "×", range, goalText(goal), verdict];
}
