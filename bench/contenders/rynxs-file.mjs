// The event store on a local file: writing.

import { join } from "node:path";
import { drive } from "../lib/drive.mjs";
import { eventAt, eventsFrom } from "../lib/events.mjs";
import { FileEventStore } from "../lib/library.mjs";
import { freshPrefix } from "../lib/s3.mjs";

/** @param {{ folder: string, events: number, callers?: number, perCall?: number, warmUp?: number }} options */
export async function append({ folder, warmUp = 200, perCall = 1, ...plan }) {
  const store = await FileEventStore.open({ path: join(folder, `${freshPrefix("log")}.log`) });
  let written = 0;
  const one = async () => {
    const first = written;
    written += perCall;
    if (perCall === 1) await store.append(eventAt(first));
    else await store.appendBatch(eventsFrom(first, perCall));
  };
  await drive({ ...plan, perCall, events: warmUp * perCall }, one);
  return { measure: () => drive({ ...plan, perCall }, one), close: () => store.close() };
}
