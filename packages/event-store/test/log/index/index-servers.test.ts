import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Anchor, RecordedEvent, StoredRecord } from "../../../src/core/event.js";
import { ensureIndex } from "../../../src/log/index/ensure-index.js";
import { LogKeys } from "../../../src/log/keys.js";
import { openS3Objects } from "../../../src/objects/s3/index.js";
import type { EventStore, ReadOptions } from "../../../src/stores/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { startS3Emulator, type S3Emulator } from "../../../src/testing/s3-emulator/index.js";
import { segmentOf } from "./sample-log.js";

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

function suite(server: () => Server): void {
  it("a store answers through its log's index as it does without one", async () => {
    const prefix = `index/${randomUUID()}`;
    const warnings: string[] = [];
    const open = (): Promise<EventStore> =>
      S3EventStore.open({ ...server(), prefix, onWarning: ({ message }) => void warnings.push(message) });
    const store = await open();
    for (let batch = 0; batch < 12; batch++)
      await store.appendBatch(
        Array.from({ length: 1000 }, (_, i) => ({
          type: i === 500 && batch % 4 === 1 ? "Rare" : "Common",
          aggregateId: `a-${String((batch * 1000 + i) % 100)}`,
          payload: { batch, i },
        })),
      );
    // The head is there when it is closed.
    await store.close();

    const reader = await open();
    const ask = async (options: ReadOptions): Promise<{ events: RecordedEvent[]; anchor: Anchor | undefined }> => {
      const events: RecordedEvent[] = [];
      let anchor: Anchor | undefined;
      for await (const event of reader.read({ ...options, onAnchor: (found) => (anchor = found) })) events.push(event);
      return { events, anchor };
    };
    const queries: ReadOptions[] = [
      { aggregateId: "a-7" },
      { type: "Rare" },
      { aggregateId: "a-0", type: "Rare" },
      { aggregateId: "a-7", fromSeq: 5000, toSeq: 11_000 },
    ];
    const before = await Promise.all(queries.map(ask));
    const listed = await reader.aggregates({ prefix: "a-9" });
    expect(before.map(({ anchor }) => anchor?.source)).toEqual(["genesis", "genesis", "genesis", "record"]);

    const records: StoredRecord[] = [];
    for await (const record of reader.readRecords({ toSeq: 9999 })) records.push(record);
    const objects = openS3Objects(server());
    const log = { objects, keys: new LogKeys(prefix) };
    expect(await ensureIndex(log, [segmentOf(records)])).toEqual({ written: 1, removed: 0 });
    expect(await ensureIndex(log, [segmentOf(records)])).toEqual({ written: 0, removed: 0 });

    const behind = await Promise.all(queries.map(ask));
    expect(behind.map(({ anchor }) => anchor)).toEqual(
      queries.map(() => ({ seq: 9999, hash: records[9999]?.eventHash, source: "index" })),
    );
    for (const [i, { events }] of behind.entries()) {
      const unversioned = ({ aggregateVersion: _, ...event }: RecordedEvent): object => event;
      expect(events.map(unversioned)).toEqual(before[i]?.events.map(unversioned));
    }
    expect(behind[3]?.events[0]).toMatchObject({ seq: 5007, aggregateVersion: 51 });
    expect(await reader.aggregates({ prefix: "a-9" })).toEqual(listed);
    expect(listed.aggregates).toHaveLength(11);

    const { entries } = await objects.list({ prefix: log.keys.index });
    const [run] = entries;
    const stored = await objects.get(run?.key ?? "");
    expect(stored?.contentType).toBe("application/gzip");
    await objects.replaceIfMatch(run?.key ?? "", Buffer.from("junk"), stored?.etag ?? "");
    expect((await ask({ aggregateId: "a-7" })).events).toEqual(before[0]?.events);
    expect(warnings).toEqual([expect.stringContaining(run?.key ?? "no run")]);
    await objects.close();
    await reader.close();
  });
}

describe("emulator: index", () => {
  let emulator: S3Emulator;
  beforeAll(async () => {
    emulator = await startS3Emulator();
  });
  afterAll(() => emulator.close());
  suite(() => ({ endpoint: emulator.endpoint, bucket: "events", ...emulator.credentials }));
});

describe.runIf(real.endpoint !== "")("real server: index", () => {
  suite(() => real);
});
