import type { KubeApi, KubeRequest, WatchEvent, WatchRequest } from "../src/kube/port.js";
import { KubeError } from "../src/kube/errors.js";
import { hasAborted } from "../src/watch/aborted.js";

interface Lease {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly spec: Record<string, unknown>;
}

/** One Lease, kept as an API server keeps it: compare-and-swap on its resourceVersion. */
export class Leases {
  lease: Lease | null = null;
  requests: KubeRequest[] = [];
  #version = 0;
  #watching = new Set<() => void>();

  /** A client of its own: `cut` makes every request of it fail, or hang until it is aborted. */
  client(): KubeApi & { cut: "no" | "fails" | "hangs" } {
    const client: KubeApi & { cut: "no" | "fails" | "hangs" } = {
      server: "memory",
      cut: "no",
      request: async (request) => {
        if (client.cut === "fails") throw new KubeError("UNAVAILABLE", "cut off");
        if (client.cut === "hangs") await hang(request.signal);
        return this.#answer(request);
      },
      watch: (request) => this.#watch(request),
      close: async () => {},
    };
    return client;
  }

  remove(): void {
    this.lease = null;
  }

  #answer(request: KubeRequest): unknown {
    this.requests.push(request);
    if (request.method === "GET") {
      if (this.lease === null) throw new KubeError("NOT_FOUND", "no such Lease");
      return structuredClone(this.lease);
    }
    const { metadata, spec } = request.body as {
      metadata: { name: string; resourceVersion?: string };
      spec: Lease["spec"];
    };
    for (const time of ["acquireTime", "renewTime"])
      if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(String(spec[time])))
        throw new KubeError("INVALID", `${time} is no MicroTime`);
    const isCurrent = metadata.resourceVersion === this.lease?.metadata.resourceVersion;
    if (request.method === "POST" ? this.lease !== null : !isCurrent)
      throw new KubeError("CONFLICT", "changed meanwhile");
    this.#version++;
    this.lease = { metadata: { name: metadata.name, resourceVersion: String(this.#version) }, spec };
    for (const wake of this.#watching) wake();
    return structuredClone(this.lease);
  }

  async *#watch({ signal }: WatchRequest): AsyncGenerator<WatchEvent> {
    while (!signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#watching.delete(wake);
          resolve();
        };
        this.#watching.add(wake);
        signal.addEventListener("abort", wake, { once: true });
      });
      if (this.lease && !hasAborted(signal)) yield { type: "MODIFIED", object: this.lease as never };
    }
  }
}

function hang(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(new KubeError("ABORTED", "aborted"));
    if (signal?.aborted) fail();
    signal?.addEventListener("abort", fail, { once: true });
  });
}
