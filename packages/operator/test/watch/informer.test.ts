import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { KubeError } from "../../src/kube/errors.js";
import { STALLED_CONNECTION } from "../../src/kube/port.js";
import { Informer, type InformerOptions } from "../../src/watch/informer.js";
import type { RestartReason } from "../../src/watch/restart.js";
import type { WatchScope } from "../../src/watch/sink.js";
import { ManualClock, settle } from "./clock.js";
import { AGENTS, agent, kubeError, listOf, NotingSink, SCOPE, ScriptedApi } from "./scripted.js";

let api: ScriptedApi;
let sink: NotingSink;
let clock: ManualClock;
let stop: AbortController;
let restarts: RestartReason[];
let troubles: string[];
let running: Promise<void> = Promise.resolve();

beforeEach(() => {
  api = new ScriptedApi();
  sink = new NotingSink();
  clock = new ManualClock();
  stop = new AbortController();
  restarts = [];
  troubles = [];
});

afterEach(async () => {
  stop.abort();
  // Also says that it never throws, and does end.
  await running;
});

async function run(scope: WatchScope = SCOPE, options: Partial<InformerOptions> = {}): Promise<Informer> {
  const informer = new Informer(api, scope, sink, {
    runtime: clock,
    onRestart: (reason) => restarts.push(reason),
    onTrouble: (error) => troubles.push((error as { code?: string }).code ?? error.message),
    ...options,
  });
  running = informer.run(stop.signal);
  await settle();
  return informer;
}

const watchedFrom = (): (string | undefined)[] => api.feeds.map((feed) => feed.request.query["resourceVersion"]);

