import { drive } from "../lib/drive.mjs";
import { recordLines } from "../lib/library.mjs";
import { openDriver } from "../lib/s3.mjs";

/** Puts a log of single objects, many at once: only for reading it back. */
export async function openFiller({ s3, prefix }) {
  const objects = openDriver(s3);
  return {
    async fill(events) {
      const lines = await recordLines(events);
      await drive({ events, callers: 64, budgetMs: 600_000 }, async (i) => {
        const { outcome } = await objects.putIfAbsent(`${prefix}/${String(i).padStart(10, "0")}.json`, lines[i]);
        if (outcome !== "stored") throw new Error(`a put was not stored: ${outcome}`);
      });
    },
    close: () => objects.close(),
  };
}
