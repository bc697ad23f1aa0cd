import { ALLOW_ALL, ANONYMOUS, checkAccess } from "./access.js";
import { ApiFailure } from "./failure.js";
import { ClusterFaultTable, type ClusterFault } from "./faults.js";
import { stringify } from "./json.js";
import type { ObjectStorage } from "./object-storage.js";
import { Partitions, type ClientOf } from "./partitions.js";
import { RequestLog, type LoggedClusterRequest } from "./request-log.js";
import type { Authorize } from "./rbac.js";
import type { ApiRequest, ApiService, Reply } from "./service.js";
import { targetOf } from "./target.js";
import { Tokens, type Identity } from "./tokens.js";
import type { WatchPlan } from "./watch-plan.js";
import { WatchSession, type WatchSettings } from "./watch-session.js";
import { readBody, type Exchange, type WireRequest } from "./wire.js";

export interface HttpSettings extends WatchSettings {
  /** Takes requests without a token too, as kubectl proxy does. */
  readonly anonymous: boolean;
  readonly latencyMs: number;
  readonly requestLogLimit: number;
}

interface Call {
  readonly request: ApiRequest;
  readonly identity: Identity | undefined;
  readonly client: ClientOf;
  readonly exchange: Exchange;
  readonly entry: LoggedClusterRequest;
  readonly fault: ClusterFault | null;
}

/** Between the wire and the service: who asks, what goes wrong, and how it is told. */
export class HttpService {
  readonly faults: ClusterFaultTable = new ClusterFaultTable();
  readonly tokens: Tokens = new Tokens();
  readonly log: RequestLog;
  readonly partitions: Partitions = new Partitions(() => this.#partitionsChanged());
  authorize: Authorize = ALLOW_ALL;
  readonly #service: ApiService;
  readonly #storage: ObjectStorage;
  readonly #settings: HttpSettings;
  readonly #sessions = new Map<WatchSession, ClientOf>();
  readonly #stalled = new Set<() => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(service: ApiService, storage: ObjectStorage, settings: HttpSettings) {
    this.#service = service;
    this.#storage = storage;
    this.#settings = settings;
    this.log = new RequestLog(settings.requestLogLimit);
  }

  get openWatches(): number {
    return this.#sessions.size;
  }

