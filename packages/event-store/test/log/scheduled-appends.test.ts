import { describe, expect, it } from "vitest";
import type { StoredRecord } from "../../src/core/event.js";
import { LogKeys } from "../../src/log/keys.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { ObjectMap } from "../../src/objects/object-map.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { checkHistory } from "../../src/testing/history-checker.js";
import { History } from "../../src/testing/history.js";
import { recorded } from "../../src/testing/recorded-store.js";
import { RandomCallers, checkIssued, type Issued } from "./random-callers.js";
import { SeededRandom } from "./random.js";
import { NO_FAULTS, ScheduledObjects, ScheduledRuntime, Scheduler, type ScheduledFaults } from "./scheduler.js";

/*
 * Callers of several stores on one log, in default mode and in batch mode, where a seed decides when each request arrives
 * and when it is answered. To run one seed again: RYNXS_TEST_SEED=n.
 */
const given = process.env["RYNXS_TEST_SEED"];
const seeds = (from: number, count: number): number[] =>
  given === undefined ? Array.from({ length: count }, (_, i) => from + i) : [Number(given)];

const MIB = 1024 * 1024;
const keys = new LogKeys("events");

/** Over all seeds: a run that met nothing of this would prove nothing. */
const met = new Map<string, number>();
const note = (what: string): void => void met.set(what, (met.get(what) ?? 0) + 1);

interface Kind {
  readonly faulty: boolean;
  readonly heavy?: boolean;
}

async function run(seed: number, scheduler: Scheduler, { faulty, heavy = false }: Kind): Promise<void> {
  const { random } = scheduler;
  const bucket = new ObjectMap();
  const history = new History();
  const modes = Array.from({ length: 1 + random.below(3) }, () => random.chance(0.7));
  const faults: ScheduledFaults = {
    put: () =>
      random.chance(0.25) ? random.pick(["lost", "unanswered", "late", "unsent", "twice", "twice", "refused"]) : null,
    read: () => random.chance(0.03),
  };
  const useHead = random.chance(0.5);
  const prove = random.chance(0.2);
  const clients = modes.map(
    (_, i) =>
      new ScheduledObjects(
        scheduler,
        bucket,
        `store ${i}`,
        `seed ${seed} ${faulty} ${heavy}`,
        faulty ? faults : NO_FAULTS,
      ),
  );
  const stores = await Promise.all(
    clients.map((objects, i) =>
      S3EventStore.open({
        objects,
        useHead,
        batch: modes[i],
        skipBucketCheck: true,
        skipBackendProof: !prove,
        runtime: new ScheduledRuntime(scheduler, `store-${i}`),
        onWarning: () => undefined,
        appendTimeoutMs: faulty ? 4000 : 1e9,
      }),
    ),
  );
  const callers = new RandomCallers(
    scheduler,
    stores.map((store) => recorded(store, history)),
    history,
    {
      count: heavy ? 6 : 2 + random.below(5),
      calls: heavy ? 8 : 14,
      heavy,
      stored: (hash) =>
        bucket.keys("events/0").some((key) => bucket.get(key)?.body.includes(`"event_hash":"${hash}"`) === true),
    },
  );
  await scheduler.run(callers.act, () => callers.busy);
  expect(callers.problems).toEqual([]);
  for (const client of clients) client.faults = NO_FAULTS;
  // Whatever is open is settled, and the head is written.
  let open = stores.length;
  for (const store of stores) void store.settle().finally(() => void store.close().finally(() => open--));
  await scheduler.run(null, () => open > 0);

  const log = await read(bucket);
  expect(await checkHistory(history, log)).toEqual([]);
  checkIssued(callers.issued, log, faulty);
  expect(clients.map(({ mostPuts }) => mostPuts).every((most) => most <= 1)).toBe(true);
  checkObjects(bucket, callers.issued, modes, log);
  for (const { told, what } of callers.issued) note(typeof told === "string" ? `${what}: ${told}` : told.code);
}

