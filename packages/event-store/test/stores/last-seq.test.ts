import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { MAX_SEQ } from "../../src/core/event.js";
import { encodeChain, prepareEvent } from "../../src/core/record.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { FileEventStore } from "../../src/stores/file/file-event-store.js";
import type { EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";

const scratch = mkdtempSync(join(tmpdir(), "rynxs-last-seq-"));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const event = { type: "T", aggregateId: "a", payload: {} };
/** A log whose last record has this seq, as if all before it had been there. */
const record = (seq: number): Buffer | undefined =>
  encodeChain([prepareEvent(event, 1, () => 0)], { seq: seq - 1, hash: "a".repeat(64) })[0]?.line;

async function file(seq: number): Promise<EventStore> {
  const path = join(scratch, `${String(seq)}.log`);
  writeFileSync(path, `${String(record(seq))}\n`);
  return FileEventStore.open({ path });
}

async function bucket(seq: number): Promise<EventStore> {
  const objects = memoryObjects();
  objects.bucket.put(`events/${String(seq)}.json`, record(seq) ?? "");
  return S3EventStore.open({ objects });
}

describe.each([
  ["file", file],
  ["bucket", bucket],
] as const)("the last seq of ten digits, in a %s", (_name, open) => {
  it("is written; behind it an append fails with a clear error and writes nothing", async () => {
    const store = await open(MAX_SEQ - 1);
    expect((await store.appendWithRetry(event)).seq).toBe(9_999_999_999);
    await expect(store.append(event)).rejects.toMatchObject({
      code: "SEQ_EXHAUSTED",
      facts: { seq: 10_000_000_000 },
      hint: expect.stringContaining("new log") as string,
    });
    await expect(store.appendBatch([event, event])).rejects.toMatchObject({ code: "SEQ_EXHAUSTED" });
    expect((await store.head()).seq).toBe(MAX_SEQ);
    await store.close();
  });

  it("a batch that would pass it is refused as a whole", async () => {
    const store = await open(MAX_SEQ - 2);
    await expect(store.appendBatch([event, event, event])).rejects.toMatchObject({ code: "SEQ_EXHAUSTED" });
    expect((await store.head()).seq).toBe(MAX_SEQ - 2);
    await store.close();
  });
});
