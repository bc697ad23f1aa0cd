import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FileEventStore } from "../../../src/stores/file/file-event-store.js";
import { vectorJson, VECTORS } from "../../core/vectors.js";

const scratch = mkdtempSync(join(tmpdir(), "rynxs-rotated-"));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});
let count = 0;
let path = "";

interface Chain {
  dir?: string;
  first_seq: number;
  last_seq: number;
  last_hash: string;
  first_prev_hash: string;
}
const chains = vectorJson<Chain[]>("chains.json");
const chain = (dir: string): Chain => {
  const found = chains.find((c) => c.dir === dir);
  if (!found) throw new Error(dir);
  return found;
};

function copyOf(dir: string): void {
  const target = join(scratch, String(count++));
  cpSync(fileURLToPath(new URL(dir, VECTORS)), target, { recursive: true });
  path = join(target, "events.log");
}

describe("a log rotated by the Python system", () => {
  const golden = chain("rotated");
  beforeEach(() => {
    copyOf("rotated");
  });

  it("is read and verified over all segments", async () => {
    const store = await FileEventStore.open({ path });
    const report = await store.verify();
    expect(report.error).toBeUndefined();
    expect([report.events, report.head]).toEqual([100, { seq: 99, hash: golden.last_hash }]);
    const seqs: number[] = [];
    for await (const { seq } of store.read({ fromSeq: 37, toSeq: 81 })) seqs.push(seq);
    expect(seqs).toEqual(Array.from({ length: 45 }, (_, i) => i + 37));
    for (const seq of [0, 20, 59, 60, 98, 99]) expect(await store.getEventHash(seq)).toMatch(/^[0-9a-f]{64}$/);
    expect(await store.getEventHash(100)).toBeNull();
  });

  it("goes on where it ended, and rotates on", async () => {
    const store = await FileEventStore.open({ path, maxBytes: 300 });
    const { seq, prevHash } = await store.appendWithRetry({ type: "T", aggregateId: "a" });
    expect([seq, prevHash]).toEqual([100, golden.last_hash]);
    // The live file was over 300 bytes: it is segment 6 now, and the head says so.
    expect(readdirSync(join(path, "..")).sort()).toContain("events.log.seg-000006");
    expect(JSON.parse(readFileSync(`${path}.head.json`, "utf8"))).toEqual({
      last_hash: golden.last_hash,
      last_seq: 99,
      segment_index: 6,
    });
    await store.close();
    expect((await (await FileEventStore.open({ path })).verify()).events).toBe(101);
  });

  it("a live file that is gone, empty, or a crash between rename and new file, does not restart at seq 0", async () => {
    for (const state of ["gone", "empty"]) {
      copyOf("rotated");
      if (state === "gone") rmSync(path);
      else writeFileSync(path, "");
      rmSync(`${path}.head.json`);
      const store = await FileEventStore.open({ path });
      expect(await store.head()).toMatchObject({ seq: 98 });
      expect((await store.appendWithRetry({ type: "T", aggregateId: "a" })).seq).toBe(99);
      expect((await store.verify()).events).toBe(100);
      await store.close();
    }
  });

  it("a missing segment is a gap at its first seq; a lost tail contradicts the head", async () => {
    rmSync(`${path}.seg-000003`);
    let store = await FileEventStore.open({ path });
    expect((await store.verify()).error).toMatchObject({ code: "GAP", seq: 40 });
    copyOf("rotated");
    rmSync(path);
    rmSync(`${path}.seg-000005`);
    store = await FileEventStore.open({ path });
    const report = await store.verify();
    expect(report.error).toMatchObject({ code: "HEAD_CONTRADICTS_LOG", seq: report.events });
    await expect(store.appendWithRetry({ type: "T", aggregateId: "a" })).rejects.toMatchObject({
      code: "HEAD_CONTRADICTS_LOG",
    });
    await expect(store.head()).rejects.toMatchObject({ code: "HEAD_CONTRADICTS_LOG" });
    await store.resetHead();
    expect((await store.appendWithRetry({ type: "T", aggregateId: "a" })).seq).toBe(report.events);
  });
});

describe("a log whose oldest segments are gone", () => {
  const golden = chain("rotated-pruned");
  beforeEach(() => {
    copyOf("rotated-pruned");
  });

  it("is a gap at 0 for a plain read, and whole behind the anchor", async () => {
    const store = await FileEventStore.open({ path });
    expect((await store.verify()).error).toMatchObject({ code: "GAP", seq: 0, actual: 60 });
    const anchor = { seq: 59, hash: golden.first_prev_hash };
    const report = await store.verify({ anchor });
    expect([report.valid, report.events, report.head, report.anchor]).toEqual([
      true,
      40,
      { seq: 99, hash: golden.last_hash },
      { ...anchor, source: "caller" },
    ]);
    expect((await store.verify({ anchor: { seq: 59, hash: "e".repeat(64) } })).error).toMatchObject({
      code: "CHAIN_BROKEN",
      seq: 60,
    });
    expect((await store.appendWithRetry({ type: "T", aggregateId: "a" })).seq).toBe(100);
  });
});
