import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { createInterface } from "node:readline";
import { parse } from "yaml";
import type { ApiAnswer, ApiClient, ApiWatch } from "../../src/testing/index.js";

export interface ApiClientOptions {
  readonly server: string;
  readonly token?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly userAgent?: string | undefined;
}

export interface TestApiClient extends ApiClient {
  close(): void;
}

/** The plainest client there can be: one request, one answer, HTTP/1.1. */
export function apiClient(options: ApiClientOptions): TestApiClient {
  const secure = options.server.startsWith("https:");
  const agent = secure ? new Agent({ keepAlive: true }) : undefined;
  const tls: RequestOptions = { ca: options.ca, cert: options.cert, key: options.key, agent };
  if (options.insecure === true) tls.rejectUnauthorized = false;

  const send = (
    method: string,
    path: string,
    query: Readonly<Record<string, string>>,
    headers: Record<string, string>,
    body?: string,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const text = new URLSearchParams(query).toString();
      const url = new URL(`${options.server.replace(/\/$/, "")}${path}${text === "" ? "" : `?${text}`}`);
      const authorization = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
      const call = (secure ? httpsRequest : httpRequest)(url, {
        ...(secure ? tls : {}),
        method,
        headers: { "user-agent": options.userAgent ?? "rynxs-test", ...authorization, ...headers },
        ...(signal === undefined ? {} : { signal }),
      });
      call.on("response", resolve).on("error", reject).end(body);
    });

  return {
    close: () => agent?.destroy(),
    request: async ({ method, path, query = {}, body, contentType, accept }): Promise<ApiAnswer> => {
      const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
      const sent = text === undefined ? {} : { "content-type": contentType ?? "application/json" };
      const length = text === undefined ? {} : { "content-length": String(Buffer.byteLength(text)) };
      const headers = { accept: accept ?? "application/json", ...sent, ...length };
      const message = await send(method, path, query, headers, text);
      const chunks: Buffer[] = [];
      for await (const chunk of message) chunks.push(chunk as Buffer);
      const answer = Buffer.concat(chunks).toString();
      const isJson = message.headers["content-type"]?.startsWith("application/json") === true;
      return {
        status: message.statusCode ?? 0,
        headers: Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)])),
        body: isJson ? (JSON.parse(answer) as unknown) : answer,
      };
    },
    watch: async ({ path, query, accept, signal }): Promise<ApiWatch> => {
      const headers = { accept: accept ?? "application/json" };
      const message = await send("GET", path, { ...query, watch: "true" }, headers, undefined, signal);
      return { status: message.statusCode ?? 0, events: linesOf(message, signal) };
    },
  };
}

async function* linesOf(message: IncomingMessage, signal: AbortSignal): AsyncGenerator {
  message.on("error", () => undefined);
  for await (const line of createInterface({ input: message })) {
    if (signal.aborted) return;
    yield JSON.parse(line) as unknown;
  }
}

interface Named {
  readonly name: string;
}

/** A client of the server that a configuration file's current context names: with a token, or with a client's certificate. */
export function clientOfKubeconfig(file: string): TestApiClient {
  const config = parse(readFileSync(file, "utf8")) as {
    readonly "current-context": string;
    readonly contexts: readonly (Named & { readonly context: { readonly cluster: string; readonly user: string } })[];
    readonly clusters: readonly (Named & { readonly cluster: Record<string, string | boolean> })[];
    readonly users: readonly (Named & { readonly user: Record<string, string> })[];
  };
  const context = config.contexts.find(({ name }) => name === config["current-context"])?.context;
  const cluster = config.clusters.find(({ name }) => name === context?.cluster)?.cluster ?? {};
  const user = config.users.find(({ name }) => name === context?.user)?.user ?? {};
  if (user["exec"] !== undefined) {
    throw new Error("users with exec are not supported here: run kubectl proxy, and name its address in a KUBECONFIG");
  }
  const material = (from: Record<string, unknown>, key: string): string | undefined => {
    const data = from[`${key}-data`];
    if (typeof data === "string") return Buffer.from(data, "base64").toString();
    const path = from[key];
    return typeof path === "string" ? readFileSync(path, "utf8") : undefined;
  };
  return apiClient({
    server: String(cluster["server"]),
    token: user["token"],
    ca: material(cluster, "certificate-authority"),
    cert: material(user, "client-certificate"),
    key: material(user, "client-key"),
    insecure: cluster["insecure-skip-tls-verify"] === true,
  });
}
