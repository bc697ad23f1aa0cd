import type { IncomingHttpHeaders } from "node:http";
import { Pool, type Dispatcher } from "undici";
import { onAbort } from "../../system/on-abort.js";

export interface HttpOptions {
  /** Connections at most, and so requests under way at once; more wait. Default 128. */
  readonly maxConnections?: number | undefined;
  /** To have a connection, TLS included. Default 3,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** From sending a request to the head of its answer. Default 15,000. */
  readonly answerTimeoutMs?: number | undefined;
  /** Between two pieces of an answer's body. Default 10,000. */
  readonly bodyTimeoutMs?: number | undefined;
  /** How long an idle connection is kept; a server that says less is believed. Default 15,000. */
  readonly keepAliveMs?: number | undefined;
  readonly tls?: TlsOptions | undefined;
}

/** As of `tls.connect`. */
export interface TlsOptions {
  /** Certificates of the authorities to trust, PEM, instead of the usual ones. */
  readonly ca?: string | Buffer | (string | Buffer)[];
  /** Client certificate and its key, PEM. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly passphrase?: string;
  /** The name to find in the server's certificate, when it is not the endpoint's. */
  readonly servername?: string;
  /** False takes any certificate: for experiments only. */
  readonly rejectUnauthorized?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Path and query, percent-encoded; sent as it is. */
  readonly target: string;
  /** Name, value, name, value … */
  readonly headers: string[];
  readonly body: Uint8Array | null;
}

/** No whole answer. `sent: false`: no byte of the request was written to a connection. */
export type HttpOutcome =
  | { readonly kind: "answered"; readonly answer: HttpAnswer }
  | { readonly kind: "failed"; readonly error: Error; readonly sent: boolean }
  | { readonly kind: "aborted"; readonly sent: boolean };

/** A pool of kept-alive connections to one server. It sends each request once: whether to repeat one is the caller's affair. */
export class HttpConnections {
  readonly #pool: Pool;

  constructor(origin: string, options: HttpOptions) {
    this.#pool = new Pool(origin, {
      connections: options.maxConnections ?? 128,
      pipelining: 1,
      headersTimeout: options.answerTimeoutMs ?? 15_000,
      bodyTimeout: options.bodyTimeoutMs ?? 10_000,
      keepAliveTimeout: options.keepAliveMs ?? 15_000,
      connect: { timeout: options.connectTimeoutMs ?? 3_000, ...options.tls },
    });
  }

  /** Never rejects. */
  request(request: HttpRequest, signal: AbortSignal | undefined): Promise<HttpOutcome> {
    return new Promise((resolve) => {
      const exchange = new Exchange(resolve, signal);
      if (signal?.aborted === true) {
        exchange.abort();
        return;
      }
      const { method, target, headers, body } = request;
      try {
        this.#pool.dispatch({ method, path: target, headers, body }, exchange);
      } catch (error) {
        exchange.onResponseError(undefined, error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** Ends all connections; what is under way fails. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

const ONE_PIECE_BYTES = 32 * 1024;
/** An answer that claims to be longer is gathered as it comes, whatever it claims. */
const MAX_KNOWN_BYTES = 64 * 1024 * 1024;

class Exchange implements Dispatcher.DispatchHandler {
  readonly #resolve: (outcome: HttpOutcome) => void;
  readonly #release: () => void;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  /** The body, where the answer said how long it will be: what has come is in it already. */
  #body: Buffer | null = null;
  #received = 0;

  constructor(resolve: (outcome: HttpOutcome) => void, signal: AbortSignal | undefined) {
    this.#resolve = resolve;
    this.#release = onAbort(signal, () => this.abort());
  }

  abort(): void {
    this.#settle({ kind: "aborted", sent: this.#controller !== undefined });
    this.#controller?.abort(new Error("aborted"));
  }

  /** The connection is there and nothing has been written yet. Called again if undici would send the request anew. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    const again = this.#controller !== undefined;
    this.#controller = controller;
    if (again || this.#settled) controller.abort(new Error("the connection was lost"));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#received === 0 && this.#chunks.length === 0) {
      const length = Number(this.#headers["content-length"]);
      // A small one comes in one piece.
      if (length > ONE_PIECE_BYTES && length <= MAX_KNOWN_BYTES) this.#body = Buffer.allocUnsafeSlow(length);
    }
    if (this.#body === null) this.#chunks.push(chunk);
    else this.#received += chunk.copy(this.#body, this.#received);
  }

  onResponseEnd(): void {
    const [first, second] = this.#chunks;
    const body =
      this.#body?.subarray(0, this.#received) ??
      (first !== undefined && second === undefined ? first : Buffer.concat(this.#chunks));
    this.#settle({ kind: "answered", answer: { status: this.#status, headers: this.#headers, body } });
  }

  onResponseError(_: unknown, error: Error): void {
    this.#settle({ kind: "failed", error, sent: this.#controller !== undefined });
  }

  #settle(outcome: HttpOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#release();
    this.#resolve(outcome);
  }
}
