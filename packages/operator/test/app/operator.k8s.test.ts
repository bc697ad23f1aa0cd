import { afterEach, describe, expect, it } from "vitest";
import {
  changeAgent,
  createAgent,
  createWorld,
  deleteAgent,
  eventsOf,
  getAgent,
  history,
  until,
  type World,
} from "./world.js";

// Runs against a real cluster, too: `npm run test:k8s`. Nothing here may rest on what only the fake one has.

let world: World;
afterEach(() => world.close());

const conditionsOf = async (name: string) =>
  ((await getAgent(world, name))["status"] as { conditions?: Record<string, unknown>[] } | undefined)?.conditions ?? [];
const recordedSeq = async (name: string) =>
  ((await getAgent(world, name))["status"] as { recordedSeq?: number } | undefined)?.recordedSeq;

describe("the operator on a cluster", () => {
  it("records what is there and what happens, says so on the objects, and ends cleanly", async () => {
    world = await createWorld();
    await createAgent(world, "before", {}, { app: "x" });
    const a = world.replica("op-0");
    await a.leads();
    await history(world, 1);
    await createAgent(world, "after", { role: "worker" });
    await history(world, 2);
    await changeAgent(world, "after", { spec: { role: "boss" } });
    await history(world, 3);
    await deleteAgent(world, "after");
    expect(await history(world, 4)).toEqual([
      "AgentObserved before worker",
      "AgentObserved after worker",
      "AgentObserved after boss",
      "AgentDeleted after boss",
    ]);

    const events = await eventsOf(world);
    const [elected, first] = events;
    expect(elected).toMatchObject({
      type: "LeaderElected",
      payload: { epoch: 1, lease: `${world.home}/rynxs-operator` },
    });
    expect(first).toMatchObject({
      aggregateId: `${world.namespace}/before`,
      payload: {
        name: "before",
        namespace: world.namespace,
        labels: { app: "x" },
        annotations: {},
        generation: 1,
        // The definition's defaults, as the server filled them in.
        spec_hash: "bbe11ff0eb326fcf",
      },
      meta: { source: "kubernetes", resource: "agents", writer_id: "op-0", fencing_token: 1 },
    });

    await until("the status says it", async () => (await recordedSeq("before")) === first!.seq);
    expect(await conditionsOf("before")).toMatchObject([
      {
        type: "Recorded",
        status: "True",
        message: `seq ${first!.seq}, event_hash ${first!.eventHash}`,
        observedGeneration: 1,
      },
    ]);
    const said = async (): Promise<{ reason: string; note: string; regarding: { name: string } }[]> => {
      const path = `/apis/events.k8s.io/v1/namespaces/${world.namespace}/events`;
      return ((await world.api.request({ method: "GET", path })) as { items: never[] }).items;
    };
    await until("Events say it", async () => (await said()).filter(({ reason }) => reason === "Recorded").length === 4);
    expect((await said()).map(({ note }) => note)).toContain(
      `AgentObserved recorded: seq ${first!.seq}, event_hash ${first!.eventHash}`,
    );

    expect(await a.get("/ready")).toEqual({ status: 200, text: "ok\n" });
    a.signal("SIGTERM");
    expect(await a.ended).toBe(0);
    expect(a.problem).toBe("");
  });

  it("records nothing again after a restart, and what was deleted or changed meanwhile", async () => {
    world = await createWorld();
    for (const name of ["same", "changed", "deleted"]) await createAgent(world, name, { role: "worker" });
    const a = world.replica("op-0");
    await history(world, 3);
    a.signal("SIGTERM");
    await a.ended;
    await changeAgent(world, "changed", { metadata: { annotations: { note: "x" } } });
    await deleteAgent(world, "deleted");
    const b = world.replica("op-0");
    await b.leads();
    const told = await history(world, 5);
    expect(told.slice(3).sort()).toEqual(["AgentDeleted deleted worker", "AgentObserved changed worker"]);
    // A status that another tool has rewritten is put right by the next leader.
    b.signal("SIGTERM");
    await b.ended;
    expect(await history(world, 5)).toHaveLength(5);
  });

  it("fails over when the leader is killed, with the changes that fell in between", async () => {
    world = await createWorld();
    const a = world.replica("op-0");
    await a.leads();
    const b = world.replica("op-1");
    await createAgent(world, "x", { role: "one" });
    await history(world, 1);
    await until("the other is ready", async () => (await b.get("/ready")).status === 200);
    a.signal("SIGKILL");
    await changeAgent(world, "x", { spec: { role: "two" } });
    await changeAgent(world, "x", { spec: { role: "three" } });
    expect(await history(world, 3)).toEqual(["AgentObserved x one", "AgentObserved x two", "AgentObserved x three"]);
    const events = await eventsOf(world);
    expect(events.map(({ meta }) => meta["fencing_token"])).toEqual([1, 1, 2, 2, 2]);
    expect(events.at(-1)?.meta["writer_id"]).toBe("op-1");
  });

  it("a leader that was stopped for longer than its lease finds itself deposed, and appends nothing", async () => {
    world = await createWorld();
    const a = world.replica("op-0");
    await a.leads();
    const b = world.replica("op-1");
    await until("the other is ready", async () => (await b.get("/ready")).status === 200);
    a.signal("SIGSTOP");
    await b.leads();
    await createAgent(world, "x", { role: "one" });
    await history(world, 1);
    a.signal("SIGCONT");
    await createAgent(world, "y", { role: "two" });
    await history(world, 2);
    await until("it knows", () => a.said("lost the lease; appends no more") !== undefined);
    expect((await eventsOf(world)).map(({ type, meta }) => [type, meta["writer_id"]])).toEqual([
      ["LeaderElected", "op-0"],
      ["LeaderElected", "op-1"],
      ["AgentObserved", "op-1"],
      ["AgentObserved", "op-1"],
    ]);
    expect(await a.metric("rynxs_leader_election_status")).toBe(0);
    expect(await b.metric("rynxs_leader_election_status")).toBe(1);
  });

  it("hands over at once when the leader is stopped", async () => {
    world = await createWorld();
    const a = world.replica("op-0", { RYNXS_LEASE_DURATION_SECONDS: "60", RYNXS_RENEW_DEADLINE_SECONDS: "40" });
    await a.leads();
    const b = world.replica("op-1", { RYNXS_LEASE_DURATION_SECONDS: "60", RYNXS_RENEW_DEADLINE_SECONDS: "40" });
    await until("the other is ready", async () => (await b.get("/ready")).status === 200);
    a.signal("SIGTERM");
    expect(await a.ended).toBe(0);
    // Long before the lease would have run out.
    await b.leads();
    await createAgent(world, "x", { role: "one" });
    expect(await history(world, 1)).toEqual(["AgentObserved x one"]);
  });
});
