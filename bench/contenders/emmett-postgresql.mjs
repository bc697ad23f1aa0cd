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
  let written = 0;
  const one = async () => {
    const first = written;
    written += perCall;
    const events = Array.from({ length: perCall }, (_, k) => asEmmetts(first + k));
    await store.appendToStream(eventAt(first).aggregateId, events);
  };
  await drive({ ...plan, perCall, events: Math.max(4, warmUp / perCall) * perCall }, one);
  const close = async () => {
    await store.close();
    await pool.end();
  };
  return { measure: () => drive({ ...plan, perCall }, one), close };
}
