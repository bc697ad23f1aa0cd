import { describe, expect, it } from "vitest";
import type { Anchor, NewEvent } from "../../src/core/event.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { overriding } from "./overriding.js";

const event = (n: number): NewEvent => ({ type: "T", aggregateId: "a", payload: { n } });

/** Reads from `fromSeq` a log of `before` records that grows to `after` right behind the read's LIST number `nth`. */
async function readWhileItGrows(before: number, after: number, fromSeq: number, { batch = 1, nth = 1 } = {}) {
  const { bucket } = memoryObjects();
  const writer = await S3EventStore.open({ objects: memoryObjects({ bucket }) });
  const grow = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n += batch) {
      await writer.appendBatch(Array.from({ length: Math.min(batch, to - n) }, (_, i) => event(n + i)));
    }
  };
  await grow(0, before);
  const inner = memoryObjects({ bucket });
  let lists = 0;
  const objects = overriding(inner, {
    list: async (options) => {
      const page = await inner.list(options);
      if (++lists === nth) await grow(before, after);
      return page;
    },
  });
  const reader = await S3EventStore.open({ objects, useHead: false, skipBucketCheck: true });
  const anchors: Anchor[] = [];
  const seqs: number[] = [];
  for await (const { seq } of reader.read({ fromSeq, onAnchor: (anchor) => anchors.push(anchor) })) seqs.push(seq);
  return { seqs, anchors, anchorHash: await writer.getEventHash(fromSeq - 1) };
}

describe("a read from beyond the end, while the log grows past it", () => {
  it.each([
    ["one record an object", 2, 9, 5, 1],
    ["batches", 3, 9, 5, 3],
    ["one big batch", 2, 9, 5, 100],
    ["an empty log", 0, 9, 5, 1],
    ["an empty log, batches", 0, 9, 5, 4],
    ["just past the end", 4, 9, 5, 1],
  ])("gives no record before fromSeq, and names its anchor: %s", async (_, before, after, fromSeq, batch) => {
    const { seqs, anchors, anchorHash } = await readWhileItGrows(before, after, fromSeq, { batch });
    expect(seqs).toEqual([5, 6, 7, 8]);
    expect(anchors).toEqual([{ seq: 4, hash: anchorHash, source: "record" }]);
  });

  it.each([
    [0, 3],
    [2, 4],
    [0, 5],
  ])("grown from %i to %i, not beyond fromSeq 5: nothing, and no verdict", async (before, after) => {
    expect((await readWhileItGrows(before, after, 5)).seqs).toEqual([]);
  });

  it.each([0, 2, 4])("whenever it grows, from %i records: all or nothing, and no verdict", async (before) => {
    for (const nth of [1, 2, 3, 4]) {
      const { seqs } = await readWhileItGrows(before, 9, 5, { nth });
      expect([[], [5, 6, 7, 8]]).toContainEqual(seqs);
    }
  });
});
