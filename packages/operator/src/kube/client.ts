import type { Runtime } from "@rynxs/event-store";
import { BadAnswer, linesOf, parseBody, readAll } from "./body.js";
import type { KubeConfig } from "./config/server-config.js";
import { deadline, type Deadline } from "./deadline.js";
import { KubeError, type KubeErrorFacts } from "./errors.js";
import { ConnectionError, connectionProblem, type HttpAnswer, type HttpRequest } from "./http/exchange.js";
import { Transport } from "./http/transport.js";
import type { KubeApi, KubeRequest, WatchEvent, WatchRequest } from "./port.js";
import { settled } from "./settled.js";
import { refusal, refusedWatch } from "./status.js";
import { watchEvent } from "./watch-event.js";

export interface KubeClientOptions {
  readonly runtime: Runtime;
  /** `rynxs-operator/1.2.3`: who this is in the API server's audit log. */
  readonly userAgent: string;
}

const TIMEOUT_MS = 15_000;
const MAX_REFUSAL_BYTES = 1024 * 1024;

/** A client of the API server that the configuration names. It connects with the first request. */
export function kubeClient(config: KubeConfig, options: KubeClientOptions): KubeApi {
  return new KubeClient(config, options);
}

class KubeClient implements KubeApi {
  readonly server: string;
  readonly #config: KubeConfig;
  readonly #runtime: Runtime;
  readonly #userAgent: string;
  readonly #transport: Transport;
  /** Path of the server's address, before each request's. */
  readonly #base: string;

  constructor(config: KubeConfig, options: KubeClientOptions) {
    this.server = config.server;
    this.#config = config;
    this.#runtime = options.runtime;
    this.#userAgent = options.userAgent;
    this.#transport = new Transport(config);
    this.#base = new URL(config.server).pathname.replace(/\/$/, "");
  }

  async request(request: KubeRequest): Promise<unknown> {
    const facts = { server: this.server, method: request.method, path: request.path };
    const limit = deadline(request.signal, request.timeoutMs ?? TIMEOUT_MS);
    try {
      const answer = await this.#exchange(this.#http(request), limit.signal, facts);
      const bytes = await readAll(answer.body);
      return bytes.length === 0 ? undefined : parseBody(bytes);
    } catch (error) {
      throw this.#failure(error, request.signal, limit, facts);
    } finally {
      limit.end();
    }
  }

  async *watch(request: WatchRequest): AsyncGenerator<WatchEvent, void, undefined> {
    const facts = { server: this.server, method: "GET", path: request.path };
    const limit = deadline(request.signal, request.timeoutMs ?? TIMEOUT_MS);
    try {
      const http = this.#http({ ...request, method: "GET", query: { ...request.query, watch: "true" } });
      const answer = await this.#exchange(http, limit.signal, facts);
      limit.lift();
      for await (const line of linesOf(answer.body)) {
        const event = watchEvent(parseBody(line));
        if (event.type === "ERROR") throw refusedWatch(event.object, facts, this.#runtime.now());
        yield event;
      }
    } catch (error) {
      throw this.#failure(error, request.signal, limit, facts);
    } finally {
      limit.end();
    }
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  #http(request: KubeRequest): HttpRequest {
    const query = new URLSearchParams(request.query).toString();
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    return {
      method: request.method,
      path: `${this.#base}${request.path}${query === "" ? "" : `?${query}`}`,
      headers: {
        accept: request.accept ?? "application/json",
        "user-agent": this.#userAgent,
        ...(body === undefined ? {} : { "content-type": request.contentType ?? "application/json" }),
      },
      body,
    };
  }

  /**
   * An answer of success. Sent once, except that what the server certainly did not do goes again: after a 401, with credentials read anew,
   * and after a refusal by the connection; so does a GET on a connection that had ended.
   */
  async #exchange(request: HttpRequest, signal: AbortSignal, facts: KubeErrorFacts): Promise<HttpAnswer> {
    let reconnected = false;
    let renewed = false;
    for (;;) {
      const credentials = await settled(this.#config.credentials.get(), signal);
      const { authorization } = credentials;
      const headers = { ...request.headers, ...(authorization === undefined ? {} : { authorization }) };
      let answer: HttpAnswer;
      try {
        answer = await this.#transport.send({ ...request, headers }, credentials, signal);
      } catch (error) {
        if (reconnected || signal.aborted || !(error instanceof ConnectionError)) throw error;
        // `lost` without `unsent` may have been done; and where nothing could be reached the caller pauses first.
        if (!error.lost || !(error.unsent || request.method === "GET")) throw error;
        reconnected = true;
        continue;
      }
      if (answer.status >= 200 && answer.status < 300) return answer;
      const body = await refusalBody(answer);
      if (answer.status === 401 && !renewed && this.#config.credentials.refused(credentials)) {
        renewed = true;
        continue;
      }
      const after = answer.headers["retry-after"];
      throw refusal(answer.status, body, facts, typeof after === "string" ? after : undefined, this.#runtime.now());
    }
  }

  #failure(error: unknown, outer: AbortSignal | undefined, limit: Deadline, facts: KubeErrorFacts): KubeError {
    const what = `${facts.method ?? ""} ${facts.path ?? ""}`;
    if (outer?.aborted === true) return new KubeError("ABORTED", `${what}: aborted`, { facts, cause: outer.reason });
    if (limit.expired) return new KubeError("UNAVAILABLE", `${what}: no answer in time`, { facts });
    if (error instanceof KubeError) return error;
    const known = error instanceof ConnectionError || error instanceof BadAnswer;
    const problem = known ? error.message : connectionProblem(error);
    return new KubeError("UNAVAILABLE", `${what}: ${problem}`, { facts, cause: error });
  }
}

async function refusalBody(answer: HttpAnswer): Promise<unknown> {
  const bytes = await readAll(answer.body, MAX_REFUSAL_BYTES).catch((error: unknown) => {
    if (error instanceof BadAnswer || error instanceof ConnectionError) return Buffer.alloc(0);
    throw error;
  });
  try {
    return parseBody(bytes);
  } catch {
    // Proxies answer in HTML.
    return undefined;
  }
}
