import { readFileSync } from "node:fs";
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
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
  const transport = options.http2 === true ? http2Transport(options) : undiciTransport(options);
  const send: Transport["send"] = ({ path, headers, ...rest }) =>
    transport.send({
      ...rest,
      path,
      headers: {
        "user-agent": options.userAgent ?? "rynxs-test",
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...headers,
      },
    });
  const address = (path: string, query: Readonly<Record<string, string>>): string => {
    const text = new URLSearchParams(query).toString();
    return text === "" ? path : `${path}?${text}`;
  };
  return {
    close: () => transport.close(),
    request: async ({ method, path, query = {}, body, contentType, accept }): Promise<ApiAnswer> => {
      const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
      const sent = text === undefined ? {} : { "content-type": contentType ?? "application/json" };
      const headers = { accept: accept ?? "application/json", ...sent };
      const answer = await send({ method, path: address(path, query), headers, text });
      const said = await textOf(answer.body);
      const isJson = answer.headers["content-type"]?.startsWith("application/json") === true;
      return { ...answer, body: isJson ? (JSON.parse(said) as unknown) : said };
    },
    watch: async ({ path, query, accept, signal }): Promise<ApiWatch> => {
      const headers = { accept: accept ?? "application/json" };
      const answer = await send({ method: "GET", path: address(path, { ...query, watch: "true" }), headers, signal });
      return { status: answer.status, events: linesOf(answer.body, signal) };
    },
  };
}

interface Sent {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text?: string | undefined;
  readonly signal?: AbortSignal;
}

interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

interface Transport {
  send(sent: Sent): Promise<Received>;
  close(): Promise<void>;
}

const strings = (headers: object): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

function undiciTransport({ server, ca, cert, key, insecure }: ApiClientOptions): Transport {
  const dispatcher = new Agent({ connect: { ca, cert, key, rejectUnauthorized: insecure !== true }, bodyTimeout: 0 });
  return {
    close: () => dispatcher.destroy(),
    send: async ({ method, path, headers, text, signal }) => {
      const url = server.replace(/\/$/, "") + path;
      const answer = await request(url, { dispatcher, method, headers, body: text ?? null, ...(signal && { signal }) });
      return { status: answer.statusCode, headers: strings(answer.headers), body: answer.body };
    },
  };
}

/** Not undici's HTTP/2, which cannot send a DELETE with a body (7.30). */
function http2Transport({ server, ca, cert, key, insecure }: ApiClientOptions): Transport {
  let session: ClientHttp2Session | undefined;
  const connected = (): ClientHttp2Session => {
    if (session !== undefined && !session.destroyed && !session.closed) return session;
    session = connect(server, { ca, cert, key, rejectUnauthorized: insecure !== true });
    session.on("error", () => undefined);
    return session;
  };
  return {
    close: async () => session?.destroy(),
    send: ({ method, path, headers, text, signal }) =>
      new Promise((resolve, reject) => {
        const stream = connected().request(
          { ":method": method, ":path": path, ...headers },
          { endStream: text === undefined, ...(signal && { signal }) },
        );
        stream.on("error", reject);
        // Node says nothing else of a connection that is gone.
        stream.on("close", () => reject(new Error("closed without an answer")));
        stream.on("response", (received) =>
          resolve({ status: received[":status"] ?? 0, headers: strings(received), body: stream }),
        );
        if (text !== undefined) stream.end(text);
      }),
  };
}

/** A stream of HTTP/2 that its server did not end seems to have ended well. */
function checkEnd(body: Readable): void {
  const { aborted, rstCode } = body as Partial<ClientHttp2Stream>;
  if (aborted === true || (rstCode ?? 0) !== 0) throw new Error("the answer broke off");
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  checkEnd(body);
  return Buffer.concat(chunks).toString();
}

async function* linesOf(body: Readable, signal: AbortSignal): AsyncGenerator {
  let failure: unknown;
  body.on("error", (error) => (failure = error));
  for await (const line of createInterface({ input: body })) {
    if (signal.aborted) return;
    yield JSON.parse(line) as unknown;
  }
  if (signal.aborted) return;
  if (failure instanceof Error) throw failure;
  checkEnd(body);
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
