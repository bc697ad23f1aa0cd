import { memoryObjects, type ObjectStore } from "@rynxs/event-store";
import { describe, expect, it } from "vitest";
import { LeadershipLostError } from "../../src/election/port.js";
import { recordedMessage } from "../../src/record/recorded-condition.js";
import { agent, AGENTS, EVERYWHERE, eventsOf, leadership, replica } from "./helpers.js";

const keys = (...names: string[]) => new Set(names.map((name) => `universe/${name}`));

/** Type, name and role of each event about an object, in the order of the log. */
async function history(store: Awaited<ReturnType<typeof replica>>["store"]): Promise<string[]> {
  return (await eventsOf(store))
    .filter(({ type }) => type !== "LeaderElected")
    .map(
      ({ type, payload }) =>
        `${type} ${payload["name"] as string} ${String((payload["spec"] as { role?: string }).role)}`,
    );
}

describe("the recorder", () => {
  it("records each change once, in order, with all that the event must say", async () => {
    const a = await replica(memoryObjects(), "pod-a");
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "worker" }));
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "boss" }, { generation: 2 }));
    await a.recorder.observed(EVERYWHERE, agent("y", { role: "worker" }));
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "boss" }, { generation: 2, resourceVersion: "9" }));
    await a.leadOnce();
    expect(await history(a.store)).toEqual([
      "AgentObserved x worker",
      "AgentObserved x boss",
      "AgentObserved y worker",
    ]);
    const events = await eventsOf(a.store);
    expect(events[2]).toMatchObject({
      aggregateId: "universe/x",
      type: "AgentObserved",
      payload: { name: "x", namespace: "universe", labels: {}, annotations: {}, generation: 2 },
      meta: { source: "kubernetes", resource: "agents", writer_id: "pod-a", fencing_token: 1 },
    });
    expect(Object.keys(events[2]!.meta).sort()).toEqual(["fencing_token", "resource", "source", "writer_id"]);
    expect(a.recorder.depth).toBe(0);
  });

  it("records nothing twice after a restart, a relist, and a fail-over to a replica that saw the same", async () => {
    const objects = memoryObjects();
    const [a, b] = [await replica(objects, "a"), await replica(objects, "b")];
    for (const { recorder } of [a, b]) {
      await recorder.observed(EVERYWHERE, agent("x", { role: "worker" }));
      await recorder.observed(EVERYWHERE, agent("y", { role: "worker" }));
      await recorder.listed(EVERYWHERE, keys("x", "y"));
    }
    await a.leadOnce();
    expect(b.recorder.depth).toBe(2);
    await b.log.follow();
    expect(b.recorder.depth).toBe(0);
    await b.leadOnce();
    const c = await replica(objects, "c");
    await c.recorder.observed(EVERYWHERE, agent("x", { role: "worker" }));
    await c.recorder.observed(EVERYWHERE, agent("y", { role: "worker" }));
    await c.recorder.listed(EVERYWHERE, keys("x", "y"));
    await c.leadOnce();
    expect(await history(c.store)).toEqual(["AgentObserved x worker", "AgentObserved y worker"]);
    expect([a, b, c].map(({ relists }) => relists.length)).toEqual([0, 0, 0]);
  });

  it("a new leader records the changes that the old one did not get to, all of them, in order", async () => {
    const objects = memoryObjects();
    const [a, b] = [await replica(objects, "a"), await replica(objects, "b")];
    const see = async (role: string, generation: number): Promise<void> => {
      for (const { recorder } of [a, b]) await recorder.observed(EVERYWHERE, agent("x", { role }, { generation }));
    };
    await see("one", 1);
    await a.leadOnce();
    await see("two", 2);
    await see("three", 3);
    // a dies here; b has not followed the log since before its first event.
    await b.leadOnce();
    expect(await history(b.store)).toEqual(["AgentObserved x one", "AgentObserved x two", "AgentObserved x three"]);
    expect(b.relists).toEqual([]);
  });

  it("a new leader whose watch lags behind the log lists anew, and does not tell history again", async () => {
    const objects = memoryObjects();
    const b = await replica(objects, "b", {
      relist: async (between) => {
        between();
        await b.recorder.observed(EVERYWHERE, agent("x", { role: "four" }, { generation: 4 }));
        await b.recorder.listed(EVERYWHERE, keys("x"));
      },
    });
    const a = await replica(objects, "a");
    await b.recorder.observed(EVERYWHERE, agent("x", { role: "one" }));
    for (const [index, role] of ["one", "two", "three"].entries())
      await a.recorder.observed(EVERYWHERE, agent("x", { role }, { generation: index + 1 }));
    await a.leadOnce();
    await b.log.follow();
    // What a recorded long ago reaches b only now.
    await b.recorder.observed(EVERYWHERE, agent("x", { role: "two" }, { generation: 2 }));
    await b.leadOnce();
    expect(await history(b.store)).toEqual([
      "AgentObserved x one",
      "AgentObserved x two",
      "AgentObserved x three",
      "AgentObserved x four",
    ]);
  });

  it("what a slow watch brings after the log had it is not news", async () => {
    const objects = memoryObjects();
    const [a, b] = [await replica(objects, "a"), await replica(objects, "b")];
    for (const role of ["one", "two", "three"]) await a.recorder.observed(EVERYWHERE, agent("x", { role }));
    await a.leadOnce();
    await b.log.follow();
    for (const role of ["one", "two", "three"]) await b.recorder.observed(EVERYWHERE, agent("x", { role }));
    await b.leadOnce();
    expect(b.relists).toEqual([]);
    expect(await history(b.store)).toHaveLength(3);
  });

  it("records deletions that were seen, with what was recorded last", async () => {
    const a = await replica(memoryObjects(), "a");
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "worker" }));
    await a.leadOnce();
    await a.recorder.deleted(EVERYWHERE, agent("x", { role: "changed in its last moment" }, { generation: 2 }));
    await a.recorder.deleted(EVERYWHERE, agent("never-recorded", {}));
    await a.leadOnce();
    const events = (await eventsOf(a.store)).filter(({ type }) => type !== "LeaderElected");
    expect(events.map(({ type }) => type)).toEqual(["AgentObserved", "AgentDeleted"]);
    expect(events[1]!.payload).toEqual(events[0]!.payload);
    expect(a.log.state.objects).toEqual({});
  });

  it("records that an object was made anew, also when only a list shows it", async () => {
    const a = await replica(memoryObjects(), "a");
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "worker" }));
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "worker" }, { uid: "another" }));
    await a.leadOnce();
    expect(await history(a.store)).toEqual([
      "AgentObserved x worker",
      "AgentDeleted x worker",
      "AgentObserved x worker",
    ]);
  });

  it("does not record again that an object was made anew, when another leader has recorded the new one", async () => {
    const objects = memoryObjects();
    const anew = { uid: "another" };
    const b = await replica(objects, "b", {
      relist: async (between) => {
        between();
        // A watch that lags, before it ends, still tells of the old one.
        await b.recorder.observed(EVERYWHERE, agent("x", { role: "two" }));
        between();
        await b.recorder.observed(EVERYWHERE, agent("x", { role: "four" }, anew));
        await b.recorder.listed(EVERYWHERE, keys("x"));
      },
    });
    await b.recorder.observed(EVERYWHERE, agent("x", { role: "one" }));
    const a = await replica(objects, "a");
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "one" }));
    await a.recorder.deleted(EVERYWHERE, agent("x", { role: "one" }));
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "three" }, anew));
    await a.leadOnce();
    await b.leadOnce();
    expect(await history(b.store)).toEqual([
      "AgentObserved x one",
      "AgentDeleted x one",
      "AgentObserved x three",
      "AgentObserved x four",
    ]);
  });

  it("records what was deleted while nobody watched, once the API server confirms it", async () => {
    const objects = memoryObjects();
    const a = await replica(objects, "a");
    for (const name of ["gone", "kept", "unlisted"]) await a.recorder.observed(EVERYWHERE, agent(name, { role: "r" }));
    await a.leadOnce();
    const b = await replica(objects, "b");
    b.there.set("unlisted", "uid-unlisted");
    await b.recorder.observed(EVERYWHERE, agent("kept", { role: "r" }));
    await b.recorder.listed(EVERYWHERE, keys("kept"));
    await b.leadOnce();
    expect((await history(b.store)).slice(3)).toEqual(["AgentDeleted gone r"]);
  });

  it("does not record again what a deletion that proved wrong stood before", async () => {
    const objects = memoryObjects();
    const a = await replica(objects, "a");
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "one" }));
    await a.leadOnce();
    const b = await replica(objects, "b");
    await b.recorder.listed(EVERYWHERE, keys());
    // Made anew, just as it was, behind the list that did not show it.
    await b.recorder.observed(EVERYWHERE, agent("x", { role: "one" }, { uid: "another" }));
    b.there.set("x", "another");
    await b.recorder.observed(EVERYWHERE, agent("x", { role: "two" }, { uid: "another" }));
    await b.leadOnce();
    expect(await history(b.store)).toEqual(["AgentObserved x one", "AgentObserved x two"]);
    expect(b.recorder.depth).toBe(0);
  });

  it("concludes no deletion from a list that is not complete, nor outside what is watched", async () => {
    const objects = memoryObjects();
    const a = await replica(objects, "a");
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "r" }));
    await a.leadOnce();
    const other = {
      resource: { ...AGENTS, plural: "tools", kind: "Tool" },
      namespace: undefined,
      labelSelector: undefined,
    };
    for (const scope of [{ ...EVERYWHERE, namespace: "elsewhere" }, other]) {
      const b = await replica(objects, "b");
      await b.recorder.listed(scope, new Set());
      await b.leadOnce();
    }
    // One of two scopes that might show it has not been listed yet.
    const c = await replica(objects, "c");
    await c.recorder.observed(EVERYWHERE, agent("y", { role: "r" }));
    await c.recorder.listed({ ...EVERYWHERE, labelSelector: "app=a" }, new Set());
    await c.leadOnce();
    expect(await history(c.store)).toEqual(["AgentObserved x r", "AgentObserved y r"]);
  });

  it("with a label selector, an object that lost the label is not deleted", async () => {
    const a = await replica(memoryObjects(), "a");
    const scope = { ...EVERYWHERE, labelSelector: "app=a" };
    for (const name of ["lost-label", "deleted"]) await a.recorder.observed(scope, agent(name, { role: "r" }));
    await a.leadOnce();
    a.there.set("lost-label", "uid-lost-label");
    for (const name of ["lost-label", "deleted"]) await a.recorder.deleted(scope, agent(name, { role: "r" }));
    await a.leadOnce();
    expect((await history(a.store)).slice(2)).toEqual(["AgentDeleted deleted r"]);
  });

  it("tries again after trouble, and an answer that was lost does not double an event", async () => {
    const objects = memoryObjects();
    let failures = 3;
    const a = await replica(objects, "a", {}, (inner) => ({
      ...passing(inner),
      putIfAbsent: async (key, body, options) => {
        const outcome = await inner.putIfAbsent(key, body, options);
        if (!key.endsWith(".json") || key.includes("_") || failures-- <= 0) return outcome;
        throw Object.assign(new Error("connection lost after it was stored"), { code: "ECONNRESET" });
      },
    }));
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "one" }));
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "two" }));
    await a.leadOnce();
    expect(await history(a.store)).toEqual(["AgentObserved x one", "AgentObserved x two"]);
    expect((await a.store.verify()).valid).toBe(true);
  });

  it("an object that no event can hold is said, and holds nothing back", async () => {
    const a = await replica(memoryObjects(), "a");
    await a.recorder.observed(EVERYWHERE, agent("bad", { role: "\ud800" }));
    let deep: object = {};
    for (let level = 0; level < 200; level++) deep = { deep };
    await a.recorder.observed(EVERYWHERE, agent("deep", deep));
    await a.recorder.observed(EVERYWHERE, agent("good", { role: "r" }));
    await a.leadOnce();
    expect(await history(a.store)).toEqual(["AgentObserved good r"]);
    expect(a.refused).toHaveLength(2);
  });

  it("stops at once on a log that does not verify, and appends nothing to it", async () => {
    const objects = memoryObjects();
    const a = await replica(objects, "a");
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "one" }));
    await a.leadOnce();
    const b = await replica(objects, "b");
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "two" }));
    await a.leadOnce();
    const key = "events/0000000003.json";
    objects.bucket.put(key, Buffer.from(objects.bucket.get(key)!.body.toString().replace("two", "too")));
    await expect(b.leadOnce()).rejects.toMatchObject({ code: "HASH_MISMATCH" });
    expect(objects.bucket.get("events/0000000004.json")).toBeUndefined();
  });

  it("a leader that loses its lease while it records stops there", async () => {
    const held = leadership("b_1");
    const seen: string[] = [];
    const b = await replica(memoryObjects(), "b", {
      on: {
        recorded: ({ key }) => {
          seen.push(key);
          held.lose();
        },
      },
    });
    for (const name of ["x", "y", "z"]) await b.recorder.observed(EVERYWHERE, agent(name, { role: "r" }));
    await expect(b.leadOnce(held)).rejects.toBeInstanceOf(LeadershipLostError);
    expect(seen).toEqual(["agents universe/x"]);
    expect(b.recorder.depth).toBe(2);
  });

  it("in batch mode many objects share a write, and each object's changes stay apart and in order", async () => {
    const objects = memoryObjects();
    const a = await replica(objects, "a", {}, undefined, 100);
    for (let n = 0; n < 250; n++) await a.recorder.observed(EVERYWHERE, agent(`o${n}`, { role: "one" }));
    for (let n = 0; n < 250; n++) await a.recorder.observed(EVERYWHERE, agent(`o${n}`, { role: "two" }));
    await a.leadOnce();
    const told = await history(a.store);
    expect(told).toHaveLength(500);
    expect(told.indexOf("AgentObserved o7 one")).toBeLessThan(told.indexOf("AgentObserved o7 two"));
    expect(objects.bucket.keys().filter((key) => /\/\d{10}\.json$/.test(key)).length).toBe(6);
  });

  it("holds the watch back when too much waits, until the leader has made room", async () => {
    const a = await replica(memoryObjects(), "a", { capacity: 5_000 });
    let accepted = 0;
    const feed = (async () => {
      for (let n = 0; n < 40; n++) {
        await a.recorder.observed(EVERYWHERE, agent(`o${n}`, { role: "r" }));
        accepted++;
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(accepted).toBeLessThan(10);
    await a.leadOnce();
    while (accepted < 40) await a.leadOnce();
    await feed;
    await a.leadOnce();
    expect(await history(a.store)).toHaveLength(40);
  });

  it("a replica that does not lead keeps the newest of each object when too much waits", async () => {
    const a = await replica(memoryObjects(), "a", { capacity: 5_000 });
    for (let n = 0; n < 40; n++) await a.recorder.observed(EVERYWHERE, agent("x", { role: `r${n}` }));
    expect(a.recorder.depth).toBeLessThan(10);
    await a.leadOnce();
    expect((await history(a.store)).at(-1)).toBe("AgentObserved x r39");
  });

  it("says which statuses do not say what the log holds", async () => {
    const objects = memoryObjects();
    const a = await replica(objects, "a");
    for (const name of ["told", "untold", "wrong"]) await a.recorder.observed(EVERYWHERE, agent(name, { role: "r" }));
    await a.leadOnce();
    const b = await replica(objects, "b");
    const told = (seq: number) => ({
      conditions: [{ type: "Recorded", message: recordedMessage(seq, "a".repeat(64)) }],
    });
    await b.recorder.observed(EVERYWHERE, { ...agent("told", { role: "r" }), status: told(1) });
    await b.recorder.observed(EVERYWHERE, { ...agent("wrong", { role: "r" }), status: told(1) });
    await b.recorder.observed(EVERYWHERE, agent("untold", { role: "r" }));
    await b.leadOnce();
    expect(b.unreported).toEqual(["agents universe/wrong 3", "agents universe/untold 2"]);
  });
});

function passing(inner: ObjectStore): ObjectStore {
  return {
    identity: inner.identity,
    fence: inner.fence,
    putIfAbsent: (key, body, options) => inner.putIfAbsent(key, body, options),
    replaceIfMatch: (key, body, etag, options) => inner.replaceIfMatch(key, body, etag, options),
    get: (key, options) => inner.get(key, options),
    list: (options) => inner.list(options),
    delete: (key, options) => inner.delete(key, options),
    close: () => inner.close(),
  };
}
