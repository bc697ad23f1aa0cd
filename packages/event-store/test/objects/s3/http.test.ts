import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openS3Objects, type S3ConnectionOptions } from "../../../src/objects/s3/index.js";
import type { S3Objects } from "../../../src/objects/s3/index.js";
import { answer, fakeTime, like, OBJECT, scripted, STORED, type Script } from "./scripted-server.js";

function open(endpoint: string, options: Partial<S3ConnectionOptions> = {}): S3Objects {
  const store = openS3Objects({ bucket: "events", endpoint, accessKeyId: "id", secretAccessKey: "secret", ...options });
  onTestFinished(() => store.close());
  return store;
}

const body = Buffer.from("{}");
const NEVER: Script = () => undefined;

/** A port that refuses connections. */
async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("requests on the wire", () => {
  it("a put carries its condition, metadata and hash, all signed, and a key that nothing normalised", async () => {
    const { endpoint, seen } = await scripted([STORED]);
    const key = "log//a/../b/./ü +%.json/";
    expect(
      await open(endpoint, { sessionToken: "tok" }).putIfAbsent(key, body, { metadata: { "put-id": "p" } }),
    ).toEqual({ outcome: "stored", etag: '"e"' });
    const [{ method, url, headers, body: sent }] = seen as [(typeof seen)[0]];
    expect([method, url]).toEqual(["PUT", "/events/log//a/../b/./%C3%BC%20%2B%25.json/"]);
    expect(sent).toEqual(body);
    expect(headers).toMatchObject({
      "if-none-match": "*",
      "content-type": "application/json",
      "content-length": "2",
      "x-amz-meta-put-id": "p",
      "x-amz-security-token": "tok",
      "x-amz-content-sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      "user-agent": "rynxs-event-store",
    });
    expect(headers.authorization).toContain(
      "SignedHeaders=content-type;host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-meta-put-id;x-amz-security-token,",
    );
    expect(headers).not.toHaveProperty("transfer-encoding");
  });

  it("connections are kept, and are never more than allowed", async () => {
    const sockets = new Set<unknown>();
    const { endpoint } = await scripted([
      (response, seen) => {
        sockets.add(response.socket?.remotePort);
        OBJECT(response, seen);
      },
    ]);
    const store = open(endpoint, { maxConnections: 4 });
    for (let i = 0; i < 10; i++) await store.get("k");
    expect(sockets.size, "one in use, and one that was not free at once").toBeLessThanOrEqual(2);
    await Promise.all(Array.from({ length: 40 }, () => store.get("k")));
    expect(sockets.size).toBeLessThanOrEqual(4);
  });

  it("one signal serves many requests, and aborting it ends them all", async () => {
    const warnings: unknown[] = [];
    const listener = (warning: unknown): void => void warnings.push(warning);
    process.on("warning", listener);
    onTestFinished(() => void process.off("warning", listener));
    const { endpoint, seen } = await scripted([NEVER]);
    const store = open(endpoint);
    const controller = new AbortController();
    const gets = Array.from({ length: 64 }, () => store.get("k", { signal: controller.signal }));
    const codes = Promise.all(
      gets.map((get) =>
        get.then(
          () => "done",
          (error: unknown) => (error as { code: string }).code,
        ),
      ),
    );
    while (seen.length < 64) await new Promise(setImmediate);
    controller.abort();
    expect(new Set(await codes)).toEqual(new Set(["ABORTED"]));
    await new Promise(setImmediate);
    expect(warnings).toEqual([]);
  });

  it("a put that waits for a connection when it is aborted was not sent", async () => {
    const { endpoint, seen } = await scripted([NEVER, OBJECT]);
    const store = open(endpoint, { maxConnections: 1 });
    const controller = new AbortController();
    const first = store.putIfAbsent("first", body, { signal: controller.signal });
    while (seen.length < 1) await new Promise(setImmediate);
    const second = store.putIfAbsent("second", body, { signal: controller.signal });
    controller.abort();
    expect(await first).toMatchObject({ outcome: "unknown", sent: true, cause: { code: "ABORTED" } });
    expect(await second).toMatchObject({ outcome: "unknown", sent: false, cause: { code: "ABORTED" } });
    await store.get("third");
    expect(seen.map(({ url }) => url)).toEqual(["/events/first", "/events/third"]);
  });
});

