import { describe, expect, it } from "vitest";
import { GENESIS_HASH, type NewEvent } from "../../src/core/event.js";
import { memoryObjects } from "../../src/objects/memory.js";
import type { AppendResult, EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";

const event = (n: number, fill = 0): NewEvent => ({
  type: "T",
  aggregateId: "a",
  payload: { n, fill: "x".repeat(fill) },
});

/** A batch store whose tail is old, and one that has appended behind it. */
async function behindAnother(): Promise<{
  store: EventStore;
  winner: string;
  bucket: ReturnType<typeof memoryObjects>["bucket"];
}> {
  const { bucket } = memoryObjects();
  const store = await S3EventStore.open({ objects: memoryObjects({ bucket }), batch: true });
  await store.append(event(0));
  const other = await S3EventStore.open({ objects: memoryObjects({ bucket }) });
  const { eventHash: winner } = await other.appendWithRetry(event(1));
  await other.close();
  return { store, winner, bucket };
}

describe("a group that is made anew behind a winner", () => {
  it("holds no more records than an object may, when an expectation that failed is met after all", async () => {
    const { store, winner } = await behindAnother();
    const results = await Promise.all([
      // Of no record as the old tail has it, of two behind the winner.
      store.appendBatch([event(2), event(3)], { expectedPrevHash: winner }),
      ...Array.from({ length: 1000 }, (_, i) => store.append(event(4 + i))),
    ]);
    expect(results.every(({ committed }) => committed)).toBe(true);
    expect(await store.verify()).toMatchObject({ valid: true, events: 1004 });
  });

  it("nor more bytes", async () => {
    const { store, winner, bucket } = await behindAnother();
    const large = 7_500_000;
    const results = await Promise.all([
      store.appendBatch([event(2, large), event(3, large)], { expectedPrevHash: winner }),
      store.append(event(4, 3_500_000)),
    ]);
    expect(results.map(({ committed }) => committed)).toEqual([true, true]);
    expect(await store.verify()).toMatchObject({ valid: true, events: 5 });
    for (const key of bucket.keys()) expect(bucket.get(key)?.body.length).toBeLessThan(16 * 1024 * 1024);
  });

  it("asks the log again for an expectation that came while the tail was looked for", async () => {
    const { bucket } = memoryObjects();
    const other = await S3EventStore.open({ objects: memoryObjects({ bucket }) });
    await other.append(event(0));
    const objects = memoryObjects({ bucket });
    const store = await S3EventStore.open({ objects, batch: true });
    const list = objects.list.bind(objects);
    let late: Promise<AppendResult> | undefined;
    objects.list = async (...args) => {
      const page = await list(...args);
      if (late === undefined) {
        // Behind the look at the log, and before its answer is here.
        const { eventHash } = await other.appendWithRetry(event(1));
        late = store.append(event(2), { expectedPrevHash: eventHash });
      }
      return page;
    };
    const early = await store.append(event(3), { expectedPrevHash: GENESIS_HASH });
    expect(early).toMatchObject({ committed: false });
    expect(await late).toMatchObject({ committed: true, seq: 2 });
  });
});

describe("a batch whose array is used again", () => {
  it("is what it was when the call was made", async () => {
    const objects = memoryObjects();
    const store = await S3EventStore.open({ objects, batch: true });
    // So many wait that the next call has to wait for a place.
    const crowd = Array.from({ length: 20 }, (_, i) => store.appendBatch(Array.from({ length: 1000 }, () => event(i))));
    const events = [event(-1), event(-2)];
    const call = store.appendBatch(events);
    events.length = 0;
    for (let i = 0; i < 1500; i++) events.push(event(i));
    await Promise.all(crowd);
    const result = await call;
    expect(result).toMatchObject({ committed: true, records: [{ seq: 20_000 }, { seq: 20_001 }] });
    const last: unknown[] = [];
    for await (const { payload } of store.read({ fromSeq: 20_000 })) last.push(payload["n"]);
    expect(last).toEqual([-1, -2]);
  });
});