describe("a list", () => {
  test("hands on each object, then all keys, and is watched from where it stood", async () => {
    api.answer = () => listOf("10", [agent("x", "3"), agent("y", "7")]);
    const informer = await run();
    expect(sink.told).toEqual(["observed a/x 3", "observed a/y 7", "listed a/x,a/y"]);
    expect(informer.synced).toBe(true);
    expect(api.requests[0]).toMatchObject({ method: "GET", path: "/apis/universe.ai/v1alpha1/agents" });
    // No resourceVersion: the newest state, not some cache's.
    expect(api.requests[0]?.query).toEqual({ limit: "500" });
    expect(api.feed.request.query).toEqual({
      resourceVersion: "10",
      allowWatchBookmarks: "true",
      timeoutSeconds: "240",
    });
    expect(sink.objects[0]).toMatchObject({ apiVersion: "universe.ai/v1alpha1", kind: "Agent" });
  });

  test("goes through its pages, and is not synced before the last", async () => {
    let lastPage: (() => void) | undefined;
    api.answer = ({ query }) => {
      if (query?.["continue"] === undefined) return listOf("10", [agent("x", "3")], "token-1");
      return new Promise((done) => (lastPage = () => done(listOf("10", [agent("y", "7")]))));
    };
    const informer = await run(SCOPE, { pageSize: 1 });
    const synced = informer.whenSynced();
    expect(sink.told).toEqual(["observed a/x 3"]);
    expect(informer.synced).toBe(false);
    lastPage?.();
    await synced;
    expect(sink.told).toEqual(["observed a/x 3", "observed a/y 7", "listed a/x,a/y"]);
    expect(api.requests.map(({ query }) => query)).toEqual([{ limit: "1" }, { limit: "1", continue: "token-1" }]);
  });

  test("that expires between its pages begins anew without pages, and tells only what that found", async () => {
    api.answer = ({ query }) => {
      if (query?.["continue"] !== undefined) return kubeError("GONE");
      return query?.["limit"] === undefined
        ? listOf("20", [agent("y", "7")])
        : listOf("10", [agent("x", "3")], "token-1");
    };
    await run();
    expect(sink.told).toEqual(["observed a/x 3", "observed a/y 7", "listed a/y"]);
    expect(api.requests.map(({ query }) => query)).toEqual([
      { limit: "500" },
      { limit: "500", continue: "token-1" },
      {},
    ]);
    expect(watchedFrom()).toEqual(["20"]);
    expect(troubles).toEqual([]);
  });

  test("of a namespace and labels asks for these; of metadata only in that form", async () => {
    api.answer = () =>
      listOf("1", [{ ...agent("s", "1"), kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1" }]);
    const secrets = { ...AGENTS, name: "secrets/v1", group: "", version: "v1", plural: "secrets", metadataOnly: true };
    await run({ resource: secrets, namespace: "team/a", labelSelector: "app=x,y" });
    const path = "/api/v1/namespaces/team%2Fa/secrets";
    const form = (kind: string): string => `application/json;as=${kind};g=meta.k8s.io;v=v1`;
    expect(api.requests[0]).toMatchObject({ path, accept: form("PartialObjectMetadataList") });
    expect(api.requests[0]?.query).toEqual({ labelSelector: "app=x,y", limit: "500" });
    expect(api.feed.request).toMatchObject({ path, accept: form("PartialObjectMetadata") });
    expect(api.feed.request.query).toMatchObject({ labelSelector: "app=x,y" });
  });

  test.each([
    ["no list", { kind: "Agent", metadata: {} }],
    ["a list with what is no object", listOf("1", [{ spec: {} } as never])],
    ["nothing", undefined],
  ])("that is %s is asked for again after a pause", async (_, answer) => {
    api.answer = () => answer;
    const informer = await run();
    expect(troubles).toEqual(["UNAVAILABLE"]);
    api.answer = () => ({ ...(listOf("1", []) as object), items: null });
    await clock.advance(800);
    expect(informer.synced).toBe(true);
    expect(sink.told).toEqual(["listed "]);
  });
});

describe("a watch", () => {
  test("hands on events in order, one after the other, and reads no further while the sink is busy", async () => {
    await run();
    let free: () => void = () => undefined;
    sink.hold = new Promise((done) => (free = done));
    api.feed.send("ADDED", agent("x", "2"));
    api.feed.send("MODIFIED", agent("x", "3"));
    api.feed.send("DELETED", agent("x", "4"));
    await settle();
    expect(sink.told).toEqual(["listed ", "observed a/x 2"]);
    expect(api.feed.asked).toBe(1);
    sink.hold = undefined;
    free();
    await settle();
    expect(sink.told).toEqual(["listed ", "observed a/x 2", "observed a/x 3", "deleted a/x"]);
  });

  test("that ends as agreed goes on from the last event, without a list or a pause", async () => {
    await run();
    api.feed.send("ADDED", agent("x", "5"));
    await settle();
    api.feed.end();
    await settle();
    expect(watchedFrom()).toEqual(["1", "5"]);
    expect(api.requests).toHaveLength(1);
    expect(restarts).toEqual(["ended"]);
    expect(troubles).toEqual([]);
  });

  test("goes on from its last bookmark, which is not told to the sink", async () => {
    await run();
    api.feed.send("ADDED", agent("x", "5"));
    api.feed.bookmark("90");
    await settle();
    api.feed.end();
    await settle();
    expect(watchedFrom()).toEqual(["1", "90"]);
    expect(sink.told).toEqual(["listed ", "observed a/x 5"]);
  });

  test("asks for an end at a time of chance", async () => {
    clock.chance = 0.999999;
    await run();
    expect(api.feed.request.query["timeoutSeconds"]).toBe("480");
  });

  test("that ends at once without an event is opened anew after a pause only", async () => {
    await run();
    api.feed.end();
    await settle();
    expect(api.feeds).toHaveLength(1);
    await clock.advance(800);
    expect(api.feeds).toHaveLength(2);
    await clock.advance(1000);
    api.feed.end();
    await settle();
    expect(api.feeds).toHaveLength(3);
  });

  test("of a version that is gone lists anew at once; what vanished meanwhile shows in the keys", async () => {
    api.answer = () => listOf("10", [agent("x", "3"), agent("y", "4")]);
    await run();
    api.answer = () => listOf("50", [agent("y", "4")]);
    api.feed.fail(kubeError("GONE"));
    await settle();
    expect(sink.told.slice(3)).toEqual(["observed a/y 4", "listed a/y"]);
    expect(watchedFrom()).toEqual(["10", "50"]);
    expect(restarts).toEqual(["gone"]);
    expect(troubles).toEqual([]);
    expect(clock.slept).not.toContain(800);
  });

  test("that is gone again and again is not listed without a pause", async () => {
    api.refusals.push(...Array.from({ length: 50 }, () => kubeError("GONE")));
    await run();
    expect(api.requests).toHaveLength(2);
    await clock.advance(799);
    expect(api.requests).toHaveLength(2);
    await clock.advance(1);
    expect(api.requests).toHaveLength(3);
  });

  test("that breaks off goes on from the last event after pauses that double, up to half a minute", async () => {
    await run();
    api.feed.send("ADDED", agent("x", "5"));
    await settle();
    api.refusals.push(...Array.from({ length: 8 }, () => kubeError("UNAVAILABLE")));
    clock.slept.length = 0;
    api.feed.fail(kubeError("UNAVAILABLE"));
    await clock.advance(200_000);
    const pauses = clock.slept.filter((ms) => ms < 90_000 && ms >= 800);
    expect(pauses).toEqual([800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
    expect(new Set(watchedFrom().slice(1))).toEqual(new Set(["5"]));
    expect(api.requests).toHaveLength(1);
    expect(restarts.slice(0, 9)).toEqual(Array(9).fill("unavailable"));
    expect(troubles).toHaveLength(9);
  });

  test("after two minutes without trouble starts at the shortest pause again", async () => {
    await run(SCOPE, { idleMs: 1e9 });
    for (let n = 0; n < 3; n++) {
      api.feed.fail(kubeError("UNAVAILABLE"));
      await clock.advance(10_000);
    }
    await clock.advance(121_000);
    clock.slept.length = 0;
    api.feed.fail(kubeError("UNAVAILABLE"));
    await settle();
    expect(clock.slept).toEqual([800]);
  });

  test("that is throttled waits for as long as the server asks", async () => {
    await run();
    api.feed.fail(kubeError("THROTTLED", { retryAfterMs: 7000 }));
    await clock.advance(6999);
    expect(api.feeds).toHaveLength(1);
    await clock.advance(1);
    expect(api.feeds).toHaveLength(2);
    expect(restarts).toEqual(["throttled"]);
  });

  test.each([
    ["UNAUTHORIZED", 1],
    ["FORBIDDEN", 2],
    ["NOT_FOUND", 2],
  ] as const)("refused with %s is told and tried again at the long pause", async (code, lists) => {
    await run();
    api.feed.fail(kubeError(code));
    await clock.advance(29_999);
    expect(api.feeds).toHaveLength(1);
    await clock.advance(1);
    expect(api.feeds).toHaveLength(2);
    expect(api.requests).toHaveLength(lists);
    expect(troubles).toEqual([code]);
  });

  test("whose version the server has not reached lists anew: its data was put back to an older state", async () => {
    await run();
    api.feed.fail(
      new KubeError("UNAVAILABLE", "Too large resource version: 90, current: 7", { facts: { status: 504 } }),
    );
    api.answer = () => listOf("7", []);
    await clock.advance(800);
    expect(watchedFrom()).toEqual(["1", "7"]);
  });

  test("goes on when the sink fails, from the event that it did not take", async () => {
    await run();
    api.feed.send("ADDED", agent("x", "5"));
    await settle();
    sink.hold = Promise.reject(new Error("full"));
    api.feed.send("MODIFIED", agent("x", "6"));
    await settle();
    sink.hold = undefined;
    expect(troubles).toEqual(["full"]);
    await clock.advance(800);
    expect(watchedFrom()).toEqual(["1", "5"]);
    expect(restarts).toEqual(["failed"]);
  });
});

describe("the watchdog", () => {
  test("gives up a silent watch with its connection, and goes on from the last event at once", async () => {
    await run();
    await clock.advance(80_000);
    api.feed.send("ADDED", agent("x", "5"));
    await clock.advance(89_999);
    expect(api.feeds).toHaveLength(1);
    const [silent] = api.feeds;
    await clock.advance(1);
    expect(watchedFrom()).toEqual(["1", "5"]);
    expect(silent?.closed).toBe(true);
    expect(silent?.request.signal.reason).toBe(STALLED_CONNECTION);
    expect(restarts).toEqual(["stalled"]);
    expect(troubles).toEqual([]);
    expect(api.requests).toHaveLength(1);
  });

  test("is content with bookmarks, and does not count the time that the sink takes", async () => {
    await run();
    for (let n = 0; n < 5; n++) {
      await clock.advance(60_000);
      api.feed.bookmark(String(100 + n));
    }
    let free: () => void = () => undefined;
    sink.hold = new Promise((done) => (free = done));
    api.feed.send("ADDED", agent("x", "200"));
    await clock.advance(600_000);
    expect(api.feeds).toHaveLength(1);
    free();
    await clock.advance(89_000);
    expect(api.feeds).toHaveLength(1);
    await clock.advance(1000);
    expect(api.feeds).toHaveLength(2);
  });

  test("lists anew when nothing came in twenty watches", async () => {
    await run();
    await clock.advance(90_000 * 19);
    expect(api.requests).toHaveLength(1);
    await clock.advance(90_000);
    expect(api.requests).toHaveLength(2);
  });

  test("leaves a clock that stands still some time for the rest", async () => {
    const still = { ...new ManualClock(), now: () => 0, elapsed: () => 0, random: () => 0, id: () => "" };
    await run(SCOPE, { runtime: { ...still, sleep: () => Promise.resolve() } });
    api.feed.send("ADDED", agent("x", "2"));
    await settle();
    expect(sink.told).toEqual(["listed ", "observed a/x 2"]);
  });
});

describe("an abort", () => {
  test("ends the watch, and waiting for the first list", async () => {
    api.answer = () => new Promise(() => undefined);
    const informer = await run();
    const waiting = informer.whenSynced(stop.signal).catch((error: unknown) => (error as { code: string }).code);
    api.answer = () => listOf("1", []);
    stop.abort();
    expect(await waiting).toBe("ABORTED");
    stop = new AbortController();
    await run();
    const { feed } = api;
    stop.abort();
    await running;
    expect(feed.closed).toBe(true);
    expect(restarts).toEqual([]);
  });

  test("ends a pause", async () => {
    api.answer = () => kubeError("FORBIDDEN");
    await run();
    stop.abort();
    await running;
    expect(troubles).toEqual(["FORBIDDEN"]);
  });
});
