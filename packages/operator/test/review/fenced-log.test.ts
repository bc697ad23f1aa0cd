import { defineProjection, memoryObjects, project, type EventStore } from "@rynxs/event-store";
import { describe, expect, it } from "vitest";
import { FencedLog } from "../../src/record/fenced-log.js";
import { LOGGED_STATE } from "../../src/record/logged-state.js";
import { FakeTime } from "../fake-time.js";
import { eventsOf, leadership, openLog } from "../record/helpers.js";

const entry = { type: "AgentObserved", aggregateId: "universe/x", payload: '{"name":"x"}', resource: "agents" };

async function writer(objects: ReturnType<typeof memoryObjects>, name: string) {
  const store = await openLog(objects);
  const log = new FencedLog(store, { writerId: name, runtime: new FakeTime().runtime() });
  await log.load(new AbortController().signal);
  return { store, log };
}

/** As somebody else who may append writes it. */
const claim = (store: EventStore, epoch: number) =>
  store.append({
    type: "LeaderElected",
    aggregateId: "rynxs/rynxs-operator",
    payload: { epoch, holder: "somebody_else" },
    meta: { source: "kubernetes", resource: "leases.coordination.k8s.io" },
  });

describe("LeaderElected events of another program", () => {
  it.each([Number.MAX_SAFE_INTEGER, 1, 0, -7])(
    "with epoch %s neither keep anybody from leading, nor have an epoch given out twice",
    async (epoch) => {
      const objects = memoryObjects();
      const a = await writer(objects, "a");
      const other = await openLog(objects);
      for (const expected of [1, 2, 3]) {
        const held = leadership(`a_${String(expected)}`);
        expect(await a.log.takeOver(held)).toBe(expected);
        expect(await a.log.append(held, expected, [entry])).toHaveLength(1);
        await claim(other, epoch);
        await expect(a.log.append(held, expected, [entry]), String(expected)).rejects.toMatchObject({ reason: "log" });
      }
      const b = await writer(objects, "b");
      expect(await b.log.takeOver(leadership("b"))).toBe(4);
      const ours = (await eventsOf(a.store)).filter(({ meta }) => meta["writer_id"] === "a");
      expect(ours.map(({ meta }) => meta["fencing_token"])).toEqual([1, 1, 2, 2, 3, 3]);
    },
  );

  it("depose the leader also when they claim its very epoch", async () => {
    const objects = memoryObjects();
    const a = await writer(objects, "a");
    const held = leadership("a_1");
    const epoch = await a.log.takeOver(held);
    await claim(await openLog(objects), epoch);
    await expect(a.log.append(held, epoch, [entry])).rejects.toMatchObject({ reason: "log" });
    expect(await a.log.takeOver(leadership("a_2"))).toBe(epoch + 1);
  });
});

describe("a snapshot that somebody else wrote", () => {
  it.each([{}, null, [], { leader: null }, { leader: 5, objects: {} }, { leader: null, objects: [] }])(
    "and that is no state of this projection (%j) costs nothing but speed",
    async (state) => {
      const objects = memoryObjects();
      const a = await writer(objects, "a");
      const held = leadership("a_1");
      const epoch = await a.log.takeOver(held);
      await a.log.append(held, epoch, [entry]);
      const { name, version } = LOGGED_STATE;
      const other = defineProjection<unknown>({ name, version, initial: () => state, apply: (same) => same });
      await project(a.store, other, { snapshot: true });
      const same = await writer(objects, "b");
      expect(same.log.state).toEqual(a.log.state);
      await a.log.append(held, epoch, [{ ...entry, aggregateId: "universe/y" }]);
      const further = await writer(objects, "c");
      expect(further.log.state).toEqual(a.log.state);
      expect(further.log.head).toEqual(a.log.head);
    },
  );
});
