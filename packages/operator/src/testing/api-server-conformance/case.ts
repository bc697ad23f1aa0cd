import assert from "node:assert/strict";
import { isObject, objectAt, stringAt, type JsonObject } from "../fake-cluster/json.js";
import type { ApiAnswer, ApiCall, ApiClient, ApiWatch } from "./client.js";

/** Where the cases run: see `prepareApiServer`. */
export interface ApiServerContext {
  readonly client: ApiClient;
  /** A group of the run's own, in which the agents are defined. */
  readonly group: string;
  /** What the names of the cases' namespaces begin with. */
  readonly namespacePrefix: string;
}

export interface ApiServerCase {
  readonly name: string;
  /** @throws AssertionError, or whatever the client throws */
  run(context: ApiServerContext): Promise<void>;
}

export interface NewAgent {
  readonly spec?: unknown;
  readonly labels?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** What a case works with: a namespace of its own, and short ways to the agents in it. */
export class Bench {
  readonly client: ApiClient;
  readonly group: string;
  readonly namespace: string;
  readonly #watches: AbortController[] = [];

  constructor({ client, group }: ApiServerContext, namespace: string) {
    this.client = client;
    this.group = group;
    this.namespace = namespace;
  }

  /** Path of all agents of the namespace, or of one. */
  agents(name?: string, subresource?: string): string {
    return [`/apis/${this.group}/v1alpha1/namespaces/${this.namespace}/agents`, name, subresource]
      .filter((part) => part !== undefined)
      .join("/");
  }

  agent(name: string, { labels, ...rest }: NewAgent = {}): JsonObject {
    const metadata = { name, ...(labels === undefined ? {} : { labels }) };
    return { apiVersion: `${this.group}/v1alpha1`, kind: "Agent", metadata, spec: {}, ...rest };
  }

  call(call: ApiCall): Promise<ApiAnswer> {
    return this.client.request(call);
  }

  async get(path: string, query: Readonly<Record<string, string>> = {}): Promise<JsonObject> {
    return expect(await this.call({ method: "GET", path, query }), 200);
  }

  async create(name: string, agent: NewAgent = {}): Promise<JsonObject> {
    return expect(await this.call({ method: "POST", path: this.agents(), body: this.agent(name, agent) }), 201);
  }

  async put(path: string, body: unknown): Promise<JsonObject> {
    return expect(await this.call({ method: "PUT", path, body }), 200);
  }

  merge(path: string, body: unknown): Promise<ApiAnswer> {
    return this.call({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
  }

  async merged(path: string, body: unknown): Promise<JsonObject> {
    return expect(await this.merge(path, body), 200);
  }

  async remove(path: string, body?: unknown): Promise<JsonObject> {
    return expect(await this.call({ method: "DELETE", path, ...(body === undefined ? {} : { body }) }), 200);
  }

  /** A watch that ends with the case. */
  async watch(
    query: Readonly<Record<string, string>>,
    path: string = this.agents(),
    accept?: string,
  ): Promise<Watched> {
    const controller = new AbortController();
    this.#watches.push(controller);
    const { signal } = controller;
    const options = { path, query: { timeoutSeconds: "60", ...query }, signal };
    return new Watched(await this.client.watch(accept === undefined ? options : { ...options, accept }));
  }

  close(): void {
    for (const watch of this.#watches) watch.abort();
  }
}

/** The events of a watch, one by one. */
export class Watched {
  readonly status: number;
  readonly #events: AsyncIterator<unknown>;

  constructor({ status, events }: ApiWatch) {
    this.status = status;
    this.#events = events[Symbol.asyncIterator]();
  }

  /** The next event; null at the end. */
  async event(): Promise<{ type: string; object: JsonObject } | null> {
    const result = await this.#events.next();
    if (result.done === true) return null;
    const value: unknown = result.value;
    assert.ok(isObject(value), "a watch event is an object");
    return { type: stringAt(value, "type") ?? "", object: objectAt(value, "object") };
  }

  /** The next event that is no bookmark, as `ADDED name`. */
  async next(): Promise<string> {
    for (;;) {
      const event = await this.event();
      if (event === null) return "END";
      if (event.type !== "BOOKMARK") return `${event.type} ${nameOf(event.object)}`;
    }
  }

  async take(count: number): Promise<string[]> {
    const taken: string[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }
}

let counter = 0;

/** A case in a namespace of its own, which is deleted whatever comes out of it. */
export function apiServerCase(name: string, test: (bench: Bench) => Promise<void>): ApiServerCase {
  return {
    name,
    run: async (context) => {
      const namespace = `${context.namespacePrefix}-${String(counter++)}`;
      const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
      expect(await context.client.request({ method: "POST", path: "/api/v1/namespaces", body }), 201);
      const bench = new Bench(context, namespace);
      try {
        await test(bench);
      } finally {
        bench.close();
        await context.client.request({ method: "DELETE", path: `/api/v1/namespaces/${namespace}` });
      }
    },
  };
}

/** The body of an answer that must have this status. */
export function expect({ status, body }: ApiAnswer, wanted: number): JsonObject {
  assert.equal(status, wanted, `status ${String(status)} instead of ${String(wanted)}: ${JSON.stringify(body)}`);
  assert.ok(isObject(body), "the answer is a JSON object");
  return body;
}

/** A refusal is a Status object with the code of the answer; returns it. */
export function refused(answer: ApiAnswer, code: number, reason: string): JsonObject {
  const body = expect(answer, code);
  const { kind, status, code: said, reason: why } = body;
  assert.deepEqual({ kind, status, said, why }, { kind: "Status", status: "Failure", said: code, why: reason });
  return body;
}

/** `field: reason` of what is wrong with an object; without the remark that further rules were not looked at. */
export function causesOf(status: JsonObject): string[] {
  const causes = objectAt(status, "details")["causes"];
  return (Array.isArray(causes) ? (causes as unknown[]) : [])
    .filter((cause) => stringAt(cause, "field") !== "<nil>")
    .map((cause) => `${stringAt(cause, "field") ?? ""}: ${stringAt(cause, "reason") ?? ""}`);
}

export function metadataOf(object: JsonObject): JsonObject {
  return objectAt(object, "metadata");
}

export function nameOf(object: unknown): string {
  return stringAt(objectAt(object, "metadata"), "name") ?? "";
}

export function versionOf(object: JsonObject): string {
  const version = stringAt(metadataOf(object), "resourceVersion");
  assert.ok(version !== undefined && version !== "", "it has a resourceVersion");
  return version;
}

export function itemsOf(list: JsonObject): JsonObject[] {
  const { items } = list;
  assert.ok(Array.isArray(items), "a list has items");
  return items as JsonObject[];
}

export function namesOf(list: JsonObject): string[] {
  return itemsOf(list).map(nameOf);
}
