import { open } from "node:fs/promises";
import { eventAt } from "./events.mjs";
import { recordChain } from "./library.mjs";
import { orderAt } from "./order-events.mjs";

/**
 * Writes a log of `events` records as the file store would have, without its syncs. Run it with openChild.
 * @param {{ orders?: number }} options `orders`: of so many orders (order-events.mjs), instead of observed agents
 */
export async function makeLog({ orders }) {
  const at = orders === undefined ? eventAt : (i) => orderAt(i, orders);
  return {
    async write(path, events) {
      const record = await recordChain();
      const file = await open(path, "w");
      for (let next = 0; next < events;) {
        const parts = [];
        for (const end = Math.min(events, next + 2000); next < end; next++) parts.push(record(at(next)).line, NEWLINE);
        await file.write(Buffer.concat(parts));
      }
      await file.sync();
      await file.close();
    },
  };
}

const NEWLINE = Buffer.from("\n");
