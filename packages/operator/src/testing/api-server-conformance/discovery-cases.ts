import assert from "node:assert/strict";
import { isObject, stringAt } from "../fake-cluster/json.js";
import { apiServerCase, type ApiServerCase, type Bench } from "./case.js";

async function resourceNamed(bench: Bench, path: string, name: string): Promise<Record<string, unknown>> {
  const { resources, kind } = await bench.get(path);
  assert.equal(kind, "APIResourceList");
  assert.ok(Array.isArray(resources));
  const found = (resources as unknown[]).find((each) => stringAt(each, "name") === name);
  assert.ok(isObject(found), `${name} is listed at ${path}`);
  return { ...found };
}

export const discoveryCases: readonly ApiServerCase[] = [
  apiServerCase("discovery tells version and health", async (bench) => {
    assert.match(String((await bench.get("/version"))["gitVersion"]), /^v1\.\d+/);
    const health = await bench.call({ method: "GET", path: "/readyz" });
    assert.deepEqual([health.status, health.body], [200, "ok"]);
  }),
  apiServerCase("discovery tells groups and core versions", async (bench) => {
    const { versions } = await bench.get("/api");
    assert.deepEqual(versions, ["v1"]);
    const { groups } = await bench.get("/apis");
    assert.ok(Array.isArray(groups));
    const names = (groups as unknown[]).map((group) => stringAt(group, "name"));
    for (const name of ["coordination.k8s.io", "events.k8s.io", "apiextensions.k8s.io", bench.group]) {
      assert.ok(names.includes(name), `${name} is among the groups`);
    }
  }),
  apiServerCase("discovery tells a custom resource and its status", async (bench) => {
    const path = `/apis/${bench.group}/v1alpha1`;
    const { kind, namespaced, singularName, verbs } = await resourceNamed(bench, path, "agents");
    assert.deepEqual({ kind, namespaced, singularName }, { kind: "Agent", namespaced: true, singularName: "agent" });
    for (const verb of ["get", "list", "watch", "create", "patch"]) {
      assert.ok(Array.isArray(verbs) && verbs.includes(verb), `agents can ${verb}`);
    }
    const status = await resourceNamed(bench, path, "agents/status");
    assert.ok(Array.isArray(status["verbs"]) && status["verbs"].includes("patch"));
  }),
  apiServerCase("discovery tells the server's own resources", async (bench) => {
    assert.equal((await resourceNamed(bench, "/api/v1", "secrets"))["namespaced"], true);
    assert.equal((await resourceNamed(bench, "/api/v1", "namespaces"))["namespaced"], false);
    assert.equal((await resourceNamed(bench, "/apis/coordination.k8s.io/v1", "leases"))["kind"], "Lease");
    assert.equal((await resourceNamed(bench, "/apis/events.k8s.io/v1", "events"))["kind"], "Event");
  }),
  apiServerCase("discovery of what is not there is 404", async (bench) => {
    for (const path of [`/apis/${bench.group}/v9`, "/apis/missing.rynxs.test/v1", "/missing"]) {
      assert.equal((await bench.call({ method: "GET", path })).status, 404, path);
    }
  }),
];
