// What no file store can save: the write and the sync; and, on the other side, serialising and hashing.

import { open } from "node:fs/promises";
import { join } from "node:path";
import { drive } from "../lib/drive.mjs";
import { eventAt } from "../lib/events.mjs";
import { recordChain, recordLines } from "../lib/library.mjs";
import { freshPrefix } from "../lib/s3.mjs";

/** write + fdatasync of lines as long as records, one after the other. */
export async function writeAndSync({ folder, warmUp = 200, ...plan }) {
  const file = await open(join(folder, `${freshPrefix("raw")}.log`), "a");
  const lines = (await recordLines(plan.events)).map((line) => Buffer.concat([line, Buffer.from("\n")]));
  let written = 0;
  const one = async () => {
    await file.write(lines[written++ % lines.length]);
    await file.datasync();
  };
  await drive({ ...plan, events: warmUp }, one);
  return { measure: () => drive(plan, one), close: () => file.close() };
}

/** Canonical JSON and the SHA-256 chain of the same events, on one core, nothing written. */
export async function serialiseAndHash({ events }) {
  const next = await recordChain();
  const run = (count) => {
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += next(eventAt(i)).line.length;
    return bytes;
  };
  run(20_000);
  return {
    async measure() {
      const start = performance.now();
      run(events);
      return { perSecond: (events * 1000) / (performance.now() - start) };
    },
  };
}
