// npm run demo:operator: from `helm install` to the first recorded event and a fail-over, as far as that goes without a cluster. The API server
// and the bucket are the testing kits' own; the operators are real processes, with the environment that the chart gives them.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startS3Emulator } from "@rynxs/event-store/testing";
import { startFakeCluster } from "@rynxs/operator/testing";
import { parse, parseAllDocuments } from "yaml";
import { helm } from "./tools.mjs";

const NAMESPACE = "rynxs";
const AGENTS = "agents.universe.ai/v1alpha1";
const folder = mkdtempSync(join(tmpdir(), "rynxs-operator-demo-"));
const bucket = await startS3Emulator();
const cluster = await startFakeCluster({ namespaces: [NAMESPACE, "universe"] });
const kubeconfig = join(folder, "kubeconfig");
writeFileSync(kubeconfig, cluster.kubeconfig, { mode: 0o600 });
const values = [
  "replicaCount=2",
  "logSink.type=s3",
  "logSink.s3.bucket=events",
  `logSink.s3.endpoint=${bucket.endpoint}`,
  "leaderElection.leaseDurationSeconds=6",
  "leaderElection.renewDeadlineSeconds=4",
  "leaderElection.retryPeriodSeconds=1",
];
const keys = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "testsecret" };
const replicas = [];

const say = (text) => process.stdout.write(`${text}\n`);
const command = (text) => say(`\n$ ${text}`);

/** What the chart makes of the values; without Helm, the definition alone and the variables that matter. */
function install() {
  const set = values.flatMap((value) => ["--set", value]);
  command(`helm install rynxs helm/rynxs -n ${NAMESPACE} ${set.join(" ")}`);
  try {
    const text = execFileSync(helm(4), ["template", "rynxs", "helm/rynxs", "-n", NAMESPACE, ...set], {
      encoding: "utf8",
    });
    const manifests = parseAllDocuments(text)
      .map((document) => document.toJS())
      .filter(Boolean);
    for (const { kind, metadata } of manifests) say(`${kind}/${metadata.name}`);
    const { containers } = manifests.find(({ kind }) => kind === "Deployment").spec.template.spec;
    const plain = containers[0].env.filter(({ value }) => value !== undefined);
    cluster.apply(manifests.find(({ kind }) => kind === "CustomResourceDefinition"));
    return Object.fromEntries(plain.map(({ name, value }) => [name, value]));
  } catch (error) {
    say(
      `(Helm is not there: ${error.message.split("\n")[0]}; node scripts/tools.mjs fetches it. What the chart sets is set here.)`,
    );
    const crd = parse(readFileSync("helm/rynxs/files/crd-agents.yaml", "utf8"));
    const head = { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" };
    cluster.apply({ ...head, metadata: { name: "agents.universe.ai" }, ...crd });
    const times = {
      RYNXS_LEASE_DURATION_SECONDS: "6",
      RYNXS_RENEW_DEADLINE_SECONDS: "4",
      RYNXS_RETRY_PERIOD_SECONDS: "1",
    };
    return { EVENT_STORE_TYPE: "s3", S3_BUCKET: "events", S3_ENDPOINT: bucket.endpoint, ...times };
  }
}

function startReplica(name, env) {
  const own = { POD_NAME: name, RYNXS_OPERATOR_NAMESPACE: NAMESPACE, METRICS_PORT: "0", RYNXS_HTTP_HOST: "127.0.0.1" };
  const child = spawn(process.execPath, ["packages/operator/bin/rynxs-operator.js"], {
    env: { ...process.env, ...env, ...keys, ...own, KUBECONFIG: kubeconfig, RYNXS_LOG_FORMAT: "json" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const replica = { name, child, ended: new Promise((resolve) => child.on("close", resolve)), leads: false };
  child.stdout.setEncoding("utf8").on("data", (text) => {
    for (const line of text.split("\n").filter((line) => line !== "")) {
      const { message, epoch, type, object, seq } = JSON.parse(line);
      if (message === "leads") {
        replica.leads = true;
        say(`${name}: leads, epoch ${epoch}`);
      } else if (message === "recorded") say(`${name}: recorded ${type} of ${object} as seq ${seq}`);
    }
  });
  replicas.push(replica);
  return replica;
}

async function until(what, holds) {
  for (const end = performance.now() + 60_000; performance.now() < end;) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`did not come true: ${what}`);
}

const statusOf = (name) => cluster.get(AGENTS, `universe/${name}`)?.status ?? {};
const agent = (name, spec) => ({
  apiVersion: "universe.ai/v1alpha1",
  kind: "Agent",
  metadata: { name, namespace: "universe" },
  spec,
});

async function apply(name, spec) {
  const seq = statusOf(name).recordedSeq;
  command(`kubectl apply -f - <<< '${JSON.stringify(agent(name, spec))}'`);
  cluster.apply(agent(name, spec));
  await until(
    `${name} is recorded`,
    () => statusOf(name).recordedSeq !== seq && statusOf(name).recordedSeq !== undefined,
  );
}

function rynxs(...args) {
  command(`rynxs ${args.join(" ")} --store s3://events/events`);
  const all = ["packages/cli/bin/rynxs.js", ...args, "--store", "s3://events/events", "--endpoint", bucket.endpoint];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, all, { stdio: "inherit", env: { ...process.env, ...keys } });
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`rynxs ${args[0]} ended with ${code}`))));
  });
}

