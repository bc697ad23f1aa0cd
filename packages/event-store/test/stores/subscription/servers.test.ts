import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EventStore } from "../../../src/stores/port.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import { consume } from "../../../src/stores/subscription/consume.js";
import { positionsOf } from "../../../src/stores/subscription/positions.js";
import { startS3Emulator, type S3Emulator } from "../../../src/testing/s3-emulator/index.js";
import { Collected, event, range } from "./bench.js";

interface Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const env = (name: string): string => process.env[name] ?? "";

/** What holds on any S3 server. */
function suite(server: () => Server): void {
  const open = (prefix: string, options: { batch?: boolean } = {}): Promise<EventStore> =>
    S3EventStore.open({ ...server(), ...options, prefix, onWarning: () => undefined });

  it("follows two writers, then goes on behind its position", async () => {
    const prefix = `subscriptions/${randomUUID()}`;
    const [single, batching] = [await open(prefix), await open(prefix, { batch: true })];
    const store = await open(prefix);
    const subscription = store.subscribe({ pollMs: 20, to: 59 });
    const got = new Collected(subscription);
    await Promise.all(range(0, 59).map((n) => (n % 2 === 0 ? single : batching).append(event(n))));
    expect(await got.ended).toBeNull();
    expect(got.seqs).toEqual(range(0, 59));
    expect(got.events.map(({ payload }) => payload["n"] as number).sort((a, b) => a - b)).toEqual(range(0, 59));
    expect(subscription.position).toEqual(await store.head());

    const handled: number[] = [];
    for (const to of [9, 30, 59])
      await consume(store, { name: "mailer", to, pollMs: 20, handler: ({ seq }) => void handled.push(seq) });
    expect(handled).toEqual(range(0, 59));
    for (const each of [single, batching, store]) await each.close();
  });

  it("lets one of two move a position", async () => {
    const prefix = `subscriptions/${randomUUID()}`;
    const store = await open(prefix);
    const hash = "1".repeat(64);
    for (const round of [1, 2, 3]) {
      const rivals = await Promise.all([1, 2, 3, 4].map(() => positionsOf(store).open("p")));
      const results = await Promise.allSettled(rivals.map((rival, i) => rival.save({ seq: 10 * round + i, hash })));
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const result of results)
        if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "POSITION_TAKEN" });
      const winner = results.findIndex(({ status }) => status === "fulfilled");
      expect((await positionsOf(store).open("p")).saved?.seq).toBe(10 * round + winner);
    }
    await positionsOf(store).remove("p");
    await store.close();
  });
}

describe("the emulator", () => {
  let emulator: S3Emulator;
  beforeAll(async () => {
    emulator = await startS3Emulator({ buckets: ["events"] });
  });
  afterAll(() => emulator.close());
  suite(() => ({ endpoint: emulator.endpoint, bucket: "events", ...emulator.credentials }));
});

describe.runIf(process.env["RYNXS_TEST_S3_ENDPOINT"])("real server: subscriptions", () => {
  suite(() => ({
    endpoint: env("RYNXS_TEST_S3_ENDPOINT"),
    bucket: env("RYNXS_TEST_S3_BUCKET"),
    accessKeyId: env("AWS_ACCESS_KEY_ID"),
    secretAccessKey: env("AWS_SECRET_ACCESS_KEY"),
  }));
});
