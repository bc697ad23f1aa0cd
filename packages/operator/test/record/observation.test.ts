import { readFileSync } from "node:fs";
import { canonicalState, parseJson } from "@rynxs/event-store";
import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../src/kube/port.js";
import { aggregateIdOf, loggedResource, observe } from "../../src/record/observation.js";
import { AGENTS, agent } from "./helpers.js";

interface Golden {
  readonly input: {
    readonly labels: Record<string, string> | null;
    readonly annotations: Record<string, string> | null;
  };
  readonly event: {
    readonly type: string;
    readonly aggregate_id: string;
    readonly payload: Record<string, unknown> & {
      readonly name: string;
      readonly namespace: string;
      readonly spec: object;
    };
  };
}

const golden = parseJson(
  readFileSync(new URL("../vectors/agent-events.json", import.meta.url), "utf8"),
) as unknown as Golden[];
const payloadOf = (object: KubeObject) => JSON.parse(observe(AGENTS, object, 0).payload!) as Record<string, unknown>;

describe("an observation", () => {
  it.each(golden.map((one) => [one.event.aggregate_id, one] as const))(
    "of %s has the names and the spec_hash that earlier logs have",
    (id, { input, event }) => {
      const { name, namespace, spec } = event.payload;
      const observed = observe(
        AGENTS,
        agent(name, spec, { namespace, labels: input.labels, annotations: input.annotations }),
        0,
      );
      const payload = JSON.parse(observed.payload!) as Record<string, unknown>;
      expect(aggregateIdOf(observed.subject)).toBe(id);
      expect(`${observed.subject.resource.kind}Observed`).toBe(event.type);
      expect(loggedResource(AGENTS)).toBe("agents");
      for (const field of ["name", "namespace", "annotations", "spec_hash"])
        expect(payload[field]).toEqual(event.payload[field]);
      expect(canonicalState(payload["spec"])).toBe(canonicalState(spec));
      expect(payload["labels"]).toEqual(input.labels ?? {});
    },
  );

  it("leaves out what changes by itself", () => {
    const plain = observe(AGENTS, agent("a", { role: "worker" }), 0);
    const noisy = observe(
      AGENTS,
      {
        ...agent(
          "a",
          { role: "worker" },
          { resourceVersion: "99", uid: "other", creationTimestamp: "2026-01-01T00:00:00Z" },
        ),
        status: { conditions: [{ type: "Ready" }] },
        metadata: {
          ...agent("a", {}).metadata,
          resourceVersion: "99",
          uid: "other",
          creationTimestamp: "2026-01-01T00:00:00Z",
          deletionTimestamp: "2026-01-02T00:00:00Z",
          managedFields: [{ manager: "x" }],
          annotations: {
            "kubectl.kubernetes.io/last-applied-configuration": '{"password":"p"}',
            "deployment.kubernetes.io/revision": "7",
          },
          ownerReferences: [{ uid: "o" }],
        },
      },
      5,
    );
    expect(noisy.payload).toBe(plain.payload);
    expect(noisy.digest).toBe(plain.digest);
    expect(Object.keys(JSON.parse(plain.payload!) as object).sort()).toEqual(
      ["annotations", "generation", "labels", "name", "namespace", "spec", "spec_hash"].sort(),
    );
  });

  it("differs with each thing that somebody can want", () => {
    const changes: Record<string, unknown>[] = [
      { labels: { app: "x" } },
      { annotations: { note: "x" } },
      { generation: 2 },
      { name: "b" },
    ];
    const digests = [
      agent("a", { role: "worker" }),
      agent("a", { role: "boss" }),
      ...changes.map((more) => agent("a", { role: "worker" }, more)),
    ].map((object) => observe(AGENTS, object, 0).digest);
    expect(new Set(digests).size).toBe(digests.length);
  });

  it("keeps every digit of large integers", () => {
    const object = parseJson(JSON.stringify(agent("a", {})).replace('"spec":{}', '"spec":{"big":9007199254740993}'));
    expect(observe(AGENTS, object as never, 0).payload).toContain('"big":9007199254740993');
  });

  it("of a kind without a spec takes all but metadata and status; of a Secret nothing at all", () => {
    const configMaps = { ...AGENTS, group: "", version: "v1", plural: "configmaps", kind: "ConfigMap" };
    const map = {
      metadata: { name: "m", namespace: "n" },
      data: { a: "1" },
      binaryData: { b: "AA==" },
      status: { x: 1 },
    };
    expect(payloadOf({ ...map, kind: "ConfigMap" })["spec"]).toEqual({ data: { a: "1" }, binaryData: { b: "AA==" } });
    expect(loggedResource(configMaps)).toBe("configmaps");
    const secrets = { ...configMaps, plural: "secrets", kind: "Secret", metadataOnly: true };
    const secret = { ...map, data: { password: "cGFzcw==" }, stringData: { password: "pass" } };
    expect(observe(secrets, secret, 0).payload).not.toMatch(/pass|cGFzcw/);
  });

  it("names resources of other groups by their groups, and what is of the whole cluster by its name", () => {
    expect(loggedResource({ ...AGENTS, group: "apps", plural: "deployments" })).toBe("deployments.apps");
    expect(aggregateIdOf({ name: "node-1" })).toBe("node-1");
  });
});
