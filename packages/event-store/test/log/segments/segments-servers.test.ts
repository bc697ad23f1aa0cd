import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LogKeys } from "../../../src/log/keys.js";
import { openS3Objects } from "../../../src/objects/s3/index.js";
import type { EventStore } from "../../../src/stores/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { startS3Emulator, type S3Emulator } from "../../../src/testing/s3-emulator/index.js";

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

const HOUR = 3_600_000;
const late = { type: "Late", aggregateId: "a", payload: {} };

async function linesOf(store: EventStore, options = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { line } of store.readRecords(options)) lines.push(line.toString());
  return lines;
}

function suite(server: () => Server): void {
  it("a log is compacted, pruned, read, and gone on with; a writer that slept loses its race", async () => {
    const prefix = `segments/${randomUUID()}`;
    /** The writer's clock stands still while it sleeps: the server's does not. */
    let now = Date.now();
    const sleeper = await S3EventStore.open({ ...server(), prefix, clock: () => now });
    await sleeper.append(late);
    const busy = await S3EventStore.open({ ...server(), prefix });
    for (let batch = 0; batch < 25; batch++)
      await busy.appendBatch(
        Array.from({ length: 1000 }, (_, i) => ({ type: "T", aggregateId: `a-${i % 50}`, payload: { batch, i } })),
      );
    const all = await linesOf(busy);
    expect(await busy.compact()).toMatchObject({ written: 2, records: 20_000, head: { seq: 25_000 } });
    expect(await busy.prune()).toMatchObject({ objects: 0, keptFrom: 10_000 });

    // Nothing here is a day old: what prune would delete then.
    const objects = openS3Objects(server());
    const keys = new LogKeys(prefix);
    for (let seq = 0; seq < 9001; seq = seq === 0 ? 1 : seq + 1000) await objects.delete(keys.event(seq));
    await objects.close();
    expect(await linesOf(busy)).toEqual(all);
    expect(await linesOf(busy, { fromSeq: 4321, toSeq: 4399 })).toEqual(all.slice(4321, 4400));
    expect(await busy.verify()).toMatchObject({ valid: true, events: 25_001 });

    // It wakes up with a tail that was true long ago, and the key behind that is free.
    now += 2 * HOUR;
    const appended = await sleeper.append(late).catch((error: unknown) => error);
    expect(appended).toMatchObject({ committed: true, seq: 25_001 });
    expect((await linesOf(busy, { fromSeq: 25_001 }))[0]).toContain('"Late"');
    await sleeper.close();
    await busy.close();
  }, 120_000);
}

describe("emulator", () => {
  let emulator: S3Emulator;
  beforeAll(async () => {
    emulator = await startS3Emulator();
  });
  afterAll(() => emulator.close());
  suite(() => ({ endpoint: emulator.endpoint, bucket: "events", ...emulator.credentials }));
});

describe.skipIf(real.endpoint === "")("real server", () => {
  suite(() => real);
});