describe("no answer", () => {
  it("nobody listens: a put was not sent, and reads give up after four quick tries", async () => {
    const time = fakeTime();
    const endpoint = `http://127.0.0.1:${await deadPort()}`;
    const store = open(endpoint, { ...time, random: () => 0.999 });
    expect(await store.putIfAbsent("k", body)).toMatchObject({
      outcome: "unknown",
      sent: false,
      cause: { code: "UNAVAILABLE", facts: { backendCode: "ECONNREFUSED" } },
    });
    await expect(store.get("k")).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: like(/^GET s3:\/\/events\/k: nothing listens at http:.*ECONNREFUSED.*\(4 tries in 1\.4 s\)$/),
      hint: like("host and port"),
      facts: { operation: "GET", bucket: "events", key: "k", endpoint },
    });
    expect(time.pauses.map(Math.round)).toEqual([200, 400, 799]);
  });

  it("a server that hangs: the put is unknown, the get is tried until the deadline", async () => {
    const { endpoint, seen } = await scripted([NEVER]);
    const store = open(endpoint, { answerTimeoutMs: 50, retryDeadlineMs: 1 });
    expect(await store.putIfAbsent("k", body)).toMatchObject({
      outcome: "unknown",
      sent: true,
      cause: { facts: { backendCode: "UND_ERR_HEADERS_TIMEOUT" } },
    });
    await expect(store.get("k")).rejects.toMatchObject({ code: "UNAVAILABLE", hint: like("overloaded") });
    expect(seen.map(({ method }) => method)).toEqual(["PUT", "GET"]);
  });

  it("a body that stops half-way is fetched again", async () => {
    const half: Script = (response) => {
      response.writeHead(200, { etag: '"e"', "content-length": "10" });
      response.write("12345", () => response.socket?.destroy());
    };
    const stalled: Script = (response) => {
      response.writeHead(200, { etag: '"e"', "content-length": "10" });
      response.write("12345");
    };
    const { endpoint, seen } = await scripted([half, stalled, answer(200, "1234567890", { etag: '"e"' })]);
    const store = open(endpoint, { ...fakeTime(), bodyTimeoutMs: 50 });
    expect((await store.get("k"))?.body.toString()).toBe("1234567890");
    expect(seen).toHaveLength(3);
  });

  it("something that does not speak HTTP", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end("220 mail.example.com ESMTP\r\n"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const store = open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, fakeTime());
    await expect(store.get("k")).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: like("the answer is not HTTP"),
    });
  });
});

describe("closing", () => {
  it("ends what is under way, and all later calls", async () => {
    const { endpoint, seen } = await scripted([NEVER]);
    const store = open(endpoint);
    const put = store.putIfAbsent("k", body);
    const get = store.get("k").catch((error: unknown) => error);
    while (seen.length < 2) await new Promise(setImmediate);
    await store.close();
    expect(await put).toMatchObject({ outcome: "unknown", sent: true });
    expect(await get).toMatchObject({ code: "CLOSED" });
    await expect(store.putIfAbsent("k", body)).rejects.toMatchObject({ code: "CLOSED" });
    await expect(store.list({ prefix: "" })).rejects.toMatchObject({ code: "CLOSED" });
    await store.close();
  });
});

const OPENSSL = "openssl";

/** A certificate for 127.0.0.1 that nobody has signed but itself. */
function selfSigned(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  execFileSync(
    OPENSSL,
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
      "-keyout",
      key,
      "-out",
      cert,
      "-subj",
      "/CN=storage",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
    ],
    { stdio: "ignore" },
  );
  const pair = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  rmSync(folder, { recursive: true });
  return pair;
}

describe("TLS", () => {
  it("works with an authority of one's own, and refuses what nobody vouches for", async () => {
    const pair = selfSigned();
    const { endpoint, seen } = await scripted([OBJECT], pair);
    expect(endpoint).toMatch(/^https:/);
    expect((await open(endpoint, { tls: { ca: pair.cert } }).get("k"))?.body.toString()).toBe("{}");
    expect(seen).toHaveLength(1);
    const refused = { code: "REQUEST_REFUSED", message: like("certificate"), hint: like("NODE_EXTRA_CA_CERTS") };
    await expect(open(endpoint).get("k")).rejects.toMatchObject(refused);
    await expect(open(endpoint).putIfAbsent("k", body)).rejects.toMatchObject(refused);
    expect(seen).toHaveLength(1);
  });

  it("says so when the server does not speak it, and when it does", async () => {
    const plain = await scripted([OBJECT]);
    await expect(open(plain.endpoint.replace("http:", "https:")).get("k")).rejects.toMatchObject({
      code: "REQUEST_REFUSED",
      hint: like("begin the endpoint with http://"),
    });
    expect(plain.seen).toEqual([]);
  });

  it("does not take a silent server for one (the connection's time-out includes the handshake)", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket.on("error", () => undefined)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    const store = open(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, { connectTimeoutMs: 50 });
    expect(await store.putIfAbsent("k", body)).toMatchObject({
      outcome: "unknown",
      sent: false,
      cause: { facts: { backendCode: "UND_ERR_CONNECT_TIMEOUT" } },
    });
  });
});
