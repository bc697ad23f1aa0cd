import { BackendError, MAX_RECORD_BYTES, memoryObjects, type ObjectStore } from "@rynxs/event-store";
import { describe, expect, it } from "vitest";
import { agent, EVERYWHERE, eventsOf, leadership, replica } from "../record/helpers.js";

/** Type and role of each event about an object, in the order of the log. */
async function history(store: Awaited<ReturnType<typeof replica>>["store"]): Promise<string[]> {
  return (await eventsOf(store))
    .filter(({ type }) => type !== "LeaderElected")
    .map(({ type, payload }) => `${type} ${payload["name"] as string} ${(payload["spec"] as { role: string }).role}`);
}

const keys = (...names: string[]) => new Set(names.map((name) => `universe/${name}`));

describe("nothing is recorded twice", () => {
  it("after an append whose outcome was unknown, and which had been stored", async () => {
    const inner = memoryObjects();
    let puts = 0;
    const a = await replica(inner, "a", {}, (objects) => ({
      ...passing(objects),
      putIfAbsent: async (key, body, options) => {
        const answer = await objects.putIfAbsent(key, body, options);
        if (!key.endsWith("0000000001.json")) return answer;
        puts++;
        if (puts === 1) return { outcome: "unknown", sent: true, cause: new BackendError("UNAVAILABLE", "no answer") };
        if (puts === 2) throw new BackendError("ACCESS_DENIED", "the credentials have expired");
        return answer;
      },
    }));
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "one" }));
    await a.leadOnce();
    expect(a.troubles).toMatchObject([{ code: "COMMIT_UNKNOWN" }]);
    expect(await history(a.store)).toEqual(["AgentObserved x one"]);
    // It is told like any other.
    expect(a.recorded).toEqual(["agents universe/x seen 1"]);
  });

  it("when an object lost its label and has it back, as it was, before the leader looked", async () => {
    const scope = { ...EVERYWHERE, labelSelector: "app=a" };
    const a = await replica(memoryObjects(), "a");
    await a.recorder.observed(scope, agent("x", { role: "one" }));
    await a.leadOnce();
    a.there.set("x", "uid-x");
    await a.recorder.deleted(scope, agent("x", { role: "one" }));
    await a.recorder.observed(scope, agent("x", { role: "one" }));
    await a.leadOnce();
    expect(await history(a.store)).toEqual(["AgentObserved x one"]);
    expect(a.recorder.depth).toBe(0);
  });

  it("when a full queue kept only the newest of changes that were taken back", async () => {
    const a = await replica(memoryObjects(), "a", { capacity: 5_000 });
    await a.recorder.observed(EVERYWHERE, agent("x", { role: "one" }));
    await a.leadOnce();
    for (let n = 0; n < 20; n++)
      for (const role of ["two", "one"]) await a.recorder.observed(EVERYWHERE, agent("x", { role }));
    await a.recorder.observed(EVERYWHERE, agent("y", { role: "one" }));
    await a.leadOnce();
    const told = await history(a.store);
    expect(told.filter((line, index) => line === told[index - 1])).toEqual([]);
    expect(told.at(-1)).toBe("AgentObserved y one");
  });

  it("and a deletion of what could never be recorded is none", async () => {
    const a = await replica(memoryObjects(), "a", { capacity: 2 * MAX_RECORD_BYTES });
    const role = "r".repeat(MAX_RECORD_BYTES);
    await a.recorder.observed(EVERYWHERE, agent("huge", { role }));
    await a.recorder.deleted(EVERYWHERE, agent("huge", { role }));
    await a.leadOnce();
    expect(a.refused).toHaveLength(1);
    expect(await history(a.store)).toEqual([]);
  });
});

