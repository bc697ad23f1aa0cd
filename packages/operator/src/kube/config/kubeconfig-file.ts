import { parse } from "yaml";
import { KubeError } from "../errors.js";
import { readConfigFile } from "./credentials.js";
import { FieldReader } from "./fields.js";
import type { KubeConfig, KubeConfigOptions } from "./server-config.js";
import { userCredentials } from "./user.js";

/** Reads one kubeconfig and takes its current context. @throws KubeError INVALID_CONFIG */
export async function kubeconfigFile(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  options: KubeConfigOptions,
): Promise<KubeConfig> {
  const root: FieldReader = new FieldReader(file, "kubeconfig", parsed(file, await readConfigFile(file, "kubeconfig")));
  const contextName = options.context ?? root.text("current-context");
  if (contextName === undefined) root.refuse("names no current-context");
  const context: FieldReader = named(root, "contexts", "context", contextName);
  const clusterName = context.text("cluster");
  if (clusterName === undefined) context.refuse("names no cluster");
  const cluster: FieldReader = named(root, "clusters", "cluster", clusterName);
  const userName = context.text("user");

  if (cluster.has("proxy-url")) {
    cluster.refuse("has a proxy-url, which is not supported", "reach the API server directly, or through a tunnel");
  }
  const server = serverAddress(cluster);
  const verify = !cluster.flag("insecure-skip-tls-verify");
  const ca = cluster.pem("certificate-authority");
  if (!verify && ca !== undefined) {
    cluster.refuse("has both a certificate-authority and insecure-skip-tls-verify");
  }
  await ca?.();
  return {
    server,
    namespace: context.text("namespace") ?? "default",
    source: file,
    tls: { ca: ca ?? (() => Promise.resolve(undefined)), serverName: cluster.text("tls-server-name"), verify },
    credentials: await userCredentials(
      userName === undefined ? undefined : named(root, "users", "user", userName),
      { server, verify, serverName: cluster.text("tls-server-name"), ca, config: undefined },
      env,
      options.runtime,
    ),
  };
}

function parsed(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    // The parser quotes the lines at fault, which may hold a token: only the position is passed on.
    const [at] = (error as { linePos?: readonly { line: number; col: number }[] }).linePos ?? [];
    const where = at === undefined ? "" : ` at line ${String(at.line)}, column ${String(at.col)}`;
    throw new KubeError("INVALID_CONFIG", `${file}: not YAML${where}`, { facts: { file } });
  }
}

function named(root: FieldReader, list: string, kind: string, name: string): FieldReader {
  for (const entry of root.list(list)) {
    const found = entry as { readonly name?: unknown; readonly [kind: string]: unknown } | null;
    if (found?.name === name) return new FieldReader(root.file, `${kind} "${name}"`, found[kind] ?? {});
  }
  return root.refuse(`has no ${kind} "${name}"`);
}

function serverAddress(cluster: FieldReader): string {
  const text = cluster.text("server");
  if (text === undefined) cluster.refuse("has no server");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) cluster.refuse("has a server that is no http(s) address");
  if (url.username !== "" || url.password !== "") cluster.refuse("has a server address with a user or password in it");
  return url.origin + url.pathname.replace(/\/+$/, "");
}
