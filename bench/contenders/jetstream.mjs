// NATS JetStream on files. A publish is acknowledged when it is written, not when it is synced: by default the server syncs
// every two minutes.

import { drive } from "../lib/drive.mjs";
import { eventAt } from "../lib/events.mjs";
import { loadPeer } from "../lib/peers.mjs";
import { freshPrefix } from "../lib/s3.mjs";

/** @param {{ server: string, events: number, callers?: number }} options `callers`: publishes in flight */
export async function append({ server, warmUp = 500, ...plan }) {
  const { connect, StorageType } = loadPeer("others", "nats");
  const connection = await connect({ servers: server });
  const name = freshPrefix("bench");
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name, subjects: [`${name}.>`], storage: StorageType.File });
  const stream = connection.jetstream();
  let written = 0;
  const one = () => {
    const event = eventAt(written++);
    return stream.publish(`${name}.${event.aggregateId.slice(9)}`, Buffer.from(JSON.stringify(event)));
  };
  await drive({ ...plan, events: warmUp }, one);
  return { measure: () => drive(plan, one), close: () => connection.close() };
}
