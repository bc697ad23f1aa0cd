import { systemRuntime } from "@rynxs/event-store";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { kubeClient } from "../../src/kube/client.js";
import { kubeConfig } from "../../src/kube/config/kube-config.js";
import type { KubeApi, KubeObject } from "../../src/kube/port.js";
import { observe, subjectOf, type Subject } from "../../src/record/observation.js";
import { announce, writeStatus } from "../../src/report/kube-writes.js";
import { Reporter } from "../../src/report/reporter.js";
import { CLUSTER_FAULTS, startFakeCluster, type FakeCluster } from "../../src/testing/index.js";
import { AGENT_CRD, until } from "../app/world.js";
import { AGENTS } from "../record/helpers.js";

const AT = { type: "AgentObserved", seq: 7, eventHash: "a".repeat(64) };
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const foreign = {
  ...AGENT_CRD,
  metadata: { name: "tools.example.com" },
  spec: {
    group: "example.com",
    scope: "Cluster",
    names: { plural: "tools", singular: "tool", kind: "Tool", listKind: "ToolList" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
const TOOLS = {
  ...AGENTS,
  name: "tools.example.com/v1",
  group: "example.com",
  version: "v1",
  plural: "tools",
  kind: "Tool",
  namespaced: false,
};

let cluster: FakeCluster;
let api: KubeApi;
let folder: string;
beforeAll(async () => {
  cluster = await startFakeCluster({ namespaces: ["universe"], objects: [AGENT_CRD, foreign] });
  folder = mkdtempSync(join(tmpdir(), "rynxs-report-"));
  writeFileSync(join(folder, "kubeconfig"), cluster.kubeconfig);
  const config = await kubeConfig({ KUBECONFIG: join(folder, "kubeconfig") }, { runtime: systemRuntime });
  api = kubeClient(config, { runtime: systemRuntime, userAgent: "test" });
});
afterAll(async () => {
  await api.close();
  await cluster.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => cluster.clearRequests());

let count = 0;
const create = (status?: object): KubeObject =>
  cluster.apply({
    apiVersion: "universe.ai/v1alpha1",
    kind: "Agent",
    metadata: { name: `a${count++}`, namespace: "universe" },
    spec: {},
    ...(status && { status }),
  });
const now = (object: KubeObject) => cluster.get(AGENTS.name, `universe/${object.metadata.name}`)!;
const conditions = (object: KubeObject) =>
  (now(object)["status"] as { conditions: Record<string, unknown>[] }).conditions;
const requests = () =>
  cluster.requests.map(({ verb, path, status }) => `${verb} ${path.split("/").slice(-2).join("/")} ${status}`);
const subject = (object: KubeObject): Subject => subjectOf(AGENTS, object.metadata);
const seen = (object: KubeObject) => observe(AGENTS, object, 0).status;

describe("the condition Recorded", () => {
  it("is written in one request against the object that was seen, beside what others say", async () => {
    const ready = {
      type: "Ready",
      status: "True",
      reason: "Ok",
      message: "",
      lastTransitionTime: "2020-01-01T00:00:00Z",
    };
    const object = create({ conditions: [ready] });
    await writeStatus(api, subject(object), seen(object), AT, NOW);
    expect(requests()).toEqual([`patch ${object.metadata.name}/status 200`]);
    expect(conditions(object)).toEqual([
      ready,
      {
        type: "Recorded",
        status: "True",
        reason: "Appended",
        message: `seq 7, event_hash ${AT.eventHash}`,
        observedGeneration: 1,
        lastTransitionTime: "2026-01-02T03:04:05Z",
      },
    ]);
    expect(now(object)["status"]).toMatchObject({ recordedSeq: 7, recordedHash: AT.eventHash, observedGeneration: 1 });
    // Another event is no transition of a condition that stays True.
    await writeStatus(api, subject(object), seen(now(object)), { ...AT, seq: 8 }, NOW + 1e6);
    expect(conditions(object)).toHaveLength(2);
    expect(conditions(object)[1]).toMatchObject({
      message: `seq 8, event_hash ${AT.eventHash}`,
      lastTransitionTime: "2026-01-02T03:04:05Z",
    });
  });

  it("never overwrites what somebody else said meanwhile", async () => {
    const object = create();
    const before = seen(object);
    const other = {
      type: "Other",
      status: "False",
      reason: "R",
      message: "m",
      lastTransitionTime: "2020-01-01T00:00:00Z",
    };
    cluster.apply({ ...now(object), status: { conditions: [other] } });
    await writeStatus(api, subject(object), before, AT, NOW);
    expect(conditions(object).map(({ type }) => type)).toEqual(["Other", "Recorded"]);
  });

  it("is not written on an object that is gone, nor on another of its name", async () => {
    const object = create();
    cluster.remove(AGENTS.name, `universe/${object.metadata.name}`);
    await writeStatus(api, subject(object), seen(object), AT, NOW);
    await writeStatus(api, subject(object), undefined, AT, NOW);
    cluster.apply({ ...object, metadata: { name: object.metadata.name, namespace: "universe" } });
    await writeStatus(api, subject(object), undefined, AT, NOW);
    expect(now(object)["status"]).toBeUndefined();
  });

  it("is all that is written into the status of a kind of another group", async () => {
    const object = cluster.apply({
      apiVersion: "example.com/v1",
      kind: "Tool",
      metadata: { name: "t" },
      spec: {},
      status: { observedGeneration: 41 },
    });
    await writeStatus(api, subjectOf(TOOLS, object.metadata), undefined, AT, NOW);
    const status = cluster.get(TOOLS.name, "t")!["status"] as Record<string, unknown>;
    expect(Object.keys(status).sort()).toEqual(["conditions", "observedGeneration"]);
    expect(status["observedGeneration"]).toBe(41);
  });
});

describe("a Kubernetes Event", () => {
  it("says what was recorded, in the object's namespace, once", async () => {
    const object = create();
    for (let times = 0; times < 2; times++) await announce(api, subject(object), AT, { instance: "op-0" }, NOW);
    const events = cluster
      .list("events.events.k8s.io/v1")
      .filter(({ metadata }) => metadata.name.startsWith(`${object.metadata.name}.`));
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      metadata: { namespace: "universe" },
      eventTime: "2026-01-02T03:04:05.678000Z",
      reason: "Recorded",
      type: "Normal",
      reportingInstance: "op-0",
      note: `AgentObserved recorded: seq 7, event_hash ${AT.eventHash}`,
      regarding: { kind: "Agent", name: object.metadata.name, namespace: "universe", uid: object.metadata.uid },
    });
  });

  it("about what is of the whole cluster lies in the default namespace; long names have room", async () => {
    const name = "n".repeat(253);
    await announce(
      api,
      { resource: TOOLS, namespace: undefined, name, uid: "u", generation: 1 },
      AT,
      { instance: "x".repeat(500) },
      NOW,
    );
    expect(
      cluster
        .list("events.events.k8s.io/v1")
        .some(({ metadata }) => metadata.namespace === "default" && metadata.name.length === 253),
    ).toBe(true);
  });
});

describe("the reporter", () => {
  const start = (errors: unknown[] = []) =>
    new Reporter({
      api,
      instance: "op-0",
      runtime: { ...systemRuntime, sleep: async () => {} },
      onError: (kind) => errors.push(kind),
    });

  it("says the newest status of an object, and every event", async () => {
    const object = create();
    const reporter = start();
    for (let seq = 1; seq <= 20; seq++) {
      const report = { subject: subject(object), seen: undefined, at: { ...AT, seq } };
      reporter.status("key", report);
      reporter.event("key", report);
    }
    await reporter.flushed(new AbortController().signal);
    expect(conditions(object)[0]!["message"]).toBe(`seq 20, event_hash ${AT.eventHash}`);
    const written = cluster.requests.filter(
      ({ verb, path }) => verb === "patch" && path.endsWith(`${object.metadata.name}/status`),
    );
    expect(written.length).toBeLessThan(20);
    expect(cluster.requests.filter(({ verb, path }) => verb === "create" && path.endsWith("/events"))).toHaveLength(20);
    expect(reporter.depth).toBe(0);
  });

  it("tries again what may pass, and tells what does not", async () => {
    const errors: unknown[] = [];
    const object = create();
    const reporter = start(errors);
    cluster.faults.add({ when: { verb: "patch", resource: "agents", count: 2 }, do: CLUSTER_FAULTS.unavailable });
    reporter.status("key", { subject: subject(object), seen: seen(object), at: AT });
    await until("it is said", () => now(object)["status"] !== undefined);
    expect(errors).toEqual([]);
    cluster.authorize = ({ verb }) => verb !== "patch";
    reporter.status("key", { subject: subject(object), seen: undefined, at: { ...AT, seq: 9 } });
    await until("it is told", () => errors.length > 0);
    cluster.authorize = () => true;
    expect(errors).toEqual(["status"]);
  });
});
