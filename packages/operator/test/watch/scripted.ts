import { KubeError, type KubeErrorCode } from "../../src/kube/errors.js";
import type { KubeApi, KubeObject, KubeRequest, ResourceType, WatchEvent, WatchRequest } from "../../src/kube/port.js";
import { objectKey } from "../../src/watch/scope-requests.js";
import type { ObservationSink, WatchScope } from "../../src/watch/sink.js";

export const AGENTS: ResourceType = {
  name: "agents.universe.ai/v1alpha1",
  group: "universe.ai",
  version: "v1alpha1",
  plural: "agents",
  kind: "Agent",
  namespaced: true,
  hasStatus: true,
  metadataOnly: false,
};

export const SCOPE: WatchScope = { resource: AGENTS, namespace: undefined, labelSelector: undefined };

export function agent(name: string, resourceVersion: string, more: object = {}): KubeObject {
  return { metadata: { name, namespace: "a", resourceVersion }, ...more };
}

export function listOf(resourceVersion: string, items: readonly KubeObject[], next?: string): unknown {
  return { kind: "AgentList", metadata: { resourceVersion, ...(next === undefined ? {} : { continue: next }) }, items };
}

export function kubeError(code: KubeErrorCode, details: { retryAfterMs?: number; status?: number } = {}): KubeError {
  const { retryAfterMs, status } = details;
  return new KubeError(code, `scripted ${code}`, {
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(status === undefined ? {} : { facts: { status } }),
  });
}

/** One watch, from the server's side. */
export class Feed {
  readonly request: WatchRequest;
  /** How many events the reader asked for. */
  asked = 0;
  closed = false;
  readonly #ready: (WatchEvent | Error | "end")[] = [];
  #wake: () => void = () => undefined;

  constructor(request: WatchRequest) {
    this.request = request;
    request.signal.addEventListener("abort", () => {
      this.closed = true;
      this.#push(kubeError("ABORTED"));
    });
  }

  send(type: "ADDED" | "MODIFIED" | "DELETED", object: KubeObject): void {
    this.#push({ type, object });
  }

  bookmark(resourceVersion: string): void {
    this.#push({ type: "BOOKMARK", object: { metadata: { resourceVersion } as KubeObject["metadata"] } });
  }

  end(): void {
    this.#push("end");
  }

  fail(error: Error): void {
    this.#push(error);
  }

  async *events(): AsyncGenerator<WatchEvent, void, undefined> {
    for (;;) {
      this.asked++;
      if (this.#ready.length === 0) await new Promise<void>((done) => (this.#wake = done));
      const next = this.#ready.shift();
      if (next === undefined || next === "end") return;
      if (next instanceof Error) throw next;
      yield next;
    }
  }

  #push(item: WatchEvent | Error | "end"): void {
    this.#ready.push(item);
    this.#wake();
  }
}

/** An API server whose answers a test gives one by one: the last one stays. */
export class ScriptedApi implements KubeApi {
  readonly server = "scripted";
  readonly requests: KubeRequest[] = [];
  readonly feeds: Feed[] = [];
  /** Answers of watches that are refused at once; undefined: one that is opened. */
  readonly refusals: (KubeError | undefined)[] = [];
  answer: (request: KubeRequest) => unknown = () => listOf("1", []);

  async request(request: KubeRequest): Promise<unknown> {
    this.requests.push(request);
    if (request.signal?.aborted === true) throw kubeError("ABORTED");
    const answer = await this.answer(request);
    if (answer instanceof Error) throw answer;
    return answer;
  }

  watch(request: WatchRequest): AsyncIterable<WatchEvent> {
    const feed = new Feed(request);
    this.feeds.push(feed);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) feed.fail(refusal);
    return { [Symbol.asyncIterator]: () => feed.events() };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The watch under way. */
  get feed(): Feed {
    const last = this.feeds.at(-1);
    if (last === undefined) throw new Error("no watch yet");
    return last;
  }
}

/** Writes down what it is told; a test may hold it up. */
export class NotingSink implements ObservationSink {
  readonly told: string[] = [];
  readonly objects: KubeObject[] = [];
  hold: Promise<void> | undefined;

  async observed(_: WatchScope, object: KubeObject): Promise<void> {
    this.objects.push(object);
    this.told.push(`observed ${objectKey(object)} ${object.metadata.resourceVersion ?? ""}`);
    await this.hold;
  }

  async deleted(_: WatchScope, object: KubeObject): Promise<void> {
    this.told.push(`deleted ${objectKey(object)}`);
    await this.hold;
  }

  listed(_: WatchScope, keys: ReadonlySet<string>): Promise<void> {
    this.told.push(`listed ${[...keys].sort().join(",")}`);
    return Promise.resolve();
  }
}
