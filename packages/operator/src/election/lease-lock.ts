import { KubeError } from "../kube/errors.js";
import type { KubeApi } from "../kube/port.js";
import { microTime } from "./micro-time.js";

/** Who holds a Lease, as it says. The spec's two times are for people: nothing here compares clocks. */
export interface LeaseRecord {
  /** Empty: nobody. */
  readonly holder: string;
  readonly durationSeconds: number;
  readonly transitions: number;
  readonly acquireTime: string | undefined;
  readonly renewTime: string | undefined;
}

/** A record, and what a write must name to replace it and no other. */
export interface StoredLease {
  readonly record: LeaseRecord;
  readonly resourceVersion: string;
}

/** One Lease of `coordination.k8s.io/v1`, changed by compare-and-swap on its resourceVersion. */
export class LeaseLock {
  /** `namespace/name` */
  readonly name: string;
  readonly #api: KubeApi;
  readonly #namespace: string;
  readonly #lease: string;
  readonly #timeoutMs: number;

  constructor(api: KubeApi, place: { readonly namespace: string; readonly name: string }, timeoutMs: number) {
    this.#api = api;
    this.#namespace = place.namespace;
    this.#lease = place.name;
    this.#timeoutMs = timeoutMs;
    this.name = `${place.namespace}/${place.name}`;
  }

  get #collection(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(this.#namespace)}/leases`;
  }

  /** Null when there is none. @throws KubeError */
  async get(signal?: AbortSignal): Promise<StoredLease | null> {
    try {
      return stored(
        await this.#api.request({
          method: "GET",
          path: `${this.#collection}/${encodeURIComponent(this.#lease)}`,
          timeoutMs: this.#timeoutMs,
          signal,
        }),
      );
    } catch (error) {
      if (error instanceof KubeError && error.code === "NOT_FOUND") return null;
      throw error;
    }
  }

  /** Creates it, or replaces the one that `before` is. @throws KubeError CONFLICT when it is another by now */
  async put(record: LeaseRecord, before: StoredLease | null, signal?: AbortSignal): Promise<StoredLease> {
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        name: this.#lease,
        namespace: this.#namespace,
        ...(before && { resourceVersion: before.resourceVersion }),
      },
      spec: {
        holderIdentity: record.holder,
        leaseDurationSeconds: record.durationSeconds,
        leaseTransitions: record.transitions,
        ...(record.acquireTime !== undefined && { acquireTime: record.acquireTime }),
        ...(record.renewTime !== undefined && { renewTime: record.renewTime }),
      },
    };
    return stored(
      await this.#api.request({
        method: before ? "PUT" : "POST",
        path: before ? `${this.#collection}/${encodeURIComponent(this.#lease)}` : this.#collection,
        body,
        timeoutMs: this.#timeoutMs,
        signal,
      }),
    );
  }

  /** True when the Lease has changed; false when the watch is over, for whatever reason: it is only a hint to look. */
  async changed(since: StoredLease | null, signal: AbortSignal): Promise<boolean> {
    const query = {
      fieldSelector: `metadata.name=${this.#lease}`,
      ...(since && { resourceVersion: since.resourceVersion }),
      timeoutSeconds: "300",
    };
    try {
      for await (const event of this.#api.watch({ path: this.#collection, query, signal }))
        if (event.type !== "BOOKMARK" && event.object.metadata.resourceVersion !== since?.resourceVersion) return true;
    } catch {
      // The next look is due anyhow.
    }
    return false;
  }
}

/** The record of who takes it over now. */
export function takenBy(
  holder: string,
  before: LeaseRecord | undefined,
  durationSeconds: number,
  unixMs: number,
): LeaseRecord {
  const keeps = before?.holder === holder;
  return {
    holder,
    durationSeconds,
    transitions: before === undefined ? 0 : before.transitions + (keeps ? 0 : 1),
    acquireTime: keeps ? before.acquireTime : microTime(unixMs),
    renewTime: microTime(unixMs),
  };
}

function stored(answer: unknown): StoredLease {
  const { metadata, spec } = answer as {
    metadata?: { resourceVersion?: unknown };
    spec?: Readonly<Record<string, unknown>>;
  };
  if (typeof metadata?.resourceVersion !== "string")
    throw new KubeError("UNAVAILABLE", "the API server's answer is not a Lease");
  const number = (value: unknown): number => (typeof value === "number" ? value : 0);
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  return {
    resourceVersion: metadata.resourceVersion,
    record: {
      holder: text(spec?.["holderIdentity"]) ?? "",
      durationSeconds: number(spec?.["leaseDurationSeconds"]),
      transitions: number(spec?.["leaseTransitions"]),
      acquireTime: text(spec?.["acquireTime"]),
      renewTime: text(spec?.["renewTime"]),
    },
  };
}
