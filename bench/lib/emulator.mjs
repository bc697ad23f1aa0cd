// The library's S3 emulator in a process of its own (open it with openChild).

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { startS3Emulator } from "@rynxs/event-store/testing";
import { countTraffic } from "./traffic.mjs";

const BUCKET = "events";

/** @param {{ latencyMs?: number }} options */
export async function openEmulator({ latencyMs = 0 }) {
  const emulator = await startS3Emulator({ latencyMs, buckets: [BUCKET] });
  // It remembers every request, for tests; a benchmark would fill the memory with them.
  const forget = setInterval(() => (emulator.requests.length = 0), 100);
  const traffic = await countTraffic(emulator.endpoint);
  const facts = {
    traffic: traffic.url,
    server: latencyMs > 0 ? `S3 emulator, ${latencyMs} ms per request` : "S3 emulator",
    endpoint: emulator.endpoint,
    bucket: BUCKET,
    region: "us-east-1",
    accessKeyId: "test",
    secretAccessKey: "testsecret",
  };
  return {
    facts,
    /** Fills a prefix with the first `count` records of a log file, 1000 to an object, and the head that a writer leaves. */
    async seed({ path, prefix, count }) {
      const objects = emulator.objects(BUCKET);
      let seq = 0;
      let hash = "";
      let batch = [];
      const store = () => {
        const first = String(seq - batch.length).padStart(10, "0");
        objects.put(`${prefix}/${first}.json`, batch.length === 1 ? batch[0] : `${batch.join("\n")}\n`);
        batch = [];
      };
      for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
        if (seq === count) break;
        batch.push(line);
        if (seq === count - 1) hash = JSON.parse(line).event_hash;
        seq++;
        if (batch.length === 1000) store();
      }
      if (batch.length > 0) store();
      objects.put(`${prefix}/_head.json`, JSON.stringify({ last_hash: hash, last_seq: seq - 1 }));
    },
    async close() {
      clearInterval(forget);
      traffic.close();
      await emulator.close();
    },
  };
}
