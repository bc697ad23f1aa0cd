import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { S3EventStore, type EventStore, type RecordedEvent } from "@rynxs/event-store";
import { startFakeCluster, type FakeCluster, type KubeObject } from "@rynxs/operator/testing";
import * as actors from "./actors.js";
import { Changes, NAMESPACES } from "./changes.js";
import { checkEvidence, putToTheTest, unsettled, wrongStatuses, type Evidence } from "./checker.js";
import { decide } from "./controller.js";
import { Counts } from "./counts.js";
import { AGENTS, StateKeeper } from "./histories.js";
import { LogFollower } from "./log-follower.js";
import { processVerdicts } from "./processes.js";
import { seeded } from "./random.js";
import { Replica } from "./replica.js";
import { faultyS3, type S3Server } from "./s3.js";
import type { Verdict } from "./verdict.js";

export interface ChaosOptions {
  readonly seed: number;
  /** How long things go wrong; what comes after until all has settled is not counted. */
  readonly ms: number;
  readonly changes: number;
  /** Null: the emulator. */
  readonly server: S3Server | null;
  /** Root of the repository. */
  readonly root: string;
  /** rynxs-operator.js of another build; default: this repository's. */
  readonly operator?: string | undefined;
  /** For logs, tokens and kubeconfigs. */
  readonly folder: string;
  /** Whether what waits shares a write: RYNXS_S3_BATCH. */
  readonly batch: boolean;
  /** Leaves out the faults that hold something up for longer than a short run lasts. */
  readonly short: boolean;
  /** Told a few times a second. */
  readonly onProgress?: (text: string) => void;
}

export interface ChaosResult {
  readonly verdicts: readonly Verdict[];
  readonly counts: readonly (readonly [name: string, count: number])[];
  readonly figures: Readonly<Record<string, number | string>>;
  readonly evidence: Evidence;
  readonly logFiles: readonly string[];
}

const OBJECTS = 100;
const LEASE = { RYNXS_LEASE_DURATION_SECONDS: "3", RYNXS_RENEW_DEADLINE_SECONDS: "2", RYNXS_RETRY_PERIOD_SECONDS: "1" };
const LEASE_MS = 3_000;
/** After all has healed. The longest of what heals by itself: a silent watch (90 s) or a back-off (30 s), and what was piled up. */
const SETTLE_MS = { short: 90_000, long: 240_000 };
const CONTROLLERS = "rynxs";

/** Three replicas, an API server and a bucket, all that can go wrong with them, and what must hold in the end. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, ms, short, folder, root } = options;
  const random = seeded(seed);
  const counts = new Counts();
  const states = new StateKeeper();
  const cluster = await startFakeCluster({
    namespaces: [...NAMESPACES, CONTROLLERS],
    objects: [agentDefinition(root)],
  });
  const s3 = await faultyS3(options.server);
  const prefix = `chaos/${String(seed)}-${randomUUID()}`;
  const open = (server: S3Server): Promise<EventStore> =>
    S3EventStore.open({ ...server, prefix, onWarning: () => undefined });
  const changes = new Changes(cluster, states, random.fork("changes"), OBJECTS);
  const replicas = ["rynxs-0", "rynxs-1", "rynxs-2"].map(
    (name) =>
      new Replica({
        name,
        cluster,
        folder,
        binary: options.operator ?? join(root, "packages/operator/bin/rynxs-operator.js"),
        env: { ...operatorEnv(s3.faulty, prefix), RYNXS_S3_BATCH: String(options.batch) },
      }),
  );
  const healing = new AbortController();
  setMaxListeners(0, healing.signal);
  const stage: actors.Stage = {
    cluster,
    s3,
    replicas,
    changes,
    counts,
    random,
    choice: { short },
    over: healing.signal,
    leaseMs: LEASE_MS,
  };
  const store = await open(s3.direct);
  // Nothing fails for it, so that what happens to puts of records happens to the leader's.
  const controllers = await open(s3.direct);
  const began = performance.now();
  let phase = "chaos";
  const watching = setInterval(() => {
    tally(cluster, counts);
    for (const replica of replicas) void replica.measure();
    const seconds = Math.round((performance.now() - began) / 1000);
    options.onProgress?.(`${phase}: ${String(seconds)} s, ${String(changes.done)} changes, ${holders(replicas)}`);
  }, 500);
  try {
    for (const replica of replicas) replica.start();
    const going = [
      actors.change(stage, options.changes, ms * 0.95),
      ...replicas.map((replica) => actors.trouble(stage, replica)),
      actors.partition(stage),
      actors.failApi(stage),
      actors.forget(stage),
      actors.failS3(stage),
      actors.ambush(stage),
      actors.rotate(stage),
      decide(controllers, stage),
    ];
    await actors.pause(ms, AbortSignal.any([failed(going)]));
    phase = "healing";
    healing.abort();
    cluster.faults.clear();
    s3.faults.clear();
    await Promise.all(going);

    const healed = performance.now();
    const patience = short ? SETTLE_MS.short : SETTLE_MS.long;
    const follower = new LogFollower(store);
    const recorded = await until(patience, async () => {
      await follower.follow();
      return unsettled(follower.digests, { histories: states.histories }).length === 0;
    });
    const settledMs = performance.now() - healed;
    // Whoever leads next says on the objects what others wiped off.
    phase = "hand-over";
    const handedOver = performance.now();
    await actors.leaderOf(stage)?.terminate(actors.PATIENCE_MS);
    const finals = (): Map<string, KubeObject> => finalsOf(cluster);
    let statuses: string[] = [];
    await until(patience / 2, async () => {
      await follower.follow();
      statuses = wrongStatuses({ events: follower.events, histories: states.histories, finals: finals() });
      return statuses.length === 0;
    });
    const handOverMs = performance.now() - handedOver;
    phase = "ending";
    await Promise.all(replicas.map((replica) => replica.terminate(actors.PATIENCE_MS)));
    clearInterval(watching);
    tally(cluster, counts);
    for (const [name, count] of s3.happened) counts.set(`S3: ${name}`, count);
    for (const [name, count] of changes.counts) counts.set(`change: ${name}`, count);

    const report = await store.verify();
    const events: RecordedEvent[] = [];
    if (report.valid) for await (const event of store.read()) events.push(event);
    const evidence = { events, histories: states.histories, finals: finals() };
    const verdicts: Verdict[] = [
      { name: "log verifies", violations: report.valid ? [] : [report.error.message] },
      ...(recorded ? [] : [{ name: "settles in time", violations: [`not within ${String(patience)} ms`] }]),
      ...checkEvidence(evidence),
      { name: "statuses", violations: statuses },
      ...processVerdicts(replicas),
      { name: "enough happened", violations: putToTheTest(evidence) },
    ];
    const figures = figuresOf(evidence, replicas, { settledMs, handOverMs, changes: changes.done, s3: s3.name });
    return { verdicts, counts: counts.entries(), figures, evidence, logFiles: replicas.map(({ logFile }) => logFile) };
  } finally {
    healing.abort();
    clearInterval(watching);
    await Promise.all(replicas.map((replica) => replica.close()));
    await Promise.all([store.close(), controllers.close()]);
    await cluster.close();
    await s3.close();
  }
}

/** Aborts as soon as one of the actors fails: then the run is broken, and need not go on. */
function failed(going: readonly Promise<void>[]): AbortSignal {
  const broken = new AbortController();
  for (const actor of going) actor.catch(() => broken.abort());
  return broken.signal;
}

