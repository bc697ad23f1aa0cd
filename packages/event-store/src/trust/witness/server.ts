import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { BackendError } from "../../core/errors.js";
import { errnoOf } from "../../system/io-error.js";
import { onAbort } from "../../system/on-abort.js";
import { MAX_REQUEST_BYTES } from "./request.js";
import type { Witness, WitnessAnswer } from "./witness.js";

export interface WitnessServerOptions {
  /** Default 127.0.0.1: others must be let in on purpose. */
  readonly host?: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  /** More are not let in; default 256. */
  readonly maxConnections?: number | undefined;
  /** For a whole request, headers and body, in milliseconds; default 10,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Told of each answer. */
  readonly onAnswer?: ((answered: WitnessAnswered) => void) | undefined;
}

export interface WitnessAnswered {
  readonly method: string;
  readonly status: number;
  /** Of a log that is witnessed; nothing that a stranger made up. */
  readonly origin?: string | undefined;
  readonly size?: number | undefined;
  /** Why the state could not be used: the answer was 500. */
  readonly error?: unknown;
}

export interface WitnessServer {
  readonly host: string;
  readonly port: number;
  /** Lets nobody in any more, answers what is under way (for as long as a request may take, or until `abort`), and then closes. */
  close(abort?: AbortSignal): Promise<void>;
}

interface Answer extends Omit<WitnessAnswer, "status"> {
  readonly status: number;
  readonly error?: unknown;
}

const TEXT = "text/plain; charset=utf-8";
const CHECKPOINT_PATH = /^\/([0-9a-f]{64})\/checkpoint$/;

/**
 * Serves a witness over HTTP: `POST /add-checkpoint`, `GET /HASH/checkpoint`. What comes in is bounded in bytes, time and number.
 * @throws BackendError when it cannot listen there
 */
export async function serveWitness(witness: Witness, options: WitnessServerOptions): Promise<WitnessServer> {
  const { host = "127.0.0.1", port, maxConnections = 256, requestTimeoutMs = 10_000 } = options;
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, requestTimeoutMs),
      keepAliveTimeout: 30_000,
    },
    (request, response) => {
      // One connection may send many requests without waiting for answers: they are bounded with all others.
      underWay++;
      response.once("close", () => underWay--);
      const isBusy = underWay > maxConnections;
      void (isBusy ? Promise.resolve(BUSY) : answerTo(witness, request)).then((answer) => {
        send(request, response, answer, isClosing);
        const { status, origin, size, error } = answer;
        options.onAnswer?.({ method: request.method ?? "", status, origin, size, error });
      });
    },
  );
  let underWay = 0;
  let isClosing = false;
  server.maxConnections = maxConnections;
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new BackendError("PATH_UNUSABLE", `cannot listen on ${host}:${String(port)} (${errnoOf(cause) ?? ""})`, {
      facts: { operation: "listen", backendCode: errnoOf(cause) ?? "" },
      hint: "is another process listening there? choose another address or port",
      cause,
    });
  }
  const address = server.address() as AddressInfo;
  const close = async (abort?: AbortSignal): Promise<void> => {
    isClosing = true;
    const timeout = AbortSignal.timeout(requestTimeoutMs);
    await closed(server, abort === undefined ? timeout : AbortSignal.any([abort, timeout]));
  };
  return { host: address.address, port: address.port, close };
}

const BUSY: Answer = { status: 503, contentType: TEXT, body: "too many requests at once\n" };

async function answerTo(witness: Witness, request: IncomingMessage): Promise<Answer> {
  try {
    const path = request.url?.split("?", 1)[0] ?? "";
    if (path === "/add-checkpoint") return await added(witness, request);
    const hash = CHECKPOINT_PATH.exec(path)?.[1];
    if (hash === undefined) return plain(404, "there is nothing here");
    if (request.method !== "GET" && request.method !== "HEAD") return plain(405, "GET it");
    const note = await witness.checkpoint(hash);
    return note === null ? plain(404, "no checkpoint of this log was cosigned") : { ...plain(200, ""), body: note };
  } catch (error) {
    // Nothing was answered that was not written down; the log asks again.
    return { ...plain(500, "the witness cannot use its state"), error };
  }
}

async function added(witness: Witness, request: IncomingMessage): Promise<Answer> {
  if (request.method !== "POST") return plain(405, "POST it");
  const body = await bodyOf(request).catch(() => undefined);
  if (body === undefined) return plain(400, "the request broke off");
  if (body === null) return plain(413, `a request has at most ${String(MAX_REQUEST_BYTES)} bytes`);
  return await witness.addCheckpoint(body);
}

/** Null when there is more than may be. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  if (Number(request.headers["content-length"] ?? 0) > MAX_REQUEST_BYTES) return null;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // leaving the loop must not end the connection: there is an answer to give
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer, isLast: boolean): void {
  const { status, contentType, body } = answer;
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
    ...(status === 405 && { allow: request.url === "/add-checkpoint" ? "POST" : "GET, HEAD" }),
    ...(status === 503 && { "retry-after": "1" }),
    // the rest of a body that was not read is not to be taken for the next request
    ...((isLast || !request.complete) && { connection: "close" }),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

function plain(status: number, text: string): Answer {
  return { status, contentType: TEXT, body: `${text}\n` };
}

async function closed(server: Server, abort: AbortSignal): Promise<void> {
  const done = once(server, "close");
  server.close();
  server.closeIdleConnections();
  const calledOff = onAbort(abort, () => {
    server.closeAllConnections();
  });
  await done;
  calledOff();
}
