import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { sdkS3Objects, type S3Objects, type SdkS3Options } from "../../../src/objects/s3/index.js";
import { fakeTime, like, OBJECT, s3Error, scripted, STORED } from "./scripted-server.js";

const body = Buffer.from("{}");
const base = {
  region: "us-east-1",
  forcePathStyle: true,
  credentials: { accessKeyId: "id", secretAccessKey: "secret" },
};

function open(config: S3ClientConfig, options: Partial<SdkS3Options> = {}): S3Objects {
  const client = new S3Client({ ...base, ...config });
  onTestFinished(() => client.destroy());
  return sdkS3Objects({ client, bucket: "events", ...options });
}

describe("the user's client does not repeat a write by itself", () => {
  const always = {
    mode: "always",
    acquireInitialRetryToken: async () => token(0),
    refreshRetryTokenForRetry: async (before: { getRetryCount: () => number }) => {
      if (before.getRetryCount() > 4) throw new Error("enough");
      return token(before.getRetryCount() + 1);
    },
    recordSuccess: () => undefined,
  };
  function token(count: number): { getRetryCount: () => number; getRetryDelay: () => number } {
    return { getRetryCount: () => count, getRetryDelay: () => 0 };
  }

  const configs: Readonly<Record<string, S3ClientConfig>> = {
    "with the usual settings": {},
    "told to try 10 times": { maxAttempts: 10, retryMode: "adaptive" },
    "with a strategy that always retries": { retryStrategy: always },
    "that caches its middleware": { cacheMiddleware: true },
  };
  it.each(Object.entries(configs))("%s", async (_, config) => {
    const { endpoint, seen } = await scripted([s3Error(500, "InternalError"), s3Error(503, "SlowDown"), STORED]);
    const store = open({ endpoint, ...config });
    expect(await store.putIfAbsent("k", body)).toMatchObject({ outcome: "unknown", cause: { facts: { status: 500 } } });
    expect(await store.replaceIfMatch("k", body, '"e"')).toMatchObject({
      outcome: "unknown",
      cause: { facts: { status: 503 } },
    });
    expect(await store.putIfAbsent("k", body)).toMatchObject({ outcome: "stored" });
    expect(seen).toHaveLength(3);
  });

  it("not even when something in it sends twice behind the retry step", async () => {
    const { endpoint, seen } = await scripted([s3Error(500, "InternalError"), STORED]);
    const client = new S3Client({ ...base, endpoint });
    onTestFinished(() => client.destroy());
    client.middlewareStack.add((next) => (args) => next(args).catch(() => next(args)), {
      step: "finalizeRequest",
      priority: "low",
      name: "again",
    });
    expect(await sdkS3Objects({ client, bucket: "events" }).putIfAbsent("k", body)).toMatchObject({
      outcome: "unknown",
      sent: true,
    });
    expect(seen).toHaveLength(1);
  });

  it("though it may follow the bucket to its region", async () => {
    const { endpoint, seen } = await scripted([
      s3Error(301, "PermanentRedirect", { "x-amz-bucket-region": "eu-west-1" }),
      STORED,
    ]);
    expect(await open({ endpoint, followRegionRedirects: true }).putIfAbsent("k", body)).toMatchObject({
      outcome: "stored",
    });
    expect(seen.map(({ headers }) => /\/([a-z]+-[a-z]+-\d)\//.exec(headers.authorization ?? "")?.[1])).toEqual([
      "us-east-1",
      "eu-west-1",
    ]);
  });
});

