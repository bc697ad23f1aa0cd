// What an append and an opening cost on a log of a given length.

import { FileEventStore } from "../lib/library.mjs";
import { drive } from "../lib/drive.mjs";
import { eventAt } from "../lib/events.mjs";
import { openStore } from "../lib/s3.mjs";

const opener = ({ path, s3, prefix }) =>
  path === undefined ? () => openStore(s3, { prefix }) : () => FileEventStore.open({ path });

/** Median of appends, one after the other. */
export async function append({ events, length, ...where }) {
  const store = await opener(where)();
  let at = length;
  const one = () => store.append(eventAt(at++));
  await drive({ events: 100 }, one);
  return {
    async measure() {
      const { p50Ms } = await drive({ events }, one);
      return { micros: p50Ms * 1000 };
    },
    close: () => store.close(),
  };
}

/** Median of opening a store and asking for its head. */
export async function open({ events, ...where }) {
  const openOne = opener(where);
  const one = async () => {
    const store = await openOne();
    await store.head();
    await store.close();
  };
  await drive({ events: 10 }, one);
  return {
    async measure() {
      const { p50Ms } = await drive({ events }, one);
      return { micros: p50Ms * 1000 };
    },
  };
}
