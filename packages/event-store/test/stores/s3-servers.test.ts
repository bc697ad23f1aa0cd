import { readdirSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GENESIS_HASH, type RecordedEvent } from "../../src/core/event.js";
import { encodeChain, prepareEvent } from "../../src/core/record.js";
import type { ObjectStore } from "../../src/objects/port.js";
import { openS3Objects } from "../../src/objects/s3/index.js";
import type { EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { eventStoreConformance } from "../../src/testing/event-store-conformance.js";
import { startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { vector, vectorJson, VECTORS } from "../core/vectors.js";
import { raceWriters } from "./writers.js";

interface Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const env = (name: string): string => process.env[name] ?? "";
const real: Server = {
  endpoint: env("RYNXS_TEST_S3_ENDPOINT"),
  bucket: env("RYNXS_TEST_S3_BUCKET"),
  accessKeyId: env("AWS_ACCESS_KEY_ID"),
  secretAccessKey: env("AWS_SECRET_ACCESS_KEY"),
};

const fourHundred = encodeChain(
  Array.from({ length: 400 }, (_, i) => prepareEvent({ type: "T", aggregateId: "a", ts: i }, 1, Date.now)),
  { seq: -1, hash: GENESIS_HASH },
).map(({ line }) => line);

/** Everything that holds on any S3 server. Each test has a prefix of its own. */
function suite(server: () => Server): void {
  const prefix = (): string => `stores/${randomUUID()}`;
  const lean = (path: string): Promise<EventStore> =>
    S3EventStore.open({ ...server(), prefix: path, onWarning: () => undefined });
  const objects = (): ObjectStore => openS3Objects(server());

  describe("lean driver: event store conformance", () => {
    for (const { name, run } of eventStoreConformance) {
      it(name, async () => {
        const path = prefix();
        await run({ open: () => lean(path) });
      });
    }
  });

  describe("batch mode: event store conformance", () => {
    for (const { name, run } of eventStoreConformance) {
      it(name, async () => {
        const path = prefix();
        await run({
          open: () => S3EventStore.open({ ...server(), prefix: path, batch: true, onWarning: () => undefined }),
        });
      });
    }
  });

  it("batch mode: what waits shares an object, beside a writer of single ones, and every caller has its own event", async () => {
    const path = prefix();
    const store = await S3EventStore.open({ ...server(), prefix: path, batch: true });
    const other = await lean(path);
    const call = (writer: EventStore, n: number) => writer.append({ type: "T", aggregateId: "a", payload: { n } });
    const results = await Promise.all([
      ...Array.from({ length: 300 }, (_, n) => call(store, n)),
      ...Array.from({ length: 5 }, (_, n) => call(other, 300 + n)),
      store.append({ type: "T", aggregateId: "a", payload: { n: Number.NaN } }).catch((error: unknown) => error),
    ]);
    expect(results.pop()).toMatchObject({ code: "INVALID_EVENT" });
    const events: RecordedEvent[] = [];
    for await (const event of store.read()) events.push(event);
    expect(events).toHaveLength(305);
    for (const [n, result] of results.entries()) {
      const { seq, eventHash } = result as { seq: number; eventHash: string };
      expect(events[seq]).toMatchObject({ payload: { n }, eventHash });
    }
    await store.close();
    await other.close();
    const bucket = objects();
    const { entries } = await bucket.list({ prefix: `${path}/0` });
    expect(entries.length).toBeLessThan(30);
    await bucket.close();
  });

  describe("the caller's S3Client: event store conformance", () => {
    for (const { name, run } of eventStoreConformance) {
      it(name, async () => {
        const path = prefix();
        const { endpoint, bucket, accessKeyId, secretAccessKey } = server();
        const client = new S3Client({
          endpoint,
          region: "us-east-1",
          forcePathStyle: true,
          credentials: { accessKeyId, secretAccessKey },
        });
        await run({ open: () => S3EventStore.open({ client, bucket, prefix: path }) });
        client.destroy();
      });
    }
  });

  it("default mode writes one object per event, its bytes the record, and nothing else but the head and the probe", async () => {
    const path = prefix();
    const store = await lean(path);
    await store.append({ type: "AgentObserved", aggregateId: "agent-1", payload: { foo: "bar" }, ts: 1 });
    await store.appendBatch([
      { type: "T", aggregateId: "a", ts: 2 },
      { type: "T", aggregateId: "a", ts: 3 },
    ]);
    await store.close();
    const bucket = objects();
    const { entries } = await bucket.list({ prefix: `${path}/` });
    expect(entries.map(({ key }) => key.slice(path.length + 1))).toEqual([
      "0000000000.json",
      "0000000001.json",
      "_head.json",
      "_probe.json",
    ]);
    const single = await bucket.get(`${path}/0000000000.json`);
    expect(single?.body.toString()).toMatch(
      /^\{"event":\{"aggregate_id":"agent-1","meta":\{\},"payload":\{"foo":"bar"\},"seq":0,"ts":1,"type":"AgentObserved"\},"event_hash":"[0-9a-f]{64}","prev_hash":"0{64}"\}$/,
    );
    expect(single?.contentType).toBe("application/json");
    expect(single?.metadata["put-id"]).toMatch(/^[0-9a-f]{32}$/);
    const batch = (await bucket.get(`${path}/0000000001.json`))?.body.toString() ?? "";
    expect(batch.endsWith("\n")).toBe(true);
    expect(batch.trimEnd().split("\n")).toHaveLength(2);
    expect((await bucket.get(`${path}/_head.json`))?.body.toString()).toMatch(
      /^\{"last_hash":"[0-9a-f]{64}","last_seq":2\}$/,
    );
    await bucket.close();
  });

  it("a log written by the Python system verifies and goes on", async () => {
    const path = prefix();
    const bucket = objects();
    for (const name of readdirSync(new URL("s3-layout/events/", VECTORS)))
      await bucket.putIfAbsent(`${path}/${name}`, vector(`s3-layout/events/${name}`));
    const golden = vectorJson<{ dir?: string; events?: number; last_hash: string }[]>("chains.json").find(
      ({ dir }) => dir === "s3-layout",
    );
    const store = await lean(path);
    const report = await store.verify();
    expect([report.valid, report.events, report.head]).toEqual([
      true,
      golden?.events,
      { seq: 24, hash: golden?.last_hash },
    ]);
    expect(await store.appendWithRetry({ type: "T", aggregateId: "a" })).toMatchObject({
      seq: 25,
      prevHash: golden?.last_hash,
    });
    // Byte for byte: what it imports elsewhere is what the Python system wrote.
    const other = prefix();
    const copy = await lean(other);
    for await (const record of store.readRecords({ toSeq: 24 })) await copy.importRecords([record]);
    for (const name of readdirSync(new URL("s3-layout/events/", VECTORS)).filter((file) => !file.startsWith("_"))) {
      expect((await bucket.get(`${other}/${name}`))?.body.equals(vector(`s3-layout/events/${name}`)), name).toBe(true);
    }
    await Promise.all([store.close(), copy.close(), bucket.close()]);
  });

  it("8 processes × 50 appends: 400 events, gapless, verified, exactly what each was told", async () => {
    const path = prefix();
    const { endpoint, bucket, accessKeyId, secretAccessKey } = server();
    const store = await lean(path);
    const variables = { EVENT_STORE_TYPE: "s3", S3_ENDPOINT: endpoint, S3_BUCKET: bucket, S3_PREFIX: path };
    await raceWriters(
      8,
      50,
      { ...variables, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
      store,
    );
    await store.close();
  }, 120_000);

  it("2,500 single objects: paging, ranges, and the tail", async () => {
    const path = prefix();
    const store = await lean(path);
    for (let i = 0; i < 2500; i++)
      await store.append({ type: "T", aggregateId: `a${String(i % 10)}`, payload: { i }, ts: i });
    await store.close();
    const again = await S3EventStore.open({ ...server(), prefix: path, useHead: false });
    expect((await again.head()).seq).toBe(2499);
    expect((await again.verify()).events).toBe(2500);
    const seqs: number[] = [];
    for await (const { seq } of again.read({ fromSeq: 990, toSeq: 2010, aggregateId: "a3" })) seqs.push(seq);
    expect(seqs).toEqual(
      Array.from({ length: 2500 }, (_, i) => i).filter((i) => i >= 990 && i <= 2010 && i % 10 === 3),
    );
    await again.close();
  }, 120_000);
}

describe("S3 emulator", () => {
  let emulator: S3Emulator;
  beforeAll(async () => {
    emulator = await startS3Emulator({ buckets: ["b-1"] });
  });
  afterAll(() => emulator.close());
  const server = (): Server => ({
    endpoint: emulator.endpoint,
    bucket: "b-1",
    accessKeyId: "test",
    secretAccessKey: "testsecret",
  });

  suite(server);

  it("keeps 64 GETs under way, and leaving the loop or aborting stops the requests", async () => {
    const slow = await startS3Emulator({ latencyMs: 100 });
    for (let i = 0; i < 400; i++)
      slow.objects("events").put(`window/${String(i).padStart(10, "0")}.json`, fourHundred[i] ?? Buffer.alloc(0));
    const store = await S3EventStore.open({
      endpoint: slow.endpoint,
      bucket: "events",
      accessKeyId: "test",
      secretAccessKey: "testsecret",
      prefix: "window",
    });
    // But for the last, which head() reads.
    const count = (): number => slow.requests.filter(({ key }) => /\d{10}(?<!399)\.json$/.test(key)).length;
    for (const how of ["break", "abort"] as const) {
      slow.requests.length = 0;
      const controller = new AbortController();
      const leave = async (): Promise<void> => {
        for await (const { seq } of store.read({ signal: controller.signal })) {
          if (seq !== 3) continue;
          if (how === "break") break;
          controller.abort();
        }
      };
      if (how === "break") await leave();
      else await expect(leave()).rejects.toMatchObject({ code: "ABORTED" });
      const requested = count();
      expect(requested).toBeGreaterThanOrEqual(64);
      // Each answer that came before the loop was left made room for another; how many did is chance.
      expect(requested).toBeLessThan(2 * 64);
      // What was sent before may still arrive; behind one whole request nothing does any more, and far from all was asked.
      await store.head();
      const arrived = count();
      expect(arrived).toBeLessThan(2 * 64);
      await store.head();
      expect(count()).toBe(arrived);
    }
    await store.close();
    await slow.close();
  });
});

describe.runIf(real.endpoint !== "")("real server: event stores", () => {
  suite(() => real);
});
