import { open } from "node:fs/promises";
import { eventAt } from "./events.mjs";
import { recordChain } from "./library.mjs";

/** Writes a log of `events` records as the file store would have, without its syncs. Run it with openChild. */
export async function makeLog() {
  return {
    async write(path, events) {
      const next = await recordChain();
      const file = await open(path, "w");
      for (let at = 0; at < events;) {
        const parts = [];
        for (const end = Math.min(events, at + 2000); at < end; at++) parts.push(next(eventAt(at)).line, NEWLINE);
        await file.write(Buffer.concat(parts));
      }
      await file.sync();
      await file.close();
    },
  };
}

const NEWLINE = Buffer.from("\n");
