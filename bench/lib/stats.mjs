/** @param {ArrayLike<number>} values @param {number} q 0 … 1 */
export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)];
  return below + ((sorted[Math.ceil(at)] ?? below) - below) * (at - Math.floor(at));
}

export const median = (values) => quantile(values, 0.5);

/** @returns {{ median: number, min: number, max: number } | null} null for no values */
export function summary(values) {
  if (values.length === 0) return null;
  return { median: median(values), min: quantile(values, 0), max: quantile(values, 1) };
}

/** Six significant digits: enough for a result, and the files stay small. */
export const rounded = (value) => Number(value.toPrecision(6));
