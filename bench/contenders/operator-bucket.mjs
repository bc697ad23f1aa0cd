// The bucket of an operator: the emulator, which says when each event object was stored.

import { startS3Emulator } from "@rynxs/event-store/testing";
import { countTraffic } from "../lib/traffic.mjs";

const BUCKET = "events";
/** Milliseconds of the clock that all processes of a machine share. */
const now = () => Number(process.hrtime.bigint()) / 1e6;
const isEvents = (key) => /^[^/]+\/\d{10}\.json$/.test(key);

/** To be opened with openChild. @param {{ latencyMs: number }} options */
export async function bucket({ latencyMs }) {
  const emulator = await startS3Emulator({ latencyMs, buckets: [BUCKET] });
  const forget = setInterval(() => (emulator.requests.length = 0), 100);
  const traffic = await countTraffic(emulator.endpoint);
  const objects = emulator.objects(BUCKET);
  const put = objects.put.bind(objects);
  let stored = [];
  let events = 0;
  objects.put = (key, body, options) => {
    const held = put(key, body, options);
    if (isEvents(key)) {
      const count = linesOf(held.body).length;
      events += count;
      stored.push({ key, at: now(), events: count });
    }
    return held;
  };
  return {
    facts: {
      traffic: traffic.url,
      endpoint: emulator.endpoint,
      bucket: BUCKET,
      region: "us-east-1",
      accessKeyId: "test",
      secretAccessKey: "testsecret",
    },
    /** From now on nothing has been stored. */
    forget() {
      stored = [];
      events = 0;
    },
    /** Events since then, and when the last of them was stored. */
    count: () => ({ events, lastAt: stored.at(-1)?.at ?? null }),
    /** The events since then, in order. */
    events: () =>
      stored.flatMap(({ key, at }) =>
        linesOf(objects.get(key).body).map((line) => {
          const { event, event_hash } = JSON.parse(line);
          return { type: event.type, aggregateId: event.aggregate_id, seq: event.seq, eventHash: event_hash, at };
        }),
      ),
    /** Makes single objects of batch objects under a prefix, as the default mode writes them. */
    split() {
      for (const { key } of stored) {
        const folder = key.slice(0, key.lastIndexOf("/"));
        for (const line of linesOf(objects.get(key).body))
          put(`${folder}/${String(JSON.parse(line).event.seq).padStart(10, "0")}.json`, line);
      }
    },
    async close() {
      clearInterval(forget);
      traffic.close();
      await emulator.close();
    },
  };
}

function linesOf(body) {
  return body
    .toString()
    .split("\n")
    .filter((line) => line !== "");
}
