import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FileEventStore } from "../../src/stores/file/file-event-store.js";
import { openEventStore, storeConfig } from "../../src/stores/open.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { startS3Emulator } from "../../src/testing/s3-emulator/index.js";

const scratch = mkdtempSync(join(tmpdir(), "rynxs-open-"));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe("the environment", () => {
  it("defaults", () => {
    expect(storeConfig({})).toEqual({
      type: "file",
      path: "/var/log/rynxs/operator-events.log",
      maxBytes: undefined,
      hashVersion: 1,
    });
    expect(storeConfig({ EVENT_STORE_TYPE: "s3" })).toEqual({
      type: "s3",
      bucket: "rynxs-events",
      prefix: "events",
      endpoint: undefined,
      region: "us-east-1",
      useHead: true,
      headKey: undefined,
      skipBucketCheck: false,
      batch: false,
      checksums: false,
      retain: undefined,
      retainMode: "GOVERNANCE",
      hashVersion: 1,
    });
  });

  it("empty variables, as charts pass them, are unset", () => {
    const names = [
      "EVENT_STORE_TYPE",
      "EVENT_STORE_PATH",
      "EVENT_STORE_MAX_BYTES",
      "RYNXS_HASH_VERSION",
      "EVENT_STORE_MAX_SEGMENTS",
    ];
    expect(storeConfig(Object.fromEntries(names.map((name) => [name, ""])))).toEqual(storeConfig({}));
    const s3 = [
      "S3_BUCKET",
      "S3_PREFIX",
      "S3_ENDPOINT",
      "S3_REGION",
      "RYNXS_S3_USE_HEAD",
      "RYNXS_S3_HEAD_KEY",
      "RYNXS_S3_SKIP_BUCKET_CHECK",
      "RYNXS_S3_BATCH",
      "RYNXS_S3_CHECKSUMS",
    ];
    expect(storeConfig({ EVENT_STORE_TYPE: "s3", ...Object.fromEntries(s3.map((name) => [name, ""])) })).toEqual(
      storeConfig({ EVENT_STORE_TYPE: "s3" }),
    );
  });

  it("every variable is honoured", () => {
    expect(
      storeConfig({
        EVENT_STORE_TYPE: " File ",
        EVENT_STORE_PATH: "/x",
        EVENT_STORE_MAX_BYTES: "1000",
        RYNXS_HASH_VERSION: " V2 ",
      }),
    ).toEqual({ type: "file", path: "/x", maxBytes: 1000, hashVersion: 2 });
    const env = {
      EVENT_STORE_TYPE: "S3",
      S3_BUCKET: "b-1",
      S3_PREFIX: "p/q",
      S3_ENDPOINT: "minio-service.rynxs.svc.cluster.local:9000",
      S3_REGION: "eu-central-1",
      RYNXS_S3_USE_HEAD: "False",
      RYNXS_S3_HEAD_KEY: "heads/p.json",
      RYNXS_S3_SKIP_BUCKET_CHECK: "1",
      RYNXS_S3_BATCH: "on",
      RYNXS_S3_RETAIN: "12mo",
      RYNXS_S3_RETAIN_MODE: "COMPLIANCE",
      RYNXS_S3_CHECKSUMS: "1",
      RYNXS_HASH_VERSION: "v1",
    };
    expect(storeConfig(env)).toEqual({
      type: "s3",
      bucket: "b-1",
      prefix: "p/q",
      endpoint: "minio-service.rynxs.svc.cluster.local:9000",
      region: "eu-central-1",
      useHead: false,
      headKey: "heads/p.json",
      skipBucketCheck: true,
      batch: true,
      checksums: true,
      retain: "12mo",
      retainMode: "COMPLIANCE",
      hashVersion: 1,
    });
    expect(storeConfig(env, { store: "s3://other/x/y/", endpoint: "http://h:1", region: "r" })).toMatchObject({
      bucket: "other",
      prefix: "x/y/",
      endpoint: "http://h:1",
      region: "r",
      headKey: undefined,
    });
    expect(storeConfig(env, { store: "s3://other" })).toMatchObject({ bucket: "other", prefix: "events" });
    expect(storeConfig(env, { store: "file:a b.log" })).toMatchObject({ type: "file", path: "a b.log" });
    expect(storeConfig(env, { store: "file:///var/x.log" })).toMatchObject({ type: "file", path: "/var/x.log" });
  });

  it.each([
    [{ EVENT_STORE_TYPE: "mongo" }, "EVENT_STORE_TYPE", "file, s3"],
    [{ RYNXS_HASH_VERSION: "v3" }, "RYNXS_HASH_VERSION", "v1, v2"],
    [{ EVENT_STORE_MAX_BYTES: "10MB" }, "EVENT_STORE_MAX_BYTES", "bytes"],
    [{ EVENT_STORE_MAX_BYTES: "-1" }, "EVENT_STORE_MAX_BYTES", "bytes"],
    [{ EVENT_STORE_MAX_SEGMENTS: "5" }, "EVENT_STORE_MAX_SEGMENTS", "unset"],
    [{ EVENT_STORE_TYPE: "s3", RYNXS_S3_USE_HEAD: "maybe" }, "RYNXS_S3_USE_HEAD", "true, false"],
    [{ EVENT_STORE_TYPE: "s3", RYNXS_S3_SKIP_BUCKET_CHECK: "2" }, "RYNXS_S3_SKIP_BUCKET_CHECK", "true, false"],
  ])("%o is refused with what is valid", (env, name, valid) => {
    expect(() => storeConfig(env)).toThrow(
      expect.objectContaining({
        code: "INVALID_CONFIG",
        message: expect.stringContaining(name) as string,
        hint: expect.stringContaining(valid) as string,
      }),
    );
  });

  it.each(["", "foo", "s3:", "s3://", "file:", "file://x/y", "http://x/y", "S3//b"])(
    "the store %j is refused",
    (store) => {
      expect(() => storeConfig({}, { store })).toThrow(
        expect.objectContaining({ code: "INVALID_CONFIG", hint: expect.stringContaining("file:PATH") as string }),
      );
    },
  );
});

