import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import { once } from "node:events";
import type { Socket } from "node:net";
import { STALLED_CONNECTION } from "../port.js";
import { ConnectionError, type HttpAnswer, type HttpRequest } from "./exchange.js";
import { CONNECT_MS } from "./socket.js";

/** What may be under way on one stream before its reader takes it. */
const STREAM_WINDOW = 256 * 1024;
/** Of all streams together: Node gives this one back at once, so that a slow reader holds up no other. */
const CONNECTION_WINDOW = 4 * 1024 * 1024;
const PING_EVERY_MS = 30_000;
const PING_MS = 15_000;
/** A connection on which something stalled has this long to prove that the rest of it lives. */
const SUSPECT_PING_MS = 5000;

/**
 * One HTTP/2 connection with its many streams. Node's client is used as it is: undici's sends nothing but GET while a stream is open
 * (a watch is for ever), and ends all streams on a GOAWAY that lets them finish (seen with 7.30).
 */
export class H2Connection {
  readonly #session: ClientHttp2Session;
  readonly #authority: string;
  readonly #pings: NodeJS.Timeout;
  #retired = false;
  #open = 0;
  #served = false;

  /** @param socket connected, `h2` negotiated */
  static async open(socket: Socket, server: string): Promise<H2Connection> {
    const session = connect(server, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    });
    session.on("error", () => undefined);
    const late = setTimeout(() => session.destroy(new Error("no HTTP/2 settings from the server")), CONNECT_MS);
    try {
      // Until then it is not known how many streams the server takes.
      await once(session, "remoteSettings");
    } catch (error) {
      session.destroy();
      throw new ConnectionError(`${server} began no HTTP/2`, { unsent: true, cause: error });
    } finally {
      clearTimeout(late);
    }
    session.setLocalWindowSize(CONNECTION_WINDOW);
    return new H2Connection(session, new URL(server).host);
  }

  private constructor(session: ClientHttp2Session, authority: string) {
    this.#session = session;
    this.#authority = authority;
    this.#pings = setInterval(() => {
      if (this.#open > 0) this.#ping(PING_MS);
    }, PING_EVERY_MS).unref();
    session.once("close", () => clearInterval(this.#pings));
  }

  /** No longer of use to anyone. */
  get ended(): boolean {
    return this.#retired || this.#session.closed || this.#session.destroyed;
  }

  /** Takes another request. A GOAWAY closes the session, whose streams go on. */
  get free(): boolean {
    return !this.ended && this.#open < (this.#session.remoteSettings.maxConcurrentStreams ?? Infinity);
  }

  /** Takes no more requests and ends with its last one; those under way fail only if the server no longer answers at all. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    if (this.#session.closed || this.#session.destroyed) return;
    this.#ping(SUSPECT_PING_MS);
    this.#session.close();
  }

  destroy(): void {
    this.#retired = true;
    // With an error: without one its streams would end as if they were complete.
    this.#session.destroy(new Error("the client was closed"), constants.NGHTTP2_CANCEL);
  }

  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    signal.throwIfAborted();
    const stream = this.#begin(request);
    this.#open++;
    const onAbort = (): void => {
      // Aborted, the stream must not answer any more; only a stalled one says something about the connection.
      cancel(stream);
      if (signal.reason === STALLED_CONNECTION) this.retire();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    stream.on("error", () => undefined);
    stream.once("close", () => {
      this.#open--;
      signal.removeEventListener("abort", onAbort);
    });
    const reused = this.#served;
    const headers = await this.#answerOf(stream, reused);
    this.#served = true;
    const { [constants.HTTP2_HEADER_STATUS]: status, ...others } = headers;
    return { status: Number(status), headers: others, body: bodyOf(stream) };
  }

  #begin({ method, path, headers, body }: HttpRequest): ClientHttp2Stream {
    try {
      const stream = this.#session.request(
        { ":method": method, ":path": path, ":scheme": "https", ":authority": this.#authority, ...headers },
        { endStream: body === undefined },
      );
      if (body !== undefined) stream.end(body);
      return stream;
    } catch (error) {
      throw new ConnectionError("the connection has ended", { unsent: true, lost: true, cause: error });
    }
  }

  #answerOf(stream: ClientHttp2Stream, reused: boolean): Promise<IncomingHttpHeaders> {
    return new Promise((done, fail) => {
      stream.once("response", done);
      stream.once("close", () => {
        const refused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
        // A GOAWAY passed it on its way; that is heard of only after this.
        if (refused) this.retire();
        fail(new ConnectionError(`no answer: ${resetCode(stream)}`, { unsent: refused, lost: reused || refused }));
      });
    });
  }

  #ping(limitMs: number): void {
    const session = this.#session;
    const late = setTimeout(() => session.destroy(new Error("the server answers no ping")), limitMs).unref();
    try {
      session.ping(() => clearTimeout(late));
    } catch {
      clearTimeout(late);
      session.destroy();
    }
  }
}

function cancel(stream: ClientHttp2Stream): void {
  stream.close(constants.NGHTTP2_CANCEL);
  stream.destroy();
}

async function* bodyOf(stream: ClientHttp2Stream): AsyncGenerator<Uint8Array, void, undefined> {
  let ended = false;
  try {
    // Left to itself, the iterator would end the stream as if nothing were missing.
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) yield chunk as Uint8Array;
    ended = true;
  } catch (error) {
    throw new ConnectionError(`the answer broke off: ${resetCode(stream)}`, { cause: error });
  } finally {
    if (!ended) cancel(stream);
  }
  // Node ends a stream that was reset as it ends one that is complete.
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
    throw new ConnectionError(`the answer broke off: ${resetCode(stream)}`);
  }
}

/** RFC 9113, section 7. */
const RESET_NAMES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

function resetCode(stream: ClientHttp2Stream): string {
  const code = stream.rstCode;
  return code === constants.NGHTTP2_NO_ERROR
    ? "the connection ended"
    : `stream reset (${RESET_NAMES[code] ?? String(code)})`;
}
