// Emmett's store on SQLite. It sets WAL itself; synchronous stays at FULL, so a commit is synced. One connection, kept open:
// without one of one's own it opens a new one for each append.

import { join } from "node:path";
import { drive } from "../lib/drive.mjs";
import { eventAt } from "../lib/events.mjs";
import { loadPeer } from "../lib/peers.mjs";
import { freshPrefix } from "../lib/s3.mjs";

const asEmmetts = (i) => {
  const { type, payload, meta } = eventAt(i);
  return { type, data: payload, metadata: meta };
};

/** @param {{ folder: string, events: number, perCall?: number }} options */
export async function append({ folder, warmUp = 50, perCall = 1, ...plan }) {
  const { getSQLiteEventStore, sqliteConnection } = loadPeer("sqlite", "@event-driven-io/emmett-sqlite");
  const fileName = join(folder, `${freshPrefix("emmett")}.db`);
  const connection = sqliteConnection({ fileName });
  const store = getSQLiteEventStore({ fileName, connectionOptions: { singleton: true, connection } });
  let calls = 0;
  const one = async () => {
    const call = calls++;
    const events = Array.from({ length: perCall }, (_, k) => asEmmetts(call * perCall + k));
    await store.appendToStream(eventAt(call).aggregateId, events);
  };
  await drive({ ...plan, perCall, events: Math.max(4, warmUp / perCall) * perCall }, one);
  return { measure: () => drive({ ...plan, perCall }, one), close: () => connection.close() };
}
