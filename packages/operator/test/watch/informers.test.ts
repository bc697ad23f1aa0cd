import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ResourceType } from "../../src/kube/port.js";
import { Informers, type InformersOptions, type WatchTarget } from "../../src/watch/informers.js";
import { ManualClock, settle } from "./clock.js";
import { agent, kubeError, listOf, NotingSink, ScriptedApi } from "./scripted.js";

const VERBS = ["get", "list", "watch"];
const AGENT_LIST = {
  resources: [
    { name: "agents", kind: "Agent", namespaced: true, verbs: VERBS },
    { name: "agents/status", kind: "Agent", namespaced: true, verbs: ["patch"] },
    { name: "zones", kind: "Zone", namespaced: false, verbs: VERBS },
  ],
};

let api: ScriptedApi;
let sink: NotingSink;
let clock: ManualClock;
let stop: AbortController;
let troubles: string[];
let running: Promise<void> | undefined;
/** Lists under way, each with how to answer it. */
let lists: { readonly path: string; readonly done: () => void }[];

beforeEach(() => {
  api = new ScriptedApi();
  sink = new NotingSink();
  clock = new ManualClock();
  stop = new AbortController();
  troubles = [];
  lists = [];
  api.answer = ({ path }) => {
    if (path === "/apis/universe.ai/v1alpha1") return AGENT_LIST;
    return new Promise((done) => lists.push({ path, done: () => done(listOf("1", [agent("x", "1")])) }));
  };
});

afterEach(async () => {
  stop.abort();
  for (const { done } of lists) done();
  await running;
});

async function run(targets: readonly WatchTarget[], options: Partial<InformersOptions> = {}): Promise<Informers> {
  const informers = new Informers(api, targets, sink, {
    runtime: clock,
    onTrouble: (resource, error) => troubles.push(`${resource}: ${error.message}`),
    ...options,
  });
  running = informers.run(stop.signal);
  await settle();
  return informers;
}

const AGENTS = "agents.universe.ai/v1alpha1";

describe("informers", () => {
  test("are one for each namespace, two of which list at the same time, and synced when all are", async () => {
    const discovered: ResourceType[] = [];
    const informers = await run([{ resource: AGENTS, namespaces: ["a", "b", "c", "a"], labelSelector: "x=y" }], {
      onDiscovered: (resource) => discovered.push(resource),
    });
    const path = (namespace: string): string => `/apis/universe.ai/v1alpha1/namespaces/${namespace}/agents`;
    expect(discovered).toMatchObject([{ name: AGENTS, kind: "Agent", hasStatus: true }]);
    expect(lists.map((each) => each.path)).toEqual([path("a"), path("b")]);
    lists[0]?.done();
    await settle();
    expect(lists.map((each) => each.path)).toEqual([path("a"), path("b"), path("c")]);
    const synced = informers.whenSynced();
    lists[1]?.done();
    await settle();
    expect(informers.synced).toBe(false);
    lists[2]?.done();
    await synced;
    expect(informers.synced).toBe(true);
    expect(api.feeds.map((feed) => feed.request.query["labelSelector"])).toEqual(["x=y", "x=y", "x=y"]);
  });

  test("wait for a resource whose CRD is not installed yet, and watch the others meanwhile", async () => {
    let installed = false;
    const { answer } = api;
    api.answer = (request) =>
      request.path === "/apis/later.io/v1"
        ? installed
          ? { resources: [{ name: "things", kind: "Thing", namespaced: true, verbs: VERBS }] }
          : kubeError("NOT_FOUND")
        : answer(request);
    const informers = await run([{ resource: "things.later.io/v1" }, { resource: AGENTS }]);
    expect(lists.map((each) => each.path)).toEqual(["/apis/universe.ai/v1alpha1/agents"]);
    lists[0]?.done();
    await settle();
    expect(informers.synced).toBe(false);
    expect(troubles).toEqual(["things.later.io/v1: the server has no things.later.io/v1"]);
    installed = true;
    await clock.advance(30_000);
    expect(lists[1]?.path).toBe("/apis/later.io/v1/things");
    lists[1]?.done();
    await informers.whenSynced();
  });

  test("do not watch what is of the whole cluster in namespaces, and say so", async () => {
    await run([{ resource: "zones.universe.ai/v1alpha1", namespaces: ["a"] }]);
    expect(lists).toEqual([]);
    expect(troubles).toEqual([
      "zones.universe.ai/v1alpha1: zones.universe.ai/v1alpha1 is of the whole cluster: it cannot be watched in namespaces",
    ]);
  });

  test("tell which resource a list had trouble with, or began anew", async () => {
    const restarts: string[] = [];
    const { answer } = api;
    api.answer = (request) => (request.path.endsWith("/agents") ? kubeError("FORBIDDEN") : answer(request));
    await run([{ resource: AGENTS }], { onRestart: (resource, reason) => restarts.push(`${resource} ${reason}`) });
    expect(troubles).toEqual([`${AGENTS}: scripted FORBIDDEN`]);
    expect(restarts).toEqual([`${AGENTS} forbidden`]);
  });

  test("of nothing are synced at once; a name that is none is refused before anything starts", async () => {
    expect((await run([])).synced).toBe(true);
    expect(() => new Informers(api, [{ resource: "Agents" }], sink, { runtime: clock })).toThrow(
      expect.objectContaining({ code: "INVALID_CONFIG" }),
    );
  });

  test("that are aborted while some wait for their turn all end", async () => {
    const informers = await run([{ resource: AGENTS, namespaces: ["a", "b", "c", "d"] }]);
    const waiting = informers.whenSynced(stop.signal).catch((error: unknown) => (error as { code: string }).code);
    expect(lists).toHaveLength(2);
    stop.abort();
    for (const { done } of lists) done();
    await running;
    expect(await waiting).toBe("ABORTED");
    expect(lists).toHaveLength(2);
  });
});
