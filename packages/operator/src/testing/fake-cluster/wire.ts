import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";

export type WireRequest = IncomingMessage | Http2ServerRequest;
export type WireResponse = ServerResponse | Http2ServerResponse;

/** A request and the ways to answer it, or not to: the same for HTTP/1.1 and HTTP/2. */
export interface Exchange {
  /** `1.1` or `2.0`. */
  readonly protocol: string;
  /** The client is not there any more. */
  readonly gone: boolean;
  /** Bytes that the client has not taken yet. */
  readonly pending: number;
  onGone(callback: () => void): void;
  head(status: number, headers: Readonly<Record<string, string>>): void;
  /** Sends the head now, before there is anything else to send. */
  flush(): void;
  write(text: string): void;
  end(text?: string): void;
  /** Ends the connection without a word. */
  close(): void;
  /** Ends it with a TCP reset. */
  reset(): void;
  /** Ends this request only, where the protocol can. */
  resetStream(): void;
  /** Writes a text and ends the connection once it is on its way. */
  breakOff(text: string): void;
}

/** `sockets`: the TCP connections of the server, by `addressOfPeer`. */
export function exchange(request: WireRequest, response: WireResponse, sockets: ReadonlyMap<string, Socket>): Exchange {
  const stream = "stream" in response ? response.stream : null;
  // The compatible part of both classes is the same, but their overloads do not add up to one type.
  const answer = response as ServerResponse;
  const raw = sockets.get(addressOfPeer(request.socket));
  const close = (): void => {
    (raw ?? answer.socket)?.destroy();
  };
  answer.on("error", () => undefined);
  return {
    protocol: request.httpVersion,
    get gone() {
      const over = stream === null ? answer.destroyed || answer.closed : stream.destroyed || stream.closed;
      return over || raw?.destroyed === true;
    },
    get pending() {
      return stream?.writableLength ?? answer.writableLength;
    },
    onGone: (callback) => void answer.on("close", callback),
    head: (status, headers) => {
      answer.writeHead(status, headers);
    },
    flush: () => {
      answer.flushHeaders();
    },
    write: (text) => void answer.write(text),
    end: (text) => {
      if (text === undefined) answer.end();
      else answer.end(text);
    },
    close,
    reset: () => {
      raw?.resetAndDestroy();
    },
    resetStream: () => {
      if (stream === null) close();
      // INTERNAL_ERROR
      else stream.close(2);
    },
    breakOff: (text) => void answer.write(text, () => close()),
  };
}

/** Names a connection by its other end: on HTTP/2 a request only has a stand-in for its socket. */
export function addressOfPeer({
  remoteAddress,
  remotePort,
}: {
  remoteAddress?: string | undefined;
  remotePort?: number | undefined;
}): string {
  return `${remoteAddress ?? ""} ${String(remotePort)}`;
}

/** The body; null when the client went away before its end: then nothing was asked. */
export async function readBody(request: WireRequest): Promise<string | null> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return null;
  }
  return request.complete ? Buffer.concat(chunks).toString() : null;
}
