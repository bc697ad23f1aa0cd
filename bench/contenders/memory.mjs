// Peak memory of a replay, above what the process has before it opens a store. A fresh process for each measurement.

import { FileEventStore } from "../lib/library.mjs";
import { openStore } from "../lib/s3.mjs";

async function measure(open, events) {
  const before = process.memoryUsage.rss();
  const store = await open();
  let seen = 0;
  const start = performance.now();
  for await (const event of store.read()) if (event.payload !== undefined) seen++;
  const seconds = (performance.now() - start) / 1000;
  await store.close();
  if (seen !== events) throw new Error(`read ${seen} of ${events} events`);
  // maxRSS is in KiB and counts from the process's start; in MB here.
  const peak = process.resourceUsage().maxRSS * 1024;
  return { peakMb: Math.max(0, peak - before) / 1e6, totalMb: peak / 1e6, perSecond: events / seconds };
}

export const fileReplay = async ({ path, events }) => ({
  measure: () => measure(() => FileEventStore.open({ path }), events),
});

export const s3Replay = async ({ s3, prefix, events }) => ({
  measure: () => measure(() => openStore(s3, { prefix }), events),
});
