import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Check } from "../../../src/log/examine-objects.js";
import { LogKeys } from "../../../src/log/keys.js";
import { openS3Objects, openS3Upkeep } from "../../../src/objects/s3/index.js";
import type { BucketSecurity, SettingAnswer } from "../../../src/objects/security.js";
import { examineHardening } from "../../../src/stores/hardening/examine-hardening.js";
import { judgePolicy } from "../../../src/stores/hardening/judge-policy.js";
import { logPolicies } from "../../../src/stores/hardening/policies.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import {
  FAULTS,
  startS3Emulator,
  type S3Emulator,
  type S3EmulatorOptions,
} from "../../../src/testing/s3-emulator/index.js";
import { rawS3 } from "../../objects/raw-s3.js";

interface Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

async function emulated(options: S3EmulatorOptions = {}): Promise<{ emulator: S3Emulator; server: Server }> {
  const emulator = await startS3Emulator({ behindTls: true, ...options });
  onTestFinished(() => emulator.close());
  const { endpoint, credentials } = emulator;
  return { emulator, server: { endpoint, bucket: "events", ...credentials } };
}

interface Examined {
  readonly prefix?: string;
  readonly aws?: boolean;
  readonly probe?: boolean;
}

async function examine(
  server: Server,
  { prefix = "log", aws, probe = false }: Examined = {},
): Promise<Record<string, Check>> {
  const upkeep = openS3Upkeep({ ...server, retryDeadlineMs: 300 });
  const objects = openS3Objects(server);
  const checks: Record<string, Check> = {};
  const options = {
    bucket: server.bucket,
    keys: new LogKeys(prefix),
    security: upkeep.security,
    origin: upkeep.origin,
  };
  for await (const check of examineHardening({
    ...options,
    aws: aws ?? upkeep.aws,
    ...(probe && { probe: { objects } }),
  })) {
    expect(check.ok).toBe(true);
    checks[check.name] = check;
  }
  await upkeep.close();
  await objects.close();
  return checks;
}

async function setting(server: Server, method: "GET" | "PUT" | "DELETE", query: string, body = ""): Promise<number> {
  const { endpoint, bucket, accessKeyId, secretAccessKey } = server;
  const path = `/${bucket}`;
  const credentials = { accessKeyId, secretAccessKey };
  return (await rawS3(endpoint, { method, path, query: `${query}=`, body, credentials })).status;
}

const put = (server: Server, key: string, headers: Record<string, string> = {}): Promise<number> => {
  const { endpoint, bucket, accessKeyId, secretAccessKey } = server;
  const asked = { method: "PUT", path: `/${bucket}/${key}`, headers, body: "forged" };
  return rawS3(endpoint, { ...asked, credentials: { accessKeyId, secretAccessKey } }).then(({ status }) => status);
};

const statuses = (checks: Record<string, Check>): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(checks).map(([name, { status }]) => [name, status]));

describe("a log under the bucket policy that is printed for it", () => {
  it("appends, keeps its head, positions, segments and index, and cannot be overwritten or deleted", async () => {
    const { emulator, server } = await emulated();
    const { bucket } = logPolicies({ bucket: "events", prefix: "log" });
    expect(await setting(server, "PUT", "policy", JSON.stringify(bucket))).toBe(204);
    const store = await S3EventStore.open({ ...server, prefix: "log", batch: true });
    for (let n = 0; n < 21; n++)
      await store.appendBatch(
        Array.from({ length: 1000 }, (_, i) => ({ type: "T", aggregateId: `a-${String(i % 7)}`, payload: { n, i } })),
      );
    expect(await store.compact()).toMatchObject({ written: 2 });
    await store.close();
    const again = await S3EventStore.open({ ...server, prefix: "log" });
    await again.append({ type: "T", aggregateId: "a" });
    await again.close();
    const reader = await S3EventStore.open({ ...server, prefix: "log" });
    expect(await reader.verify()).toMatchObject({ valid: true, events: 21_001 });
    await reader.close();
    // The head was replaced, not only created.
    expect(emulator.objects("events").get("log/_head.json")?.body.toString()).toContain('"last_seq":21000');

    for (const key of ["log/0000000000.json", "log/_segments/0000000000-0000009999.jsonl.gz"]) {
      const etag = emulator.objects("events").get(key)?.etag ?? "";
      expect(etag).not.toBe("");
      expect(await put(server, key)).toBe(403);
      expect(await put(server, key, { "if-match": etag })).toBe(403);
      expect(await put(server, key, { "if-none-match": "*" })).toBe(412);
      expect(emulator.objects("events").get(key)?.body.toString()).not.toBe("forged");
    }
    const objects = openS3Objects(server);
    await expect(objects.delete("log/0000000000.json")).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    await objects.close();
    expect(await examine(server, { prefix: "log", aws: true, probe: true })).toMatchObject({
      "bucket policy": { status: "ok" },
      "policy at work": { status: "ok" },
    });
  }, 30_000);

  it("is refused without TLS", async () => {
    const { server } = await emulated({ behindTls: false });
    await setting(server, "PUT", "policy", JSON.stringify(logPolicies({ bucket: "events", prefix: "log" }).bucket));
    await expect(S3EventStore.open({ ...server, prefix: "log" })).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  });
});

