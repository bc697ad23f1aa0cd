import { connect } from "node:http2";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLUSTER_FAULTS as FAULTS, startFakeCluster, type FakeCluster } from "../../src/testing/index.js";
import { apiClient, type TestApiClient } from "./api-client.js";

const PATH = "/api/v1/namespaces/default/configmaps";
const configMap = (name: string, labels: object = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", labels },
});

let cluster: FakeCluster;
let client: TestApiClient;
let over: AbortController;

const create = (name: string): ReturnType<TestApiClient["request"]> =>
  client.request({ method: "POST", path: PATH, body: configMap(name) });

async function watch(query: Record<string, string> = {}): Promise<AsyncIterator<unknown>> {
  const resourceVersion = String(cluster.revision);
  const opened = await client.watch({ path: PATH, query: { resourceVersion, ...query }, signal: over.signal });
  expect(opened.status).toBe(200);
  return opened.events[Symbol.asyncIterator]();
}

/** `ADDED a`, or `END`. */
async function next(events: AsyncIterator<unknown>): Promise<string> {
  const result = await events.next();
  if (result.done === true) return "END";
  const { type, object } = result.value as { type: string; object: { code?: number; metadata: { name?: string } } };
  return `${type} ${String(object.code ?? object.metadata.name)}`;
}

