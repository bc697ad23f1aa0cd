import { afterEach, describe, expect, it } from "vitest";
import {
  agentDefinition,
  startFakeCluster,
  type FakeCluster,
  type FakeClusterOptions,
} from "../../src/testing/index.js";
import { apiClient, type TestApiClient } from "./api-client.js";

const PATH = "/api/v1/namespaces/default/configmaps";
const configMap = (name: string, data: object = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data,
});

let cluster: FakeCluster;
let client: TestApiClient;
let over: AbortController;

async function start(options: FakeClusterOptions = {}): Promise<void> {
  cluster = await startFakeCluster(options);
  client = apiClient({ server: cluster.url, token: cluster.token, ca: cluster.caCertificate });
  over = new AbortController();
}

afterEach(async () => {
  over.abort();
  await client.close();
  await cluster.close();
});

interface Event {
  readonly type: string;
  readonly object: { readonly code?: number; readonly reason?: string; readonly metadata: Record<string, unknown> };
}

async function watch(query: Record<string, string>): Promise<AsyncIterator<unknown>> {
  const opened = await client.watch({ path: PATH, query, signal: over.signal });
  expect(opened.status).toBe(200);
  return opened.events[Symbol.asyncIterator]();
}

const first = async (query: Record<string, string>): Promise<Event> =>
  (await (await watch(query)).next()).value as Event;

