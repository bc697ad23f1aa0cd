import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { S3EventStore, systemRuntime, type EventStore, type RecordedEvent } from "@rynxs/event-store";
import { startS3Emulator } from "@rynxs/event-store/testing";
import { parse } from "yaml";
import { kubeClient } from "../../src/kube/client.js";
import { kubeConfig } from "../../src/kube/config/kube-config.js";
import { KubeError } from "../../src/kube/errors.js";
import type { KubeApi, KubeObject } from "../../src/kube/port.js";
import { startFakeCluster, type FakeCluster, type FakeClusterOptions } from "../../src/testing/index.js";

const program = fileURLToPath(new URL("../../bin/rynxs-operator.js", import.meta.url));
const crd = fileURLToPath(new URL("../../../../helm/rynxs/files/crd-agents.yaml", import.meta.url));

/** The chart's own definition of an Agent. */
export const AGENT_CRD: KubeObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "agents.universe.ai" },
  ...(parse(readFileSync(crd, "utf8")) as { spec: object }),
};

/** Where the operator runs: an API server, a bucket, and namespaces of its own. Its processes are the built program. */
export interface World {
  /** Null: a real cluster, which KUBECONFIG named. */
  readonly fake: FakeCluster | null;
  readonly api: KubeApi;
  /** Of the Lease. */
  readonly home: string;
  /** Of the agents. */
  readonly namespace: string;
  readonly env: Readonly<Record<string, string>>;
  /** A file with another token. Only of the fake cluster. */
  kubeconfig(token: string): string;
  replica(name: string, env?: Readonly<Record<string, string>>): Replica;
  open(): Promise<EventStore>;
  close(): Promise<void>;
}

const real = process.env["RYNXS_TEST_KUBECONFIG"] ?? "";

export async function createWorld(options: FakeClusterOptions & { readonly fakeOnly?: boolean } = {}): Promise<World> {
  const scratch = mkdtempSync(join(tmpdir(), "rynxs-operator-"));
  const fake = real === "" || options.fakeOnly ? await startFakeCluster(options) : null;
  const kubeconfig = fake ? join(scratch, "kubeconfig") : real;
  if (fake) writeFileSync(kubeconfig, fake.kubeconfig, { mode: 0o600 });
  const api = kubeClient(await kubeConfig({ KUBECONFIG: kubeconfig }, { runtime: systemRuntime }), {
    runtime: systemRuntime,
    userAgent: "rynxs-test",
  });
  const id = systemRuntime.id().slice(0, 8);
  const [home, namespace] = [`rynxs-${id}`, `universe-${id}`];
  await createAgentKind(api);
  for (const name of [home, namespace])
    await api.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata: { name } } });
  const bucket = await openBucket(id);
  const env: Record<string, string> = {
    ...bucket.env,
    KUBECONFIG: kubeconfig,
    RYNXS_OPERATOR_NAMESPACE: home,
    RYNXS_WATCH: JSON.stringify([{ resource: "agents.universe.ai/v1alpha1", namespaces: [namespace] }]),
    RYNXS_LEASE_DURATION_SECONDS: "4",
    RYNXS_RENEW_DEADLINE_SECONDS: "3",
    RYNXS_RETRY_PERIOD_SECONDS: "1",
    METRICS_PORT: "0",
    RYNXS_SHUTDOWN_GRACE_SECONDS: "10",
  };
  const replicas: Replica[] = [];
  return {
    fake,
    api,
    home,
    namespace,
    env,
    kubeconfig: (token) => {
      const file = join(scratch, `kubeconfig-${token}`);
      writeFileSync(file, (fake?.kubeconfig ?? "").replace(fake?.token ?? "", token), { mode: 0o600 });
      return file;
    },
    replica: (name, more = {}) => {
      const replica = new Replica({ ...env, POD_NAME: name, ...more });
      replicas.push(replica);
      return replica;
    },
    open: () =>
      S3EventStore.open({
        endpoint: env["S3_ENDPOINT"],
        bucket: env["S3_BUCKET"] ?? "",
        prefix: env["S3_PREFIX"],
        accessKeyId: env["AWS_ACCESS_KEY_ID"],
        secretAccessKey: env["AWS_SECRET_ACCESS_KEY"],
      }),
    close: async () => {
      await Promise.all(replicas.map((replica) => replica.kill()));
      for (const name of [home, namespace])
        await api.request({ method: "DELETE", path: `/api/v1/namespaces/${name}` }).catch(() => undefined);
      await api.close();
      await fake?.close();
      await bucket.close();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

/** On a real cluster it may be there already, and not ours to remove. */
async function createAgentKind(api: KubeApi): Promise<void> {
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  await api.request({ method: "POST", path, body: AGENT_CRD }).catch((error: unknown) => {
    if (!(error instanceof KubeError && error.code === "CONFLICT")) throw error;
  });
  await until("the server has agents", async () => {
    const found = (await api.request({ method: "GET", path: "/apis/universe.ai/v1alpha1" }).catch(() => null)) as {
      resources?: unknown[];
    } | null;
    return (found?.resources ?? []).length > 0;
  });
}

/** A prefix of its own: of the real S3 server where the tests have one, else of an emulator. */
async function openBucket(id: string): Promise<{ env: Record<string, string>; close: () => Promise<void> }> {
  const { RYNXS_TEST_S3_ENDPOINT: endpoint = "", RYNXS_TEST_S3_BUCKET: bucket = "", ...env } = process.env;
  const common = { EVENT_STORE_TYPE: "s3", S3_PREFIX: `operator/${id}` };
  if (endpoint !== "") {
    const { AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "", AWS_REGION = "" } = env;
    const keys = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, S3_REGION: AWS_REGION };
    return { env: { ...common, S3_ENDPOINT: endpoint, S3_BUCKET: bucket, ...keys }, close: async () => {} };
  }
  const emulator = await startS3Emulator();
  const keys = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "testsecret" };
  return {
    env: { ...common, S3_ENDPOINT: emulator.endpoint, S3_BUCKET: "events", ...keys },
    close: () => emulator.close(),
  };
}

