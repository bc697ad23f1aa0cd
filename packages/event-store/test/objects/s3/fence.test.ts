import { randomUUID } from "node:crypto";
import { S3Client } from "@aws-sdk/client-s3";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { openS3Objects, sdkS3Objects, type S3Objects } from "../../../src/objects/s3/index.js";
import { FAULTS, startS3Emulator, type S3Emulator } from "../../../src/testing/s3-emulator/index.js";
import { like, scripted, STORED } from "./scripted-server.js";

const body = Buffer.from("{}");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const EXPIRED = { outcome: "unknown", sent: false, expired: true, cause: { code: "UNAVAILABLE" } };

async function emulated(now: () => number = Date.now): Promise<S3Emulator> {
  const emulator = await startS3Emulator({ now });
  onTestFinished(() => emulator.close());
  return emulator;
}

type Provider = () => Promise<{ accessKeyId: string; secretAccessKey: string }>;

/** What is signed with is asked for right before the signing. */
const OPEN: Readonly<Record<string, (endpoint: string, credentials: Provider) => S3Objects>> = {
  lean: (endpoint, credentials) => {
    const store = openS3Objects({ endpoint, bucket: "events", region: "us-east-1", credentials });
    onTestFinished(() => store.close());
    return store;
  },
  sdk: (endpoint, credentials) => {
    const client = new S3Client({
      endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials,
    });
    onTestFinished(() => client.destroy());
    return sdkS3Objects({ client, bucket: "events" });
  },
};

const keys = { accessKeyId: "test", secretAccessKey: "testsecret" };
const sent = (emulator: S3Emulator): string[] =>
  emulator.requests.map(({ operation, status }) => `${operation} ${String(status)}`);

describe.each(Object.entries(OPEN))("puts with an end, by the %s driver", (_, connect) => {
  const open = (endpoint: string, credentials: Provider = () => Promise.resolve(keys)): S3Objects =>
    connect(endpoint, credentials);
  afterEach(() => vi.useRealTimers());

  it("are not sent once it has passed", async () => {
    const emulator = await emulated();
    const { etag } = emulator.objects("events").put("k", "old");
    const store = open(emulator.endpoint);
    const notAfter = store.fence.now() - 2000;
    expect(await store.putIfAbsent("new", body, { notAfter })).toMatchObject(EXPIRED);
    expect(await store.replaceIfMatch("k", body, etag, { notAfter })).toMatchObject(EXPIRED);
    expect(emulator.requests).toEqual([]);
    expect(await store.putIfAbsent("new", body, { notAfter: store.fence.now() + MINUTE })).toMatchObject({
      outcome: "stored",
    });
  });

  it("are judged by the very time that is signed: not by the one when they were begun", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const emulator = await emulated();
    const store = open(emulator.endpoint, () => {
      vi.setSystemTime(Date.now() + 10 * MINUTE);
      return Promise.resolve(keys);
    });
    expect(await store.putIfAbsent("k", body, { notAfter: store.fence.now() + 5 * MINUTE })).toMatchObject(EXPIRED);
    expect(emulator.requests).toEqual([]);
  });

  it.each([2, -2])("are judged anew when a server that is %i h away has corrected the clock", async (hours) => {
    const emulator = await emulated(() => Date.now() + hours * HOUR);
    const store = open(emulator.endpoint);
    const before = store.fence.now();
    const outcome = await store.putIfAbsent("k", body, { notAfter: before + HOUR });
    expect(outcome).toMatchObject(hours > 0 ? EXPIRED : { outcome: "stored" });
    expect(sent(emulator)).toEqual(hours > 0 ? ["PUT 403"] : ["PUT 403", "PUT 200"]);
    expect(emulator.objects("events").get("k") === undefined).toBe(hours > 0);
    expect((store.fence.now() - before) / HOUR, "the fence's clock is the corrected one").toBeCloseTo(hours, 1);
    const next = await store.putIfAbsent("l", body, { notAfter: store.fence.now() + MINUTE });
    expect(next).toMatchObject({ outcome: "stored" });
  });

  it("a put that was long on its way is stored within lateMs or never", async () => {
    let server = Date.now();
    const emulator = await emulated(() => server);
    const store = open(emulator.endpoint);
    const begun = store.fence.now();
    for (const key of ["in time", "too late"]) {
      emulator.faults.add({ when: { key }, do: FAULTS.applyLate });
      server = begun;
      expect(await store.putIfAbsent(key, body, { notAfter: begun + MINUTE })).toMatchObject({
        outcome: "unknown",
        sent: true,
      });
      server = begun + (key === "in time" ? 14 * MINUTE : store.fence.lateMs + MINUTE);
      emulator.releaseLate();
    }
    expect(emulator.objects("events").keys()).toEqual(["in time"]);
  });

  it("an end that is no number is refused", async () => {
    const { endpoint, seen } = await scripted([STORED]);
    await expect(open(endpoint).putIfAbsent("k", body, { notAfter: Number.NaN })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
    expect(seen).toEqual([]);
  });
});

it("an S3Client that signs no date sends no put with an end", async () => {
  const { endpoint, seen } = await scripted([STORED]);
  const client = new S3Client({
    endpoint,
    region: "us-east-1",
    credentials: keys,
    signer: { sign: (request) => Promise.resolve(request) },
  });
  onTestFinished(() => client.destroy());
  const store = sdkS3Objects({ client, bucket: "events" });
  await expect(store.putIfAbsent("k", body, { notAfter: Date.now() + HOUR })).rejects.toMatchObject({
    code: "REQUEST_REFUSED",
    hint: like("SigV4"),
  });
  expect(seen).toEqual([]);
});

it("a client that follows its bucket to another region signs, and is judged, again", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const { endpoint, seen } = await scripted([
    (response) => {
      vi.setSystemTime(Date.now() + 10 * MINUTE);
      const date = new Date().toUTCString();
      response.writeHead(301, { "x-amz-bucket-region": "eu-west-1", "content-length": "0", date });
      response.end();
    },
    STORED,
  ]);
  const client = new S3Client({
    endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    followRegionRedirects: true,
    credentials: keys,
  });
  onTestFinished(() => client.destroy());
  const store = sdkS3Objects({ client, bucket: "events" });
  expect(await store.putIfAbsent("k", body, { notAfter: Date.now() + 5 * MINUTE })).toMatchObject(EXPIRED);
  expect(seen).toHaveLength(1);
});

const real = process.env["RYNXS_TEST_S3_ENDPOINT"] ?? "";
it.runIf(real !== "")(
  "real server: what was signed lateMs ago is refused, and is not signed again past its end",
  async () => {
    const place = { endpoint: real, bucket: process.env["RYNXS_TEST_S3_BUCKET"] ?? "", region: "us-east-1" };
    const [late, other] = [16 * MINUTE, 0].map((behind) => {
      const store = openS3Objects({ ...place, clock: () => Date.now() - behind });
      onTestFinished(() => store.close());
      return store;
    });
    const key = `fence-${randomUUID()}`;
    expect(late!.fence.lateMs).toBe(16 * MINUTE);
    const notAfter = late!.fence.now() + MINUTE;
    expect(await late!.putIfAbsent(key, body, { notAfter })).toMatchObject(EXPIRED);
    expect(late!.fence.now() - notAfter, "the server's clock was learned from its refusal").toBeGreaterThan(
      10 * MINUTE,
    );
    expect(await other!.get(key)).toBeNull();
  },
);
