import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FileEventStore } from "@rynxs/event-store";
import { openS3Objects } from "@rynxs/event-store/s3";
import { afterEach, describe, expect, it } from "vitest";
import { describeWith, findTool } from "../chart/tools.js";
import { AGENT_CRD, changeAgent, createAgent, createWorld, eventsOf, history, until, type World } from "./world.js";

// What only the fake API server can be made to do.

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

const start = async (options: Parameters<typeof createWorld>[0] = {}): Promise<World> =>
  (world = await createWorld({ ...options, fakeOnly: true }));
const program = fileURLToPath(new URL("../../bin/rynxs-operator.js", import.meta.url));

describe("the program", () => {
  const run = (args: string[], env: Record<string, string> = {}) =>
    spawnSync(process.execPath, [program, ...args], { encoding: "utf8", env: { PATH: process.env["PATH"], ...env } });

  it("ends with 1 and everything that is wrong, before it does anything", () => {
    const { status, stderr, stdout } = run([], { METRICS_PORT: "x", RYNXS_WATCH: "y", EVENT_STORE_TYPE: "z" });
    expect(status).toBe(1);
    expect(stdout).toBe("");
    for (const name of ["METRICS_PORT", "EVENT_STORE_TYPE", '"y" names no resource']) expect(stderr).toContain(name);
  });

  it("says what the environment asks for, without its secrets", () => {
    const { status, stdout } = run(["check"], {
      EVENT_STORE_TYPE: "s3",
      S3_BUCKET: "b",
      AWS_SECRET_ACCESS_KEY: "hush",
    });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      store: { type: "s3", bucket: "b" },
      election: { leaseDurationMs: 30000 },
    });
    expect(stdout).not.toContain("hush");
  });

  it("has a version and a help, and refuses the rest", () => {
    expect(run(["--version"]).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(run(["--help"]).stdout).toContain("rynxs-operator check");
    expect(run(["frobnicate"])).toMatchObject({ status: 1, stdout: "" });
    expect(run(["check", "more"]).status).toBe(1);
  });

  it("without a cluster says so, and what to do", () => {
    const { status, stderr } = run([], { HOME: "/nonexistent" });
    expect(status).toBe(1);
    expect(stderr).toContain("KUBECONFIG");
  });
});