describe("a leader", () => {
  it("whose queue is full when it takes over records what was deleted meanwhile, and goes on", async () => {
    const objects = memoryObjects();
    const a = await replica(objects, "a");
    for (const name of ["gone", "kept"]) await a.recorder.observed(EVERYWHERE, agent(name, { role: "r" }));
    await a.leadOnce();
    const b = await replica(objects, "b", { capacity: 5_000 });
    await b.recorder.observed(EVERYWHERE, agent("kept", { role: "r" }));
    const names = Array.from({ length: 12 }, (_, n) => `o${n}`);
    const waiting = names.map((name) => b.recorder.observed(EVERYWHERE, agent(name, { role: "r" })));
    // There is no room for the deletion that this list implies, either.
    waiting.push(b.recorder.listed(EVERYWHERE, keys("kept", ...names)));
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error("it hangs")), 3_000).unref());
    await Promise.race([b.leadOnce(), late]);
    await Promise.all(waiting);
    await b.leadOnce();
    const told = await history(b.store);
    expect(told.filter((line) => / o\d+ r$/.test(line))).toHaveLength(12);
    expect(told.filter((line) => line === "AgentDeleted gone r")).toHaveLength(1);
  });

  it("says that all is well again when there was trouble and then nothing to record", async () => {
    let works = 0;
    const a = await replica(memoryObjects(), "a", { on: { worksAgain: () => works++ } }, (objects) => {
      let puts = 0;
      return {
        ...passing(objects),
        putIfAbsent: async (key, body, options) => {
          if (/\d{10}\.json$/.test(key) && puts++ === 0) throw new BackendError("ACCESS_DENIED", "not yet");
          return objects.putIfAbsent(key, body, options);
        },
      };
    });
    await a.leadOnce();
    expect(works).toBe(1);
  });

  it("puts the statuses right of what is listed only after it took over", async () => {
    const objects = memoryObjects();
    const a = await replica(objects, "a");
    for (const name of ["x", "y"]) await a.recorder.observed(EVERYWHERE, agent(name, { role: "r" }));
    await a.leadOnce();
    let leads = (): void => {};
    const led = new Promise<void>((resolve) => (leads = resolve));
    const unreported: string[] = [];
    const on = {
      leads: () => leads(),
      unreported: ({ key }: { key: string }, seq: number) => unreported.push(`${key} ${seq}`),
    };
    const b = await replica(objects, "b", { on });
    const draining = new AbortController();
    const leading = b.recorder.lead(leadership("b"), draining.signal);
    await led;
    await b.recorder.observed(EVERYWHERE, agent("x", { role: "r" }));
    await b.recorder.observed(EVERYWHERE, agent("y", { role: "new" }));
    while (b.recorder.depth > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await b.recorder.listed(EVERYWHERE, keys("x", "y"));
    draining.abort();
    await leading;
    // Of y it says so where it records it.
    expect(unreported).toEqual(["agents universe/x 1"]);
  });

  it("records a deletion all the same when what it deletes is in an archive", async () => {
    const objects = memoryObjects();
    const a = await replica(objects, "a");
    for (const name of ["x", "z"]) await a.recorder.observed(EVERYWHERE, agent(name, { role: "r" }));
    await a.leadOnce();
    let archived = false;
    const b = await replica(objects, "b", {}, (inner) => ({
      ...passing(inner),
      get: async (key, options) => {
        if (archived && key.endsWith("0000000001.json")) throw new BackendError("ARCHIVED", "restore it first");
        return inner.get(key, options);
      },
    }));
    archived = true;
    await b.recorder.observed(EVERYWHERE, agent("x", { role: "r" }));
    await b.recorder.deleted(EVERYWHERE, agent("x", { role: "r" }));
    await b.recorder.observed(EVERYWHERE, agent("y", { role: "r" }));
    await b.leadOnce();
    expect(b.troubles).toEqual([]);
    const events = (await eventsOf(a.store)).slice(-2);
    expect(events).toMatchObject([
      { type: "AgentDeleted", aggregateId: "universe/x", payload: { name: "x", namespace: "universe" } },
      { type: "AgentObserved", aggregateId: "universe/y" },
    ]);
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
