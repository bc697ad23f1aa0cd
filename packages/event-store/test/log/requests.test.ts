import { beforeEach, describe, expect, it } from "vitest";
import { MemoryObjects, memoryObjects } from "../../src/objects/memory.js";
import type { EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";

/** Counts what a store asks for. */
class Counting extends MemoryObjects {
  readonly asked: string[] = [];
  override get(...args: Parameters<MemoryObjects["get"]>): ReturnType<MemoryObjects["get"]> {
    this.asked.push(`GET ${args[0]}`);
    return super.get(...args);
  }
  override list(...args: Parameters<MemoryObjects["list"]>): ReturnType<MemoryObjects["list"]> {
    this.asked.push("LIST");
    return super.list(...args);
  }
  override putIfAbsent(...args: Parameters<MemoryObjects["putIfAbsent"]>): ReturnType<MemoryObjects["putIfAbsent"]> {
    this.asked.push(`PUT ${args[0]}`);
    return super.putIfAbsent(...args);
  }
}

const { bucket } = memoryObjects();
let objects: Counting;
let store: EventStore;

async function seqs(options: Parameters<EventStore["read"]>[0]): Promise<number[]> {
  const found: number[] = [];
  for await (const { seq } of store.read(options)) found.push(seq);
  return found;
}

function gets(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `GET events/${String(from + i).padStart(10, "0")}.json`);
}

beforeEach(async () => {
  if (bucket.size === 0) {
    const writer = await S3EventStore.open({ objects: memoryObjects({ bucket }) });
    for (let i = 0; i < 1300; i++) await writer.append({ type: "T", aggregateId: "a", ts: i });
    await writer.appendBatch(Array.from({ length: 200 }, (_, i) => ({ type: "T", aggregateId: "a", ts: i })));
    await writer.close();
  }
  objects = new Counting({ bucket });
  store = await S3EventStore.open({ objects });
  objects.asked.length = 0;
});

describe("requests of a read", () => {
  it("10 events in the middle cost a dozen GETs and two LISTs, not everything before", async () => {
    expect(await seqs({ fromSeq: 1190, toSeq: 1199 })).toHaveLength(10);
    expect(objects.asked.filter((what) => what !== "LIST").length).toBeLessThanOrEqual(12);
    expect(objects.asked.filter((what) => what === "LIST").length).toBeLessThanOrEqual(2);
  });

  it("the tail of a batch object costs that object alone", async () => {
    expect(await seqs({ fromSeq: 1490 })).toHaveLength(10);
    const gets = objects.asked.filter((what) => what.startsWith("GET"));
    expect(gets.sort()).toEqual(["GET events/0000001300.json", "GET events/_head.json"]);
  });

  it("a single event's hash costs at most three requests", async () => {
    for (const seq of [0, 700, 1300, 1444]) {
      objects.asked.length = 0;
      expect(await store.getEventHash(seq)).toMatch(/^[0-9a-f]{64}$/);
      expect(objects.asked.length).toBeLessThanOrEqual(3);
    }
  });

  it("all of it: one GET an object by its computed key, and one LIST to find the end", async () => {
    expect(await seqs({ toSeq: 1299 })).toHaveLength(1300);
    expect(objects.asked.toSorted()).toEqual(["GET events/_head.json", ...gets(0, 1299)].toSorted());
    objects.asked.length = 0;
    expect(await seqs({})).toHaveLength(1500);
    expect(objects.asked.filter((what) => what === "LIST")).toHaveLength(1);
    expect(objects.asked).toEqual(expect.arrayContaining(gets(0, 1300)));
    // at the first batch, what was asked for ahead is in vain
    expect(objects.asked.length).toBeLessThanOrEqual(1301 + 2 + 64);
  });

  it("without a head: one GET an object, one LIST a thousand, and one for segments", async () => {
    store = await S3EventStore.open({ objects, useHead: false });
    objects.asked.length = 0;
    expect(await seqs({})).toHaveLength(1500);
    expect(objects.asked.filter((what) => what === "LIST")).toHaveLength(3);
    expect(objects.asked.filter((what) => what !== "LIST").toSorted()).toEqual(gets(0, 1300));
  });
});

describe("an object larger than any writer makes", () => {
  it("is malformed, and is not fetched", async () => {
    const { bucket: damaged } = memoryObjects();
    for (const key of bucket.keys().slice(0, 5)) damaged.put(key, bucket.get(key)?.body ?? "");
    damaged.put("events/0000000005.json", Buffer.alloc(18 * 1024 * 1024, 0x20));
    objects = new Counting({ bucket: damaged });
    store = await S3EventStore.open({ objects });
    await expect(seqs({})).rejects.toMatchObject({ code: "MALFORMED", seq: 5 });
    expect(objects.asked).not.toContain("GET events/0000000005.json");
  });
});

describe("a range whose last records are missing", () => {
  it("is a gap, though nothing of the range lies behind it", async () => {
    const { bucket: damaged } = memoryObjects();
    for (const key of bucket.keys()) damaged.put(key, bucket.get(key)?.body ?? "");
    for (let seq = 15; seq <= 20; seq++) damaged.delete(`events/${String(seq).padStart(10, "0")}.json`);
    store = await S3EventStore.open({ objects: new Counting({ bucket: damaged }) });
    await expect(seqs({ toSeq: 20 })).rejects.toMatchObject({ code: "GAP", seq: 15, actual: 21 });
    await expect(seqs({ fromSeq: 12, toSeq: 17 })).rejects.toMatchObject({ code: "GAP", seq: 15, actual: 21 });
    expect(await seqs({ toSeq: 14 })).toHaveLength(15);
  });
});