try {
  const env = install();
  const first = startReplica("rynxs-0", env);
  await until("one leads", () => first.leads);
  const second = startReplica("rynxs-1", env);
  await apply("researcher", { team: "lab" });
  await apply("researcher", { team: "lab", role: "lead" });

  command("kubectl get agents -A");
  const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
  await table(accept);

  command("kubectl delete pod rynxs-0 --grace-period=0 --force");
  first.child.kill("SIGKILL");
  await first.ended;
  cluster.apply(agent("researcher", { team: "field", role: "lead" }));
  say("(while nobody leads, the team of the agent is changed)");
  await until("the other leads", () => second.leads && statusOf("researcher").recordedSeq === 4);
  command("kubectl delete agent researcher -n universe");
  cluster.remove(AGENTS, "universe/researcher");
  await until("the deletion is recorded", () => bucket.objects("events").get("events/0000000005.json") !== undefined);

  await rynxs("read");
  await rynxs("verify");
  command("kubectl delete pod rynxs-1");
  second.child.kill("SIGTERM");
  say(`rynxs-1: ended with ${await second.ended}`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  for (const { child } of replicas) child.kill("SIGKILL");
  await cluster.close();
  await bucket.close();
  rmSync(folder, { recursive: true, force: true });
}

/** As kubectl shows it: the server makes the table from the definition's columns. */
async function table(accept) {
  const { get } = await import("node:https");
  const body = await new Promise((resolve, reject) => {
    const headers = { accept, authorization: `Bearer ${cluster.token}` };
    get(`${cluster.url}/apis/universe.ai/v1alpha1/agents`, { ca: cluster.caCertificate, headers }, (answer) => {
      let text = "";
      answer
        .setEncoding("utf8")
        .on("data", (chunk) => (text += chunk))
        .on("end", () => resolve(JSON.parse(text)));
    }).on("error", reject);
  });
  const columns = body.columnDefinitions
    .map(({ name, priority }, index) => ({ name, index, priority }))
    .filter(({ priority }) => !priority);
  const rows = [
    columns.map(({ name }) => name.toUpperCase()),
    ...body.rows.map(({ cells }) => columns.map(({ index }) => String(cells[index]))),
  ];
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => row[index].length)) + 3);
  for (const row of rows)
    say(
      row
        .map((cell, index) => cell.padEnd(widths[index]))
        .join("")
        .trimEnd(),
    );
}
