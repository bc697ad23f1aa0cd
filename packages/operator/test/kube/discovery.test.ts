import { describe, expect, test } from "vitest";
import { discover, parseResourceName } from "../../src/kube/discovery.js";
import { resourcePath } from "../../src/kube/resource-path.js";
import { KubeError } from "../../src/kube/errors.js";
import { kubeError, ScriptedApi } from "../watch/scripted.js";
import { errorOf } from "./clients.js";

function apiOf(answers: Readonly<Record<string, unknown>>): ScriptedApi {
  const api = new ScriptedApi();
  api.answer = ({ path }) => answers[path] ?? kubeError("NOT_FOUND", { status: 404 });
  return api;
}

const CORE = {
  resources: [
    { name: "configmaps", kind: "ConfigMap", namespaced: true, verbs: ["get", "list", "watch"] },
    { name: "namespaces", kind: "Namespace", namespaced: false, verbs: ["list", "watch"] },
    { name: "namespaces/status", kind: "Namespace", namespaced: false, verbs: ["get"] },
    { name: "secrets", kind: "Secret", namespaced: true, verbs: ["list", "watch"] },
    { name: "bindings", kind: "Binding", namespaced: true, verbs: ["create"] },
  ],
};
const AGENTS = {
  resources: [
    { name: "agents", kind: "Agent", namespaced: true, verbs: ["list", "watch"] },
    { name: "agents/status", kind: "Agent", namespaced: true, verbs: ["get", "patch"] },
  ],
};

describe("discovery", () => {
  test("tells what a resource is", async () => {
    const api = apiOf({ "/api/v1": CORE, "/apis/universe.ai/v1alpha1": AGENTS });
    expect(await discover(api, "agents.universe.ai/v1alpha1")).toEqual({
      name: "agents.universe.ai/v1alpha1",
      group: "universe.ai",
      version: "v1alpha1",
      plural: "agents",
      kind: "Agent",
      namespaced: true,
      hasStatus: true,
      metadataOnly: false,
    });
    expect(await discover(api, "configmaps/v1")).toMatchObject({ group: "", kind: "ConfigMap", hasStatus: false });
    expect(await discover(api, "namespaces/v1")).toMatchObject({ namespaced: false, hasStatus: false });
    expect(await discover(api, "secrets/v1")).toMatchObject({ metadataOnly: true });
  });

  test.each(["things.later.io/v1", "absent/v1"])("says of %s that it is not there, with a hint", async (name) => {
    const error = await errorOf(discover(apiOf({ "/api/v1": CORE }), name));
    expect(error).toMatchObject({ code: "NOT_FOUND", hint: expect.stringContaining("CRD") as string });
    expect(error.message).toContain(name);
  });

  test("refuses what cannot be watched, and passes other errors on", async () => {
    const error = await errorOf(discover(apiOf({ "/api/v1": CORE }), "bindings/v1"));
    expect(error).toMatchObject({ code: "INVALID_CONFIG" });
    expect(error.message).toContain("cannot be watched");
    expect((await errorOf(discover(apiOf({ "/api/v1": kubeError("FORBIDDEN") }), "pods/v1"))).code).toBe("FORBIDDEN");
    expect((await errorOf(discover(apiOf({ "/api/v1": { kind: "x" } }), "pods/v1"))).code).toBe("UNAVAILABLE");
  });

  test.each([
    "",
    "agents",
    "Agents.universe.ai/v1",
    "agents.universe.ai",
    "agents.universe.ai/",
    "/v1",
    "a.b/c/d",
    "a b/v1",
    "a../v1",
    "agents.universe.ai/v1/../x",
  ])("refuses the name %j", (name) => {
    expect(() => parseResourceName(name)).toThrow(KubeError);
  });
});

describe("a resource's path", () => {
  const agents = { group: "universe.ai", version: "v1alpha1", plural: "agents", namespaced: true };
  const nodes = { group: "", version: "v1", plural: "nodes", namespaced: false };

  test.each([
    [agents, {}, "/apis/universe.ai/v1alpha1/agents"],
    [agents, { namespace: "a" }, "/apis/universe.ai/v1alpha1/namespaces/a/agents"],
    [
      agents,
      { namespace: "a", name: "x", subresource: "status" },
      "/apis/universe.ai/v1alpha1/namespaces/a/agents/x/status",
    ],
    [agents, { namespace: "a/b", name: "x?y" }, "/apis/universe.ai/v1alpha1/namespaces/a%2Fb/agents/x%3Fy"],
    [nodes, { namespace: "ignored", name: "system:node" }, "/api/v1/nodes/system%3Anode"],
  ])("of %j with %j is %s", (resource, place, path) => {
    expect(resourcePath(resource, place)).toBe(path);
  });
});
