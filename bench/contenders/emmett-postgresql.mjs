// Emmett's store on PostgreSQL, over a pool of connections. fsync and synchronous_commit are on.

import { drive } from "../lib/drive.mjs";
import { eventAt } from "../lib/events.mjs";
import { loadPeer } from "../lib/peers.mjs";

const TREE = "postgresql";

const asEmmetts = (i) => {
  const { type, payload, meta } = eventAt(i);
  return { type, data: payload, metadata: meta };
};

/** @param {{ url: string, events: number, callers?: number, perCall?: number, connections?: number }} options */
export async function append({ url, warmUp = 100, perCall = 1, connections = 20, ...plan }) {
  const { getPostgreSQLEventStore } = loadPeer(TREE, "@event-driven-io/emmett-postgresql");
  const { Pool } = loadPeer(TREE, "pg");
  const pool = new Pool({ connectionString: url, max: connections });
  const store = getPostgreSQLEventStore(url, { connectionOptions: { pool } });
  let calls = 0;
  // Neighbouring calls go to different streams, as callers with an aggregate each would have it; a lost race is run again.
  const one = async () => {
    const call = calls++;
    const events = Array.from({ length: perCall }, (_, k) => asEmmetts(call * perCall + k));
    for (let tries = 1; ; tries++) {
      try {
        return await store.appendToStream(eventAt(call).aggregateId, events);
      } catch (error) {
        if (tries === 10 || !/expected version/i.test(error.message)) throw error;
      }
    }
  };
  await drive({ ...plan, perCall, events: Math.max(4, warmUp / perCall) * perCall }, one);
  const close = async () => {
    await store.close();
    await pool.end();
  };
  return { measure: () => drive({ ...plan, perCall }, one), close };
}
