import { spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import type { Runtime } from "@rynxs/event-store";
import { KubeError } from "../errors.js";
import { bearer, type Credentials, type CredentialSource } from "./credentials.js";
import { FieldReader } from "./fields.js";

const VERSIONS = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
/** A plugin that takes longer is ended: it may wait for a person, and nobody is there. */
const PLUGIN_MS = 60_000;
const MAX_OUTPUT = 1024 * 1024;
/** How much of what the plugin complained about goes into the error. */
const MAX_COMPLAINT = 2000;
/** Credentials are renewed this long before they expire, so that none expires on its way. */
const EARLY_MS = 10_000;

/** What a plugin may want to know of the cluster (provideClusterInfo). */
export interface ExecCluster {
  readonly server: string;
  readonly verify: boolean;
  readonly serverName: string | undefined;
  readonly ca: (() => Promise<string>) | undefined;
  readonly config: unknown;
}

/**
 * Credentials that another program hands out (https://kubernetes.io/docs/reference/config-api/client-authentication.v1/), kept
 * until they expire or the server refuses them. One run serves all who wait.
 */
export function execCredentials(
  user: FieldReader,
  cluster: ExecCluster,
  env: Readonly<Record<string, string | undefined>>,
  runtime: Runtime,
  others: Credentials,
): CredentialSource {
  const exec: FieldReader = new FieldReader(user.file, "exec", user.raw("exec"));
  const apiVersion = exec.text("apiVersion") ?? "";
  if (!VERSIONS.includes(apiVersion))
    exec.refuse(`has apiVersion "${apiVersion}"; known are ${VERSIONS.join(" and ")}`);
  if (exec.text("interactiveMode") === "Always") exec.refuse("wants a terminal (interactiveMode: Always)");
  const text = exec.text("command");
  if (text === undefined) exec.refuse("has no command");
  // As kubectl: a bare name is looked up in PATH, a path is relative to the kubeconfig.
  const command = /[/\\]/.test(text) ? resolve(dirname(exec.file), text) : text;
  const args = exec
    .list("args")
    .map((arg) => (typeof arg === "string" ? arg : exec.refuse("has args that are no strings")));
  const added: Record<string, string> = {};
  for (const entry of exec.list("env")) {
    const pair = new FieldReader(exec.file, "exec: an entry of env", entry);
    added[pair.text("name") ?? pair.refuse("has no name")] = pair.text("value") ?? "";
  }
  const installHint = exec.text("installHint");
  const withCluster = exec.flag("provideClusterInfo");

  let held: { readonly credentials: Credentials; readonly expires: number } | undefined;
  let running: Promise<Credentials> | undefined;

  const renew = async (): Promise<Credentials> => {
    const spec = { interactive: false, ...(withCluster ? { cluster: await clusterInfo(cluster) } : {}) };
    const info = JSON.stringify({ apiVersion, kind: "ExecCredential", spec });
    const output = await run(command, args, { ...env, ...added, KUBERNETES_EXEC_INFO: info }, exec.file, installHint);
    held = readAnswer(output, apiVersion, command, exec.file, others);
    return held.credentials;
  };
  return {
    async get() {
      if (held !== undefined && runtime.now() < held.expires - EARLY_MS) return held.credentials;
      running ??= renew().finally(() => (running = undefined));
      return running;
    },
    refused(credentials) {
      if (held?.credentials === credentials) held = undefined;
      return true;
    },
  };
}

async function clusterInfo(cluster: ExecCluster): Promise<unknown> {
  const ca = await cluster.ca?.();
  return {
    server: cluster.server,
    ...(cluster.serverName === undefined ? {} : { "tls-server-name": cluster.serverName }),
    ...(cluster.verify ? {} : { "insecure-skip-tls-verify": true }),
    ...(ca === undefined ? {} : { "certificate-authority-data": Buffer.from(ca, "utf8").toString("base64") }),
  };
}

function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  file: string,
  installHint: string | undefined,
): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      env,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: PLUGIN_MS,
      killSignal: "SIGKILL",
    });
    let output = "";
    let complaint = "";
    const refuse = (problem: string): void => {
      const said = complaint.trim() === "" ? "" : `: ${complaint.trim()}`;
      const hint = installHint === undefined ? {} : { hint: installHint };
      fail(
        new KubeError("INVALID_CONFIG", `credential plugin ${command} ${problem}${said}`, { facts: { file }, ...hint }),
      );
    };
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      if (output.length > MAX_OUTPUT) child.kill("SIGKILL");
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      complaint = (complaint + chunk).slice(-MAX_COMPLAINT);
    });
    child.once("error", (error: NodeJS.ErrnoException) => {
      refuse(`cannot be started (${error.code ?? "unknown error"})`);
    });
    child.once("close", (code, signal) => {
      if (code === 0) done(output);
      else refuse(code === null ? `was ended by ${signal ?? "a signal"}` : `failed with exit code ${String(code)}`);
    });
  });
}

function readAnswer(
  output: string,
  apiVersion: string,
  command: string,
  file: string,
  others: Credentials,
): { credentials: Credentials; expires: number } {
  // Its output holds the token, so that no error quotes it.
  const refuse = (problem: string): never => {
    throw new KubeError("INVALID_CONFIG", `credential plugin ${command} ${problem}`, { facts: { file } });
  };
  let answer: { readonly kind?: unknown; readonly apiVersion?: unknown; readonly status?: unknown } | null;
  try {
    answer = JSON.parse(output) as typeof answer;
  } catch {
    return refuse("printed no JSON");
  }
  if (answer?.kind !== "ExecCredential") return refuse("printed no ExecCredential");
  if (answer.apiVersion !== apiVersion) return refuse(`printed another apiVersion than ${apiVersion}`);
  const status = new FieldReader(file, `credential plugin ${command}: status`, answer.status);
  const token = status.text("token");
  const certificate = status.text("clientCertificateData");
  const key = status.text("clientKeyData");
  if ((certificate === undefined) !== (key === undefined))
    return refuse("gave one of certificate and key without the other");
  if (token === undefined && certificate === undefined) return refuse("gave neither a token nor a certificate");
  const until = status.text("expirationTimestamp");
  const expires = until === undefined ? Infinity : Date.parse(until);
  if (Number.isNaN(expires)) return refuse("gave an expirationTimestamp that is no time");
  const credentials = {
    ...others,
    ...(token === undefined ? {} : { authorization: bearer(token, `the answer of ${command}`) }),
    ...(certificate === undefined || key === undefined ? {} : { certificate, key }),
  };
  return { credentials, expires };
}
