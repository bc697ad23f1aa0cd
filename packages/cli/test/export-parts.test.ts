import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { memoryObjects, S3EventStore, type EventStore } from "@rynxs/event-store";
import { parseManifest } from "../src/export/manifest.js";
import { PartsExport, type PartsRequest } from "../src/export/parts.js";
import { temporaryFolder } from "./rynxs.js";

const folder = await temporaryFolder();
const signal = new AbortController().signal;
const request: PartsRequest = {
  layout: { format: "ndjson", raw: false, guardFormulas: false },
  filters: { aggregateId: undefined, type: undefined },
  from: undefined,
  rowsPerFile: 10,
  partitioned: undefined,
};

async function storeOf(count: number, bucket = memoryObjects().bucket): Promise<EventStore> {
  const store = await S3EventStore.open({ objects: memoryObjects({ bucket }), skipBackendProof: true, batch: true });
  await store.appendBatch(
    Array.from({ length: count }, (_, i) => ({ type: "T", aggregateId: "a", ts: i, payload: {} })),
  );
  return store;
}

describe("two exports into one folder at a time", () => {
  it("notice each other at the end of a part, and the one that is behind stops", async () => {
    const place = join(folder, "both");
    const store = await storeOf(35);
    const [a, b] = [await PartsExport.open(store, place, request), await PartsExport.open(store, place, request)];
    await a.write({ first: 0, last: 9 }, signal, () => {});
    await expect(b.write({ first: 0, last: 9 }, signal, () => {})).rejects.toMatchObject({ code: "CONFLICT" });
    await a.write({ first: 10, last: 19 }, signal, () => {});
    const c = await PartsExport.open(store, place, request);
    expect(c.next(34)).toEqual({ first: 20, last: 29 });
    const manifest = parseManifest(await readFile(join(place, "_export.json"), "utf8"));
    expect(manifest?.parts.map(({ first, last, rows }) => [first, last, rows])).toEqual([
      [0, 9, 10],
      [10, 19, 10],
    ]);
  });
});

describe("a log that changes under an export", () => {
  it("is noticed at the next part, which must link to the one before", async () => {
    const place = join(folder, "swapped");
    const { bucket } = memoryObjects();
    const store = await storeOf(12, bucket);
    const parts = await PartsExport.open(store, place, request);
    await parts.write({ first: 0, last: 9 }, signal, () => {});
    const other = await S3EventStore.open({
      objects: memoryObjects({ bucket }),
      prefix: "other",
      skipBackendProof: true,
    });
    await other.appendBatch(
      Array.from({ length: 12 }, (_, i) => ({ type: "U", aggregateId: "a", ts: i, payload: {} })),
    );
    const swapped = await memoryObjects({ bucket }).get("other/0000000000.json");
    bucket.put("events/0000000000.json", swapped?.body ?? Buffer.alloc(0), {});
    await expect(parts.write({ first: 10, last: 11 }, signal, () => {})).rejects.toMatchObject({
      code: "CHAIN_BROKEN",
      seq: 10,
    });
    expect(await readdir(place)).toEqual(["_export.json", "events-0000000000-0000000009.ndjson"]);
    await expect(PartsExport.open(store, place, request)).rejects.toMatchObject({ code: "NOT_A_PREFIX" });
  });
});
