import type { FakeCluster, KubeObject } from "@rynxs/operator/testing";
import { AGENTS, type StateKeeper } from "./histories.js";
import type { Random } from "./random.js";

export const NAMESPACES = ["universe", "lab"] as const;
const FINALIZER = "example.com/clean-up";

type Kind = "create" | "spec" | "labels" | "annotations" | "status" | "rude status" | "finalizer" | "delete" | "renew";

/** Changes to a fleet of agents, each noted. Nobody else changes more than statuses, so that none can fail. */
export class Changes {
  readonly #cluster: FakeCluster;
  readonly #states: StateKeeper;
  readonly #random: Random;
  readonly #keys: readonly string[];
  readonly counts = new Map<string, number>();
  #n = 0;

  constructor(cluster: FakeCluster, states: StateKeeper, random: Random, objects: number) {
    this.#cluster = cluster;
    this.#states = states;
    this.#random = random;
    this.#keys = Array.from({ length: objects }, (_, i) => `${NAMESPACES[i % NAMESPACES.length] ?? ""}/agent-${i}`);
  }

  get done(): number {
    return this.#n;
  }

  one(): void {
    const random = this.#random;
    // Some objects change far more often than others.
    const hot = random.chance(0.3) ? this.#keys.slice(0, Math.ceil(this.#keys.length / 10)) : this.#keys;
    const key = random.pick(hot);
    const there = this.#cluster.get(AGENTS.name, key);
    const kind = there === undefined ? "create" : random.pick(kindsFor(there));
    this.#do(kind, key, there);
    this.#n++;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  #do(kind: Kind, key: string, there: KubeObject | undefined): void {
    switch (kind) {
      case "create":
        this.#create(key);
        break;
      case "status":
      case "rude status":
        this.#status(key, there, kind === "rude status");
        break;
      case "delete":
        this.#delete(key);
        break;
      case "renew":
        this.#delete(key);
        // With a finalizer it is still there, and is let go first.
        if (this.#cluster.get(AGENTS.name, key) !== undefined) this.#release(key);
        this.#create(key);
        break;
      default:
        this.#put(key, there, this.#changed(kind, there?.metadata));
    }
  }

  #changed(
    kind: "spec" | "labels" | "annotations" | "finalizer",
    metadata: KubeObject["metadata"] | undefined,
  ): object {
    const random = this.#random;
    const now = String(this.#n);
    switch (kind) {
      case "spec":
        return { spec: this.#spec() };
      case "labels":
        return { metadata: { ...metadata, labels: { ...metadata?.labels, tier: random.pick(["a", "b", "c"]) } } };
      case "annotations": {
        const noise = { "kubectl.kubernetes.io/last-applied-configuration": now };
        const said = random.chance(0.3) ? noise : { note: random.pick(["x", "y", now]) };
        return { metadata: { ...metadata, annotations: { ...metadata?.annotations, ...said } } };
      }
      case "finalizer": {
        const isHeld = Array.isArray(metadata?.["finalizers"]) && metadata["finalizers"].length > 0;
        return { metadata: { ...metadata, finalizers: isHeld ? [] : [FINALIZER] } };
      }
    }
  }

  #spec(): object {
    const random = this.#random;
    if (random.chance(0.2)) return {};
    return {
      role: random.pick(["worker", "manager", "auditor"]),
      team: `team-${random.between(1, 5)}`,
      image: { repository: "example.com/agent", tag: `v${random.between(1, 9)}` },
      ...(random.chance(0.5) && { custom: { text: "ü".repeat(random.between(0, 200)), n: random.between(0, 1e6) } }),
    };
  }

  #create(key: string): void {
    const [namespace, name] = key.split("/");
    const finalizers = this.#random.chance(0.15) ? { finalizers: [FINALIZER] } : {};
    this.#apply(key, { metadata: { name, namespace, labels: { app: "chaos" }, ...finalizers }, spec: this.#spec() });
  }

  /** The object but for its status, which is kept by the server. */
  #put(key: string, there: KubeObject | undefined, changed: object): void {
    const { status: _, ...rest } = there ?? ({} as Partial<KubeObject>);
    this.#apply(key, { ...rest, ...changed });
  }

  #status(key: string, there: KubeObject | undefined, rude: boolean): void {
    const status = (there?.["status"] ?? {}) as { readonly conditions?: readonly { readonly type: string }[] };
    const others = (status.conditions ?? []).filter(({ type }) => type !== "Ready");
    const ready = {
      type: "Ready",
      status: this.#random.pick(["True", "False"]),
      reason: "Chaos",
      message: `change ${String(this.#n)}`,
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    this.#apply(key, {
      ...there,
      status: rude ? { conditions: [ready] } : { ...status, conditions: [...others, ready] },
    });
  }

  #delete(key: string): void {
    this.#cluster.remove(AGENTS.name, key);
    this.#note(key);
    // Whoever cleans up is sometimes quick, sometimes not: then a later change finds it terminating.
    if (this.#cluster.get(AGENTS.name, key) !== undefined && this.#random.chance(0.3)) this.#release(key);
  }

  #release(key: string): void {
    const there = this.#cluster.get(AGENTS.name, key);
    this.#put(key, there, { metadata: { ...there?.metadata, finalizers: [] } });
  }

  #apply(key: string, object: object): void {
    this.#cluster.apply({ apiVersion: "universe.ai/v1alpha1", kind: "Agent", ...object });
    this.#note(key);
  }

  #note(key: string): void {
    this.#states.note(key, this.#cluster.get(AGENTS.name, key));
  }
}

function kindsFor({ metadata }: KubeObject): readonly Kind[] {
  if (metadata["deletionTimestamp"] !== undefined) return ["finalizer", "labels", "status"];
  return [
    "spec",
    "spec",
    "spec",
    "labels",
    "annotations",
    "status",
    "status",
    "rude status",
    "finalizer",
    "delete",
    "renew",
  ];
}
