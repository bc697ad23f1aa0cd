import { isIPv6 } from "node:net";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Runtime } from "@rynxs/event-store";
import { KubeError } from "../errors.js";
import { readConfigFile, tokenFile } from "./credentials.js";
import type { KubeConfig } from "./server-config.js";

/** Where the kubelet puts a pod's token, its namespace and the authority of the API server's certificate. */
export const SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/** @throws KubeError INVALID_CONFIG */
export async function inClusterConfig(
  env: Readonly<Record<string, string | undefined>>,
  folder: string,
  runtime: Runtime,
): Promise<KubeConfig> {
  const host = env["KUBERNETES_SERVICE_HOST"] ?? "";
  const port = env["KUBERNETES_SERVICE_PORT"] ?? "443";
  if (!/^[0-9]{1,5}$/.test(port)) {
    throw new KubeError("INVALID_CONFIG", `KUBERNETES_SERVICE_PORT is no port number: "${port}"`);
  }
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(server)) {
    throw new KubeError("INVALID_CONFIG", `KUBERNETES_SERVICE_HOST is no address: "${host}"`);
  }
  const credentials = tokenFile(join(folder, "token"), runtime);
  const authority = join(folder, "ca.crt");
  // Both are needed later; a pod without a service account is to fail at start, with the reason.
  try {
    await credentials.get();
    await readConfigFile(authority, "certificate authority");
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    throw new KubeError(error.code, error.message, {
      facts: error.facts,
      hint: "the pod needs a service account with automountServiceAccountToken: true",
    });
  }
  const namespace = await readFile(join(folder, "namespace"), "utf8").catch(() => "");
  return {
    server,
    namespace: namespace.trim() || "default",
    source: "in cluster",
    tls: { ca: () => readConfigFile(authority, "certificate authority"), serverName: undefined, verify: true },
    credentials,
  };
}