/** The chart's own. */
function agentDefinition(root: string): object {
  const { spec } = parse(readFileSync(join(root, "helm/rynxs/files/crd-agents.yaml"), "utf8")) as { spec: object };
  const metadata = { name: "agents.universe.ai" };
  return { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata, spec };
}

function operatorEnv(server: S3Server, prefix: string): Record<string, string> {
  return {
    ...LEASE,
    EVENT_STORE_TYPE: "s3",
    S3_ENDPOINT: server.endpoint,
    S3_BUCKET: server.bucket,
    S3_PREFIX: prefix,
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    RYNXS_OPERATOR_NAMESPACE: CONTROLLERS,
    RYNXS_SHUTDOWN_GRACE_SECONDS: String(actors.GRACE_SECONDS),
  };
}

/** The faults that requests have met since the last time. */
function tally(cluster: FakeCluster, counts: Counts): void {
  for (const { fault } of cluster.requests) if (fault !== null) counts.add(`API: ${fault}`);
  cluster.clearRequests();
}

function holders(replicas: readonly Replica[]): string {
  return replicas.map(({ paused, runs }) => (paused ? "paused" : runs ? "runs" : "down")).join(" ");
}

function finalsOf(cluster: FakeCluster): Map<string, KubeObject> {
  return new Map(
    cluster.list(AGENTS.name).map((object) => [`${object.metadata.namespace ?? ""}/${object.metadata.name}`, object]),
  );
}

async function until(ms: number, holds: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + ms;
  for (;;) {
    if (await holds()) return true;
    if (performance.now() > end) return false;
    await actors.pause(300, new AbortController().signal);
  }
}

function figuresOf(
  { events, histories, finals }: Evidence,
  replicas: readonly Replica[],
  more: { readonly settledMs: number; readonly handOverMs: number; readonly changes: number; readonly s3: string },
): Record<string, number | string> {
  const own = events.filter(({ meta }) => meta["source"] === "kubernetes");
  return {
    s3: more.s3,
    changes: more.changes,
    "states the API server had": [...histories.values()].reduce((sum, states) => sum + states.length, 0),
    "states recorded": own.filter(({ type }) => type !== "LeaderElected").length,
    epochs: own.filter(({ type }) => type === "LeaderElected").length,
    "events of the controller": events.length - own.length,
    "objects at the end": finals.size,
    processes: replicas.reduce((sum, { endings }) => sum + endings.length, 0),
    "settled after healing, ms": Math.round(more.settledMs),
    "statuses right after a hand-over, ms": Math.round(more.handOverMs),
    "peak RSS, MB": Math.round(Math.max(...replicas.map(({ peakRss }) => peakRss)) / 1e6),
  };
}

/** The repository that this file is in. */
export const ROOT: string = fileURLToPath(new URL("../../../../", import.meta.url));