/** One process of the operator. */
export class Replica {
  readonly process: ChildProcess;
  readonly lines: Record<string, unknown>[] = [];
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** What was said on standard error. */
  problem = "";
  #rest = "";

  constructor(env: Readonly<Record<string, string>>) {
    const { PATH = "", HOME = "" } = process.env;
    this.process = spawn(process.execPath, [program], {
      env: { PATH, HOME, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => (this.problem += text));
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop() ?? "";
      this.lines.push(...lines.map((line) => JSON.parse(line) as Record<string, unknown>));
    });
    this.ended = new Promise((resolve) => this.process.on("close", (code, signal) => resolve(code ?? signal ?? "?")));
  }

  said(message: string): Record<string, unknown> | undefined {
    return this.lines.findLast((line) => line["message"] === message);
  }

  leads(): Promise<void> {
    return until(`it leads (${this.problem})`, () => this.said("leads") !== undefined);
  }

  async get(path: string): Promise<{ status: number; text: string }> {
    await until("it serves HTTP", () => this.said("started") !== undefined);
    const answer = await fetch(`http://127.0.0.1:${String(this.said("started")?.["port"])}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  async metric(name: string): Promise<number | undefined> {
    const { text } = await this.get("/metrics");
    const line = text.split("\n").find((line) => line.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  }

  signal(signal: "SIGTERM" | "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    this.process.kill(signal);
  }

  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.ended;
  }
}

/** @throws when it has not come true within 20 s */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end;) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`did not come true: ${what}`);
}

function agentsPath({ namespace }: World, name?: string): string {
  return `/apis/universe.ai/v1alpha1/namespaces/${namespace}/agents${name === undefined ? "" : `/${name}`}`;
}

export function createAgent(world: World, name: string, spec: object, labels: object = {}): Promise<unknown> {
  const body = { apiVersion: "universe.ai/v1alpha1", kind: "Agent", metadata: { name, labels }, spec };
  return world.api.request({ method: "POST", path: agentsPath(world), body });
}

export function changeAgent(world: World, name: string, patch: object): Promise<unknown> {
  const contentType = "application/merge-patch+json";
  return world.api.request({ method: "PATCH", path: agentsPath(world, name), contentType, body: patch });
}

export function deleteAgent(world: World, name: string): Promise<unknown> {
  return world.api.request({ method: "DELETE", path: agentsPath(world, name) });
}

export async function getAgent(world: World, name: string): Promise<KubeObject> {
  return (await world.api.request({ method: "GET", path: agentsPath(world, name) })) as KubeObject;
}

/** The log as it is now, verified. */
export async function eventsOf(world: World): Promise<RecordedEvent[]> {
  const store = await world.open();
  const events: RecordedEvent[] = [];
  for await (const event of store.read()) events.push(event);
  await store.close();
  return events;
}

/** Type, name and role of every event about an agent, once there are so many. */
export async function history(world: World, count: number): Promise<string[]> {
  let told: string[] = [];
  await until(`there are ${String(count)} events: ${told.join(", ")}`, async () => {
    told = (await eventsOf(world))
      .filter(({ type }) => type.startsWith("Agent"))
      .map(({ type, payload }) => `${type} ${payload["name"] as string} ${(payload["spec"] as { role: string }).role}`);
    return told.length >= count;
  });
  return told;
}
