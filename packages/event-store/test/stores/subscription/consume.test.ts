import { beforeEach, describe, expect, it } from "vitest";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectMap } from "../../../src/objects/object-map.js";
import type { ObjectStore } from "../../../src/objects/port.js";
import { BackendError } from "../../../src/core/errors.js";
import type { EventStore } from "../../../src/stores/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { consume, type ConsumeOptions } from "../../../src/stores/subscription/consume.js";
import { positionsOf } from "../../../src/stores/subscription/positions.js";
import { overriding } from "../../log/overriding.js";
import { ScratchLog } from "../file/scratch.js";
import { event, ManualRuntime, openAlone, range, settle } from "./bench.js";

const KEY = "events/_positions/mailer.json";

let bucket: ObjectMap;
let writer: EventStore;
let runtime: ManualRuntime;

beforeEach(async () => {
  ({ bucket } = memoryObjects());
  runtime = new ManualRuntime();
  ({ store: writer } = await openAlone(bucket));
});

async function append(from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await writer.append(event(n));
}

function saved(): number | null {
  const body = bucket.get(KEY)?.body.toString();
  return body === undefined ? null : (JSON.parse(body) as { seq: number }).seq;
}

interface Run {
  readonly handled: number[];
  readonly stop: AbortController;
  readonly ended: Promise<unknown>;
}

/** A consumer in a process of its own. */
async function start(options: Partial<ConsumeOptions> = {}, store?: EventStore): Promise<Run> {
  const handled: number[] = [];
  const stop = new AbortController();
  const ended = consume(store ?? (await openAlone(bucket, { runtime })).store, {
    name: "mailer",
    handler: ({ seq }) => void handled.push(seq),
    signal: stop.signal,
    runtime,
    ...options,
  }).catch((error: unknown) => error);
  return { handled, stop, ended };
}

describe("consume", () => {
  it("handles what is there and what comes, saves after each, and goes on where it was", async () => {
    await append(0, 2);
    const first = await start();
    await settle();
    expect([first.handled, saved()]).toEqual([[0, 1, 2], 2]);
    await append(3, 4);
    await runtime.pass(2_000);
    expect(saved()).toBe(4);
    first.stop.abort();
    expect(await first.ended).toMatchObject({ name: "mailer", seq: 4 });
    await append(5, 6);
    const second = await start();
    await settle();
    expect([second.handled, saved()]).toEqual([[5, 6], 6]);
    second.stop.abort();
  });

  it("begins at `from` when nothing was saved, and only then; ends behind `to`", async () => {
    await append(0, 9);
    const first = await start({ from: 3, to: 5 });
    expect(await first.ended).toMatchObject({ seq: 5 });
    const second = await start({ from: 0, to: 9 });
    await second.ended;
    expect([first.handled, second.handled]).toEqual([
      [3, 4, 5],
      [6, 7, 8, 9],
    ]);
    expect(await (await start({ to: 9 })).ended).toMatchObject({ seq: 9 });
  });

  it("handles nothing before `from`, also where it was stopped before the log had come so far", async () => {
    await append(0, 4);
    const first = await start({ from: 10 });
    await runtime.pass(60_000);
    first.stop.abort();
    await first.ended;
    await append(5, 12);
    const second = await start({ from: 10 });
    await settle();
    expect([first.handled, second.handled, saved()]).toEqual([[], [10, 11, 12], 12]);
    second.stop.abort();
    await second.ended;
  });

  it("does not pass the event whose handler failed, nor forget those before it", async () => {
    await append(0, 9);
    const problem = new Error("the mail server is down");
    const failing = await start({
      saveEvery: { events: 100 },
      handler: ({ seq }) => (seq === 6 ? Promise.reject(problem) : undefined),
    });
    expect(await failing.ended).toBe(problem);
    expect(saved()).toBe(5);
    const next = await start({ to: 9 });
    await next.ended;
    expect(next.handled).toEqual([6, 7, 8, 9]);
  });

  it("waits for the handler under way when it is stopped, saves, and handles nothing more", async () => {
    await append(0, 9);
    let finish: () => void = () => undefined;
    const begun: number[] = [];
    const run = await start({
      saveEvery: { events: 100 },
      handler: async ({ seq }) => {
        begun.push(seq);
        if (seq === 4) await new Promise<void>((resolve) => (finish = resolve));
      },
    });
    await settle();
    run.stop.abort();
    await settle();
    expect([begun, saved()]).toEqual([range(0, 4), null]);
    finish();
    expect(await run.ended).toMatchObject({ seq: 4 });
    expect([begun, saved()]).toEqual([range(0, 4), 4]);
  });

  it("saves as often as it is told: by events, by time, also while nothing comes", async () => {
    const run = await start({ saveEvery: { events: 3, ms: 10_000 } });
    await append(0, 3);
    await runtime.pass(1_000);
    expect([run.handled, saved()]).toEqual([range(0, 3), 2]);
    await runtime.pass(8_000);
    expect(saved()).toBe(2);
    await runtime.pass(3_000);
    expect(saved()).toBe(3);
    run.stop.abort();
    await run.ended;
  });

  it("moves over what the filter leaves out, now and then and at its end", async () => {
    await append(0, 9);
    const run = await start({ filter: { type: "None" } });
    await runtime.pass(5_000);
    expect(saved()).toBeNull();
    await runtime.pass(30_000);
    expect(saved()).toBe(9);
    await append(10, 12);
    await runtime.pass(2_000);
    expect(saved()).toBe(9);
    run.stop.abort();
    await run.ended;
    expect([saved(), run.handled]).toEqual([12, []]);
  });

  it("saves nothing when nothing was passed", async () => {
    const run = await start();
    await runtime.pass(60_000);
    run.stop.abort();
    expect(await run.ended).toBeNull();
    expect(saved()).toBeNull();
  });

  it("stops the one of two consumers that loses, with a typed error; each event is handled by the other", async () => {
    await append(0, 4);
    const runs = [await start({ consumer: "a" }), await start({ consumer: "b" })];
    await runtime.pass(1_000);
    await append(5, 9);
    await runtime.pass(5_000);
    expect(saved()).toBe(9);
    const ends = await Promise.all(runs.map(({ ended }) => Promise.race([ended, settle()])));
    const loser = ends.findIndex((end) => end !== undefined);
    expect(ends[loser]).toMatchObject({ code: "POSITION_TAKEN" });
    expect(ends[1 - loser]).toBeUndefined();
    expect(runs[1 - loser]?.handled).toEqual(range(0, 9));
    expect(runs[loser]?.handled).toEqual([0]);
    runs[1 - loser]?.stop.abort();
  });

  it("refuses a position that is not of this log", async () => {
    await append(0, 9);
    const { store } = await openAlone(bucket, { runtime });
    const position = await positionsOf(store).open("mailer");
    await position.save({ seq: 4, hash: "1".repeat(64) });
    const other = await start();
    expect(await other.ended).toMatchObject({ code: "CHAIN_BROKEN", action: "evidence" });
    await position.save({ seq: 12, hash: "1".repeat(64) });
    const beyond = await start();
    expect(await beyond.ended).toMatchObject({ code: "TRUNCATED", action: "evidence" });
    expect([other.handled, beyond.handled, saved()]).toEqual([[], [], 12]);
  });

  it("waits out a bucket that takes no positions, says so once, and does not handle the event again", async () => {
    await append(0, 1);
    let down = true;
    const troubles: string[] = [];
    const lost = new BackendError("UNAVAILABLE", "no answer");
    const objects = memoryObjects({ bucket });
    const flaky = overriding(objects, {
      putIfAbsent: (...args) =>
        down ? Promise.resolve({ outcome: "unknown", sent: false, cause: lost }) : objects.putIfAbsent(...args),
    });
    const store = await S3EventStore.open({ objects: flaky, runtime });
    const run = await start({ onTrouble: ({ code }) => void troubles.push(code) }, store);
    await runtime.pass(200_000);
    expect([run.handled, troubles, saved()]).toEqual([[0], ["UNAVAILABLE"], null]);
    down = false;
    await runtime.pass(60_000);
    expect([run.handled, troubles, saved()]).toEqual([[0, 1], ["UNAVAILABLE"], 1]);
    run.stop.abort();
    await run.ended;
  });

  it("does not wait for a bucket that takes no positions once it is to stop", async () => {
    await append(0, 1);
    const lost = new BackendError("UNAVAILABLE", "no answer");
    const objects = overriding(memoryObjects({ bucket }), {
      putIfAbsent: () => Promise.resolve({ outcome: "unknown", sent: false, cause: lost }),
    });
    const run = await start({ onTrouble: () => undefined }, await S3EventStore.open({ objects, runtime }));
    await runtime.pass(25_000);
    run.stop.abort();
    await runtime.pass(200_000);
    expect(await Promise.race([run.ended, settle()])).toBe(lost);
    expect([run.handled, saved()]).toEqual([[0], null]);
  });

  it("works on a file, its position in a directory beside it", async () => {
    const log = new ScratchLog();
    const store = await log.open();
    for (let n = 0; n < 5; n++) await store.append(event(n));
    const first = await start({ to: 2 }, store);
    await first.ended;
    const second = await start({ to: 4 }, store);
    await second.ended;
    expect([first.handled, second.handled]).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
    expect(log.has(".derived/_positions/mailer.json")).toBe(true);
  });
});

