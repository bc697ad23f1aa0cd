// From raw figures to what is reported: medians, ratios of the same round, goals.

import { rounded, summary } from "./stats.mjs";

/**
 * @typedef {{ atLeast?: number, atMost?: number, or?: string }} Goal `or`: the id of a row that will do as well
 * @typedef {{ id: string, title: string, of: string, over?: string, unit?: string, goal?: Goal, note?: string }} Row `of` and
 *   `over`: CONTENDER.METRIC; without `over` a plain value
 */

/**
 * @param {Row[]} rows
 * @param {import("./rounds.mjs").Measured[]} measured
 * @param {{ judge: boolean }} options false: goals are shown and not judged, because tiny runs say nothing
 */
export function evaluate(rows, measured, { judge }) {
  const results = rows.map((row) => ({ ...row, ...measure(row, measured) }));
  for (const result of results) {
    if (!judge || result.goal === undefined || result.value === null) continue;
    const other = results.find(({ id }) => id === result.goal.or);
    result.met = reaches(result) || (other !== undefined && other.value !== null && reaches(other));
  }
  return results;
}

function measure({ of, over }, measured) {
  const top = figures(of, measured);
  const below = over === undefined ? undefined : figures(over, measured);
  const values = top.flatMap((value, round) => {
    const base = below === undefined ? 1 : below[round];
    return value === undefined || base === undefined || base === 0 ? [] : [value / base];
  });
  const found = summary(values);
  if (found !== null) for (const name of Object.keys(found)) found[name] = rounded(found[name]);
  return { value: found };
}

function figures(name, measured) {
  const [id, metric] = name.split(".");
  const entry = measured.find(({ contender }) => contender.id === id);
  if (entry === undefined) throw new Error(`no contender ${id}`);
  return entry.rounds.map((metrics) => metrics?.[metric]);
}

const reaches = ({ goal: { atLeast = -Infinity, atMost = Infinity }, value }) =>
  value.median >= atLeast && value.median <= atMost;
