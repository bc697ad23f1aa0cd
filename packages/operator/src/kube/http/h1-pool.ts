import type { Socket } from "node:net";
import { Pool } from "undici";
import { KubeError } from "../errors.js";
import { STALLED_CONNECTION } from "../port.js";
import { ConnectionError, connectionProblem, type HttpAnswer, type HttpRequest } from "./exchange.js";

/** HTTP/1.1 with kept-alive connections: one for each request under way, and so for each watch. */
export class H1Pool {
  readonly #server: string;
  readonly #connect: () => Promise<Socket>;
  #pool: Pool;
  /** Still with requests under way. */
  readonly #retired = new Set<Pool>();

  /** @param connect opens a socket, with TLS if need be */
  constructor(server: string, connect: () => Promise<Socket>) {
    this.#server = new URL(server).origin;
    this.#connect = connect;
    this.#pool = this.#create();
  }

  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const onAbort = (): void => {
      if (signal.reason === STALLED_CONNECTION) this.retire();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      // Time-outs are the caller's: a watch is silent for long, and aborting ends the connection.
      const { statusCode, headers, body } = await this.#pool.request({
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body ?? null,
        signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      const done = (): void => signal.removeEventListener("abort", onAbort);
      return { status: statusCode, headers, body: bodyOf(body, done) };
    } catch (error) {
      signal.removeEventListener("abort", onAbort);
      throw error instanceof ConnectionError || error instanceof KubeError ? error : lostConnection(error);
    }
  }

  /** Connections at rest are not used again; requests under way are left alone. */
  retire(): void {
    const old = this.#pool;
    this.#pool = this.#create();
    this.#retired.add(old);
    old.close().then(
      () => this.#retired.delete(old),
      () => this.#retired.delete(old),
    );
  }

  async destroy(): Promise<void> {
    await Promise.all([this.#pool, ...this.#retired].map((pool) => pool.destroy()));
  }

  #create(): Pool {
    return new Pool(this.#server, {
      allowH2: false,
      connect: (_, done) => {
        this.#connect().then(
          (socket) => {
            done(null, socket);
          },
          (error: unknown) => {
            done(error as Error, null);
          },
        );
      },
    });
  }
}

function lostConnection(error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  const lost = code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
  return new ConnectionError(`no answer: ${connectionProblem(error)}`, { lost, cause: error });
}

async function* bodyOf(body: AsyncIterable<Uint8Array>, done: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    throw new ConnectionError(`the answer broke off: ${connectionProblem(error)}`, { cause: error });
  } finally {
    done();
  }
}