describe("examineHardening", () => {
  it("says what is missing of a bare bucket", async () => {
    const { server, emulator } = await emulated();
    const checks = await examine(server, { aws: true, probe: true });
    expect(statuses(checks)).toEqual({
      TLS: "ok",
      "bucket policy": "advice",
      "policy at work": "advice",
      versioning: "advice",
      "object lock": "advice",
      "public access": "advice",
      encryption: "advice",
    });
    expect(checks["policy at work"]?.detail).toContain("was taken");
    for (const { status, hint } of Object.values(checks)) if (status === "advice") expect(hint).toBeTruthy();
    expect(emulator.objects("events").page("", "", 10).keys).toEqual([]);
    expect(statuses(await examine(server, { aws: true }))).not.toHaveProperty("policy at work");
  });

  it("says what is in force of a hardened one", async () => {
    const { server } = await emulated();
    const { bucket } = logPolicies({ bucket: "events", prefix: "log" });
    const block = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
      .map((name) => `<${name}>true</${name}>`)
      .join("");
    await setting(server, "PUT", "policy", JSON.stringify(bucket));
    for (const [name, xml] of [
      ["versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"],
      [
        "object-lock",
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>365</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
      ],
      ["publicAccessBlock", `<PublicAccessBlockConfiguration>${block}</PublicAccessBlockConfiguration>`],
      [
        "encryption",
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
      ],
    ] as const)
      expect(await setting(server, "PUT", name, xml)).toBe(200);
    const checks = await examine(server, { aws: true });
    expect(new Set(Object.values(statuses(checks)))).toEqual(new Set(["ok"]));
    expect(checks["object lock"]?.detail).toContain("365 days (COMPLIANCE)");
    expect(checks["encryption"]?.detail).toContain("kms:GenerateDataKey");
    // Elsewhere than on AWS, versioning is no good news.
    const other = await examine(server, { aws: false });
    expect(other["versioning"]).toMatchObject({ status: "advice", hint: expect.stringContaining("Ceph") as string });
    expect(other["bucket policy"]?.detail).toContain("--probe-policy");
  });

  it("tells a policy that enforces nothing, or too much, from one that is right", async () => {
    const { server } = await emulated();
    const { bucket, iam } = logPolicies({ bucket: "events", prefix: "log" });
    const detail = async (Statement: readonly object[], probe = false): Promise<Check[]> => {
      await setting(server, "PUT", "policy", JSON.stringify({ Version: "2012-10-17", Statement }));
      return Object.values(await examine(server, { aws: true, probe })).filter(({ name }) => name.includes("policy"));
    };
    // The predecessor's: it allows conditional puts, and so enforces nothing.
    const allows = iam("writer").Statement.map((statement) => ({ ...statement, Principal: "*" }));
    expect(await detail(allows)).toMatchObject([
      { status: "advice", detail: expect.stringContaining("does not demand If-None-Match") as string },
    ]);
    const [writtenOnce] = bucket.Statement;
    const all = "arn:aws:s3:::events/log/*";
    const [tooMuch] = await detail([...bucket.Statement, { ...writtenOnce, Sid: "TooMuch", Resource: [all] }]);
    expect(tooMuch).toMatchObject({ status: "advice" });
    expect(tooMuch?.detail).toContain("replacing the head, keeping positions");
    const short = { ...writtenOnce, Resource: ["arn:aws:s3:::events/log/0?????????.json"] };
    expect((await detail([short]))[0]?.detail).toContain("does not demand If-None-Match");
    // Any condition will do: then a forger who knows the ETag replaces the event.
    const either = { Null: { "s3:if-none-match": "true", "s3:if-match": "true" } };
    expect((await detail([{ ...writtenOnce, Condition: either }]))[0]?.detail).toContain(
      "does not demand If-None-Match",
    );
    const [nothing] = await detail([{ ...writtenOnce, Condition: undefined }]);
    expect(nothing?.detail).toContain("refuses appending");
    const odd = { Effect: "Deny", Principal: "*", Action: "*", Resource: "*", Condition: { DateLessThan: { x: "y" } } };
    const verdict = judgePolicy({ Statement: [...bucket.Statement, odd] }, "events", new LogKeys("log"));
    expect(verdict).toEqual({ writtenOnce: true, kept: true, onlyOverTls: true, refuses: [], undecided: true });
  });

  it("tries the policy on a server that does not know its condition", async () => {
    const { server, emulator } = await emulated({ ignorePolicyConditions: true });
    await setting(server, "PUT", "policy", JSON.stringify(logPolicies({ bucket: "events", prefix: "log" }).bucket));
    const checks = await examine(server, { probe: true });
    expect(checks["policy at work"]).toMatchObject({
      status: "advice",
      detail: expect.stringContaining("so is every append") as string,
    });
    expect(emulator.objects("events").page("", "", 10).keys).toEqual([]);
  });

  it("leaves a key that no log reads, where it may not delete it", async () => {
    const { server, emulator } = await emulated();
    await setting(server, "PUT", "policy", JSON.stringify(logPolicies({ bucket: "events", prefix: "log" }).bucket));
    for (let run = 0; run < 2; run++)
      expect((await examine(server, { probe: true }))["policy at work"]).toMatchObject({ status: "ok" });
    expect(emulator.objects("events").page("", "", 10).keys).toEqual(["log/0-probe-01.json"]);
    const store = await S3EventStore.open({ ...server, prefix: "log" });
    expect((await store.head()).seq).toBe(-1);
    await store.append({ type: "T", aggregateId: "a" });
    await store.append({ type: "T", aggregateId: "a" });
    expect(await store.verify()).toMatchObject({ valid: true, events: 2 });
    await store.close();
  });

  it("says what a server does not know, and what it may not ask, and goes on", async () => {
    const { server, emulator } = await emulated();
    emulator.faults.add(
      { when: { operation: "GET_POLICY" }, do: FAULTS.accessDenied },
      { when: { operation: "GET_VERSIONING" }, do: FAULTS.status(501, "NotImplemented") },
      { when: { operation: "GET_OBJECT_LOCK" }, do: FAULTS.status(405, "MethodNotAllowed") },
      {
        when: { operation: "GET_PUBLIC_ACCESS_BLOCK" },
        do: {
          name: "lists",
          apply: "never",
          answer: { status: 200, headers: {}, body: Buffer.from("<ListBucketResult/>") },
        },
      },
      { when: { operation: "GET_ENCRYPTION", count: Infinity }, do: FAULTS.status(404, "NoSuchKey") },
    );
    const checks = await examine(server, { aws: true });
    expect(statuses(checks)).toEqual({
      TLS: "ok",
      "bucket policy": "denied",
      versioning: "unsupported",
      "object lock": "unsupported",
      "public access": "unsupported",
      encryption: "advice",
    });
    expect(checks["bucket policy"]?.hint).toContain("s3:GetBucketPolicy");
  });

  it("a server that fails is advice to look, not a verdict", async () => {
    const { server, emulator } = await emulated();
    emulator.faults.add({
      when: { operation: "GET_POLICY", count: Infinity },
      do: FAULTS.status(500, "InternalError"),
    });
    const checks = await examine(server, { aws: true });
    expect(checks["bucket policy"]).toMatchObject({
      status: "advice",
      detail: expect.stringContaining("UNAVAILABLE") as string,
    });
  });

  it("advises TLS for another host, not for this machine", async () => {
    const unset: SettingAnswer = { kind: "unset" };
    const security: BucketSecurity = { ask: () => Promise.resolve(unset), overwrite: () => Promise.resolve("denied") };
    for (const [origin, status] of [
      ["https://s3.eu-central-1.amazonaws.com", "ok"],
      ["http://127.0.0.1:9000", "ok"],
      ["http://[::1]:9000", "ok"],
      ["http://localhost", "ok"],
      ["http://minio.svc.cluster.local:9000", "advice"],
      ["http://127.evil.example", "advice"],
    ] as const) {
      const options = { bucket: "b", keys: new LogKeys("log"), security, origin, aws: false };
      for await (const check of examineHardening(options))
        if (check.name === "TLS") expect(check.status, origin).toBe(status);
    }
  });
});

