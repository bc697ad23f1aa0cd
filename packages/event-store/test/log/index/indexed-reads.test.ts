import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RecordedEvent, StoredRecord } from "../../../src/core/event.js";
import { ensureIndex } from "../../../src/log/index/ensure-index.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ReadOptions } from "../../../src/stores/port.js";
import { IndexReader, SMALL } from "./index-reader.js";
import { bucketOf, chained, keys, segmentsOf, type Bucket } from "./sample-log.js";

const IDS = ["a", "b", 'é"\\\n', "order-1", "order-10", "order-2", "\u{1F600}", "\uFB33", "z".repeat(300)];
const TYPES = ["Placed", "Shipped", "Rare", "Ti\tck"];

async function index(
  bucket: Bucket,
  records: readonly StoredRecord[],
  sizes: number | readonly number[],
): Promise<void> {
  await ensureIndex({ objects: memoryObjects({ bucket }), keys }, segmentsOf(records, sizes), {
    layout: SMALL,
    onWarning: ({ message }) => expect.unreachable(message),
  });
}

/** What the records themselves say. */
function expected(records: readonly StoredRecord[], { aggregateId, type, fromSeq = 0, toSeq = Infinity }: ReadOptions) {
  const counts = new Map<string, number>();
  return records.flatMap(({ line, seq, eventHash }) => {
    const { event } = JSON.parse(line.toString()) as { event: { aggregate_id: string; type: string; payload: object } };
    const version = (counts.get(event.aggregate_id) ?? 0) + 1;
    counts.set(event.aggregate_id, version);
    if ((aggregateId ?? event.aggregate_id) !== event.aggregate_id || (type ?? event.type) !== event.type) return [];
    if (seq < fromSeq || seq > toSeq) return [];
    return [{ seq, type: event.type, aggregateId: event.aggregate_id, payload: event.payload, eventHash, version }];
  });
}

function seen(events: readonly RecordedEvent[]) {
  return events.map(({ seq, type, aggregateId, payload, eventHash }) => ({
    seq,
    type,
    aggregateId,
    payload,
    eventHash,
  }));
}

const log = fc.record({
  events: fc.array(fc.record({ id: fc.nat(IDS.length - 1), type: fc.nat(20), size: fc.nat(40) }), {
    minLength: 100,
    maxLength: 600,
    size: "max",
  }),
  segments: fc.array(fc.constantFrom(10, 100), { maxLength: 8, size: "max" }),
  perObject: fc.constantFrom(1, 7, 100),
});
const query = fc.record(
  {
    aggregateId: fc.constantFrom(...IDS, "missing"),
    type: fc.constantFrom(...TYPES, "Missing"),
    fromSeq: fc.nat(700),
    toSeq: fc.nat(700),
  },
  { requiredKeys: [] },
);

/** Runs are aligned to their size. */
function aligned(sizes: readonly number[], length: number): number[] {
  const chosen: number[] = [];
  let at = 0;
  for (const size of sizes) {
    const fits = at % size === 0 ? size : 10;
    if (at + fits > length) break;
    chosen.push(fits);
    at += fits;
  }
  return chosen;
}

describe("reads through the index", () => {
  it("give what a walk of the whole log gives, with versions, for any log, any segments, any filter and range", async () => {
    await fc.assert(
      fc.asyncProperty(
        log,
        fc.array(query, { minLength: 4, maxLength: 8 }),
        async ({ events, segments, perObject }, queries) => {
          const records = chained(events.length, (n) => {
            const { id = 0, type = 0, size = 0 } = events[n] ?? {};
            return {
              type: TYPES[type % 4 === 2 && type > 3 ? 0 : type % 4] ?? "",
              aggregateId: IDS[id] ?? "",
              payload: { n, text: "x".repeat(size) },
            };
          });
          const bucket = bucketOf(records, perObject);
          await index(bucket, records, aligned(segments, records.length));
          for (const options of queries) {
            const reader = new IndexReader(bucket, SMALL);
            const events = await reader.read(options);
            const truth = expected(records, options);
            expect(seen(events)).toEqual(truth.map(({ version: _, ...event }) => event));
            for (const [i, event] of events.entries()) {
              const { aggregateVersion } = event;
              const known = options.aggregateId !== undefined && (options.fromSeq ?? 0) === 0;
              if (known || aggregateVersion !== undefined) expect(aggregateVersion).toBe(truth[i]?.version);
              if (options.aggregateId === undefined) expect(event).not.toHaveProperty("aggregateVersion");
            }
            const chain = new IndexReader(bucket, SMALL);
            expect(seen(await chain.read({ ...options, verify: "chain" }))).toEqual(seen(events));
            expect(chain.requests.join("\n")).not.toContain("_index");
            expect(reader.warnings).toEqual([]);
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 120_000);

  it("list the aggregates that a walk counts, page by page", async () => {
    await fc.assert(
      fc.asyncProperty(
        log,
        fc.record({
          after: fc.constantFrom("", ...IDS, "order"),
          prefix: fc.constantFrom("", "order-", "o", "x"),
          limit: fc.integer({ min: 1, max: 5 }),
        }),
        async ({ events, segments, perObject }, options) => {
          const records = chained(events.length, (n) => ({ type: "T", aggregateId: IDS[events[n]?.id ?? 0] ?? "" }));
          const bucket = bucketOf(records, perObject);
          const without = new IndexReader(bucket, SMALL);
          const walked = await without.aggregates(options);
          await index(bucket, records, aligned(segments, records.length));
          const reader = new IndexReader(bucket, SMALL);
          expect(await reader.aggregates(options)).toEqual(walked);
          const all = [];
          let after: string | null = options.after;
          while (after !== null) {
            const page = await reader.aggregates({ ...options, after });
            expect(page.aggregates.length).toBeLessThanOrEqual(options.limit);
            all.push(...page.aggregates);
            after = page.next;
          }
          const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
          const ids = IDS.filter((id) => id.startsWith(options.prefix) && byBytes(id, options.after) > 0).sort(byBytes);
          const truth = ids.flatMap((aggregateId) => {
            const its = expected(records, { aggregateId });
            const [first] = its;
            const last = its.at(-1);
            return first && last ? [{ aggregateId, count: its.length, firstSeq: first.seq, lastSeq: last.seq }] : [];
          });
          expect(all).toEqual(truth);
        },
      ),
      { numRuns: 40 },
    );
  }, 120_000);
});