describe("what the fake cluster remembers", () => {
  it("lets watches start where the history begins, and no earlier", async () => {
    await start();
    const before = String(cluster.revision);
    cluster.apply(configMap("a"));
    cluster.compact();
    const compacted = String(cluster.revision);
    cluster.apply(configMap("b"));
    expect(await first({ resourceVersion: before })).toMatchObject({
      type: "ERROR",
      object: { kind: "Status", code: 410, reason: "Expired" },
    });
    expect(await first({ resourceVersion: compacted })).toMatchObject({
      type: "ADDED",
      object: { metadata: { name: "b" } },
    });
    expect(await first({})).toMatchObject({ type: "ADDED", object: { metadata: { name: "a" } } });
  });

  it("leaves open watches alone when it forgets", async () => {
    await start();
    const events = await watch({ resourceVersion: String(cluster.revision) });
    cluster.compact();
    cluster.apply(configMap("a"));
    expect((await events.next()).value).toMatchObject({ type: "ADDED" });
  });

  it("remembers at least as many changes as it is told, and not many more", async () => {
    await start({ historyLimit: 10 });
    const revisions: number[] = [];
    for (let i = 0; i < 50; i++) {
      revisions.push(cluster.revision);
      cluster.apply(configMap("a", { i: String(i) }));
    }
    expect((await first({ resourceVersion: String(revisions.at(-10)) })).type).toBe("MODIFIED");
    expect((await first({ resourceVersion: String(revisions.at(-21)) })).type).toBe("ERROR");
  });

  it("tells a list that its further pages are gone", async () => {
    await start();
    for (const name of ["a", "b", "c"]) cluster.apply(configMap(name));
    const page = await client.request({ method: "GET", path: PATH, query: { limit: "1" } });
    const { metadata } = page.body as { metadata: { continue: string; remainingItemCount: number } };
    expect(metadata.remainingItemCount).toBe(2);
    cluster.compact();
    const next = await client.request({
      method: "GET",
      path: PATH,
      query: { limit: "1", continue: metadata.continue },
    });
    expect(next).toMatchObject({ status: 410, body: { reason: "Expired" } });
  });

  it("sends bookmarks to those who asked, with the revision of the whole server", async () => {
    await start({ bookmarkIntervalMs: 20 });
    const resourceVersion = String(cluster.revision);
    const quiet = await watch({ resourceVersion });
    const events = await watch({ resourceVersion, allowWatchBookmarks: "true" });
    cluster.createNamespace("elsewhere");
    const revision = cluster.revision;
    const bookmarks: unknown[] = [];
    while (bookmarks.length < 2) bookmarks.push((await events.next()).value);
    const bookmark = { type: "BOOKMARK", object: { metadata: { resourceVersion: String(revision) } } };
    expect(bookmarks.at(-1)).toMatchObject(bookmark);
    cluster.apply(configMap("a"));
    expect((await quiet.next()).value).toMatchObject({ type: "ADDED" });
  });

  it("says that a resourceVersion is of the future", async () => {
    await start();
    const query = { resourceVersion: String(cluster.revision + 100) };
    expect(await client.request({ method: "GET", path: PATH, query })).toMatchObject({
      status: 504,
      body: { reason: "Timeout" },
    });
  });

  it("keeps integers of 64 bits", async () => {
    await start();
    const body = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"big":9007199254740993}}';
    const path = "/api/v1/namespaces/default/pods";
    expect((await client.request({ method: "POST", path, body })).status).toBe(201);
    expect(cluster.get("pods/v1", "default/a")?.["spec"]).toEqual({ big: 9007199254740993n });
  });

  it("lists ten thousand objects", async () => {
    await start();
    const text = "x".repeat(2000);
    for (let i = 0; i < 10_000; i++) cluster.apply(configMap(`a-${String(i)}`, { text }));
    const { body } = await client.request({ method: "GET", path: PATH });
    expect((body as { items: unknown[] }).items).toHaveLength(10_000);
  });

  it("takes a namespace's content along, and a definition's objects", async () => {
    await start({ namespaces: ["one"] });
    cluster.apply({ ...configMap("a"), metadata: { name: "a", namespace: "one" } });
    cluster.apply({ ...configMap("held"), metadata: { name: "held", namespace: "one", finalizers: ["a.b/c"] } });
    cluster.remove("namespaces/v1", "one");
    expect(cluster.get("configmaps/v1", "one/a")).toBeUndefined();
    expect(cluster.get("namespaces/v1", "one")).toMatchObject({ status: { phase: "Terminating" } });
    const body = configMap("late");
    const path = "/api/v1/namespaces/one/configmaps";
    expect(await client.request({ method: "POST", path, body })).toMatchObject({ status: 403 });
    cluster.apply({ ...configMap("held"), metadata: { name: "held", namespace: "one" } });
    expect(cluster.get("configmaps/v1", "one/held")).toBeUndefined();
    expect(cluster.get("namespaces/v1", "one")).toBeUndefined();
  });

  it("ends the watches of a resource whose definition is deleted", async () => {
    await start({ objects: [agentDefinition("g.rynxs.test")] });
    cluster.apply({ apiVersion: "g.rynxs.test/v1alpha1", kind: "Agent", metadata: { name: "a" } });
    const path = "/apis/g.rynxs.test/v1alpha1/agents";
    const { events } = await client.watch({ path, query: {}, signal: over.signal });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const event of events) seen.push((event as Event).type);
    })();
    await expect.poll(() => seen.length).toBe(1);
    cluster.remove("customresourcedefinitions.apiextensions.k8s.io/v1", "agents.g.rynxs.test");
    await reading;
    expect(seen).toEqual(["ADDED", "DELETED"]);
    expect((await client.request({ method: "GET", path })).status).toBe(404);
  });

  it("is stricter than real servers about where events lie", async () => {
    await start({ namespaces: ["one"] });
    const event = (namespace: string): object => ({
      metadata: { name: "e" },
      eventTime: "2026-01-02T03:04:05.678901Z",
      type: "Normal",
      reason: "R",
      action: "A",
      reportingController: "c",
      reportingInstance: "i",
      regarding: { kind: "ConfigMap", namespace, name: "a" },
    });
    const path = "/apis/events.k8s.io/v1/namespaces/one/events";
    expect(await client.request({ method: "POST", path, body: event("default") })).toMatchObject({
      status: 422,
      body: { details: { causes: [{ field: "involvedObject.namespace" }] } },
    });
    expect(await client.request({ method: "POST", path, body: event("one") })).toMatchObject({ status: 201 });
  });
});
