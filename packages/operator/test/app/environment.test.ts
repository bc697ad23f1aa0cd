import { describe, expect, it } from "vitest";
import { operatorConfig } from "../../src/app/environment.js";

const problems = (env: Record<string, string>): string[] => {
  try {
    operatorConfig(env);
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
};

describe("the operator's environment", () => {
  it("needs nothing: the defaults are those that the docs give", () => {
    expect(operatorConfig({ POD_NAME: "pod-1" })).toEqual({
      store: { type: "file", path: "/var/log/rynxs/operator-events.log", maxBytes: undefined, hashVersion: 1 },
      watch: [{ resource: "agents.universe.ai/v1alpha1", namespaces: [], labelSelector: undefined, status: true }],
      election: {
        enabled: true,
        leaseName: "rynxs-operator",
        leaseDurationMs: 30_000,
        renewDeadlineMs: 20_000,
        retryPeriodMs: 5_000,
      },
      namespace: undefined,
      podName: "pod-1",
      writerId: "pod-1",
      http: { host: "127.0.0.1", port: 8080, metrics: true },
      kubernetesEvents: true,
      log: { level: "info", format: "json" },
      shutdownGraceMs: 25_000,
    });
  });

  it("takes empty variables for unset ones, as charts pass them", () => {
    const names = [
      "RYNXS_WATCH",
      "METRICS_PORT",
      "RYNXS_LEASE_NAME",
      "RYNXS_LOG_LEVEL",
      "S3_ENDPOINT",
      "RYNXS_WRITER_ID",
    ];
    const empty = Object.fromEntries(names.map((name) => [name, ""]));
    expect(operatorConfig({ ...empty, POD_NAME: "p" })).toEqual(operatorConfig({ POD_NAME: "p" }));
  });

  it("says everything that is wrong at once, each with what is valid", () => {
    const wrong = {
      EVENT_STORE_TYPE: "postgres",
      RYNXS_WATCH: "agents",
      RYNXS_LEADER_ELECTION_ENABLED: "maybe",
      RYNXS_LEASE_NAME: "Not A Name",
      RYNXS_LEASE_DURATION_SECONDS: "soon",
      METRICS_PORT: "70000",
      RYNXS_LOG_LEVEL: "loud",
      RYNXS_LOG_FORMAT: "xml",
      RYNXS_SHUTDOWN_GRACE_SECONDS: "0",
    };
    const said = problems(wrong);
    expect(said).toHaveLength(Object.keys(wrong).length);
    for (const name of Object.keys(wrong).filter((name) => name !== "RYNXS_WATCH"))
      expect(said.filter((line) => line.includes(name))).toHaveLength(1);
    expect(said.find((line) => line.includes("METRICS_PORT"))).toBe(
      'METRICS_PORT is "70000"; valid: a whole number from 0 to 65535',
    );
    expect(said.find((line) => line.includes('"agents" names no resource'))).toContain("agents.universe.ai/v1alpha1");
  });

  it.each([
    [{ RYNXS_LEASE_DURATION_SECONDS: "20" }, false],
    [{ RYNXS_RENEW_DEADLINE_SECONDS: "6" }, false],
    [{ RYNXS_RENEW_DEADLINE_SECONDS: "7" }, true],
    [{ RYNXS_LEASE_DURATION_SECONDS: "15", RYNXS_RENEW_DEADLINE_SECONDS: "10", RYNXS_RETRY_PERIOD_SECONDS: "2" }, true],
  ])("lease times must leave room for a renewal: %j", (env, isFine) => {
    expect(problems(env)).toHaveLength(isFine ? 0 : 1);
  });

  it("takes what is watched as names or as JSON", () => {
    const of = (text: string) => operatorConfig({ RYNXS_WATCH: text }).watch;
    expect(of("agents.universe.ai/v1alpha1, configmaps/v1").map(({ resource }) => resource)).toEqual([
      "agents.universe.ai/v1alpha1",
      "configmaps/v1",
    ]);
    expect(of('[{"resource":"pods/v1","namespaces":["a","b"],"labelSelector":"app=x","status":false}]')).toEqual([
      { resource: "pods/v1", namespaces: ["a", "b"], labelSelector: "app=x", status: false },
    ]);
  });

  it.each([
    "[]",
    "[1]",
    "[{}]",
    '[{"resource":"pods/v1","namespace":"a"}]',
    '[{"resource":"pods/v1","namespaces":"a"}]',
    '[{"resource":"pods/v1","namespaces":["A"]}]',
    '[{"resource":"pods/v1","namespaces":["a","a"]}]',
    '[{"resource":"pods/v1","labelSelector":1}]',
    '[{"resource":"pods/v1","status":"yes"}]',
    "pods/v1,pods/v1",
    "agents.universe.ai/v1alpha1,agents.universe.ai/v1",
    "[not json",
  ])("refuses to watch %s", (text) => {
    expect(problems({ RYNXS_WATCH: text })).toHaveLength(1);
  });
});
