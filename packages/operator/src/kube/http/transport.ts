import type { Socket } from "node:net";
import type { Credentials } from "../config/credentials.js";
import type { KubeConfig } from "../config/server-config.js";
import { settled } from "../settled.js";
import { ConnectionError, type HttpAnswer, type HttpRequest } from "./exchange.js";
import { H1Pool } from "./h1-pool.js";
import { H2Connection } from "./h2-connection.js";
import { openSocket, type OpenSocket } from "./socket.js";

/** How often a request looks for a place on a connection: each time others may have taken what was opened. */
const ROUNDS = 8;

/**
 * Connections to one server: HTTP/2 where it speaks that, so that all watches and requests share one connection as long as the server
 * takes that many streams on it; else HTTP/1.1. Which it is, the first connection tells.
 */
export class Transport {
  readonly #config: KubeConfig;
  #connections: H2Connection[] = [];
  #opening: Promise<void> | undefined;
  #h1: H1Pool | undefined;
  /** The connection that told that the server speaks HTTP/1.1 only, until the pool takes it. */
  #spare: Socket | undefined;
  /** Whose certificate the connections carry. */
  #identity: Credentials = {};
  #closed = false;

  constructor(config: KubeConfig) {
    this.#config = config;
  }

  /** Resolves with the answer's head. @throws ConnectionError, KubeError; the signal's reason when that aborted */
  async send(request: HttpRequest, credentials: Credentials, signal: AbortSignal): Promise<HttpAnswer> {
    if (credentials.certificate !== this.#identity.certificate || credentials.key !== this.#identity.key) {
      this.#retireAll();
    }
    this.#identity = credentials;
    for (let round = 0; ; round++) {
      signal.throwIfAborted();
      if (this.#closed) throw new ConnectionError("the client is closed", { unsent: true });
      if (this.#h1 !== undefined) return this.#h1.send(request, signal);
      this.#connections = this.#connections.filter((each) => !each.ended);
      const free = this.#connections.find((each) => each.free);
      if (free !== undefined) return free.send(request, signal);
      if (round === ROUNDS) throw new ConnectionError("the server takes no streams", { unsent: true });
      this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
      await settled(this.#opening, signal);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#spare?.destroy();
    for (const each of this.#connections) each.destroy();
    await this.#h1?.destroy();
  }

  async #open(): Promise<void> {
    const { socket, protocol } = await openSocket(this.#config, this.#identity, ["h2", "http/1.1"]);
    if (protocol === "h2") {
      const connection = await H2Connection.open(socket, this.#config.server);
      if (this.#closed) connection.destroy();
      else this.#connections.push(connection);
      return;
    }
    this.#spare = socket;
    // Nothing else listens until the pool takes it.
    socket.once("error", () => undefined);
    if (this.#closed) socket.destroy();
    else this.#h1 ??= new H1Pool(this.#config.server, () => this.#h1Socket());
  }

  async #h1Socket(): Promise<Socket> {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare?.destroyed === false && spare.readable) return spare;
    const opened: OpenSocket = await openSocket(this.#config, this.#identity, ["http/1.1"]);
    return opened.socket;
  }

  #retireAll(): void {
    for (const each of this.#connections) each.retire();
    this.#spare?.destroy();
    this.#h1?.retire();
  }
}
