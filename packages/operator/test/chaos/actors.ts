import { setTimeout as sleep } from "node:timers/promises";
import type { FakeCluster } from "@rynxs/operator/testing";
import { hasAborted } from "../../src/watch/aborted.js";
import type { Changes } from "./changes.js";
import type { Counts } from "./counts.js";
import { someApiFault, someS3Fault, someWatchFault, type FaultChoice } from "./faults.js";
import type { Random } from "./random.js";
import type { Replica } from "./replica.js";
import { held, HELD } from "./s3-proxy.js";
import type { FaultyS3 } from "./s3.js";

export interface Stage {
  readonly cluster: FakeCluster;
  readonly s3: FaultyS3;
  readonly replicas: readonly Replica[];
  readonly changes: Changes;
  readonly counts: Counts;
  readonly random: Random;
  readonly choice: FaultChoice;
  /** Aborts when all is to heal. */
  readonly over: AbortSignal;
  /** Longest lease, milliseconds. */
  readonly leaseMs: number;
}

/** SIGTERM comes with a grace period of so many seconds; a process that is still there well after it has failed. */
export const GRACE_SECONDS = 10;
export const PATIENCE_MS = (GRACE_SECONDS + 10) * 1_000;

/** Waits, or less when all is to heal. */
export async function pause(ms: number, over: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: over }).catch(() => undefined);
}

/** Makes `total` changes over the time that is given, in bursts. */
export async function change({ changes, random, over }: Stage, total: number, ms: number): Promise<void> {
  const own = random.fork("pace");
  const began = performance.now();
  while (changes.done < total) {
    const due = over.aborted ? total : Math.min(total, Math.ceil(((performance.now() - began) / ms) * total));
    for (let left = due - changes.done; left > 0; left--) changes.one();
    // Without a rest at the end: what is left is made at once.
    if (changes.done < total) await pause(own.chance(0.1) ? own.between(500, 2_000) : own.between(10, 250), over);
  }
}

/** One replica's process: paused, killed, ended and started again. It runs when this returns. */
export async function trouble(stage: Stage, replica: Replica): Promise<void> {
  const { counts, over, leaseMs } = stage;
  const random = stage.random.fork(replica.name);
  const calm = stage.choice.short ? { min: 2_000, max: 6_000 } : { min: 4_000, max: 20_000 };
  for (;;) {
    await pause(random.between(calm.min, calm.max), over);
    if (over.aborted) break;
    if (replica.spared) continue;
    const what = random.pick(["short pause", "long pause", "SIGKILL", "SIGTERM"]);
    counts.add(`process: ${what}`);
    if (what === "SIGKILL") await replica.kill();
    else if (what === "SIGTERM") await replica.terminate(PATIENCE_MS);
    else {
      replica.pause();
      const isLong = what === "long pause";
      await pause(isLong ? random.between(leaseMs, leaseMs * 3) : random.between(100, leaseMs / 2), over);
      replica.resume();
      continue;
    }
    await pause(random.between(0, 3_000), over);
    replica.start();
  }
  replica.start();
}

/** Cuts one replica after the other off from the API server: more often than not the one that leads. */
export async function partition(stage: Stage): Promise<void> {
  const { cluster, replicas, counts, over, leaseMs } = stage;
  const random = stage.random.fork("partitions");
  for (;;) {
    await pause(random.between(3_000, stage.choice.short ? 6_000 : 20_000), over);
    if (over.aborted) return;
    const leader = random.chance(0.6) ? leaderOf(stage) : undefined;
    const victim = leader ?? random.pick(replicas);
    const mode = random.pick(["stall", "refuse"] as const);
    counts.add(`partition: ${mode}`);
    const heal = cluster.partition(({ user }) => user === victim.user, mode);
    await pause(random.between(500, leaseMs * 3), over);
    heal();
  }
}

