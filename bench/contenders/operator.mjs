// The operator as real processes, against an API server and a bucket that say what was asked of them and when.

import { setTimeout as pause } from "node:timers/promises";
import { median, quantile } from "../lib/stats.mjs";
import { trafficOf } from "../lib/traffic.mjs";
import { eventually, now } from "./operator-process.mjs";
import { agentAt, openWorld, pauseBetween } from "./operator-world.mjs";

const SAMPLE_MS = 200;

const leaseEnv = ([duration, deadline, retry]) => ({
  RYNXS_LEASE_DURATION_SECONDS: String(duration),
  RYNXS_RENEW_DEADLINE_SECONDS: String(deadline),
  RYNXS_RETRY_PERIOD_SECONDS: String(retry),
});

/** One change after the other, none waiting for the one before. @param {{ latencyMs: number, folder: string, changes: number }} options */
export async function steady({ changes, ...place }) {
  const world = await openWorld(place);
  const agents = Math.min(changes, 50);
  const change = async (count) => {
    await world.bucket.call("forget");
    const made = [];
    for (let i = 0; i < count; i++) {
      made.push(world.change(i % agents));
      await pauseBetween(60, 140);
    }
    await world.stored(count);
    const events = await world.bucket.call("events");
    return made.map(({ id, at }, i) => {
      if (events[i].aggregateId !== id) throw new Error(`event ${i} is of ${events[i].aggregateId}, not of ${id}`);
      return events[i].at - at;
    });
  };
  return {
    async measure() {
      const operator = await world.startLeader();
      await change(agents);
      const roundTripMs = await world.roundTripMs();
      let latencies;
      const traffic = await trafficOf(world.bucket.facts.traffic, async () => (latencies = await change(changes)));
      await world.stop(operator);
      const p50Ms = median(latencies);
      return {
        puts: traffic.requests(/^PUT events/) / changes,
        requests: traffic.requests() / changes,
        p50Ms,
        p99Ms: quantile(latencies, 0.99),
        roundTripMs,
        overMs: p50Ms - 2 * roundTripMs,
      };
    },
    close: () => world.close(),
  };
}

/** A start where the log holds already what is there. @param {{ latencyMs: number, folder: string, agents: number, settleMs: number }} options */
export async function knownStart({ agents, settleMs, ...place }) {
  const world = await openWorld(place);
  world.addAgents(agents);
  await world.bucket.call("forget");
  const silent = JSON.stringify([{ resource: "agents.universe.ai/v1alpha1", status: false }]);
  const quiet = { RYNXS_WATCH: silent, RYNXS_KUBERNETES_EVENTS: "false" };
  const first = await world.startLeader({ ...quiet, RYNXS_S3_BATCH: "true" });
  await world.stored(agents + 1);
  await world.stop(first);
  sayRecorded(world.cluster, await world.bucket.call("events"));
  await world.bucket.call("split");
  return {
    async measure() {
      await world.bucket.call("forget");
      const before = world.cluster.requestCount;
      const operator = world.start();
      const readyMs = (await operator.ready()) - operator.startedAt;
      await operator.said("leads");
      const { rssMb } = await sampled(operator, settleMs);
      const stored = await world.bucket.call("events");
      const peakMb = operator.peakMb();
      const apiRequests = world.cluster.requestCount - before;
      await world.stop(operator);
      return {
        appends: stored.filter(({ type }) => type !== "LeaderElected").length,
        readyMs,
        rssMb,
        peakMb,
        apiRequests,
      };
    },
    close: () => world.close(),
  };
}

/** Statuses as the operator leaves them. */
function sayRecorded(cluster, events) {
  for (const [index, { seq, eventHash }] of events.filter(({ type }) => type === "AgentObserved").entries()) {
    const message = `seq ${seq}, event_hash ${eventHash}`;
    const lastTransitionTime = "2026-01-01T00:00:00Z";
    const condition = { type: "Recorded", status: "True", reason: "Appended", message, lastTransitionTime };
    const status = { conditions: [condition], observedGeneration: 1, recordedSeq: seq, recordedHash: eventHash };
    cluster.apply({ ...agentAt(index), status });
  }
}

/**
 * A start where all that is there is to be recorded and said of it; of a slow one, its first `limitMs`.
 * @param {{ latencyMs: number, folder: string, agents: number, batch: boolean, limitMs: number }} options
 */
