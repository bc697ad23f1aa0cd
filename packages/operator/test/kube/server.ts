import { createServer as createHttps } from "node:https";
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { fixedCredentials, type Credentials } from "../../src/kube/config/credentials.js";
import type { KubeConfig } from "../../src/kube/config/kube-config.js";
import { certificates } from "./certificates.js";

export type Protocols = "h2" | "h1";

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly socket: Socket;
  /** The client's, which names the connection: with HTTP/2 `socket` is a stand-in of its session. */
  readonly port: number | undefined;
}

/** What a handler answers with, over either version of HTTP. */
export type Answer = ServerResponse & { readonly stream?: ServerHttp2Stream };
export type Handler = (seen: Seen, answer: Answer) => void | Promise<void>;

export interface TestServer {
  readonly url: string;
  readonly seen: Seen[];
  /** Connections accepted so far. */
  readonly connections: () => number;
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  readonly sockets: ReadonlySet<Socket>;
  /** A client configuration for it. */
  readonly config: (credentials?: Credentials) => KubeConfig;
  readonly close: () => Promise<void>;
}

export async function startServer(
  handler: Handler,
  options: { readonly protocols?: Protocols; readonly askCertificate?: boolean; readonly maxStreams?: number } = {},
): Promise<TestServer> {
  const { ca, server: pair } = certificates();
  const seen: Seen[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();
  let connections = 0;
  const onRequest = (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): void => {
    // Alike as far as tests use them.
    const answer = response as Answer;
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    answer.on("error", () => undefined);
    request.on("error", () => undefined);
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "https://server");
      const one: Seen = {
        method: request.method ?? "",
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body,
        socket: request.socket,
        port: request.socket.remotePort,
      };
      seen.push(one);
      void handler(one, answer);
    });
  };
  const tls = { ...pair, key: pair.key, ca, requestCert: options.askCertificate ?? false, rejectUnauthorized: false };
  const settings = options.maxStreams === undefined ? {} : { settings: { maxConcurrentStreams: options.maxStreams } };
  const server =
    options.protocols === "h1"
      ? createHttps(tls, onRequest)
      : createSecureServer({ ...tls, ...settings, allowHTTP1: true }, onRequest);
  server.on("secureConnection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.on("error", () => undefined);
    session.once("close", () => sessions.delete(session));
  });
  server.on("sessionError", () => undefined);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return {
    url,
    seen,
    sessions,
    sockets,
    connections: () => connections,
    config: (credentials = {}) => ({
      server: url,
      namespace: "default",
      source: "test",
      tls: { ca: () => Promise.resolve(ca), serverName: undefined, verify: true },
      credentials: fixedCredentials(credentials),
    }),
    close: async () => {
      // Their sessions end with them; ended first, one with many streams never returned (Node 20.20).
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

export function json(answer: Answer, status: number, body: unknown, headers: Record<string, string> = {}): void {
  answer.writeHead(status, { "content-type": "application/json", ...headers });
  answer.end(JSON.stringify(body));
}

export function status(code: number, reason: string, message: string): unknown {
  return { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message };
}

/** Until it holds; a test in which it never does fails, and does not wait on for ever. */
export async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    if (turn === 4000) throw new Error(`waited in vain until ${String(holds)}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}
