import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface HttpEndpoints {
  /** Null: fine; else why not. */
  readonly health: () => string | null;
  readonly readiness: () => string | null;
  /** Prometheus' text format; undefined: metrics are off. */
  readonly metrics: (() => Promise<{ readonly type: string; readonly text: string }>) | undefined;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** `/healthz`, `/ready` and `/metrics`: read-only, without secrets. @throws what `listen` fails with */
export async function serveHttp(
  at: { readonly host: string; readonly port: number },
  endpoints: HttpEndpoints,
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0];
    const send = (status: number, text: string, type = "text/plain; charset=utf-8"): void => {
      response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
      response.end(request.method === "HEAD" ? undefined : text);
    };
    const sayWhether = (problem: string | null): void => send(problem === null ? 200 : 503, `${problem ?? "ok"}\n`);
    if (request.method !== "GET" && request.method !== "HEAD") send(405, "only GET\n");
    else if (path === "/healthz") sayWhether(endpoints.health());
    else if (path === "/ready" || path === "/readyz") sayWhether(endpoints.readiness());
    else if (path === "/metrics" && endpoints.metrics)
      endpoints.metrics().then(
        ({ type, text }) => send(200, text, type),
        () => send(500, "metrics could not be collected\n"),
      );
    else send(404, "there are /healthz, /ready and /metrics\n");
  });
  server.requestTimeout = 10_000;
  await listen(server, at);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