export async function firstStart({ agents, batch, limitMs, ...place }) {
  const world = await openWorld(place);
  world.addAgents(agents);
  return {
    async measure() {
      await world.bucket.call("forget");
      const before = world.cluster.requestCount;
      const operator = world.start({ RYNXS_S3_BATCH: String(batch) });
      const readyMs = (await operator.ready()) - operator.startedAt;
      const { at } = await operator.said("leads");
      let rssMb = 0;
      let progress;
      // Of each agent it says so twice: in its status, and by a Kubernetes Event.
      const isDone = () => progress.events > agents && world.cluster.requestCount - before >= 2 * agents;
      do {
        await pause(SAMPLE_MS);
        rssMb = Math.max(rssMb, await operator.rssMb());
        progress = await world.bucket.call("count");
      } while (!isDone() && now() - at < limitMs);
      // One of them is LeaderElected.
      const { events, lastAt } = progress;
      return { perSecond: ((events - 1) / (lastAt - at)) * 1000, readyMs, rssMb, peakMb: operator.peakMb() };
    },
    close: () => world.close(),
  };
}

/** @param {{ latencyMs: number, folder: string, lease: number[], times: number }} options `lease`: duration, renew deadline, retry period; seconds */
export async function failOver({ lease, times, ...place }) {
  const world = await openWorld(place);
  const [durationS, , retryS] = lease;
  return {
    async measure() {
      const took = await withTwo(world, leaseEnv(lease), retryS * 1000, times, async (leader) => {
        await world.bucket.call("forget");
        const killed = leader.signal("SIGKILL");
        const { id } = world.change(0);
        await world.kill(leader);
        let recorded;
        await eventually("record of the next leader", async () => {
          recorded = (await world.bucket.call("events")).find(({ aggregateId }) => aggregateId === id);
          return recorded !== undefined;
        });
        return recorded.at - killed;
      });
      const boundMs = (durationS + retryS) * 1000;
      const [p50Ms, maxMs] = [median(took), Math.max(...took)];
      return { p50S: p50Ms / 1000, maxS: maxMs / 1000, p50Ratio: p50Ms / boundMs, maxRatio: maxMs / boundMs };
    },
    close: () => world.close(),
  };
}

/** @param {{ latencyMs: number, folder: string, lease: number[], times: number }} options */
export async function handOver({ lease, times, ...place }) {
  const world = await openWorld(place);
  return {
    async measure() {
      const took = await withTwo(world, leaseEnv(lease), 1000, times, async (leader, other) => {
        world.change(0);
        const asked = await world.stop(leader);
        const { at } = await other.said("leads");
        return { leadsS: (at - asked) / 1000, exitS: (leader.endedAt - asked) / 1000 };
      });
      const leads = took.map(({ leadsS }) => leadsS);
      return { p50S: median(leads), maxS: Math.max(...leads), exitS: median(took.map(({ exitS }) => exitS)) };
    },
    close: () => world.close(),
  };
}

/** `act` with a leader that it ends and another that waits, so many times. */
async function withTwo(world, env, spreadMs, times, act) {
  const results = [];
  let leader = await world.startLeader(env);
  for (let i = 0; i < times; i++) {
    const other = world.start(env);
    await other.ready();
    // It has looked at the Lease, and the leader is at any point between two renewals.
    await pauseBetween(500, 500 + spreadMs);
    results.push(await act(leader, other));
    await other.said("leads");
    leader = other;
  }
  await world.stop(leader);
  return results;
}

/** Memory after some changes, and after four times as many. @param {{ latencyMs: number, folder: string, changes: number }} options */
export async function longRun({ changes, ...place }) {
  const world = await openWorld(place);
  const atOnce = 20;
  return {
    async measure() {
      const operator = await world.startLeader();
      await world.bucket.call("forget");
      let made = 0;
      const upTo = async (count) => {
        const samples = [];
        while (made < count) {
          for (let i = 0; i < atOnce && made < count; i++) world.change(made++ % 100);
          await world.stored(made - atOnce);
          if (made > count - changes / 4) samples.push(await operator.rssMb());
        }
        await world.stored(count);
        return median(samples);
      };
      const start = now();
      const shortMb = await upTo(changes);
      const longMb = await upTo(4 * changes);
      const perSecond = (4 * changes * 1000) / (now() - start);
      await world.stop(operator);
      return { shortMb, longMb, ratio: longMb / shortMb, perSecond };
    },
    close: () => world.close(),
  };
}

/** The most within a while, and when it is over. */
async function sampled(operator, forMs) {
  const end = now() + forMs;
  let rssMb = 0;
  do {
    await pause(Math.min(SAMPLE_MS, forMs));
    rssMb = Math.max(rssMb, await operator.rssMb());
  } while (now() < end);
  return { rssMb };
}
