import { connect } from "node:http2";
import { afterEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import {
  agentDefinition,
  rbacAuthorizer,
  startFakeCluster,
  type FakeCluster,
  type FakeClusterOptions,
} from "../../src/testing/index.js";
import { apiClient, type TestApiClient } from "./api-client.js";

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
const configMap = (name: string): object => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });

let cluster: FakeCluster;
const clients: TestApiClient[] = [];

async function start(options: FakeClusterOptions = {}): Promise<TestApiClient> {
  cluster = await startFakeCluster(options);
  return client(cluster.token);
}

function client(token: string | undefined, userAgent?: string): TestApiClient {
  const made = apiClient({ server: cluster.url, token, ca: cluster.caCertificate, userAgent });
  clients.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map((each) => each.close()));
  await cluster.close();
});

/** One GET over HTTP/2. */
function overHttp2(path: string): Promise<{ status: unknown; text: string }> {
  return new Promise((resolve, reject) => {
    const session = connect(cluster.url, { ca: cluster.caCertificate }).on("error", reject);
    const headers = { ":path": path, authorization: `Bearer ${cluster.token}`, "user-agent": "two" };
    const stream = session.request(headers).on("error", reject);
    let status: unknown;
    let text = "";
    stream.on("response", (answer) => (status = answer[":status"]));
    stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    stream.on("end", () => {
      session.close();
      resolve({ status, text });
    });
  });
}

describe("the fake cluster's wire", () => {
  it("speaks HTTP/1.1 and HTTP/2 on one port, with a certificate that its authority signed", async () => {
    const one = await start();
    expect((await one.request({ method: "GET", path: "/version" })).status).toBe(200);
    const two = await overHttp2("/api/v1/namespaces/default");
    expect([two.status, JSON.parse(two.text)]).toMatchObject([200, { metadata: { name: "default" } }]);
    expect(
      cluster.requests.map(({ protocol, path, userAgent, status }) => [protocol, path, userAgent, status]),
    ).toEqual([
      ["1.1", "/version", "rynxs-test", 200],
      ["2.0", "/api/v1/namespaces/default", "two", 200],
    ]);
  });

  it("offers only HTTP/1.1 when asked to", async () => {
    const one = await start({ http2: false });
    expect((await one.request({ method: "GET", path: "/version" })).status).toBe(200);
    await expect(overHttp2("/version")).rejects.toThrow();
  });

  it("serves plain HTTP without a token, as kubectl proxy does", async () => {
    await start({ transport: "http" });
    expect(cluster.url).toMatch(/^http:/);
    expect((await client(undefined).request({ method: "GET", path: CONFIG_MAPS })).status).toBe(200);
    expect((await client("wrong").request({ method: "GET", path: CONFIG_MAPS })).status).toBe(401);
  });

  it("listens on the port that it is told", async () => {
    const first = await startFakeCluster();
    const port = Number(new URL(first.url).port);
    await first.close();
    await start({ port });
    expect(cluster.url).toBe(`https://127.0.0.1:${String(port)}`);
    await expect(startFakeCluster({ port })).rejects.toThrow(/EADDRINUSE/);
  });

  it("writes a configuration file", async () => {
    await start({ token: 't: "quoted"' });
    expect(parse(cluster.kubeconfig)).toMatchObject({
      clusters: [{ cluster: { server: cluster.url } }],
      users: [{ user: { token: 't: "quoted"' } }],
      "current-context": "fake",
    });
    const ca = (parse(cluster.kubeconfig) as { clusters: { cluster: Record<string, string> }[] }).clusters[0]?.cluster;
    expect(Buffer.from(ca?.["certificate-authority-data"] ?? "", "base64").toString()).toBe(cluster.caCertificate);
  });

  it("keeps the last requests, and counts all", async () => {
    const one = await start({ requestLogLimit: 10 });
    for (let i = 0; i < 25; i++) await one.request({ method: "GET", path: "/version", query: { i: String(i) } });
    expect(cluster.requestCount).toBe(25);
    expect(cluster.requests.length).toBeLessThanOrEqual(10);
    expect(cluster.requests.at(-1)).toMatchObject({ query: { i: "24" }, verb: "get", resource: "" });
  });
});

