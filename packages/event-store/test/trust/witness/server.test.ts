import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { originHash } from "../../../src/trust/witness/witness.js";
import {
  localCosigner,
  serveWitness,
  Witness,
  type WitnessAnswered,
  type WitnessServer,
  type WitnessServerOptions,
} from "../../../src/trust/index.js";
import { testLog, TestState } from "./log.js";

const log = testLog("example.com/log");
const signer = localCosigner("witness.example/w1", Buffer.alloc(32, 9), () => 1_679_315_147_000);
const open: WitnessServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close(AbortSignal.abort())));
});

interface Served {
  readonly server: WitnessServer;
  readonly state: TestState;
  readonly answers: WitnessAnswered[];
  readonly url: string;
  post(body: string | Uint8Array): Promise<Response>;
}

async function served(options: Partial<WitnessServerOptions> = {}): Promise<Served> {
  const state = new TestState();
  const witness = new Witness({ logs: [log.signer.key], signer, state, now: () => 1_679_315_147_000 });
  const answers: WitnessAnswered[] = [];
  const server = await serveWitness(witness, { port: 0, onAnswer: (answer) => answers.push(answer), ...options });
  open.push(server);
  const url = `http://${server.host}:${String(server.port)}`;
  const post = (body: string | Uint8Array): Promise<Response> =>
    fetch(`${url}/add-checkpoint`, { method: "POST", body: Buffer.from(body) });
  return { server, state, answers, url, post };
}

/** What comes back for these bytes, up to the end of the connection. */
function raw(server: WitnessServer, bytes: string, more?: (write: (bytes: string) => void) => void): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect(server.port, server.host, () => socket.write(bytes));
    socket.on("data", (data) => (said += data.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      resolve(said);
    });
    more?.((text) => socket.write(text));
  });
}

describe("a witness's server", () => {
  it("listens on this machine only, unless told otherwise", async () => {
    expect((await served()).server.host).toBe("127.0.0.1");
    const { server } = await served();
    await expect(served({ port: server.port })).rejects.toMatchObject({
      code: "PATH_UNUSABLE",
      facts: { backendCode: "EADDRINUSE" },
    });
  });

  it("answers add-checkpoint with a cosignature line, and refusals with their status and type", async () => {
    const { post, answers } = await served();
    const first = await post(await log.request(0, 7));
    expect([first.status, first.headers.get("content-type")]).toEqual([200, "text/plain; charset=utf-8"]);
    expect(await first.text()).toMatch(/^— witness\.example\/w1 [A-Za-z0-9+/]+=*\n$/);
    const second = await post(await log.request(0, 20));
    expect([second.status, second.headers.get("content-type"), await second.text()]).toEqual([
      409,
      "text/x.tlog.size",
      "7\n",
    ]);
    expect((await post(await testLog("example.com/other").request(0, 7))).status).toBe(404);
    expect((await post("x")).status).toBe(400);
    expect(answers.map(({ status, origin, size }) => [status, origin, size])).toEqual([
      [200, "example.com/log", 7],
      [409, "example.com/log", 20],
      [404, undefined, undefined],
      [400, undefined, undefined],
    ]);
  });

  it("shows the last checkpoint that it cosigned, by the hash of the origin", async () => {
    const { post, url, state } = await served();
    const place = `${url}/${originHash("example.com/log")}/checkpoint`;
    expect((await fetch(place)).status).toBe(404);
    const cosignature = await (await post(await log.request(0, 7))).text();
    const shown = await fetch(place);
    expect([shown.status, await shown.text()]).toEqual([200, `${await log.note(7)}${cosignature}`]);
    expect(state.writes).toBe(1);
    const head = await fetch(place, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  it("has nothing else, and takes no other methods", async () => {
    const { url } = await served();
    const other = originHash("example.com/other");
    for (const path of ["/", `/${other}/checkpoint`, `/${other.toUpperCase()}/checkpoint`, "/../x", "/sign-subtree"])
      expect((await fetch(url + path)).status).toBe(404);
    const put = await fetch(`${url}/add-checkpoint`, { method: "PUT", body: "x" });
    expect([put.status, put.headers.get("allow")]).toEqual([405, "POST"]);
    const post = await fetch(`${url}/${other}/checkpoint`, { method: "POST", body: "x" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  it("answers 500, without a cosignature, when its state cannot be written, and says so to its operator", async () => {
    const { post, state, answers } = await served();
    state.fail = "behind";
    const answer = await post(await log.request(0, 7));
    expect([answer.status, await answer.text()]).toEqual([500, "the witness cannot use its state\n"]);
    expect(answers[0]).toMatchObject({ status: 500, error: expect.any(Error) as Error });
    expect((await post(await log.request(7, 7))).status).toBe(200);
  });

  it("takes no more than a request can have, whether that is announced or not", async () => {
    const { server, state } = await served();
    const announced = "POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    expect(await raw(server, announced)).toMatch(/^HTTP\/1\.1 413 [^]*connection: close/i);
    const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    const endless = `POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}`;
    expect(await raw(server, endless)).toMatch(/^HTTP\/1\.1 413 /);
    const headers = `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`;
    expect(await raw(server, headers)).toMatch(/^HTTP\/1\.1 431 /);
    expect(state.writes).toBe(0);
  });

  it("ends connections that do not send their request in time, before or in the body", async () => {
    const { server } = await served({ requestTimeoutMs: 100 });
    const begun = "POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n";
    expect(await Promise.all([raw(server, begun), raw(server, `${begun}Content-Length: 100\r\n\r\nold 0`)])).toEqual([
      expect.stringMatching(/^HTTP\/1\.1 408 /),
      expect.stringMatching(/^(HTTP\/1\.1 408 |$)/),
    ]);
  });

  it("lets only so many in, and answers 503 to who sends many requests without waiting", async () => {
    const { server, answers } = await served({ maxConnections: 2, requestTimeoutMs: 500 });
    const waiting = [raw(server, "GET / HTTP"), raw(server, "GET / HTTP")];
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await raw(server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")).toBe("");
    await Promise.all(waiting);
    const get = `GET /${originHash("example.com/log")}/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n`;
    const said = await raw(server, `${get.repeat(20)}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(said).toMatch(/ 404 /);
    expect(said).toMatch(/ 503 [^]*retry-after: 1/i);
    expect(answers.length).toBeGreaterThan(1);
  });

  it("answers what is under way before it closes", async () => {
    const { server, state, post, url } = await served();
    let proceed: () => void = () => undefined;
    let begun: () => void = () => undefined;
    const isBegun = new Promise<void>((resolve) => (begun = resolve));
    const write = state.write.bind(state);
    state.write = async (origin, note) => {
      begun();
      await new Promise<void>((resolve) => (proceed = resolve));
      await write(origin, note);
    };
    const answer = post(await log.request(0, 7));
    await isBegun;
    const closed = server.close();
    await expect(fetch(url)).rejects.toThrow();
    proceed();
    expect((await answer).status).toBe(200);
    await closed;
  });
});