/** Everything that the event loop has to do now is done. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

describe.each([{ http2: false }, { http2: true }])("HTTP/2: $http2", ({ http2 }) => {
  beforeEach(async () => {
    cluster = await startFakeCluster();
    client = apiClient({ server: cluster.url, token: cluster.token, ca: cluster.caCertificate, http2 });
    over = new AbortController();
  });

  afterEach(async () => {
    over.abort();
    await client.close();
    cluster.faults.assertAllUsed();
    await cluster.close();
  });

  describe("faults of requests", () => {
    it.each([
      ["dropRequest", false],
      ["dropAnswer", true],
      ["resetBefore", false],
      ["resetAfter", true],
      ["truncated", true],
    ] as const)("%s: the client hears nothing it can use; stored: %s", async (name, stored) => {
      cluster.faults.add({ when: { verb: "create" }, do: FAULTS[name] });
      await expect(create("a")).rejects.toThrow();
      expect(cluster.get("configmaps/v1", "default/a") !== undefined).toBe(stored);
      expect(cluster.requests[0]).toMatchObject({ fault: name, status: null });
      expect((await create("b")).status).toBe(201);
    });

    it.each([
      ["internalError", 500, false],
      ["internalErrorAfterCommit", 500, true],
      ["unavailable", 503, false],
      ["gone", 410, false],
      ["unauthorized", 401, false],
      ["forbidden", 403, false],
    ] as const)("%s: %d; stored: %s", async (name, status, stored) => {
      cluster.faults.add({ when: { verb: "create" }, do: FAULTS[name] });
      expect(await create("a")).toMatchObject({ status, body: { kind: "Status", code: status } });
      expect(cluster.get("configmaps/v1", "default/a") !== undefined).toBe(stored);
    });

    it("asks to come back later", async () => {
      cluster.faults.add({ when: {}, do: FAULTS.tooManyRequests(7) });
      expect(await create("a")).toMatchObject({ status: 429, headers: { "retry-after": "7" } });
    });

    it.each(["stall", "stallAfterCommit"] as const)("%s: no answer, and the connection stays", async (name) => {
      cluster.faults.add({ when: { method: "POST" }, do: FAULTS[name] });
      const outcome = create("a").then(
        () => "answered",
        () => "broken",
      );
      await expect.poll(() => cluster.requests.length).toBe(1);
      await settled();
      expect(cluster.connections).toBe(1);
      expect(cluster.get("configmaps/v1", "default/a") !== undefined).toBe(name === "stallAfterCommit");
      cluster.closeConnections();
      expect(await outcome).toBe("broken");
    });

    it("delivers twice: the client hears what the second said", async () => {
      cluster.faults.add({ when: { verb: "create" }, do: FAULTS.twice });
      expect(await create("a")).toMatchObject({ status: 409, body: { reason: "AlreadyExists" } });
    });

    it("happens to the requests that a rule names, as often as it says", async () => {
      const statuses: number[] = [];
      cluster.faults.add({
        when: { path: /configmaps$/, userAgent: "rynxs", resource: "configmaps", nth: 2, count: 2 },
        do: FAULTS.status(418, "Teapot"),
      });
      await client.request({ method: "GET", path: "/api/v1/secrets" });
      for (const name of ["a", "b", "c", "d"]) statuses.push((await create(name)).status);
      expect(statuses).toEqual([201, 418, 418, 201]);
    });

    it("tells which faults never happened", () => {
      cluster.faults.add({ when: { verb: "watch" }, do: FAULTS.stall });
      expect(() => cluster.faults.assertAllUsed()).toThrow(/every fault happened/);
      cluster.faults.clear();
    });

    it("ends one stream of HTTP/2, or the whole session", async () => {
      cluster.faults.add(
        { when: { path: "/version" }, do: FAULTS.resetStream },
        { when: { path: "/healthz" }, do: FAULTS.resetBefore },
      );
      const session = connect(cluster.url, { ca: cluster.caCertificate });
      session.on("error", () => undefined);
      const get = (path: string): Promise<string> =>
        new Promise((resolve) => {
          const stream = session.request({ ":path": path, authorization: `Bearer ${cluster.token}` });
          stream.on("response", (headers) => resolve(String(headers[":status"])));
          stream.on("error", (error: unknown) => resolve((error as NodeJS.ErrnoException).code ?? "error"));
          stream.on("close", () => resolve("closed"));
        });
      expect(await get("/version")).toBe("ERR_HTTP2_STREAM_ERROR");
      expect(session.destroyed).toBe(false);
      expect(await get("/readyz")).toBe("200");
      expect(await get("/healthz")).not.toBe("200");
      await expect.poll(() => session.destroyed).toBe(true);
    });
  });

  describe("faults of watches", () => {
    it("goes silent with its connection open", async () => {
      cluster.faults.add({ when: { verb: "watch" }, do: FAULTS.silentWatch(1) });
      const events = await watch();
      for (const name of ["a", "b", "c"]) cluster.apply(configMap(name));
      expect(await next(events)).toBe("ADDED a");
      let heard: string | undefined;
      next(events).then(
        (event) => (heard = event),
        () => undefined,
      );
      await settled();
      expect(heard).toBeUndefined();
      expect(cluster.openWatches).toBe(1);
      expect(cluster.connections).toBe(1);
    });

    it("breaks off in the middle of an event", async () => {
      cluster.faults.add({ when: { verb: "watch" }, do: FAULTS.cutWatch(1) });
      const events = await watch();
      for (const name of ["a", "b"]) cluster.apply(configMap(name));
      expect(await next(events)).toBe("ADDED a");
      await expect(next(events)).rejects.toThrow();
      expect(cluster.openWatches).toBe(0);
    });

    it.each([
      ["endWatch", ["ADDED a", "END"]],
      ["expireWatch", ["ADDED a", "ERROR 410", "END"]],
    ] as const)("%s", async (name, wanted) => {
      cluster.faults.add({ when: { verb: "watch" }, do: FAULTS[name](1) });
      const events = await watch();
      for (const each of ["a", "b"]) cluster.apply(configMap(each));
      for (const event of wanted) expect(await next(events)).toBe(event);
      expect(cluster.openWatches).toBe(0);
    });

    it("is expired from the start", async () => {
      cluster.faults.add({ when: { verb: "watch" }, do: FAULTS.expiredEvent });
      expect(await next(await watch())).toBe("ERROR 410");
    });

    it("tells everything twice", async () => {
      cluster.faults.add({ when: { verb: "watch" }, do: FAULTS.duplicateEvents });
      const events = await watch();
      for (const name of ["a", "b"]) cluster.apply(configMap(name));
      for (const event of ["ADDED a", "ADDED a", "ADDED b", "ADDED b"]) expect(await next(events)).toBe(event);
    });

    it("takes its time, and keeps the order", async () => {
      cluster.faults.add({ when: { verb: "watch" }, do: FAULTS.slowEvents(20) });
      const events = await watch();
      for (const name of ["a", "b", "c"]) cluster.apply(configMap(name));
      for (const event of ["ADDED a", "ADDED b", "ADDED c"]) expect(await next(events)).toBe(event);
    });

    it("may be closed by whoever runs the server", async () => {
      const events = await watch();
      cluster.closeWatches();
      await expect(
        next(events).then((event) => (event === "END" ? Promise.reject(new Error("ended")) : event)),
      ).rejects.toThrow();
      expect(cluster.openWatches).toBe(0);
    });
  });

  describe("partitions", () => {
    it("stalls the requests of whom it cuts off, and answers them on healing", async () => {
      const other = apiClient({
        server: cluster.url,
        token: cluster.token,
        ca: cluster.caCertificate,
        userAgent: "other",
      });
      const heal = cluster.partition(({ userAgent }) => userAgent === "rynxs-test");
      let status: number | undefined;
      const stalled = create("a").then((answer) => (status = answer.status));
      expect((await other.request({ method: "GET", path: PATH })).status).toBe(200);
      await settled();
      expect([status, cluster.get("configmaps/v1", "default/a")]).toEqual([undefined, undefined]);
      heal();
      expect(await stalled).toBe(201);
      await other.close();
    });

    it("forgets the requests of clients that gave up meanwhile", async () => {
      const heal = cluster.partition(() => true);
      const stalled = create("a").then(
        () => "answered",
        () => "broken",
      );
      await expect.poll(() => cluster.connections).toBe(1);
      await settled();
      await client.close();
      expect(await stalled).toBe("broken");
      await expect.poll(() => cluster.connections).toBe(0);
      heal();
      await settled();
      expect(cluster.get("configmaps/v1", "default/a")).toBeUndefined();
    });

    it("silences open watches, which hear all of it on healing", async () => {
      const events = await watch();
      const heal = cluster.partition(({ user }) => user === "test");
      for (const name of ["a", "b"]) cluster.apply(configMap(name));
      let heard: string | undefined;
      const first = next(events).then((event) => (heard = event));
      await settled();
      expect([heard, cluster.openWatches]).toEqual([undefined, 1]);
      heal();
      expect([await first, await next(events)]).toEqual(["ADDED a", "ADDED b"]);
    });

    it("refuses", async () => {
      const events = await watch();
      const heal = cluster.partition(({ token }) => token === cluster.token, "refuse");
      await expect(next(events)).rejects.toThrow();
      await expect(create("a")).rejects.toThrow();
      heal();
      expect((await create("a")).status).toBe(201);
    });

    it("forgets a request that was taken back, on a connection that goes on", async () => {
      const heal = cluster.partition(() => true);
      const given = new AbortController();
      const stalled = client.watch({ path: PATH, query: {}, signal: given.signal }).then(
        () => "answered",
        () => "taken back",
      );
      await settled();
      given.abort();
      expect(await stalled).toBe("taken back");
      await settled();
      heal();
      await settled();
      expect(cluster.openWatches).toBe(0);
      expect((await create("a")).status).toBe(201);
    });
  });
});