describe("writes", () => {
  it("have a length, a hash and a checksum in headers: nothing is streamed in chunks", async () => {
    const { endpoint, seen } = await scripted([STORED]);
    const options = { metadata: { "put-id": "p" }, contentType: "text/plain" };
    expect(await open({ endpoint }).putIfAbsent("a//../ü +.json", new Uint8Array([123, 125]), options)).toEqual({
      outcome: "stored",
      etag: '"e"',
    });
    expect(seen[0]?.url.replace(/\?.*/, "")).toBe("/events/a//../%C3%BC%20%2B.json");
    expect(seen[0]?.body).toEqual(body);
    expect(seen[0]?.headers).toMatchObject({
      "content-length": "2",
      "content-type": "text/plain",
      "if-none-match": "*",
      "x-amz-meta-put-id": "p",
      "x-amz-content-sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    });
    for (const name of ["transfer-encoding", "x-amz-trailer", "content-encoding"])
      expect(seen[0]?.headers).not.toHaveProperty(name);
  });
});

describe("trouble before and behind the client", () => {
  it("no credentials: said at once, nothing sent", async () => {
    const { endpoint, seen } = await scripted([STORED]);
    const none = Object.assign(new Error("Could not load credentials from any providers"), {
      name: "CredentialsProviderError",
    });
    const store = open({ endpoint, credentials: () => Promise.reject(none) });
    await expect(store.putIfAbsent("k", body)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      hint: like("AWS_ACCESS_KEY_ID"),
    });
    await expect(store.get("k")).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    expect(seen).toEqual([]);
  });

  it("nobody listens: not sent", async () => {
    const store = open({ endpoint: "http://127.0.0.1:1" }, fakeTime());
    expect(await store.putIfAbsent("k", body)).toMatchObject({
      outcome: "unknown",
      sent: false,
      cause: { facts: { endpoint: "http://127.0.0.1:1" } },
    });
    await expect(store.get("k")).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: like(/nothing listens at http:\/\/127.0.0.1:1.*4 tries/),
    });
  });

  it("a server that hangs: each attempt has its time", async () => {
    const { endpoint, seen } = await scripted([() => undefined]);
    const store = open({ endpoint }, { attemptTimeoutMs: 50, retryDeadlineMs: 1 });
    expect(await store.putIfAbsent("k", body)).toMatchObject({
      outcome: "unknown",
      sent: true,
      cause: { facts: { backendCode: "ETIMEDOUT" } },
    });
    await expect(store.get("k")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(seen).toHaveLength(2);
  });

  it("an abort ends a call, and closing ends all of them but leaves the client open", async () => {
    const { endpoint, seen } = await scripted([() => undefined, () => undefined, () => undefined, OBJECT]);
    const client = new S3Client({ ...base, endpoint });
    onTestFinished(() => client.destroy());
    const store = sdkS3Objects({ client, bucket: "events" });
    const controller = new AbortController();
    const aborted = store.putIfAbsent("k", body, { signal: controller.signal });
    while (seen.length < 1) await new Promise(setImmediate);
    controller.abort();
    expect(await aborted).toMatchObject({ outcome: "unknown", sent: true, cause: { code: "ABORTED" } });
    const put = store.putIfAbsent("k", body);
    const get = store.get("k").catch((error: unknown) => error);
    while (seen.length < 3) await new Promise(setImmediate);
    await store.close();
    expect(await put).toMatchObject({ outcome: "unknown", sent: true });
    expect(await get).toMatchObject({ code: "CLOSED" });
    expect(await sdkS3Objects({ client, bucket: "events" }).get("k")).not.toBeNull();
  });
});

describe("who a store is", () => {
  it("is one name for each client and bucket", () => {
    const [one, two] = [new S3Client(base), new S3Client(base)];
    const identities = [one, one, two].map((client) => sdkS3Objects({ client, bucket: "events" }).identity);
    expect(identities[0]).toMatch(/^s3-client-\d+:\/\/events$/);
    expect(identities[1]).toBe(identities[0]);
    expect(identities[2]).not.toBe(identities[0]);
    expect(() => sdkS3Objects({ client: one, bucket: "s3://events" })).toThrow("has a slash");
  });
});

describe("without the package", () => {
  afterEach(() => {
    vi.doUnmock("@aws-sdk/client-s3");
    vi.resetModules();
  });

  it("says what to install", async () => {
    const client = new S3Client(base);
    vi.resetModules();
    vi.doMock("@aws-sdk/client-s3", () => {
      throw new Error("Cannot find package");
    });
    const { sdkS3Objects: fresh } = await import("../../../src/objects/s3/index.js");
    await expect(fresh({ client, bucket: "events" }).get("k")).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      hint: like("npm install @aws-sdk/client-s3"),
    });
  });
});
