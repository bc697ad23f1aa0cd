// The logs that the scenarios of long logs measure: orders that take turns, in a file, and in batch objects on the emulator.

import { join } from "node:path";

/** Records behind those that can be compacted, as a log that is written to always has. */
export const TAIL = 500;
/** Compaction makes segments of so many records. */
const BASE = 10_000;
/** Events of one order, in a log of the full size. */
const EACH = 100;

/** @returns {{ events: number, short: number, orders: number }} `short`: a tenth, where that can be compacted */
export function longSizes(context) {
  const events = Math.ceil(context.size(1_000_000, 2 * BASE) / BASE) * BASE;
  return { events, short: Math.max(BASE, Math.floor(events / 10 / BASE) * BASE), orders: events / EACH };
}

/** What a reader of the tables must know of these logs. */
export const describeLong = ({ events, orders }) =>
  `${events.toLocaleString("en")} events of ${orders.toLocaleString("en")} aggregates that take turns, so that any ${orders.toLocaleString("en")} records in a row hold each of them\n` +
  `once, and ${TAIL} events behind them that are not compacted yet. A record has about 370 bytes, hashes included; in batch objects of 1,000.`;

/** The path of a log file of `events` and the tail, that nobody may write to. */
export function longFile(context, events, orders) {
  const records = events + TAIL;
  return context.once(`a log of ${records.toLocaleString("en")} orders' events`, async () => {
    const path = join(context.temp, `orders-${records}.log`);
    const maker = await context.child({ module: "lib/log-maker.mjs", open: "makeLog", options: { orders } });
    await maker.call("write", path, records);
    await maker.close();
    return path;
  });
}

/**
 * The first `events` of the log of `all`, and a tail, on the emulator without latency; compacted, if nobody else does.
 * @returns {Promise<{ s3: import("./s3.mjs").Bucket, prefix: string, events: number }>} `events`: in segments
 */
export function longBucket(context, { events, all = events, orders, name = "long", compacted = true }) {
  const prefix = `${name}-${events}`;
  return context.once(
    `${events.toLocaleString("en")} events${compacted ? ", compacted" : ""}`,
    async () => {
      const emulator = await context.emulator(0);
      const place = { s3: emulator.facts, prefix, events };
      await emulator.call("seed", { path: await longFile(context, all, orders), prefix, count: events + TAIL });
      if (compacted) {
        const compactor = await context.child({
          module: "contenders/compaction.mjs",
          open: "compaction",
          options: place,
        });
        await compactor.call("measure");
        await compactor.close();
      }
      return place;
    },
    prefix,
  );
}