class Killed extends Error {}

/** Dies at its `step`-th request, before or after that was carried out. */
function mortal(objects: ObjectStore, step: number, when: "before" | "after"): ObjectStore {
  let steps = 0;
  const guarded =
    <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const at = ++steps;
      if (at > step || (at === step && when === "before")) throw new Killed();
      const result = await work(...args);
      if (at === step) throw new Killed();
      return result;
    };
  return overriding(objects, {
    get: guarded(objects.get.bind(objects)),
    list: guarded(objects.list.bind(objects)),
    putIfAbsent: guarded(objects.putIfAbsent.bind(objects)),
    replaceIfMatch: guarded(objects.replaceIfMatch.bind(objects)),
  });
}

describe("a consumer that dies at any step", () => {
  const cases = range(1, 40).flatMap((step) => [
    { step, when: "before" as const },
    { step, when: "after" as const },
  ]);
  it.each(cases)("$when request $step: nothing is skipped, little is repeated", async ({ step, when }) => {
    const saveEvery = { events: (step % 3) + 1 };
    await append(0, 5);
    await writer.appendBatch(range(6, 9).map((n) => event(n)));
    await append(10, 11);
    const objects = mortal(memoryObjects({ bucket }), step, when);
    const opened = await S3EventStore.open({ objects, runtime }).catch(() => null);
    const dying = opened && (await start({ to: 11, saveEvery }, opened));
    const end = dying && (await dying.ended);
    const kept = saved() ?? -1;
    const next = await start({ to: 11, saveEvery });
    await next.ended;
    const before = dying?.handled ?? [];
    // Each run in order and without a hole, the second right behind what was saved.
    expect(before).toEqual(range(0, before.length - 1));
    expect(next.handled).toEqual(range(kept + 1, 11));
    expect(before.length - 1).toBeGreaterThanOrEqual(kept);
    expect(before.length - 1 - kept).toBeLessThanOrEqual(saveEvery.events);
    expect(saved()).toBe(11);
    if (end instanceof Error) expect(end).toBeInstanceOf(Killed);
  });
});