const endpoint = process.env["RYNXS_TEST_S3_ENDPOINT"] ?? "";
describe.runIf(endpoint !== "")("real server", () => {
  // A policy is the whole bucket's: this takes a bucket of its own.
  const server: Server = {
    endpoint,
    bucket: `rynxs-hardening-${randomUUID()}`,
    accessKeyId: process.env["AWS_ACCESS_KEY_ID"] ?? "",
    secretAccessKey: process.env["AWS_SECRET_ACCESS_KEY"] ?? "",
  };
  const bucketItself = (method: "PUT" | "DELETE"): Promise<number> => {
    const { accessKeyId, secretAccessKey, bucket } = server;
    return rawS3(endpoint, { method, path: `/${bucket}`, credentials: { accessKeyId, secretAccessKey } }).then(
      ({ status }) => status,
    );
  };
  beforeAll(async () => {
    expect(await bucketItself("PUT")).toBe(200);
  });
  afterAll(async () => {
    await setting(server, "DELETE", "policy");
    const objects = openS3Objects(server);
    for (const { key } of (await objects.list({ prefix: "" })).entries) await objects.delete(key);
    await objects.close();
    expect(await bucketItself("DELETE")).toBe(204);
  });

  it("is asked for everything, and answers or does not know it", async () => {
    const checks = await examine(server, { probe: true });
    expect(Object.keys(checks)).toHaveLength(7);
    expect(checks["bucket policy"]).toMatchObject({
      status: "advice",
      detail: expect.stringContaining("none") as string,
    });
    expect(checks["versioning"]?.status).toBe("ok");
    for (const { status } of Object.values(checks)) expect(["ok", "advice", "unsupported"]).toContain(status);
  });

  it("under the policy that is printed for such servers, appends, and denies deleting events", async () => {
    const { bucket } = logPolicies({ bucket: server.bucket, prefix: "log", server: "other" });
    expect(await setting(server, "PUT", "policy", JSON.stringify(bucket))).toBe(204);
    const store = await S3EventStore.open({ ...server, prefix: "log", checksums: true });
    for (let n = 0; n < 3; n++) await store.append({ type: "T", aggregateId: "a" });
    await store.close();
    const objects = openS3Objects(server);
    await expect(objects.delete("log/0000000000.json")).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    await objects.delete("log/_head.json");
    await objects.close();
    expect((await examine(server))["bucket policy"]?.detail).toContain("does not demand If-None-Match");
    await setting(server, "DELETE", "policy");
  });

  it("finds out whether the policy for AWS works here, before an append does", async () => {
    const { bucket } = logPolicies({ bucket: server.bucket, prefix: "log" });
    const Statement = bucket.Statement.filter(({ Sid }) => Sid === "WrittenOnce");
    expect(await setting(server, "PUT", "policy", JSON.stringify({ ...bucket, Statement }))).toBe(204);
    const found = (await examine(server, { probe: true }))["policy at work"];
    // What this server does, an append meets too.
    const store = await S3EventStore.open({ ...server, prefix: "log" });
    const appended = await store.append({ type: "T", aggregateId: "a" }).then(
      () => "ok",
      () => "advice",
    );
    expect(found?.status).toBe(appended);
    await store.close();
    await setting(server, "DELETE", "policy");
  });
});

describe("checksums", () => {
  it("go with each put of a log, and are right", async () => {
    const { emulator, server } = await emulated();
    const store = await S3EventStore.open({ ...server, prefix: "log", checksums: true });
    await store.append({ type: "T", aggregateId: "ü" });
    await store.append({ type: "T", aggregateId: "a" });
    await store.close();
    const puts = emulator.requests.filter(({ method }) => method === "PUT");
    expect(puts.map(({ key }) => key)).toEqual(expect.arrayContaining(["log/0000000001.json", "log/_head.json"]));
    for (const { headers } of puts) expect(headers["x-amz-checksum-sha256"]).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    for (const { status } of puts) expect([200, 412]).toContain(status);
    emulator.requests.length = 0;
    const plain = await S3EventStore.open({ ...server, prefix: "log" });
    await plain.append({ type: "T", aggregateId: "a" });
    await plain.close();
    for (const { headers } of emulator.requests) expect(headers).not.toHaveProperty("x-amz-checksum-sha256");
  });
});