it("the head key belongs to the log that the variables name", () => {
  const env = { S3_BUCKET: "b-1", S3_PREFIX: "p", RYNXS_S3_HEAD_KEY: "h.json" };
  expect(storeConfig(env, { store: "s3://b-1/p/" })).toMatchObject({ headKey: "h.json" });
  expect(storeConfig(env, { store: "s3://b-1/q" })).toMatchObject({ headKey: undefined });
  expect(storeConfig(env, { store: "s3://b-2/p" })).toMatchObject({ headKey: undefined });
});

it("options of the wrong type are refused with a code", async () => {
  for (const path of [undefined, 5, null, "a\0b"]) {
    await expect(FileEventStore.open({ path } as never)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  }
  for (const options of [{}, { bucket: 5 }, { bucket: "b-1", prefix: 5 }]) {
    await expect(S3EventStore.open(options as never)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  }
});

describe("openEventStore", () => {
  it("a log that is only read must exist", async () => {
    const path = join(scratch, "none.log");
    await expect(openEventStore({ EVENT_STORE_PATH: path }, { readOnly: true })).rejects.toMatchObject({
      code: "PATH_UNUSABLE",
      facts: { file: path },
    });
    await (await openEventStore({ EVENT_STORE_PATH: path })).close();
  });

  it("hash version 2 is written when asked for, behind version 1", async () => {
    const env = { EVENT_STORE_PATH: join(scratch, "mixed.log") };
    const first = await openEventStore(env);
    await first.append({ type: "T", aggregateId: "a", ts: 1 });
    await first.close();
    const second = await openEventStore({ ...env, RYNXS_HASH_VERSION: "v2" });
    await second.append({ type: "T", aggregateId: "a", ts: 2 });
    await second.append({ type: "T", aggregateId: "a", ts: 3, meta: { m: 1 } });
    const lines: string[] = [];
    for await (const { line } of second.readRecords()) lines.push(line.toString().slice(0, 70));
    expect(lines).toEqual([
      expect.stringMatching(/^\{"event":\{"aggregate_id":"a","meta":\{\},"payload":/) as string,
      expect.stringMatching(/^\{"event":\{"aggregate_id":"a","hash_version":"v2","payload":/) as string,
      expect.stringMatching(/^\{"event":\{"aggregate_id":"a","hash_version":"v2","meta":\{"m":1\}/) as string,
    ]);
    expect((await second.verify()).events).toBe(3);
    await second.close();
  });

  it("an endpoint without a scheme works, and the assumption is said once", async () => {
    const emulator = await startS3Emulator({ buckets: ["b-1"] });
    const warnings: string[] = [];
    const env = { EVENT_STORE_TYPE: "s3", S3_BUCKET: "b-1", S3_ENDPOINT: emulator.endpoint.replace("http://", "") };
    process.env["AWS_ACCESS_KEY_ID"] ??= "test";
    process.env["AWS_SECRET_ACCESS_KEY"] ??= "testsecret";
    emulator.credentials = {
      accessKeyId: process.env["AWS_ACCESS_KEY_ID"],
      secretAccessKey: process.env["AWS_SECRET_ACCESS_KEY"],
    };
    const store = await openEventStore(env, { onWarning: ({ code }) => warnings.push(code) });
    expect(store.location).toBe("s3://b-1/events/");
    await store.append({ type: "T", aggregateId: "a" });
    await store.close();
    expect(warnings).toEqual(["ENDPOINT_SCHEME_ASSUMED"]);
    await emulator.close();
  });
});
