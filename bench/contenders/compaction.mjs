// Making segments and an index of a log, and what gzip alone takes for the same bytes. A fresh process for each measurement.

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { openStore } from "../lib/s3.mjs";

/** Records of one gzip member. */
const MEMBER = 1000;

/** Compacts a log of whose derived objects nothing is left. Nothing else is in this process, so that its memory is that of compaction. */
export async function compaction({ s3, prefix, events, index = true }) {
  const store = await openStore(s3, { prefix });
  return {
    async measure() {
      await forget(store.derived, ["_segments/", "_index/"]);
      const start = performance.now();
      const { records } = await store.compact({ index });
      const seconds = (performance.now() - start) / 1000;
      if (records !== events) throw new Error(`${records} of ${events} events are in segments`);
      // maxRSS is in KiB and counts from the process's start; in MB here.
      return { perSecond: events / seconds, peakMb: (process.resourceUsage().maxRSS * 1024) / 1e6 };
    },
    close: () => store.close(),
  };
}

async function forget({ objects, root }, folders) {
  for (const folder of folders)
    for (let truncated = true; truncated;) {
      const page = await objects.list({ prefix: root + folder });
      for (const { key } of page.entries) await objects.delete(key);
      ({ truncated } = page);
    }
}

/** gzip at its default level, in one thread, of the same lines in members of as many records; reading them is not counted. */
export async function gzipAlone({ path, events }) {
  return {
    async measure() {
      let [seconds, bytes, seen, lines] = [0, 0, 0, []];
      for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
        if (seen++ === events) break;
        lines.push(line);
        if (lines.length < MEMBER) continue;
        const member = Buffer.from(`${lines.join("\n")}\n`);
        lines = [];
        const start = performance.now();
        bytes += gzipSync(member).length;
        seconds += (performance.now() - start) / 1000;
      }
      return { perSecond: events / seconds, bytes };
    },
  };
}
