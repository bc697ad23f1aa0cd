import { systemRuntime } from "@rynxs/event-store";
import type { KubeObject } from "../../kube/port.js";
import { loadCelRules, type CelRules } from "./cel-rules.js";
import type { ClusterFaultTable } from "./faults.js";
import { HttpService } from "./http-service.js";
import { InProcess } from "./in-process.js";
import { kubeconfigText } from "./kubeconfig.js";
import { Listener } from "./listener.js";
import { ObjectStorage } from "./object-storage.js";
import type { FakeClusterOptions } from "./options.js";
import type { ClientOf } from "./partitions.js";
import type { Authorize } from "./rbac.js";
import { Registry } from "./registry.js";
import type { LoggedClusterRequest } from "./request-log.js";
import { ApiService } from "./service.js";
import { TEST_CA_CERTIFICATE } from "./test-certificates.js";
import type { Tokens } from "./tokens.js";

const NAMESPACES = ["default", "kube-node-lease", "kube-public", "kube-system"];

/**
 * Starts a Kubernetes API server in this process: no cluster behind it, but it lists, watches, checks and refuses as a real one does
 * (`apiServerCases` runs against both), and it fails on demand. Rules in CEL are judged when `@marcbachmann/cel-js` is installed,
 * and passed over otherwise. Not there: server-side apply, strategic merge patch, admission webhooks, garbage collection,
 * schemas of built-in resources.
 */
export async function startFakeCluster(options: FakeClusterOptions = {}): Promise<FakeCluster> {
  const cluster = new FakeCluster(options, await loadCelRules());
  await cluster.listen(options.port ?? 0, options.host ?? "127.0.0.1");
  return cluster;
}

export class FakeCluster {
  readonly #options: FakeClusterOptions;
  readonly #cel: CelRules | null;
  readonly #storage: ObjectStorage;
  readonly #http: HttpService;
  readonly #objects: InProcess;
  readonly #listener: Listener;
  #url = "";

  /** Use `startFakeCluster`. */
  constructor(options: FakeClusterOptions, cel: CelRules | null) {
    const {
      now = () => systemRuntime.now(),
      id = () => systemRuntime.id(),
      transport = "https",
      http2 = true,
    } = options;
    this.#options = options;
    this.#cel = cel;
    this.#storage = new ObjectStorage(options.historyLimit ?? 10_000);
    const registry = new Registry(cel);
    const service = new ApiService(this.#storage, registry, { now, id }, options.version ?? "v1.33.0");
    this.#objects = new InProcess(service, this.#storage, registry);
    this.#http = new HttpService(service, this.#storage, {
      now,
      anonymous: transport === "http",
      bookmarkIntervalMs: options.bookmarkIntervalMs ?? 60_000,
      timeoutMs: options.watchTimeoutMs ?? 30 * 60_000,
      latencyMs: options.latencyMs ?? 0,
      requestLogLimit: options.requestLogLimit ?? 10_000,
    });
    this.#http.tokens.add(this.token, options.user);
    if (options.authorize !== undefined) this.#http.authorize = options.authorize;
    const offered = transport === "http" ? "http" : http2 ? "https with http2" : "https";
    this.#listener = new Listener(offered, (request, exchange) => void this.#http.handle(request, exchange));
    for (const name of [...NAMESPACES, ...(options.namespaces ?? [])]) this.createNamespace(name);
    for (const object of options.objects ?? []) this.apply(object);
  }

  /** `https://127.0.0.1:port`. */
  get url(): string {
    return this.#url;
  }

  /** What a client has to trust; undefined without TLS. */
  get caCertificate(): string | undefined {
    return this.#options.transport === "http" ? undefined : TEST_CA_CERTIFICATE;
  }

  /** The first token, as long as nobody revoked it. */
  get token(): string {
    return this.#options.token ?? "test-token";
  }

  /** YAML for clients and kubectl: `KUBECONFIG`. */
  get kubeconfig(): string {
    return kubeconfigText(this.#url, this.token, this.caCertificate);
  }

  get tokens(): Tokens {
    return this.#http.tokens;
  }

  /** What goes wrong, and when. */
  get faults(): ClusterFaultTable {
    return this.#http.faults;
  }

  /** The last requests in the order of arrival. */
  get requests(): readonly LoggedClusterRequest[] {
    return this.#http.log.entries;
  }

  /** Of all requests so far, also of those that the log has dropped. */
  get requestCount(): number {
    return this.#http.log.total;
  }

  get openWatches(): number {
    return this.#http.openWatches;
  }

  /** TCP connections. */
  get connections(): number {
    return this.#listener.connections;
  }

  /** The resourceVersion of the last change. */
  get revision(): number {
    return this.#storage.revision;
  }

  /** CEL rules that could not be judged, with the reasons; null: none is judged, as the optional package is missing. */
  get unjudgedRules(): ReadonlyMap<string, string> | null {
    return this.#cel?.unjudged ?? null;
  }

  /** From now on. */
  set authorize(authorize: Authorize) {
    this.#http.authorize = authorize;
  }

  clearRequests(): void {
    this.#http.log.clear();
  }

  /** An object as it is stored. `resource`: `agents.universe.ai/v1alpha1`, `configmaps/v1`. `key`: `namespace/name` or `name`. */
  get(resource: string, key: string): KubeObject | undefined {
    return this.#objects.get(resource, key);
  }

  list(resource: string): readonly KubeObject[] {
    return this.#objects.list(resource);
  }

  /** Creates an object, or replaces it, its status too if it has one. @throws ApiFailure when it is not valid */
  apply(object: object): KubeObject {
    return this.#objects.apply(object);
  }

  /** Deletes it, as a client would. @throws ApiFailure when there is none */
  remove(resource: string, key: string): void {
    this.#objects.remove(resource, key);
  }

  createNamespace(name: string): KubeObject {
    return this.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }

  /** Forgets what happened so far: whoever knows an older resourceVersion has to list anew. */
  compact(): void {
    this.#storage.compact();
  }

  /**
   * Cuts clients off: their requests are not answered (`stall`: no FIN, answered on healing if they still wait then) or their connections
   * are closed (`refuse`). Open watches go silent, or are closed. Returns what heals it.
   */
  partition(cuts: (client: ClientOf) => boolean, mode: "stall" | "refuse" = "stall"): () => void {
    return this.#http.partitions.add(cuts, mode);
  }

  closeWatches(): void {
    this.#http.closeWatches();
  }

  closeConnections(): void {
    this.#listener.closeConnections();
  }

  async listen(port: number, host: string): Promise<void> {
    await this.#listener.listen(port, host);
    const scheme = this.#options.transport === "http" ? "http" : "https";
    this.#url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${String(this.#listener.port)}`;
  }

  /** Ends every connection at once. */
  async close(): Promise<void> {
    this.#http.close();
    await this.#listener.close();
  }
}
