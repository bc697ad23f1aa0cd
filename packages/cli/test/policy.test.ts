import { startS3Emulator, type S3Emulator } from "@rynxs/event-store/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { json, newLog, rynxs, temporaryFolder } from "./rynxs.js";

interface Statement {
  readonly Sid: string;
  readonly Resource: readonly string[];
  readonly Condition?: Record<string, Record<string, unknown>>;
}
interface Printed {
  readonly server: string;
  readonly iam?: { readonly Statement: readonly Statement[] };
  readonly bucket_policy?: { readonly Statement: readonly Statement[] };
  readonly advice?: readonly { readonly topic: string; readonly text: string }[];
  readonly checks?: readonly { readonly name: string; readonly ok: boolean; readonly status?: string }[];
}

const folder = await temporaryFolder();
const PRUNER = "arn:aws:iam::123456789012:role/pruner";
let emulator: S3Emulator;
beforeAll(async () => {
  emulator = await startS3Emulator({ behindTls: true });
});
afterAll(() => emulator.close());
const env = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "testsecret", S3_ENDPOINT: "" };

describe("policy", () => {
  it("prints one document alone, ready to be piped", async () => {
    const args = ["policy", "--bucket", "my-bucket", "--prefix", "logs/a", "--principal", PRUNER];
    const bucket = await rynxs([...args, "--format", "bucket"], { env });
    expect([bucket.code, bucket.stderr]).toEqual([0, ""]);
    const { Statement } = JSON.parse(bucket.stdout) as { Statement: Statement[] };
    expect(Statement.map(({ Sid }) => Sid)).toEqual(["WrittenOnce", "Kept", "OnlyOverTls"]);
    expect(Statement[0]?.Resource[0]).toBe("arn:aws:s3:::my-bucket/logs/a/0?????????.json");
    expect(Statement[0]?.Condition).toEqual({ Null: { "s3:if-none-match": "true" } });
    expect(Statement[1]?.Condition).toEqual({ ArnNotLike: { "aws:PrincipalArn": [PRUNER] } });
    const iam = await rynxs([...args, "--format", "iam", "--for", "reader"], { env });
    expect((JSON.parse(iam.stdout) as { Statement: Statement[] }).Statement.map(({ Sid }) => Sid)).toEqual([
      "ReadLog",
      "ListLog",
    ]);
  });

  it("prints all by default, for the store of the environment", async () => {
    const { code, stdout } = await rynxs(["policy", "--account", "123456789012"], {
      env: { ...env, EVENT_STORE_TYPE: "s3", S3_BUCKET: "events", S3_PREFIX: "log", S3_ENDPOINT: emulator.endpoint },
    });
    expect(code).toBe(0);
    expect(stdout.match(/^# .*$/gm)).toEqual([
      "# IAM policy of the role writer",
      "# bucket policy",
      "# advice",
      "# what the server says now",
    ]);
    expect(stdout).toContain("would refuse every append");
    expect(stdout).toMatch(/^! bucket policy +none/m);
  });

  it("prints everything as JSON, and asks nothing of the server with --bucket", async () => {
    const seen = emulator.requests.length;
    const args = ["--endpoint", emulator.endpoint, "--json"];
    const offline = await json<Printed>(["policy", "--bucket", "events", ...args], { env });
    expect(offline).toMatchObject({ bucket: "events", prefix: "events", server: "other", role: "writer" });
    expect(offline).not.toHaveProperty("checks");
    expect(emulator.requests.length).toBe(seen);
    expect(offline.bucket_policy?.Statement.map(({ Sid }) => Sid)).toEqual(["Kept"]);
    const asked = await json<Printed>(["policy", "--store", "s3://events/log", ...args], { env });
    expect(asked.checks?.map(({ name }) => name)).toContain("bucket policy");
    const anyway = await json<Printed>(["policy", "--bucket", "events", "--aws-conditions", ...args], { env });
    expect(anyway.bucket_policy?.Statement.map(({ Sid }) => Sid)).toContain("WrittenOnce");
    expect((await json<Printed>(["policy", "--bucket", "events", "--json"], { env })).server).toBe("aws");
  });

  it("says so when the server cannot be asked", async () => {
    const args = ["policy", "--store", "s3://events/log", "--endpoint", "http://127.0.0.1:1", "--format", "advice"];
    const { code, stdout } = await rynxs(args, { env });
    expect(code).toBe(0);
    expect(stdout).toContain("the server could not be asked");
  });

  it("refuses what makes no sense", async () => {
    for (const args of [
      ["--store", `file:${folder}/x`],
      ["--prefix", "x"],
      ["--bucket", "b-1", "--store", "s3://b-1/x"],
      ["--bucket", "b-1", "--for", "god"],
      ["--bucket", "b-1", "--account", "12"],
      ["--bucket", "b-1", "--principal", "pruner"],
    ]) {
      const { code, stdout } = await rynxs(["policy", ...args], { env });
      expect([code, stdout], args.join(" ")).toEqual([1, ""]);
    }
  });
});

describe("doctor", () => {
  it("says what protects a bucket, which never makes it fail", async () => {
    const store = ["--store", "s3://events/doctor", "--endpoint", emulator.endpoint];
    const report = await json<Required<Printed> & { ok: boolean }>(["doctor", ...store], { env });
    expect(report.ok).toBe(true);
    expect(
      report.checks.filter(({ status }) => status !== undefined).map(({ name, status }) => [name, status]),
    ).toEqual([
      ["TLS", "ok"],
      ["bucket policy", "advice"],
      ["versioning", "ok"],
      ["object lock", "ok"],
      ["public access", "advice"],
      ["encryption", "advice"],
    ]);
    const people = await rynxs(["doctor", ...store, "--probe-policy"], { env });
    expect(people.code).toBe(0);
    expect(people.stdout).toMatch(/^! policy at work +an unconditional put .* was taken\n {2}what to do: /m);
    expect(people.stdout).toMatch(/\nsafe to use; 4 points of advice\n$/);
  });

  it("works under the policy that is printed", async () => {
    const printed = await rynxs(["policy", "--bucket", "events", "--prefix", "guarded", "--format", "bucket"], { env });
    emulator.settings("events").documents.set("POLICY", printed.stdout);
    const store = ["--store", "s3://events/guarded", "--endpoint", emulator.endpoint];
    for (let n = 0; n < 2; n++) await json(["append", ...store, "--type", "T", "--aggregate", "a"], { env });
    const report = await json<Required<Printed>>(["doctor", ...store, "--probe-policy"], { env });
    expect(report).toMatchObject({ ok: true });
    for (const name of ["bucket policy", "policy at work"])
      expect(report.checks.find((check) => check.name === name)).toMatchObject({ status: "ok" });
    expect(await json(["verify", ...store], { env })).toMatchObject({ valid: true, events: 2 });
    emulator.settings("events").documents.clear();
  });

  it("has no such points for a file", async () => {
    const { store } = newLog(folder);
    const { checks } = await json<Required<Printed>>(["doctor", ...store]);
    expect(checks.every(({ status }) => status === undefined)).toBe(true);
  });
});
