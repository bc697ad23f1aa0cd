import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished } from "vitest";

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export type Script = (response: ServerResponse, seen: Seen) => void;

/** A server that answers the n-th request with the n-th script, and all further ones with the last. Closed after the test. */
export async function scripted(
  scripts: readonly Script[],
  tls?: { key: string; cert: string },
): Promise<{ endpoint: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const entry = { method, url, headers, body: Buffer.concat(chunks) };
      seen.push(entry);
      scripts[Math.min(seen.length, scripts.length) - 1]?.(response, entry);
    });
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { endpoint: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`, seen };
}

export function answer(status: number, body: string | Buffer = "", headers: Record<string, string> = {}): Script {
  return (response) => {
    response.writeHead(status, { "content-length": String(Buffer.byteLength(body)), ...headers });
    response.end(body);
  };
}

export function s3Error(status: number, code: string, headers: Record<string, string> = {}, more = ""): Script {
  return answer(
    status,
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>about ${code}</Message>${more}</Error>`,
    headers,
  );
}

export const OBJECT: Script = answer(200, "{}", { etag: '"e"', "content-type": "application/json" });
export const STORED: Script = answer(200, "", { etag: '"e"' });

/** A clock that only moves when somebody sleeps, and the pauses that were slept. */
export function fakeTime(start = Date.now()): {
  pauses: number[];
  clock: () => number;
  monotonic: () => number;
  sleep: (ms: number) => Promise<void>;
  advance: (ms: number) => void;
} {
  let now = start;
  const pauses: number[] = [];
  const advance = (ms: number): void => {
    now += ms;
  };
  return {
    pauses,
    clock: () => now,
    monotonic: () => now - start,
    sleep: async (ms) => {
      pauses.push(ms);
      advance(ms);
    },
    advance,
  };
}

/** For `toMatchObject`: a string that has, or matches, something. */
export function like(text: string | RegExp): unknown {
  return typeof text === "string" ? expect.stringContaining(text) : expect.stringMatching(text);
}