  /** Ends all watches without a word. */
  closeWatches(): void {
    for (const session of [...this.#sessions.keys()]) session.close();
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#stalled.clear();
    this.closeWatches();
  }

  async handle(message: WireRequest, exchange: Exchange): Promise<void> {
    const body = await readBody(message);
    if (body === null || this.#closed) return;
    const url = new URL(message.url ?? "/", "http://fake");
    const header = (name: string): string => {
      const value = message.headers[name];
      return typeof value === "string" ? value : "";
    };
    const request: ApiRequest = {
      method: message.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      target: targetOf(message.method ?? "GET", url.pathname, url.searchParams),
      contentType: (header("content-type").split(";")[0] ?? "").trim().toLowerCase(),
      accept: header("accept"),
      userAgent: header("user-agent"),
      body,
    };
    const identity = this.#identify(header("authorization"));
    const { token, user } = identity ?? ANONYMOUS;
    const client = { token, user, userAgent: request.userAgent, path: request.path };
    if (!(await this.#reaches(client, exchange))) return;
    const fault = this.faults.take({
      ...request,
      resource: request.target.plural,
      verb: request.target.verb,
      subresource: request.target.subresource,
    });
    const entry = logged(request, exchange.protocol, this.#settings.now(), fault);
    this.log.push(entry);
    await this.#serve({ request, identity, client, exchange, entry, fault });
  }

  #identify(authorization: string): Identity | undefined {
    return (
      this.tokens.find(authorization) ?? (this.#settings.anonymous && authorization === "" ? ANONYMOUS : undefined)
    );
  }

  async #serve(call: Call): Promise<void> {
    const { fault, client, exchange, request } = call;
    await this.#pause(this.#settings.latencyMs);
    if (request.target.verb === "watch") {
      // A watch has to begin in the moment in which it is looked up what it begins with.
      await this.#pause(fault?.delayMs ?? 0);
      this.#reply(call, this.#process(call));
      return;
    }
    const outcome = this.#process(call);
    await this.#pause(fault?.delayMs ?? 0);
    if (await this.#reaches(client, exchange)) this.#reply(call, outcome);
  }

  /** Does what the request asks, as often as the fault says. Null when there is no answer of the server's. */
  #process({ request, identity, fault }: Call): Reply | WatchPlan | ApiFailure | null {
    if (fault?.apply === "never") return null;
    try {
      if (identity === undefined) throw new ApiFailure(401, "Unauthorized", "Unauthorized");
      checkAccess(this.authorize, identity, request.target, request);
      if (fault?.apply === "twice") this.#service.execute(request);
      return this.#service.execute(request);
    } catch (error) {
      if (error instanceof ApiFailure) return error;
      // A bug of this server, shown as one.
      return new ApiFailure(
        500,
        "InternalError",
        `the fake cluster failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    }
  }

  #reply(call: Call, real: Reply | WatchPlan | ApiFailure | null): void {
    const { exchange, fault } = call;
    const how = fault?.answer ?? "real";
    const said = how instanceof ApiFailure ? how : real;
    if (how === "stall" || exchange.gone) return;
    if (how === "reset") exchange.reset();
    else if (how === "reset-stream") exchange.resetStream();
    else if (how === "close" || said === null) exchange.close();
    else this.#say(said, call);
  }

  #say(said: Reply | WatchPlan | ApiFailure, { exchange, fault, entry, client }: Call): void {
    if ("eventOf" in said) {
      entry.status = 200;
      this.#watch(said, exchange, client, fault);
      return;
    }
    const { status, headers, contentType, text } = said instanceof ApiFailure ? failed(said) : said;
    exchange.head(status, {
      "content-type": contentType,
      "cache-control": "no-cache, private",
      "content-length": String(Buffer.byteLength(text)),
      ...headers,
    });
    if (fault?.answer === "truncated") {
      exchange.breakOff(text.slice(0, text.length >> 1));
      return;
    }
    entry.status = status;
    exchange.end(text);
  }

  #watch(plan: WatchPlan, exchange: Exchange, client: ClientOf, fault: ClusterFault | null): void {
    const session = new WatchSession(plan, exchange, this.#storage, this.#settings, fault?.watch);
    this.#sessions.set(session, client);
    void session.run().finally(() => this.#sessions.delete(session));
  }

  /** Waits while a partition stalls this client. False when it cannot be answered any more. */
  async #reaches(client: ClientOf, exchange: Exchange): Promise<boolean> {
    while (this.partitions.of(client) === "stall" && !exchange.gone && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#stalled.add(resolve);
        exchange.onGone(resolve);
      });
    }
    if (this.partitions.of(client) === "refuse") exchange.close();
    return !exchange.gone && !this.#closed;
  }

  #partitionsChanged(): void {
    for (const [session, client] of [...this.#sessions]) {
      const cut = this.partitions.of(client);
      if (cut === "open") session.resume();
      else if (cut === "stall") session.pause();
      else session.close();
    }
    const waiting = [...this.#stalled];
    this.#stalled.clear();
    for (const wake of waiting) wake();
  }

  async #pause(ms: number): Promise<void> {
    if (ms <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, ms);
      this.#timers.add(timer);
    });
  }
}

function failed({ status, headers }: ApiFailure): Reply {
  return { status: status.code, contentType: "application/json", headers, text: stringify(status) };
}

function logged(request: ApiRequest, protocol: string, at: number, fault: ClusterFault | null): LoggedClusterRequest {
  const { method, path, query, target, userAgent, accept } = request;
  return {
    method,
    path,
    query: Object.fromEntries(query),
    verb: target.verb,
    resource: target.plural,
    subresource: target.subresource,
    userAgent,
    accept,
    protocol,
    at,
    status: null,
    fault: fault?.name ?? null,
  };
}
