import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LogKeys } from "../../src/log/keys.js";
import { memoryObjects } from "../../src/objects/memory.js";
import type { ObjectStore } from "../../src/objects/port.js";
import { openS3Objects } from "../../src/objects/s3/index.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import {
  FAULTS,
  startS3Emulator,
  type Fault,
  type LoggedRequest,
  type S3Emulator,
} from "../../src/testing/s3-emulator/index.js";
import { overriding } from "./overriding.js";

/* A server that asks a reader for fewer requests: it gets fewer, and the reader gets every event. */

const EVENTS = 500;
const keys = new LogKeys("log");
let emulator: S3Emulator;
/** Most GETs of events that the server had at once, since this was set to 0. */
let mostAtServer = 0;

beforeAll(async () => {
  emulator = await startS3Emulator({ latencyMs: 1 });
  const writer = await S3EventStore.open({
    objects: memoryObjects({ bucket: emulator.objects("events") }),
    prefix: "log",
    skipBackendProof: true,
  });
  for (let n = 0; n < EVENTS; n++) await writer.append({ type: "T", aggregateId: "a", ts: n, payload: { n } });
  await writer.close();
  const unanswered = new Set<LoggedRequest>();
  emulator.requests.push = (...items: LoggedRequest[]) => {
    for (const request of unanswered) if (request.status !== null) unanswered.delete(request);
    for (const request of items) if (keys.seqOf(request.key) !== null) unanswered.add(request);
    mostAtServer = Math.max(mostAtServer, unanswered.size);
    return Array.prototype.push.apply(emulator.requests, items);
  };
});
afterAll(() => emulator.close());

/** Its pauses pass at once, and it does not give up. */
function driver(): ObjectStore {
  return openS3Objects({
    bucket: "events",
    endpoint: emulator.endpoint,
    credentials: emulator.credentials,
    random: () => 0.5,
    monotonic: () => 0,
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
  });
}

/** Hands out what was got only when all that was asked for has come and no more is asked for: a wave of GETs at a time. */
class Waves {
  /** GETs of each wave. */
  readonly sizes: number[] = [];
  /** Before each wave. */
  begin: (wave: number) => void = () => undefined;
  #size = 0;
  #underWay = 0;
  #held: (() => void)[] = [];

  of(objects: ObjectStore): ObjectStore {
    return overriding(objects, {
      get: async (key, options) => {
        if (keys.seqOf(key) === null) return objects.get(key, options);
        if (this.#size === 0) this.begin(this.sizes.length);
        this.#size++;
        this.#underWay++;
        const found = await objects.get(key, options);
        if (--this.#underWay === 0) void this.#release();
        await new Promise<void>((resolve) => this.#held.push(resolve));
        return found;
      },
    });
  }

  async #release(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (this.#underWay > 0 || this.#size === 0) return;
    this.sizes.push(this.#size);
    this.#size = 0;
    for (const resolve of this.#held.splice(0)) resolve();
  }
}

/** Reads all of it; in the given wave so many GETs are refused, each as often as it says. What the waves were. */
async function read(
  useHead: boolean,
  fault?: Fault,
  inWave = (wave: number): number => Number(wave === 2),
): Promise<number[]> {
  emulator.faults.clear();
  const waves = new Waves();
  waves.begin = (wave) => {
    const count = inWave(wave);
    if (fault && count > 0)
      emulator.faults.add({ when: { operation: "GET", key: /\/[0-9]{10}\.json$/, count }, do: fault });
  };
  const store = await S3EventStore.open({ objects: waves.of(driver()), prefix: "log", useHead });
  mostAtServer = 0;
  const seen: number[] = [];
  for await (const { seq } of store.read()) seen.push(seq);
  await store.close();
  emulator.faults.assertAllUsed();
  expect(seen).toEqual(Array.from({ length: EVENTS }, (_, seq) => seq));
  expect(mostAtServer).toBeLessThanOrEqual(Math.max(...waves.sizes));
  expect(mostAtServer).toBeGreaterThan(1);
  return waves.sizes;
}

describe.each([
  ["by computed keys", true],
  ["by listing", false],
])("a read %s", (_, useHead) => {
  it("of a patient server: 64 GETs at a time", async () => {
    const sizes = await read(useHead);
    expect(sizes.slice(1, -1)).toEqual(sizes.slice(1, -1).fill(64));
    expect(sizes[0]).toBeLessThanOrEqual(64);
  });

  it.each([
    ["one 503", FAULTS.slowDown(0), 1],
    ["a burst of 503", FAULTS.slowDown(0), 40],
    ["each GET refused three times with 503", FAULTS.slowDown(0), 192],
    ["a burst of 429", FAULTS.tooManyRequests(0), 40],
  ])("of a server that says %s: half as many, then one more a window", async (_what, fault, count) => {
    const sizes = await read(useHead, fault, (wave) => (wave === 2 ? count : 0));
    expect(sizes.slice(1, 3)).toEqual([64, 64]);
    // The answers of the wave that was refused count, too.
    expect(sizes.slice(3, -1).every((size, i) => size >= 32 + i && size <= 34 + i)).toBe(true);
    expect(sizes.length).toBeGreaterThan(8);
  });

  it("of a server that refuses in each wave: down to two", async () => {
    const sizes = await read(useHead, FAULTS.slowDown(0), (wave) => (wave >= 2 && wave < 9 ? 1 : 0));
    expect(Math.min(...sizes.slice(0, -1))).toBeLessThanOrEqual(3);
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(2);
    // It recovers.
    expect(Math.max(...sizes.slice(20))).toBeGreaterThan(10);
  });

  it("of a server that fails otherwise: not narrower", async () => {
    const sizes = await read(useHead, FAULTS.internalError, (wave) => (wave === 2 ? 40 : 0));
    expect(sizes.slice(1, -1)).toEqual(sizes.slice(1, -1).fill(64));
  });
});

it("it is the window of one read that is narrowed", async () => {
  await read(true, FAULTS.slowDown(0));
  expect((await read(true)).slice(1, -1).every((size) => size === 64)).toBe(true);
});
