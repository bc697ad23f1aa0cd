// The event store on a bucket.

import { startS3Emulator } from "@rynxs/event-store/testing";
import { drive } from "../lib/drive.mjs";
import { eventAt, eventsFrom } from "../lib/events.mjs";
import { freshPrefix, openStore } from "../lib/s3.mjs";

/**
 * @param {{ s3: object, events: number, callers?: number, perCall?: number, batch?: boolean, warmUp?: number, budgetMs?: number }} options
 *   `batch`: group commit; `perCall`: events of one appendBatch
 */
export async function append({ s3, batch = false, warmUp = 50, ...plan }) {
  const { perCall = 1 } = plan;
  const store = await openStore(s3, { prefix: freshPrefix("log"), batch });
  let written = 0;
  const one = () => {
    const first = written;
    written += perCall;
    return perCall === 1 ? store.append(eventAt(first)) : store.appendBatch(eventsFrom(first, perCall));
  };
  await drive({ ...plan, events: warmUp * perCall }, one);
  return { measure: () => drive(plan, one), close: () => store.close() };
}

/** Replays a log that `fill` wrote. */
export async function replay({ s3, prefix, events }) {
  const store = await openStore(s3, { prefix });
  const walk = async (toSeq) => {
    let seen = 0;
    for await (const event of store.read(toSeq === undefined ? {} : { toSeq })) if (event.seq >= 0) seen++;
    return seen;
  };
  await walk(Math.min(500, events - 1));
  return {
    async measure() {
      const start = performance.now();
      const seen = await walk();
      if (seen !== events) throw new Error(`read ${seen} of ${events} events`);
      return { perSecond: (seen * 1000) / (performance.now() - start) };
    },
    close: () => store.close(),
  };
}

/** What one append asks of the server. The emulator is in this process, because only requests are counted. */
export async function countRequests({ events }) {
  const emulator = await startS3Emulator();
  const [bucket, prefix] = ["events", "log"];
  const s3 = { endpoint: emulator.endpoint, bucket, accessKeyId: "test", secretAccessKey: "testsecret" };
  const store = await openStore(s3, { prefix });
  let written = 0;
  for (; written < 10; written++) await store.append(eventAt(written));
  return {
    async measure() {
      emulator.requests.length = 0;
      for (let i = 0; i < events; i++) await store.append(eventAt(written++));
      const head = emulator.requests.filter(({ key }) => key === `${prefix}/_head.json`).length;
      const puts = emulator.requests.filter(
        ({ operation, key }) => operation === "PUT" && /\/\d{10}\.json$/.test(key),
      ).length;
      const others = emulator.requests.length - head - puts;
      return { eventPuts: puts / events, others: others / events, head: head / events };
    },
    async close() {
      await store.close();
      await emulator.close();
    },
  };
}
