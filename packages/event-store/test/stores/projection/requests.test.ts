import { describe, expect, it } from "vitest";
import { MemoryObjects, memoryObjects } from "../../../src/objects/memory.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { project } from "../../../src/stores/projection/project.js";
import { expected, fill, onBucket, totals } from "./counter.js";

/** Counts what a store asks for. */
class Counting extends MemoryObjects {
  readonly asked: string[] = [];
  override get(...args: Parameters<MemoryObjects["get"]>): ReturnType<MemoryObjects["get"]> {
    this.asked.push(`GET ${args[0]}`);
    return super.get(...args);
  }
  override list(...args: Parameters<MemoryObjects["list"]>): ReturnType<MemoryObjects["list"]> {
    this.asked.push(`LIST ${args[0].startAfter ?? args[0].prefix}`);
    return super.list(...args);
  }
  override putIfAbsent(...args: Parameters<MemoryObjects["putIfAbsent"]>): ReturnType<MemoryObjects["putIfAbsent"]> {
    this.asked.push(`PUT ${args[0]}`);
    return super.putIfAbsent(...args);
  }
}

describe("requests of opening a log, and of a projection from a snapshot 1,000 events behind its head", () => {
  it.each([3_000, 12_000])("of %i events in large objects: a few, however long the log is", async (length) => {
    const { bucket } = memoryObjects();
    const writer = await onBucket(bucket);
    await fill(writer, 0, length);
    await project(writer, totals, { toSeq: length - 1001, snapshotEvery: 1000 });
    await writer.close();
    const objects = new Counting({ bucket });
    const store = await S3EventStore.open({ objects });
    const found = await project(store, totals);
    expect(found).toMatchObject({ from: length - 1001, events: 1000, stateHash: found.stateHash });
    expect(found.state).toEqual(expected(length));
    expect(objects.asked.length, objects.asked.join("\n")).toBeLessThanOrEqual(12);
    const snapshots = objects.asked.filter((what) => what.includes("_snapshots"));
    expect(snapshots.map((what) => what.split(" ")[0])).toEqual(["LIST", "GET"]);
  });

  it("of one event an object: one GET each for what is new, and a few", async () => {
    const { bucket } = memoryObjects();
    const writer = await S3EventStore.open({ objects: memoryObjects({ bucket }), batch: false });
    for (let n = 0; n < 30; n++) await writer.append({ type: "T", aggregateId: "a", payload: { n } });
    await project(writer, totals, { toSeq: 19, snapshot: true });
    await writer.close();
    const objects = new Counting({ bucket });
    const store = await S3EventStore.open({ objects });
    expect(await project(store, totals)).toMatchObject({ from: 19, events: 10 });
    expect(objects.asked.length, objects.asked.join("\n")).toBeLessThanOrEqual(10 + 10);
  });

  it("and of writing one: a PUT, and a DELETE for one that is too many", async () => {
    const { bucket } = memoryObjects();
    const writer = await onBucket(bucket);
    await fill(writer, 0, 3000);
    const objects = new Counting({ bucket });
    const store = await S3EventStore.open({ objects });
    await project(store, totals, { snapshotEvery: 100 });
    const snapshots = objects.asked.filter((what) => what.includes("_snapshots"));
    expect(snapshots.filter((what) => what.startsWith("PUT"))).toHaveLength(30);
    expect(snapshots.filter((what) => !what.startsWith("PUT"))).toHaveLength(1);
  });
});
