import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { Runtime } from "@rynxs/event-store";
import { KubeError } from "../errors.js";
import type { CredentialSource } from "./credentials.js";
import { inClusterConfig, SERVICE_ACCOUNT_FOLDER } from "./in-cluster.js";
import { kubeconfigFile } from "./kubeconfig-file.js";

/** Where the API server is and how to prove each side to the other. */
export interface KubeConfig {
  /** `https://10.0.0.1:443`, perhaps with a path, without a slash at the end. */
  readonly server: string;
  /** The pod's, or the context's; `default` when neither says. */
  readonly namespace: string;
  /** Where this came from, for people: a file, or `in cluster`. */
  readonly source: string;
  readonly tls: ServerTrust;
  readonly credentials: CredentialSource;
}

export interface ServerTrust {
  /** PEM of the authorities to trust, read anew for each connection so that they can be rotated; undefined: the system's. */
  ca(): Promise<string | undefined>;
  /** Name to expect in the certificate, when it is not the address's. */
  readonly serverName: string | undefined;
  /** False only where the kubeconfig says insecure-skip-tls-verify. */
  readonly verify: boolean;
}

export interface KubeConfigOptions {
  readonly runtime: Runtime;
  /** Default `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly serviceAccountFolder?: string;
  /** Default: of the user. */
  readonly home?: string;
  /** Context to use instead of the kubeconfig's current one. */
  readonly context?: string;
}

/**
 * Finds the configuration: `KUBECONFIG` (the first of its files that exists) when set, else that of the pod this runs in,
 * else `~/.kube/config`. Files of a `KUBECONFIG` list are not merged.
 * @throws KubeError INVALID_CONFIG, naming the file and what is wrong in it
 */
export async function kubeConfig(
  env: Readonly<Record<string, string | undefined>>,
  options: KubeConfigOptions,
): Promise<KubeConfig> {
  const folder = options.serviceAccountFolder ?? SERVICE_ACCOUNT_FOLDER;
  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter((file) => file !== "");
  for (const file of listed) {
    if (await exists(file)) return kubeconfigFile(file, env, options);
  }
  if (listed.length > 0) {
    throw new KubeError("INVALID_CONFIG", `KUBECONFIG names no file that exists: ${listed.join(", ")}`, {
      facts: { file: listed.join(delimiter) },
    });
  }
  if ((env["KUBERNETES_SERVICE_HOST"] ?? "") !== "") return inClusterConfig(env, folder, options.runtime);
  const file = join(options.home ?? homedir(), ".kube", "config");
  if (await exists(file)) return kubeconfigFile(file, env, options);
  throw new KubeError("INVALID_CONFIG", `no Kubernetes configuration: not in a cluster, and there is no ${file}`, {
    facts: { file },
    hint: "set KUBECONFIG to a kubeconfig file, or run in a pod with a service account",
  });
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
