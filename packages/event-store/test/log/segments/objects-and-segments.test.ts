import { describe, expect, it } from "vitest";
import { objectBody } from "../../../src/log/event-object.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import { overriding } from "../overriding.js";
import { bucketOf, copyOf, damage, deleteBefore, keys, linesOf, open, recordsOf, textOf } from "./compacted-log.js";

const LOG = recordsOf(25_000);
const lines = textOf(LOG);

describe("what event objects hold, where segments hold it too", () => {
  it("verify sees that a record is missing within an object", async () => {
    const bucket = bucketOf(LOG);
    await (await open(bucket)).compact();
    bucket.put(keys.event(1000), objectBody(LOG.slice(1000, 2000).filter(({ seq }) => seq !== 1500)));
    expect(await (await open(bucket)).verify()).toMatchObject({
      valid: false,
      events: 1500,
      error: { code: "GAP", seq: 1500, facts: { key: keys.event(1000) } },
    });
    // Who only reads needs the segment alone.
    expect(await linesOf(await open(bucket))).toEqual(lines);
  });

  it("verify reads the objects behind a range that was pruned", async () => {
    const bucket = bucketOf(LOG);
    await (await open(bucket)).compact();
    bucket.delete(keys.event(0));
    expect(await (await open(bucket)).verify()).toMatchObject({ valid: true, events: 25_000 });
    damage(bucket, keys.event(5000), 0.5);
    expect(await (await open(bucket)).verify()).toMatchObject({
      valid: false,
      events: 5499,
      error: { seq: 5499, facts: { key: keys.event(5000) } },
    });
    expect(await linesOf(await open(bucket))).toEqual(lines);
  });

  it("a read that finds an object pruned since it was listed goes on in the segment", async () => {
    const whole = bucketOf(LOG);
    await (await open(whole)).compact();
    for (const listed of [5000, 6000]) {
      const bucket = copyOf(whole);
      const objects = memoryObjects({ bucket });
      let pruning = false;
      const beside = overriding(objects, {
        list: async (options) => {
          const page = await objects.list(options);
          if (pruning && page.entries.some(({ key }) => key === keys.event(listed))) {
            pruning = false;
            deleteBefore(bucket, 10_000);
          }
          return page;
        },
      });
      const store = await open(bucket, { objects: beside });
      pruning = true;
      expect(await linesOf(store, { fromSeq: 5500, toSeq: 6000 })).toEqual(lines.slice(5500, 6001));
      expect(pruning).toBe(false);
    }
  });

  it("a read by type is whole with an index whose segments were deleted", async () => {
    const payload = (i: number): object => ({ i });
    const records = recordsOf(24_000, payload, (i) => (i % 5000 === 1300 ? "rare" : `T${String(i % 3)}`));
    const rare = textOf(records.filter(({ seq }) => seq % 5000 === 1300));
    const bucket = bucketOf(records, 700);
    const store = await open(bucket);
    await store.compact();
    expect(await linesOf(store, { type: "rare" })).toEqual(rare);
    for (const key of bucket.keys("events/_segments/")) bucket.delete(key);
    expect(bucket.keys("events/_index/").length).toBeGreaterThan(0);
    expect(await linesOf(await open(bucket), { type: "rare" })).toEqual(rare);
    expect(await linesOf(await open(bucket), { type: "rare", fromSeq: 1301, toSeq: 16_300 })).toEqual(rare.slice(1, 4));
  });
});
