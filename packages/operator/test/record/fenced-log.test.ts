import { memoryObjects, type ObjectStore } from "@rynxs/event-store";
import { describe, expect, it } from "vitest";
import { FencedLog } from "../../src/record/fenced-log.js";
import { FakeTime } from "../fake-time.js";
import { eventsOf, leadership, openLog } from "./helpers.js";

const NEVER = new AbortController().signal;
const entry = (name: string) => ({
  type: "AgentObserved",
  aggregateId: `universe/${name}`,
  payload: JSON.stringify({ name }),
  resource: "agents",
});

async function writer(
  objects: ReturnType<typeof memoryObjects>,
  name: string,
  observe?: (o: ObjectStore) => ObjectStore,
) {
  const store = await openLog(objects, observe);
  const log = new FencedLog(store, {
    writerId: name,
    runtime: new FakeTime().runtime(),
  });
  await log.load(NEVER);
  return { store, log };
}

describe("a log fenced by epochs", () => {
  it("begins a leadership with a LeaderElected event of the next epoch, and marks every event with it", async () => {
    const objects = memoryObjects();
    const a = await writer(objects, "pod-a");
    const epoch = await a.log.takeOver(leadership("pod-a_1"));
    expect(epoch).toBe(1);
    await a.log.append(leadership("pod-a_1"), epoch, [entry("x"), entry("y")]);
    const b = await writer(objects, "pod-b");
    expect(await b.log.takeOver(leadership("pod-b_1"))).toBe(2);
    expect(await eventsOf(b.store)).toMatchObject([
      {
        type: "LeaderElected",
        aggregateId: "rynxs/rynxs-operator",
        payload: { epoch: 1, holder: "pod-a_1", lease: "rynxs/rynxs-operator", lease_transitions: 0 },
        meta: { source: "kubernetes", resource: "leases.coordination.k8s.io", writer_id: "pod-a", fencing_token: 1 },
      },
      { meta: { source: "kubernetes", resource: "agents", writer_id: "pod-a", fencing_token: 1 } },
      { aggregateId: "universe/y", meta: { fencing_token: 1 } },
      { type: "LeaderElected", payload: { epoch: 2, holder: "pod-b_1" } },
    ]);
  });

  it("a leader that another has followed in the log can append nothing, though it believes that it leads", async () => {
    const objects = memoryObjects();
    const [a, b] = [await writer(objects, "a"), await writer(objects, "b")];
    const held = leadership("a_1");
    const epoch = await a.log.takeOver(held);
    await a.log.append(held, epoch, [entry("x")]);
    await b.log.takeOver(leadership("b_1"));
    expect(held.valid()).toBe(true);
    await expect(a.log.append(held, epoch, [entry("stale")])).rejects.toMatchObject({
      name: "LeadershipLostError",
      reason: "log",
    });
    // And not at a second try either.
    await expect(a.log.append(held, epoch, [entry("stale")])).rejects.toMatchObject({ reason: "log" });
    expect((await eventsOf(b.store)).map(({ type }) => type)).toEqual([
      "LeaderElected",
      "AgentObserved",
      "LeaderElected",
    ]);
  });

  it("others' records in between are no new leader: the caller hears that the log has moved", async () => {
    const objects = memoryObjects();
    const a = await writer(objects, "a");
    const held = leadership("a_1");
    const epoch = await a.log.takeOver(held);
    const controller = await openLog(objects);
    await controller.append({ type: "ActionsDecided", aggregateId: "universe/x", payload: {} });
    expect(await a.log.append(held, epoch, [entry("x")])).toBeNull();
    expect(a.log.head.seq).toBe(1);
    expect(await a.log.append(held, epoch, [entry("x")])).toMatchObject([{ seq: 2 }]);
  });

  it("a leadership that is over by the clock sends nothing", async () => {
    const objects = memoryObjects();
    let puts = 0;
    const a = await writer(objects, "a", (inner) => counting(inner, () => puts++));
    const held = leadership("a_1");
    const epoch = await a.log.takeOver(held);
    const before = puts;
    held.expire();
    await expect(a.log.append(held, epoch, [entry("x")])).rejects.toMatchObject({ reason: "lease" });
    await expect(a.log.takeOver(held)).rejects.toMatchObject({ reason: "lease" });
    expect(puts).toBe(before);
  });

  it("of many that take over at once each has an epoch of its own, in the order of the log", async () => {
    const objects = memoryObjects();
    const writers = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => writer(objects, `w${n}`)));
    const epochs = await Promise.all(writers.map(({ log }, n) => log.takeOver(leadership(`w${n}_1`))));
    expect([...epochs].sort()).toEqual([1, 2, 3, 4, 5, 6]);
    const elected = await eventsOf(writers[0]!.store);
    expect(elected.map(({ payload }) => payload["epoch"])).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("a put that a paused leader has under way lands before its successor's election, or not at all", async () => {
    for (const lands of [true, false]) {
      const objects = memoryObjects();
      let release = (): void => {};
      const gate = new Promise<void>((resolve) => (release = resolve));
      let hold = false;
      const a = await writer(objects, "a", (inner) => ({
        ...delegate(inner),
        putIfAbsent: async (key, body, options) => {
          if (hold && lands) {
            const outcome = await inner.putIfAbsent(key, body, options);
            await gate;
            return outcome;
          }
          if (hold) await gate;
          return inner.putIfAbsent(key, body, options);
        },
      }));
      const held = leadership("a_1");
      const epoch = await a.log.takeOver(held);
      hold = true;
      const late = a.log.append(held, epoch, [entry("late")]);
      const outcome = late.then(
        (written) => written?.length,
        (error: unknown) => error,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
      const b = await writer(objects, "b");
      await b.log.takeOver(leadership("b_1"));
      await b.log.append(leadership("b_1"), 2, [entry("new")]);
      release();
      if (lands) expect(await outcome).toBe(1);
      else expect(await outcome).toMatchObject({ reason: "log" });
      const tokens = (await eventsOf(b.store)).map(({ meta }) => meta["fencing_token"]);
      expect(tokens).toEqual(lands ? [1, 1, 2, 2] : [1, 2, 2]);
    }
  });

  it("settles what an earlier leadership left open before it takes over again", async () => {
    const objects = memoryObjects();
    let answer: "real" | "lost" = "real";
    const a = await writer(objects, "a", (inner) => ({
      ...delegate(inner),
      putIfAbsent: async (key, body, options) => {
        if (answer === "real") return inner.putIfAbsent(key, body, options);
        await inner.putIfAbsent(key, body, options);
        held.lose();
        return { outcome: "unknown", sent: true, cause: new Error("lost") as never };
      },
    }));
    const held = leadership("a_1");
    const epoch = await a.log.takeOver(held);
    answer = "lost";
    await expect(a.log.append(held, epoch, [entry("x")])).rejects.toMatchObject({ code: "COMMIT_UNKNOWN" });
    answer = "real";
    expect(await a.log.takeOver(leadership("a_2"))).toBe(2);
    expect((await eventsOf(a.store)).map(({ type }) => type)).toEqual([
      "LeaderElected",
      "AgentObserved",
      "LeaderElected",
    ]);
    expect(Object.keys(a.log.state.objects)).toEqual(["agents universe/x"]);
  });

  it("starts from a snapshot, and reads on from there", async () => {
    const objects = memoryObjects();
    const a = await writer(objects, "a");
    const held = leadership("a_1");
    const epoch = await a.log.takeOver(held);
    for (let n = 0; n < 20; n++) await a.log.append(held, epoch, [entry(`x${n}`)]);
    await writer(objects, "b");
    await a.log.append(held, epoch, [entry("later")]);
    const read: string[] = [];
    const c = await writer(objects, "c", (inner) => ({
      ...delegate(inner),
      get: (key, options) => {
        read.push(key);
        return inner.get(key, options);
      },
    }));
    expect(c.log.head.seq).toBe(21);
    expect(Object.keys(c.log.state.objects)).toHaveLength(21);
    expect(c.log.state).toEqual(a.log.state);
    expect(read.filter((key) => /\d{10}\.json$/.test(key)).length).toBeLessThan(6);
  });
});

function delegate(inner: ObjectStore): ObjectStore {
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

function counting(inner: ObjectStore, onPut: () => void): ObjectStore {
  return {
    ...delegate(inner),
    putIfAbsent: (key, body, options) => {
      onPut();
      return inner.putIfAbsent(key, body, options);
    },
  };
}
