import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { directoryObjects } from "../../src/objects/directory.js";
import { memoryObjects } from "../../src/objects/memory.js";
import type { ObserveObjects } from "../../src/objects/observed.js";
import type { ObjectStore, PutOptions, PutOutcome } from "../../src/objects/port.js";
import { openEventStore } from "../../src/stores/open.js";
import { S3EventStore, type S3EventStoreOptions } from "../../src/stores/s3-event-store.js";
import { startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";

const scratch = mkdtempSync(join(tmpdir(), "rynxs-observe-"));
let emulator: S3Emulator;
const access = { region: "us-east-1", accessKeyId: "test", secretAccessKey: "testsecret" };
beforeAll(async () => {
  emulator = await startS3Emulator();
});
afterAll(async () => {
  await emulator.close();
  rmSync(scratch, { recursive: true });
});

/** Notes every call, and what became of puts. It says nothing of clock and fence. */
class Observer {
  readonly calls: string[] = [];
  readonly outcomes: string[] = [];
  closed = 0;
  driver: ObjectStore | undefined;

  readonly observe: ObserveObjects = (objects) => {
    this.driver = objects;
    const put = async (key: string, under: Promise<PutOutcome>): Promise<PutOutcome> => {
      this.calls.push(`PUT ${key}`);
      const result = await under;
      this.outcomes.push(result.outcome);
      return result;
    };
    return {
      identity: "somebody else's",
      putIfAbsent: (key, body, options?: PutOptions) => put(key, objects.putIfAbsent(key, body, options)),
      replaceIfMatch: (key, body, etag, options?: PutOptions) =>
        put(key, objects.replaceIfMatch(key, body, etag, options)),
      get: (key, options) => {
        this.calls.push(`GET ${key}`);
        return objects.get(key, options);
      },
      list: (options) => {
        this.calls.push(`LIST ${options.prefix}`);
        return objects.list(options);
      },
      delete: (key, options) => {
        this.calls.push(`DELETE ${key}`);
        return objects.delete(key, options);
      },
      // Forgets to pass it on.
      close: () => {
        this.closed++;
        return Promise.resolve();
      },
    };
  };
}

const drivers: [string, () => S3EventStoreOptions][] = [
  ["the lean driver", () => ({ endpoint: emulator.endpoint, bucket: "events", prefix: "lean", ...access })],
  [
    "the caller's S3Client",
    () => {
      const { accessKeyId, secretAccessKey } = access;
      const credentials = { accessKeyId, secretAccessKey };
      const { endpoint } = emulator;
      const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
      return { client, bucket: "events", prefix: "sdk" };
    },
  ],
  ["memoryObjects", () => ({ objects: memoryObjects(), prefix: "memory" })],
  ["directoryObjects", () => ({ objects: directoryObjects({ path: join(scratch, "objects") }), prefix: "directory" })],
];

describe.each(drivers)("observe, with %s", (_, options) => {
  it("sees every call, answers untouched, and close closes the driver too", async () => {
    const observer = new Observer();
    const given = options();
    const store = await S3EventStore.open({ ...given, observe: observer.observe });
    const prefix = given.prefix ?? "";
    expect(observer.calls).toEqual([`LIST ${prefix}/`]);
    expect(await store.append({ type: "T", aggregateId: "a" })).toMatchObject({ committed: true, seq: 0 });
    expect(observer.calls).toContain(`PUT ${prefix}/0000000000.json`);
    expect(observer.calls).toContain(`PUT ${prefix}/_probe.json`);
    expect((await store.verify()).valid).toBe(true);
    expect(observer.calls).toContain(`GET ${prefix}/0000000000.json`);
    await store.derived.objects.putIfAbsent(`${store.derived.root}_positions/x.json`, Buffer.from("{}"));
    expect(observer.calls.at(-1)).toBe(`PUT ${prefix}/_positions/x.json`);

    const { driver } = observer;
    expect(driver).toBeDefined();
    expect(store.derived.objects.identity).toBe(driver?.identity);
    expect(store.derived.objects.fence?.lateMs).toBe(driver?.fence?.lateMs);
    await store.close();
    expect(observer.calls).toContain(`PUT ${prefix}/_head.json`);
    expect(observer.closed).toBeGreaterThan(0);
    await expect(driver?.get(`${prefix}/0000000000.json`)).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("observe", () => {
  it("sees which writer lost a race", async () => {
    const objects = memoryObjects();
    const [one, other] = [new Observer(), new Observer()];
    const first = await S3EventStore.open({ objects, observe: one.observe });
    const second = await S3EventStore.open({ objects, observe: other.observe });
    await first.append({ type: "T", aggregateId: "a" });
    await second.append({ type: "T", aggregateId: "a" });
    await first.append({ type: "T", aggregateId: "a" });
    expect(one.outcomes).toContain("exists");
    expect((await second.head()).seq).toBe(2);
    await second.close();
  });

  it("closes the driver when the observer's close fails, or when the observer cannot be made", async () => {
    for (const observe of [
      (objects: ObjectStore): ObjectStore => ({
        ...new Observer().observe(objects),
        close: () => Promise.reject(new Error("mine")),
      }),
      (): ObjectStore => {
        throw new Error("mine");
      },
    ]) {
      const objects = memoryObjects();
      const work = async (): Promise<void> => (await S3EventStore.open({ objects, observe })).close();
      await expect(work()).rejects.toThrow("mine");
      await expect(objects.get("k")).rejects.toMatchObject({ code: "CLOSED" });
    }
  });

  it("is passed on by openEventStore, and not called for a file", async () => {
    const observer = new Observer();
    const env = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "testsecret", S3_ENDPOINT: emulator.endpoint };
    const overrides = { observe: observer.observe };
    // Credentials are looked for in the process's environment; the test gives them to the emulator's address only.
    const before = { ...process.env };
    Object.assign(process.env, env);
    try {
      const store = await openEventStore(env, { store: "s3://events/env", ...overrides });
      await store.append({ type: "T", aggregateId: "a" });
      await store.close();
    } finally {
      process.env = before;
    }
    expect(observer.calls).toContain("PUT env/0000000000.json");
    observer.driver = undefined;
    await (await openEventStore({}, { store: `file:${join(scratch, "log")}`, ...overrides })).close();
    expect(observer.driver).toBeUndefined();
  });
});
