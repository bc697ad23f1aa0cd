import { drive } from "../lib/drive.mjs";
import { recordLines } from "../lib/library.mjs";
import { openDriver } from "../lib/s3.mjs";

/** Puts a log, many objects at once: only for reading it back. `perObject`: records of one object. */
export async function openFiller({ s3, prefix, perObject = 1 }) {
  const objects = openDriver(s3);
  return {
    async fill(events) {
      const lines = await recordLines(events);
      await drive({ events, perCall: perObject, callers: 64, budgetMs: 600_000 }, async (i) => {
        const first = i * perObject;
        const records = lines.slice(first, first + perObject);
        const body = records.length === 1 ? records[0] : Buffer.from(`${records.join("\n")}\n`);
        const { outcome } = await objects.putIfAbsent(`${prefix}/${String(first).padStart(10, "0")}.json`, body);
        if (outcome !== "stored") throw new Error(`a put was not stored: ${outcome}`);
      });
    },
    close: () => objects.close(),
  };
}
