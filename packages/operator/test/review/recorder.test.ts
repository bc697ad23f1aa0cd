import { BackendError, memoryObjects, type ObjectStore } from "@rynxs/event-store";
import { describe, expect, it } from "vitest";
import { agent, EVERYWHERE, eventsOf, replica } from "../record/helpers.js";

/** Type and role of each event about an object, in the order of the log. */
async function history(store: Awaited<ReturnType<typeof replica>>["store"]): Promise<string[]> {
  return (await eventsOf(store))
    .filter(({ type }) => type !== "LeaderElected")
    .map(({ type, payload }) => `${type} ${payload["name"] as string} ${(payload["spec"] as { role: string }).role}`);
}

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
