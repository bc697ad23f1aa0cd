import { createServer, request as send, Agent, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { FaultTable, type Answer, type Fault } from "@rynxs/event-store/testing";

/** Stands before a real S3 server and makes of it one that fails as the emulator can: with the same table of faults. */
export interface S3Proxy {
  /** `http://127.0.0.1:port`. */
  readonly endpoint: string;
  readonly faults: FaultTable;
  /** How often each fault happened. */
  readonly happened: ReadonlyMap<string, number>;
  /** Lets the requests that are held go on. */
  release(): void;
  close(): Promise<void>;
}

/** The server gets half of the request's body, and then the connection ends. */
export const CUT_REQUEST: Fault = { name: "cutRequest", apply: "never", answer: "close" };

/** The server gets the request only on `release`, or after so long, and the client its answer then. */
export function held(ms: number): Fault {
  return { name: HELD, apply: "once", answer: "real", delayMs: ms };
}

export const HELD = "held";

/** Requests are passed on byte for byte, with the Host that the client signed. */
export async function startS3Proxy(target: string): Promise<S3Proxy> {
  const faults = new FaultTable();
  const happened = new Map<string, number>();
  const agent = new Agent({ keepAlive: true });
  const holds: (() => void)[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const later = (ms: number, action: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      action();
    }, ms);
    timers.add(timer);
  };
  const handle = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { socket } = message;
    response.on("error", () => undefined);
    const body = await bodyOf(message);
    if (body === null) return;
    const fault = faults.take(targetOf(message));
    if (fault) happened.set(fault.name, (happened.get(fault.name) ?? 0) + 1);
    const pass = (): Promise<Answer | null> => forward(target, agent, message, body);
    if (fault?.name === CUT_REQUEST.name) void forward(target, agent, message, body, body.length >> 1);
    if (fault?.apply === "late") later(fault.lateMs ?? 1_000, () => void pass());
    if (fault?.apply === "twice") await pass();
    const wait = (): Promise<void> => new Promise((resolve) => later(fault?.delayMs ?? 0, resolve));
    if (fault?.name === HELD) await Promise.race([wait(), new Promise<void>((resolve) => holds.push(resolve))]);
    const goesOn = fault === null || fault.apply === "once" || fault.apply === "twice";
    const answer = goesOn ? await pass() : null;
    if (fault?.delayMs !== undefined && fault.name !== HELD) await wait();
    reply(socket, response, fault?.answer ?? "real", answer, message.method === "HEAD");
  };
  const server = createServer((message, response) => void handle(message, response));
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    faults,
    happened,
    release: () => {
      for (const go of holds.splice(0)) go();
    },
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      agent.destroy();
    },
  };
}

/** As the emulator tells them apart, as far as it matters here. */
function targetOf({ method = "GET", url = "/" }: IncomingMessage): { method: string; operation: string; key: string } {
  const { pathname, searchParams } = new URL(url, "http://proxy");
  const [, , ...key] = decodeURIComponent(pathname).split("/");
  const isList = method === "GET" && searchParams.has("list-type");
  return { method, operation: isList ? "LIST" : method, key: key.join("/") };
}

/** Null when the client left in the middle. */
function bodyOf(message: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    message.on("data", (chunk: Buffer) => chunks.push(chunk));
    message.on("end", () => resolve(Buffer.concat(chunks)));
    message.on("error", () => resolve(null));
    message.on("close", () => resolve(null));
  });
}

/** What the server answers; null when it cannot be reached. With `cutAt`, no more of the body than that. */
function forward(
  target: string,
  agent: Agent,
  { method, url, rawHeaders }: IncomingMessage,
  body: Buffer,
  cutAt?: number,
): Promise<Answer | null> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(target);
    const headers = pairs(rawHeaders).filter(
      ([name]) => !/^(connection|transfer-encoding|content-length|expect)$/i.test(name),
    );
    const flat = [...headers, ["content-length", String(body.length)]].flat();
    const passed = send({
      agent: cutAt === undefined ? agent : false,
      hostname,
      port,
      method,
      path: url,
      headers: flat,
    });
    passed.on("error", () => resolve(null));
    passed.on("response", (answer) => {
      void bodyOf(answer).then((content) =>
        resolve(
          content && {
            status: answer.statusCode ?? 502,
            headers: Object.fromEntries(pairs(answer.rawHeaders)),
            body: content,
          },
        ),
      );
    });
    if (cutAt === undefined) passed.end(body);
    else passed.write(body.subarray(0, cutAt), () => passed.destroy());
  });
}

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] ?? "", raw[2 * i + 1] ?? ""]);
}

function reply(
  socket: Socket,
  response: ServerResponse,
  how: Fault["answer"],
  real: Answer | null,
  isHead: boolean,
): void {
  if (how === "none" || socket.destroyed) return;
  if (how === "reset") return void socket.resetAndDestroy();
  const said = typeof how === "object" ? how : real;
  if (how === "close" || said === null) return void socket.destroy();
  const { status, body } = said;
  response.sendDate = false;
  const headers = Object.entries(said.headers).filter(
    ([name]) =>
      !/^(connection|keep-alive|transfer-encoding)$/i.test(name) && !(/^content-length$/i.test(name) && !isHead),
  );
  // What has no body by definition must not claim a length of it.
  const length = isHead || status === 204 || status === 304 ? [] : [["content-length", String(body.length)]];
  response.writeHead(status, [...headers, ...length].flat());
  if (how !== "truncated") response.end(isHead ? undefined : body);
  else if (body.length === 0 || isHead) socket.write("HTTP/1.1 20", () => socket.destroy());
  else response.write(body.subarray(0, body.length >> 1), () => socket.destroy());
}