describe("the operator", () => {
  it("works on a file as well, and answers a health check", async () => {
    const { replica, namespace } = await start();
    const folder = mkdtempSync(join(tmpdir(), "rynxs-file-"));
    const path = join(folder, "operator.log");
    const a = replica("op-0", {
      EVENT_STORE_TYPE: "file",
      EVENT_STORE_PATH: path,
      RYNXS_LEADER_ELECTION_ENABLED: "false",
    });
    await createAgent(world!, "x", { role: "one" });
    await until("it is recorded", () => a.said("recorded") !== undefined);
    const port = String(a.said("started")?.["port"]);
    const check = spawnSync(process.execPath, [program, "healthcheck"], { env: { METRICS_PORT: port } });
    expect(check.status).toBe(0);
    a.signal("SIGTERM");
    expect(await a.ended).toBe(0);
    expect(spawnSync(process.execPath, [program, "healthcheck"], { env: { METRICS_PORT: port } }).status).toBe(1);
    const store = await FileEventStore.open({ path });
    const types: string[] = [];
    for await (const { type, aggregateId } of store.read()) types.push(`${type} ${aggregateId}`);
    await store.close();
    rmSync(folder, { recursive: true });
    expect(types).toEqual([
      expect.stringMatching(/^LeaderElected rynxs-.*\/rynxs-operator$/),
      `AgentObserved ${namespace}/x`,
    ]);
  });

  it("waits for a resource that the cluster does not have yet, and for a bucket", async () => {
    const { replica, fake, env } = await start();
    fake!.remove("customresourcedefinitions.apiextensions.k8s.io/v1", "agents.universe.ai");
    const a = replica("op-0");
    await a.leads();
    const { status, text } = await a.get("/ready");
    expect([status, text]).toEqual([503, "not everything that is watched has been listed yet\n"]);
    const lost = replica("op-1", { S3_BUCKET: "no-such-bucket" });
    await until("it says so", async () =>
      (await lost.get("/ready")).text.startsWith("the store cannot be opened: BUCKET_NOT_FOUND"),
    );
    expect(lost.lines.some((line) => JSON.stringify(line).includes(env["AWS_SECRET_ACCESS_KEY"]!))).toBe(false);
    fake!.apply(AGENT_CRD);
    await createAgent(world!, "x", { role: "one" });
    await until("it is ready", async () => (await a.get("/ready")).status === 200);
    expect(await history(world!, 1)).toEqual(["AgentObserved x one"]);
  });

  it("records nothing on a log that does not verify, says so everywhere, and never writes to it", async () => {
    const { replica, env } = await start();
    const a = replica("op-0");
    await createAgent(world!, "x", { role: "one" });
    await history(world!, 1);
    a.signal("SIGTERM");
    await a.ended;
    const objects = openS3Objects({
      endpoint: env["S3_ENDPOINT"],
      bucket: env["S3_BUCKET"]!,
      accessKeyId: env["AWS_ACCESS_KEY_ID"],
      secretAccessKey: env["AWS_SECRET_ACCESS_KEY"],
    });
    const key = `${env["S3_PREFIX"]!}/0000000001.json`;
    const held = (await objects.get(key))!;
    const forged = Buffer.from(held.body.toString().replace('"one"', '"two"'));
    await objects.replaceIfMatch(key, forged, held.etag);
    const { entries } = await objects.list({ prefix: env["S3_PREFIX"]! });
    for (const { key } of entries.filter(({ key }) => key.includes("_snapshots"))) await objects.delete(key);
    await createAgent(world!, "y", { role: "one" });
    const b = replica("op-1");
    await until(
      "it says so",
      async () => (await b.get("/ready")).text === "the log failed verification: HASH_MISMATCH at seq 1\n",
    );
    expect(await b.metric('rynxs_verification_failures_total{verdict="HASH_MISMATCH"}')).toBeGreaterThan(0);
    expect(b.said("the log failed verification; nothing is appended")).toMatchObject({
      level: "error",
      error: { code: "HASH_MISMATCH", seq: 1 },
    });
    expect(await objects.get(`${env["S3_PREFIX"]!}/0000000002.json`)).toBeNull();
    await objects.close();
  });

  it("records all the same when it may not write Events or statuses", async () => {
    const { replica, fake } = await start();
    fake!.authorize = ({ resource, subresource }) => resource !== "events" && subresource !== "status";
    const a = replica("op-0");
    await createAgent(world!, "x", { role: "one" });
    expect(await history(world!, 1)).toEqual(["AgentObserved x one"]);
    await until("both are counted", async () => {
      const kinds = await Promise.all(
        ["status", "event"].map((kind) => a.metric(`rynxs_report_errors_total{kind="${kind}"}`)),
      );
      return kinds.every((count) => count === 1);
    });
    expect((await a.get("/ready")).status).toBe(200);
  });

  it("never asks for what is in a Secret", async () => {
    const { replica, fake, namespace } = await start();
    fake!.apply({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s", namespace },
      data: { password: "aHVzaA==" },
    });
    replica("op-0", { RYNXS_WATCH: `secrets/v1` });
    let events: Awaited<ReturnType<typeof eventsOf>> = [];
    await until("it is recorded", async () => {
      events = await eventsOf(world!);
      return events.some(({ aggregateId }) => aggregateId === `${namespace}/s`);
    });
    const event = events.find(({ aggregateId }) => aggregateId === `${namespace}/s`);
    expect(event).toMatchObject({
      type: "SecretObserved",
      payload: { name: "s", spec: {} },
      meta: { resource: "secrets" },
    });
    expect(JSON.stringify(events)).not.toContain("aHVzaA");
    const asked = fake!.requests.filter(({ path }) => path.endsWith("/secrets"));
    expect(asked.length).toBeGreaterThan(0);
    for (const { accept } of asked as unknown as { accept: string }[])
      expect(accept).toContain("PartialObjectMetadata");
  });

  it("lines about an object carry its trace id, the same in every replica; a change costs one put", async () => {
    const { replica } = await start();
    const a = replica("op-0");
    await a.leads();
    for (const name of ["x", "y"]) await createAgent(world!, name, { role: "one" });
    await changeAgent(world!, "x", { spec: { role: "two" } });
    await history(world!, 3);
    const traces = a.lines
      .filter(({ message }) => message === "recorded")
      .map(({ object, trace_id }) => [String(object).split("/")[1], trace_id]);
    expect(traces.map(([name]) => name)).toEqual(["x", "y", "x"]);
    expect(traces[0]![1]).toMatch(/^[0-9a-f]{32}$/);
    expect(traces[0]![1]).toBe(traces[2]![1]);
    expect(traces[0]![1]).not.toBe(traces[1]![1]);
    expect(await a.metric("rynxs_append_batch_size_count")).toBe(4);
    expect(await a.metric("rynxs_append_batch_size_sum")).toBe(4);
    expect(await a.metric("rynxs_log_head_seq")).toBe(3);
  });
});

const promtool = await findTool((tools) => tools.promtool());

describeWith([promtool], "metrics", (path = "") => {
  it("are what promtool takes for clean", async () => {
    const { replica } = await start();
    const a = replica("op-0");
    await createAgent(world!, "x", { role: "one" });
    await history(world!, 1);
    const { text } = await a.get("/metrics");
    const file = join(mkdtempSync(join(tmpdir(), "rynxs-metrics-")), "metrics");
    writeFileSync(file, text);
    expect(execFileSync(path, ["check", "metrics"], { input: text, encoding: "utf8" })).toBe("");
  });
});
