// What an operator lives in: an API server with agents, a bucket in another process, and the variables that name both.

import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { startFakeCluster } from "@rynxs/operator/testing";
import { parse } from "yaml";
import { openChild } from "../lib/child.mjs";
import { Cleanup } from "../lib/cleanup.mjs";
import { openDriver } from "../lib/s3.mjs";
import { median } from "../lib/stats.mjs";
import { eventually, now, OperatorProcess } from "./operator-process.mjs";

const definition = join(import.meta.dirname, "..", "..", "helm", "rynxs", "files", "crd-agents.yaml");
const NAMESPACE = "rynxs";
const ROUND_TRIPS = 21;
const BODY = Buffer.alloc(500, "x");
/** Of an agent's own, so that what a replica keeps of it is nobody else's. */
const PERSONA_WORDS = 128;

/** An agent of about 2 KB, as the API server stores it. */
export function agentAt(index, version = 0) {
  const name = `agent-${String(index).padStart(5, "0")}`;
  const words = Array.from({ length: PERSONA_WORDS }, (_, k) =>
    (Math.imul(index * 131 + k, 2654435761) >>> 0).toString(36),
  );
  return {
    apiVersion: "universe.ai/v1alpha1",
    kind: "Agent",
    metadata: { name, namespace: "default", labels: { team: `team-${index % 7}` } },
    spec: { role: "worker", team: `team-${index % 7}`, persona: { prompt: words.join(" ") }, custom: { version } },
  };
}

/** @param {{ latencyMs: number, folder: string }} options `latencyMs`: of the bucket */
export async function openWorld({ latencyMs, folder: parent }) {
  const folder = mkdtempSync(join(parent, "operator-"));
  const { spec } = parse(readFileSync(definition, "utf8"));
  const metadata = { name: "agents.universe.ai" };
  const cluster = await startFakeCluster({
    namespaces: [NAMESPACE],
    objects: [{ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata, spec }],
  });
  writeFileSync(join(folder, "kubeconfig"), cluster.kubeconfig);
  const what = { module: "contenders/operator-bucket.mjs", open: "bucket", options: { latencyMs } };
  return new World(cluster, await openChild(what, new Cleanup()), folder);
}

class World {
  cluster;
  bucket;
  #env;
  #operators = new Set();
  #versions = 0;

  constructor(cluster, bucket, folder) {
    this.cluster = cluster;
    this.bucket = bucket;
    const { endpoint, bucket: name, accessKeyId, secretAccessKey } = bucket.facts;
    this.#env = {
      PATH: process.env.PATH,
      KUBECONFIG: join(folder, "kubeconfig"),
      EVENT_STORE_TYPE: "s3",
      S3_ENDPOINT: endpoint,
      S3_BUCKET: name,
      S3_PREFIX: "log",
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      RYNXS_OPERATOR_NAMESPACE: NAMESPACE,
      METRICS_PORT: "0",
    };
  }

  /** @param {Record<string, string>} [env] beside what it needs */
  start(env = {}) {
    const operator = new OperatorProcess({ ...this.#env, ...env });
    this.#operators.add(operator);
    return operator;
  }

  /** One that leads already. */
  async startLeader(env) {
    const operator = this.start(env);
    await operator.ready();
    await operator.said("leads");
    return operator;
  }

  /** Asks it to end, and sees to it that it ended well. @returns {Promise<number>} when it was asked */
  async stop(operator) {
    const at = operator.signal("SIGTERM");
    const code = await operator.ended();
    this.#operators.delete(operator);
    if (code !== 0) throw new Error(`an operator ended with ${code} after SIGTERM`);
    return at;
  }

  async kill(operator) {
    await operator.kill();
    this.#operators.delete(operator);
  }

  addAgents(count) {
    for (let index = 0; index < count; index++) this.cluster.apply(agentAt(index));
  }

  /** Changes an agent, or makes it. @returns {{ id: string, at: number }} when the API server was told */
  change(index) {
    const agent = agentAt(index, ++this.#versions);
    const at = now();
    this.cluster.apply(agent);
    return { id: `default/${agent.metadata.name}`, at };
  }

  /** Until so many events have been stored since the bucket's `forget`. */
  stored(count) {
    return eventually(`bucket of ${count} events`, async () => (await this.bucket.call("count")).events >= count);
  }

  /** Median of PUTs and GETs of a small object, one after the other, by this process. */
  async roundTripMs() {
    const objects = openDriver(this.bucket.facts);
    const times = [];
    try {
      for (let i = 0; i < ROUND_TRIPS; i++) {
        const key = `round-trips/${now()}`;
        for (const request of [() => objects.putIfAbsent(key, BODY), () => objects.get(key)]) {
          const start = now();
          await request();
          times.push(now() - start);
        }
      }
    } finally {
      await objects.close();
    }
    return median(times);
  }

  async close() {
    for (const operator of this.#operators) await this.kill(operator);
    await this.cluster.close();
    await this.bucket.close();
  }
}

/** A pause of chance length between the two. */
export const pauseBetween = (leastMs, mostMs) => pause(leastMs + Math.random() * (mostMs - leastMs));