export async function failApi({ cluster, counts, choice, over, ...stage }: Stage): Promise<void> {
  const random = stage.random.fork("api");
  for (;;) {
    await pause(random.between(200, 1_500), over);
    if (over.aborted) return;
    // What has met nobody is over: else a silence ends with all that came due in it.
    cluster.faults.clear();
    if (random.chance(0.2)) continue;
    if (random.chance(0.7)) {
      cluster.faults.add(someApiFault(random, choice));
      continue;
    }
    cluster.faults.add(someWatchFault(random, choice));
    // So that there are new ones for it to happen to.
    if (random.chance(0.5)) {
      counts.add("API: all watches cut");
      cluster.closeWatches();
    }
  }
}

/** The API server forgets what was; now and then it drops every connection. */
export async function forget({ cluster, counts, over, ...stage }: Stage): Promise<void> {
  const random = stage.random.fork("compaction");
  for (;;) {
    await pause(random.between(2_000, 8_000), over);
    if (over.aborted) return;
    counts.add("API: compaction");
    cluster.compact();
    if (!random.chance(0.3)) continue;
    counts.add("API: all connections closed");
    cluster.closeConnections();
  }
}

/**
 * Stops the leader in the moment that fencing is for: a put of it is on its way, and reaches the bucket only when another replica has long
 * taken over. Then it goes on, and believes that it leads.
 */
export async function ambush(stage: Stage): Promise<void> {
  const { cluster, s3, counts, over, leaseMs } = stage;
  const random = stage.random.fork("ambush");
  const happened = (): number => s3.happened.get(HELD) ?? 0;
  for (;;) {
    await pause(random.between(3_000, stage.choice.short ? 6_000 : 15_000), over);
    const before = happened();
    for (let tries = 0; tries < 100 && happened() === before && !over.aborted; tries++) {
      // Others clear the table. Only the leader puts records.
      if (tries % 10 === 0) s3.faults.add({ when: { method: "PUT", key: RECORD }, do: held(leaseMs * 4) });
      await pause(20, over);
    }
    if (over.aborted) return;
    const leader = leaderOf(stage);
    if (happened() === before || leader === undefined || leader.paused || leader.spared) continue;
    counts.add("process: stopped with a put on its way");
    leader.spared = true;
    leader.pause();
    const isLed = (): boolean => ![undefined, leader].includes(leaderOf(stage));
    for (let tries = 0; tries < 200 && !isLed() && !hasAborted(over); tries++) await pause((leaseMs * 3) / 200, over);
    await pause(1_000, over);
    // Nor does the API server tell it at once.
    const heal = cluster.partition(({ user }) => user === leader.user, "stall");
    s3.release();
    await pause(100, over);
    leader.resume();
    await pause(1_500, over);
    heal();
    leader.spared = false;
  }
}

const RECORD = /[0-9]{10}\.json$/;

export async function failS3({ s3, choice, over, ...stage }: Stage): Promise<void> {
  const random = stage.random.fork("s3");
  for (;;) {
    await pause(random.between(200, 1_500), over);
    if (over.aborted) return;
    s3.faults.clear();
    if (random.chance(0.7)) s3.faults.add(someS3Fault(random, choice));
  }
}

export async function rotate({ replicas, counts, over, ...stage }: Stage): Promise<void> {
  const random = stage.random.fork("tokens");
  for (;;) {
    await pause(random.between(2_000, 10_000), over);
    if (over.aborted) return;
    counts.add("API: token rotation");
    const revoke = random.pick(replicas).rotateToken();
    await pause(random.between(0, 1_500), over);
    revoke();
  }
}

/** The replica that the Lease names. */
export function leaderOf({ cluster, replicas }: Pick<Stage, "cluster" | "replicas">): Replica | undefined {
  const [lease] = cluster.list("leases.coordination.k8s.io/v1");
  const { holderIdentity = "" } = (lease?.["spec"] ?? {}) as { readonly holderIdentity?: string };
  return replicas.find(({ name }) => holderIdentity.startsWith(`${name}_`));
}