async function read(bucket: ObjectMap): Promise<StoredRecord[]> {
  const reader = await S3EventStore.open({ objects: memoryObjects({ bucket }) });
  expect((await reader.verify()).error).toBeUndefined();
  const log: StoredRecord[] = [];
  for await (const record of reader.readRecords()) log.push(record);
  return log;
}

/** What is in an object, by who put it: no append is split, none shares it in default mode, and it is no larger than allowed. */
function checkObjects(
  bucket: ObjectMap,
  issued: readonly Issued[],
  modes: readonly boolean[],
  log: StoredRecord[],
): void {
  const appends = issued.flatMap(({ last, count }) =>
    last && log[last.seq]?.eventHash === last.eventHash ? [{ from: last.seq - count + 1, to: last.seq }] : [],
  );
  for (const key of bucket.keys("events/0")) {
    const held = bucket.get(key);
    const body = held?.body ?? Buffer.alloc(0);
    const batch = modes[Number(/-store-(\d+)$/.exec(held?.metadata["put-id"] ?? "")?.[1])];
    const records = body.toString().trimEnd().split("\n").length;
    const from = keys.seqOf(key) ?? -1;
    const to = from + records - 1;
    const inside = appends.filter((append) => append.from <= to && append.to >= from);
    expect(inside.every((append) => append.from >= from && append.to <= to)).toBe(true);
    expect(inside.reduce((sum, append) => sum + append.to - append.from + 1, 0)).toBe(records);
    expect(records).toBeLessThanOrEqual(1000);
    if (inside.length > 1) expect(body.length).toBeLessThanOrEqual(4 * MIB);
    expect(batch).toBeDefined();
    if (batch !== true) expect(inside).toHaveLength(1);
    if (inside.length > 1) note("several appends in an object");
    if (inside.length > 1 && records > 600) note("an object full of records");
    if (inside.length > 1 && body.length > 3 * MIB) note("an object full of bytes");
  }
  const objectOf = (seq: number): string | undefined =>
    bucket.keys("events/0").findLast((key) => (keys.seqOf(key) ?? 0) <= seq);
  for (const { what, told, last, count } of issued)
    if (what === "append behind a neighbour" && told === "committed" && last && last.seq >= count)
      if (objectOf(last.seq) === objectOf(last.seq - 1)) note("an expectation that held within its object");
}

async function replayable(seed: number, kind: Kind): Promise<void> {
  const scheduler = new Scheduler(new SeededRandom(seed));
  try {
    await run(seed, scheduler, kind);
  } catch (error) {
    const how = `seed ${String(seed)} (RYNXS_TEST_SEED=${String(seed)} runs it alone)`;
    throw new Error([how, ...scheduler.trace.slice(-50)].join("\n"), { cause: error });
  }
}

describe("scheduled appends of many callers to one log", () => {
  it.each(seeds(0, 100))("on a server without faults: seed %i", (seed) => replayable(seed, { faulty: false }));
  it.each(seeds(1000, 100))("on a failing server: seed %i", (seed) => replayable(seed, { faulty: true }));
  it.each(seeds(2000, 6))("so large that objects are full: seed %i", (seed) =>
    replayable(seed, { faulty: seed % 2 === 0, heavy: true }),
  );

  // One seed alone need not meet everything.
  if (given !== undefined) return;
  it.each([
    "append: committed",
    "append behind what is known: committed",
    "append behind what is known: conflict",
    "append behind a neighbour: committed",
    "append behind a neighbour: conflict",
    "append behind nothing: conflict",
    "batch behind what is known: committed",
    "batch behind what is known: conflict",
    "INVALID_EVENT",
    "TOO_LARGE",
    "NOT_NEXT",
    "ABORTED",
    "COMMIT_UNKNOWN",
    "BLOCKED",
    "ACCESS_DENIED",
    "UNAVAILABLE",
    "several appends in an object",
    "an object full of records",
    "an object full of bytes",
    "an expectation that held within its object",
  ])("met on the way: %s", (what) => {
    expect(met.get(what)).toBeGreaterThan(0);
  });
});
