import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { KubeError } from "../errors.js";
import { inClusterConfig, SERVICE_ACCOUNT_FOLDER } from "./in-cluster.js";
import { kubeconfigFile } from "./kubeconfig-file.js";
import type { KubeConfig, KubeConfigOptions } from "./server-config.js";

export type { KubeConfig, KubeConfigOptions } from "./server-config.js";

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
