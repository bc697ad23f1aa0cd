// How a contender is driven: one call after the other, or by many callers at once; until the events are used up or the time
// is, so that a slow peer does not hold up the rest.

import { median, quantile } from "./stats.mjs";

/**
 * @param {{ events: number, callers?: number, budgetMs?: number, perCall?: number }} plan `perCall`: events that one call carries
 * @param {(index: number) => Promise<unknown>} call
 * @returns {Promise<{ perSecond: number, p50Ms: number, p99Ms: number }>} events a second; latencies of calls
 */
export async function drive({ events, callers = 1, budgetMs = 1500, perCall = 1 }, call) {
  const calls = Math.ceil(events / perCall);
  const latencies = new Float64Array(calls);
  let next = 0;
  let done = 0;
  const start = performance.now();
  const caller = async () => {
    while (next < calls && performance.now() - start < budgetMs) {
      const index = next++;
      const before = performance.now();
      await call(index);
      latencies[done++] = performance.now() - before;
    }
  };
  await Promise.all(Array.from({ length: Math.min(callers, calls) }, caller));
  const seconds = (performance.now() - start) / 1000;
  const seen = latencies.subarray(0, done).sort();
  return { perSecond: (done * perCall) / seconds, p50Ms: median(seen), p99Ms: quantile(seen, 0.99) };
}
