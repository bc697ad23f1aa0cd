import { createServer, type Server } from "node:http";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import { TEST_SERVER_CERTIFICATE, TEST_SERVER_KEY } from "./test-certificates.js";
import { addressOfPeer, exchange, type Exchange, type WireRequest, type WireResponse } from "./wire.js";

export type Transport = "http" | "https" | "https with http2";

/** The listening socket and its connections. */
export class Listener {
  readonly #server: Server | TlsServer | Http2SecureServer;
  readonly #sockets = new Map<string, Socket>();
  #port = 0;

  constructor(transport: Transport, handle: (request: WireRequest, exchange: Exchange) => void) {
    const listener = (request: WireRequest, response: WireResponse): void => {
      handle(request, exchange(request, response, this.#sockets));
    };
    const identity = { key: TEST_SERVER_KEY, cert: TEST_SERVER_CERTIFICATE };
    if (transport === "http") this.#server = createServer(listener);
    else if (transport === "https") this.#server = createTlsServer(identity, listener);
    else this.#server = createSecureServer({ ...identity, allowHTTP1: true }, listener);
    this.#server.on("connection", (socket: Socket) => this.#track(socket));
    // Clients that give up in the middle of a handshake or of a session are everyday here.
    this.#server.on("tlsClientError", () => undefined);
    this.#server.on("sessionError", () => undefined);
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async listen(port: number, host: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject).listen(port, host, resolve);
    });
    const address = this.#server.address();
    this.#port = typeof address === "object" && address !== null ? address.port : port;
  }

  closeConnections(): void {
    for (const socket of [...this.#sockets.values()]) socket.destroy();
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.closeConnections();
    });
  }

  #track(socket: Socket): void {
    const key = addressOfPeer(socket);
    this.#sockets.set(key, socket);
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(key));
  }
}
