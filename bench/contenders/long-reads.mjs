// Reads of a log in segments, with an index and snapshots, and what the bucket was asked for in each: a store is opened for every
// measurement, and its requests count.

import { defineProjection, project } from "../lib/library.mjs";
import { TAIL } from "../lib/long-log.mjs";
import { orderAt } from "../lib/order-events.mjs";
import { openStore } from "../lib/s3.mjs";
import { trafficOf } from "../lib/traffic.mjs";

const WARM_UP = 20_000;
const SEGMENT_KEY = /\/_segments\//;

/** Opens a store, gives it to `work`, closes it. */
async function withStore({ s3, prefix }, work) {
  const store = await openStore(s3, { prefix });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** The whole log, in a process that went over its first 20,000 events before. */
export async function replay({ events, ...place }) {
  const walk = (toSeq) =>
    withStore(place, async (store) => {
      let seen = 0;
      for await (const event of store.read({ toSeq })) if (event.payload !== undefined) seen++;
      return seen;
    });
  await walk(Math.min(WARM_UP, events) - 1);
  return {
    async measure() {
      let [seen, seconds] = [0, 0];
      const traffic = await trafficOf(place.s3.traffic, async () => {
        const start = performance.now();
        seen = await walk();
        seconds = (performance.now() - start) / 1000;
      });
      if (seen !== events + TAIL) throw new Error(`read ${seen} events instead of ${events + TAIL}`);
      return {
        perSecond: seen / seconds,
        requests: traffic.requests(),
        dataRequests: traffic.requests(/^GET segments/),
        eventRequests: traffic.requests(/^GET events/),
      };
    },
  };
}

/** All events of one order, another one each time; in a log of the full size one that has none in the tail. */
export async function aggregate({ events, orders, ...place }) {
  let turn = 0;
  return {
    async measure() {
      const first = (TAIL + turn++ * 1237) % orders;
      const expected = Math.ceil((events + TAIL - first) / orders);
      const { aggregateId } = orderAt(first, orders);
      let seen = 0;
      const traffic = await trafficOf(place.s3.traffic, () =>
        withStore(place, async (store) => {
          for await (const event of store.read({ aggregateId })) if (event.aggregateId === aggregateId) seen++;
        }),
      );
      if (seen !== expected) throw new Error(`read ${seen} events instead of ${expected}`);
      return {
        requests: traffic.requests(),
        lists: traffic.requests(/^LIST/),
        indexRequests: traffic.requests(/^GET index/),
        bytes: traffic.bytes(),
        eventBytes: traffic.bytes(/^GET events/),
      };
    },
  };
}

/** What lies in the bucket; bytes. The records are those that are in segments, each with its newline. */
export async function sizes({ events, ...place }) {
  return {
    measure: () =>
      withStore(place, async ({ derived: { objects, root } }) => {
        const total = { segmentBytes: 0, segments: 0, indexBytes: 0, recordBytes: 0 };
        let [startAfter, truncated] = ["", true];
        while (truncated) {
          const page = await objects.list({ prefix: root, ...(startAfter && { startAfter }) });
          for (const { key, size } of page.entries) {
            const seq = /\/(\d{10})\.json$/.exec(key)?.[1];
            if (SEGMENT_KEY.test(key)) {
              total.segmentBytes += size;
              total.segments++;
            } else if (/\/_index\//.test(key)) total.indexBytes += size;
            else if (seq !== undefined && Number(seq) < events) total.recordBytes += size;
          }
          startAfter = page.entries.at(-1)?.key ?? "";
          ({ truncated } = page);
        }
        return { ...total, recordMean: total.recordBytes / events };
      }),
  };
}

const turnover = defineProjection({
  name: "bench",
  version: 1,
  initial: () => ({ events: 0, amount: 0, types: {} }),
  apply(state, { type, payload }) {
    state.events++;
    state.amount += payload.amount;
    state.types[type] = (state.types[type] ?? 0) + 1;
    return state;
  },
});

/** A projection's state at the head, from a snapshot `behind` events before it. */
export async function fromSnapshot({ events, behind, ...place }) {
  const head = events + TAIL - 1;
  await withStore(place, (store) => project(store, turnover, { toSeq: head - behind, snapshot: true }));
  return {
    async measure() {
      let projected;
      const traffic = await trafficOf(place.s3.traffic, () =>
        withStore(place, async (store) => (projected = await project(store, turnover))),
      );
      const { from, events: applied, state } = projected;
      if (from !== head - behind || applied !== behind || state.events !== head + 1)
        throw new Error(`applied ${applied} events from seq ${from}, of ${state.events}`);
      return { requests: traffic.requests(), bytes: traffic.bytes() };
    },
  };
}
