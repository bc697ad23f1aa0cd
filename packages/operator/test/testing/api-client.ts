import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { Agent, request } from "undici";
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
  /** Default false. */
  readonly http2?: boolean | undefined;
}

export interface TestApiClient extends ApiClient {
  /** Ends its connections. */
  close(): Promise<void>;
}

/** The plainest client there can be: one request, one answer. */
export function apiClient(options: ApiClientOptions): TestApiClient {
  const { ca, cert, key, insecure } = options;
  const dispatcher = new Agent({
    allowH2: options.http2 === true,
    connect: { ca, cert, key, rejectUnauthorized: insecure !== true },
    bodyTimeout: 0,
    pipelining: options.http2 === true ? 100 : 1,
  });

  const common = (path: string, query: Readonly<Record<string, string>>, accept: string | undefined) => {
    const text = new URLSearchParams(query).toString();
    return {
      url: `${options.server.replace(/\/$/, "")}${path}${text === "" ? "" : `?${text}`}`,
      headers: {
        accept: accept ?? "application/json",
        "user-agent": options.userAgent ?? "rynxs-test",
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      },
    };
  };

  return {
    close: () => dispatcher.destroy(),
    request: async ({ method, path, query = {}, body, contentType, accept }): Promise<ApiAnswer> => {
      const { url, headers } = common(path, query, accept);
      const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
      const answer = await request(url, {
        dispatcher,
        method,
        headers: text === undefined ? headers : { ...headers, "content-type": contentType ?? "application/json" },
        body: text ?? null,
      });
      const said = await answer.body.text();
      const isJson = String(answer.headers["content-type"]).startsWith("application/json");
      return {
        status: answer.statusCode,
        headers: Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)])),
        body: isJson ? (JSON.parse(said) as unknown) : said,
      };
    },
    watch: async ({ path, query, accept, signal }): Promise<ApiWatch> => {
      const { url, headers } = common(path, { ...query, watch: "true" }, accept);
      const answer = await request(url, { dispatcher, headers, signal });
      return { status: answer.statusCode, events: linesOf(answer.body, signal) };
    },
  };
}

async function* linesOf(body: Readable, signal: AbortSignal): AsyncGenerator {
  let failure: unknown;
  body.on("error", (error) => (failure = error));
  for await (const line of createInterface({ input: body })) {
    if (signal.aborted) return;
    yield JSON.parse(line) as unknown;
  }
  if (failure instanceof Error && !signal.aborted) throw failure;
}

interface Named {
  readonly name: string;
}

/** A client of the server that a configuration file's current context names: with a token, or with a client's certificate. */
export function clientOfKubeconfig(file: string, http2: boolean): TestApiClient {
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
    http2,
  });
}
