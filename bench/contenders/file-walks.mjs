// Passes over a log file, each in a fresh process: ours, and the parts that no verified read can save. Each goes over
// 20,000 events unmeasured first.

import { hash } from "node:crypto";
import { open } from "node:fs/promises";
import { FileEventStore } from "../lib/library.mjs";

const WARM_UP = 20_000;
/** A record is {"event":<event>,"event_hash":"<64>","prev_hash":"<64>"}: what is hashed lies between. */
const EVENT_START = 9;
const EVENT_TAIL = 160;

/** Opens, walks a little, and then measures whole walks. `walk(toSeq)` gives the number of events seen. */
async function walker(walk, events, expected, close) {
  await walk(Math.min(WARM_UP, events) - 1);
  return {
    async measure() {
      const cpu = process.cpuUsage();
      const start = performance.now();
      const seen = await walk(events - 1);
      const seconds = (performance.now() - start) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      if (seen !== expected) throw new Error(`saw ${seen} events instead of ${expected}`);
      return { perSecond: events / seconds, seconds, cpuSeconds: (user + system) / 1e6 };
    },
    close,
  };
}

/** @param {{ path: string, events: number, filter?: object, expected?: number }} options */
export async function replay({ path, events, filter = {}, expected = events }) {
  const store = await FileEventStore.open({ path });
  const walk = async (toSeq) => {
    let seen = 0;
    for await (const event of store.read({ ...filter, ...(toSeq < events - 1 ? { toSeq } : {}) }))
      if (event.payload !== undefined) seen++;
    return seen;
  };
  return walker(walk, events, expected, () => store.close());
}

/** @param {{ path: string, warmUpPath: string, events: number, workers?: number }} options */
export async function verify({ path, warmUpPath, events, workers = 1 }) {
  const store = await FileEventStore.open({ path });
  const short = await FileEventStore.open({ path: warmUpPath });
  const walk = async (toSeq) => {
    const report = await (toSeq < events - 1 ? short : store).verify({ workers });
    if (!report.valid) throw report.error;
    return report.events;
  };
  return walker(walk, events, events, () => store.close());
}

/** JSON.parse of each line and nothing else. */
export const parseAlone = ({ path, events }) => {
  let kept;
  return walker(
    (toSeq) => eachLine(path, toSeq + 1, (line) => (kept = JSON.parse(line.toString()))),
    events,
    events,
    () => kept === undefined,
  );
};

/** SHA-256 of each event's bytes and nothing else. */
export const hashAlone = ({ path, events }) => {
  let kept;
  const one = (line) => (kept = hash("sha256", line.subarray(EVENT_START, line.length - EVENT_TAIL), "hex"));
  return walker(
    (toSeq) => eachLine(path, toSeq + 1, one),
    events,
    events,
    () => kept === undefined,
  );
};

/** Reads chunks of 256 KiB and hands out the first `count` lines. */
async function eachLine(path, count, use) {
  const file = await open(path);
  let rest = Buffer.alloc(0);
  let seen = 0;
  try {
    while (seen < count) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(256 * 1024));
      if (bytesRead === 0) break;
      const bytes =
        rest.length === 0 ? buffer.subarray(0, bytesRead) : Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      let from = 0;
      for (let end = bytes.indexOf(10); end >= 0 && seen < count; end = bytes.indexOf(10, from)) {
        use(bytes.subarray(from, end));
        from = end + 1;
        seen++;
      }
      rest = bytes.subarray(from);
    }
  } finally {
    await file.close();
  }
  return seen;
}