describe("who may do what", () => {
  it("knows tokens, and forgets rotated ones", async () => {
    const old = await start();
    expect((await client(undefined).request({ method: "GET", path: CONFIG_MAPS })).status).toBe(401);
    expect((await old.request({ method: "GET", path: CONFIG_MAPS })).status).toBe(200);
    cluster.tokens.rotate(cluster.token, "second");
    expect(await old.request({ method: "GET", path: CONFIG_MAPS })).toMatchObject({
      status: 401,
      body: { kind: "Status", reason: "Unauthorized", code: 401 },
    });
    expect((await client("second").request({ method: "GET", path: CONFIG_MAPS })).status).toBe(200);
    expect(() => cluster.tokens.rotate("unknown", "third")).toThrow("no such token");
  });

  it("asks a function", async () => {
    const one = await start({ authorize: ({ verb }) => verb !== "create" });
    expect((await one.request({ method: "GET", path: CONFIG_MAPS })).status).toBe(200);
    expect(await one.request({ method: "POST", path: CONFIG_MAPS, body: configMap("a") })).toMatchObject({
      status: 403,
      body: {
        reason: "Forbidden",
        message:
          'configmaps is forbidden: User "test" cannot create resource "configmaps" in API group "" in the namespace "default"',
      },
    });
    expect(cluster.get("configmaps/v1", "default/a")).toBeUndefined();
  });

  it("evaluates roles and bindings", async () => {
    const name = "system:serviceaccount:rynxs:operator";
    const subjects = [{ kind: "ServiceAccount", namespace: "rynxs", name: "operator" }];
    const agents = { apiGroups: ["g.rynxs.test"], resources: ["agents"], verbs: ["get", "list", "watch"] };
    const status = { apiGroups: ["g.rynxs.test"], resources: ["agents/status"], verbs: ["patch"] };
    const leases = {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      resourceNames: ["leader"],
      verbs: ["get", "update"],
    };
    const creating = { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] };
    const authorize = rbacAuthorizer([
      { kind: "ClusterRole", metadata: { name: "watcher" }, rules: [agents, status] },
      { kind: "ClusterRoleBinding", roleRef: { kind: "ClusterRole", name: "watcher" }, subjects },
      { kind: "Role", metadata: { name: "elector", namespace: "rynxs" }, rules: [leases, creating] },
      {
        kind: "RoleBinding",
        metadata: { namespace: "rynxs" },
        roleRef: { kind: "Role", name: "elector" },
        subjects: [{ kind: "ServiceAccount", name: "operator" }],
      },
      { kind: "Deployment", metadata: { name: "something else" } },
    ]);
    const one = await start({
      user: name,
      authorize,
      namespaces: ["rynxs"],
      objects: [agentDefinition("g.rynxs.test")],
    });
    cluster.apply({ apiVersion: "g.rynxs.test/v1alpha1", kind: "Agent", metadata: { name: "a" } });
    const all = "/apis/g.rynxs.test/v1alpha1/agents";
    const agent = "/apis/g.rynxs.test/v1alpha1/namespaces/default/agents/a";
    const lease = (namespace: string): string => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
    const body = { metadata: { name: "leader" } };
    const contentType = "application/merge-patch+json";
    const table: readonly [number, Parameters<TestApiClient["request"]>[0]][] = [
      [200, { method: "GET", path: "/apis/g.rynxs.test/v1alpha1" }],
      [200, { method: "GET", path: all }],
      [200, { method: "PATCH", path: `${agent}/status`, contentType, body: { status: { recordedSeq: 1 } } }],
      [403, { method: "PATCH", path: agent, contentType, body: { spec: {} } }],
      [403, { method: "DELETE", path: agent }],
      [403, { method: "GET", path: `${agent}/status` }],
      [403, { method: "GET", path: "/api/v1/secrets" }],
      [201, { method: "POST", path: lease("rynxs"), body }],
      [403, { method: "POST", path: lease("default"), body }],
      [200, { method: "GET", path: `${lease("rynxs")}/leader` }],
      [403, { method: "GET", path: `${lease("rynxs")}/other` }],
      [403, { method: "GET", path: lease("rynxs") }],
      [403, { method: "GET", path: "/metrics" }],
    ];
    for (const [code, call] of table) {
      expect([call.method, call.path, (await one.request(call)).status]).toEqual([call.method, call.path, code]);
    }
    const watch = await one.watch({ path: all, query: {}, signal: AbortSignal.timeout(5000) });
    expect(watch.status).toBe(200);
    cluster.authorize = () => false;
    expect((await one.request({ method: "GET", path: all })).status).toBe(403);
  });
});
