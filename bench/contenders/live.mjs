// From the answer to an append in one process to the event's delivery in another.

import { setTimeout as pause } from "node:timers/promises";
import { openChild } from "../lib/child.mjs";
import { Cleanup } from "../lib/cleanup.mjs";
import { eventAt } from "../lib/events.mjs";
import { freshPrefix, openStore } from "../lib/s3.mjs";
import { median } from "../lib/stats.mjs";

const ROUND_TRIPS = 21;
/** Milliseconds of the clock that all processes of a machine share. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

/** Appends in a process of its own. */
export async function appender({ s3, prefix }) {
  const store = await openStore(s3, { prefix });
  let written = 0;
  // Proves the backend, too.
  await store.append(eventAt(written++));
  return {
    /** After pauses of chance length between the two; gives each event's seq and when its append was answered. */
    async run(count, leastMs, mostMs) {
      const answered = [];
      for (let i = 0; i < count; i++) {
        await pause(leastMs + Math.random() * (mostMs - leastMs));
        const { seq } = await store.append(eventAt(written++));
        answered.push({ seq, at: now() });
      }
      return answered;
    },
    close: () => store.close(),
  };
}

/** Follows a log to which another process appends `events`. @param {{ s3: object, events: number, pollMs: number }} options */
export async function subscriber({ s3, events, pollMs }) {
  const prefix = freshPrefix("live");
  const writer = await openChild(
    { module: "contenders/live.mjs", open: "appender", options: { s3, prefix } },
    new Cleanup(),
  );
  const store = await openStore(s3, { prefix });
  const subscription = store.subscribe({ anchor: await store.head(), pollMs });
  const delivered = new Map();
  const ended = follow(subscription, delivered).then(
    () => new Error("the subscription ended"),
    (error) => error,
  );
  await subscription.whenCaughtUp;
  return {
    async measure() {
      const roundTripMs = await roundTrip(store.derived.objects, `${prefix}/0000000000.json`);
      const answered = await writer.call("run", events, pollMs / 5, pollMs * 4);
      while (!answered.every(({ seq }) => delivered.has(seq))) {
        const why = await Promise.race([pause(pollMs), ended]);
        if (why !== undefined) throw why;
      }
      const latencies = answered.map(({ seq, at }) => delivered.get(seq) - at);
      const [p50Ms, maxMs] = [median(latencies), Math.max(...latencies)];
      const boundMs = pollMs + roundTripMs;
      return { p50Ms, maxMs, roundTripMs, p50Ratio: p50Ms / boundMs, maxRatio: maxMs / boundMs };
    },
    async close() {
      await subscription.close();
      await ended;
      await store.close();
      await writer.close();
    },
  };
}

/** When what was delivered. */
async function follow(subscription, delivered) {
  for await (const { seq } of subscription) delivered.set(seq, now());
}

/** Median of GETs, one after the other. */
async function roundTrip(objects, key) {
  const times = [];
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const start = now();
    await objects.get(key);
    times.push(now() - start);
  }
  return median(times);
}
