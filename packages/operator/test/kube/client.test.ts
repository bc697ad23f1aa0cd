import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import type { KubeConfig } from "../../src/kube/config/kube-config.js";
import { certificates } from "./certificates.js";
import { clientOf, endAfterEach, errorOf, start } from "./clients.js";
import { json, startServer, status, until, type Protocols } from "./server.js";

endAfterEach();

describe.each(["h2", "h1"] satisfies Protocols[])("requests over %s", (protocols) => {
  test("send method, path, query, headers and body, and parse the answer", async () => {
    const server = await start((seen, answer) => json(answer, 200, { got: seen.method }), { protocols });
    const api = clientOf(server.config({ authorization: "Bearer abc" }));
    const body = { metadata: { resourceVersion: "7" }, text: "ünïcode" };
    const contentType = "application/merge-patch+json";
    expect(
      await api.request({ method: "PATCH", path: "/apis/g/v1/x/y", query: { a: "b c" }, body, contentType }),
    ).toEqual({
      got: "PATCH",
    });
    const [seen] = server.seen;
    expect(seen).toMatchObject({ method: "PATCH", path: "/apis/g/v1/x/y", query: { a: "b c" } });
    expect(JSON.parse(seen?.body ?? "")).toEqual(body);
    expect(seen?.headers).toMatchObject({
      authorization: "Bearer abc",
      accept: "application/json",
      "content-type": contentType,
      "user-agent": "rynxs-test/1",
    });
  });

  test("keep every digit of a long integer, and give numbers otherwise", async () => {
    const server = await start(
      (seen, answer) => {
        answer.writeHead(200);
        answer.end(seen.path === "/long" ? '{"n":12345678901234567890,"small":1,"half":1.5}' : '{"n":123456789012345}');
      },
      { protocols },
    );
    const api = clientOf(server.config());
    expect(await api.request({ method: "GET", path: "/long" })).toEqual({
      n: 12345678901234567890n,
      small: 1,
      half: 1.5,
    });
    expect(await api.request({ method: "GET", path: "/short" })).toEqual({ n: 123456789012345 });
  });

  test.each([
    [400, "INVALID"],
    [401, "UNAUTHORIZED"],
    [403, "FORBIDDEN"],
    [404, "NOT_FOUND"],
    [409, "CONFLICT"],
    [410, "GONE"],
    [422, "INVALID"],
    [429, "THROTTLED"],
    [500, "UNAVAILABLE"],
    [503, "UNAVAILABLE"],
    [301, "REFUSED"],
    [406, "REFUSED"],
  ] as const)("say %i as %s, with the server's words", async (code, expected) => {
    const server = await start((_, answer) => json(answer, code, status(code, "TheReason", "the message")), {
      protocols,
    });
    const error = await errorOf(clientOf(server.config()).request({ method: "POST", path: "/x", body: {} }));
    expect(error).toMatchObject({
      code: expected,
      facts: { status: code, reason: "TheReason", path: "/x", method: "POST" },
    });
    expect(error.message).toContain("the message");
    expect(server.seen).toHaveLength(1);
  });

  test("read Retry-After in seconds, as a date, and of the Status", async () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    const throttled: unknown = status(429, "TooManyRequests", "slow down");
    const server = await start(
      (seen, answer) => {
        if (seen.path === "/seconds") json(answer, 429, throttled, { "retry-after": "7" });
        else if (seen.path === "/date")
          json(answer, 503, throttled, { "retry-after": "Thu, 01 Jan 2026 00:01:30 GMT" });
        else if (seen.path === "/bad") json(answer, 429, throttled, { "retry-after": "soon" });
        else json(answer, 429, { ...(throttled as object), details: { retryAfterSeconds: 3 } });
      },
      { protocols },
    );
    const api = clientOf(server.config(), () => now);
    const wait = async (path: string): Promise<number | undefined> =>
      (await errorOf(api.request({ method: "GET", path }))).retryAfterMs;
    expect(await wait("/seconds")).toBe(7000);
    expect(await wait("/date")).toBe(90_000);
    expect(await wait("/bad")).toBeUndefined();
    expect(await wait("/details")).toBe(3000);
  });

  test("end at their time limit, also within an answer, and the next one goes over another connection", async () => {
    const server = await start(
      (seen, answer) => {
        if (seen.path === "/ok") {
          json(answer, 200, {});
          return;
        }
        if (seen.path === "/half") {
          answer.writeHead(200);
          answer.write('{"a":');
        }
      },
      { protocols },
    );
    const api = clientOf(server.config());
    for (const path of ["/never", "/half"]) {
      const before = server.connections();
      const error = await errorOf(api.request({ method: "GET", path, timeoutMs: 100 }));
      expect(error.code).toBe("UNAVAILABLE");
      expect(error.message).toContain("no answer in time");
      await api.request({ method: "GET", path: "/ok" });
      const [late, ok] = server.seen.splice(0);
      expect(late?.path).toBe(path);
      expect(ok?.port).not.toBe(late?.port);
      expect(server.connections()).toBeGreaterThan(before);
    }
  });

  test("end with the caller's signal, before and after they were sent", async () => {
    const server = await start(() => undefined, { protocols });
    const api = clientOf(server.config());
    expect((await errorOf(api.request({ method: "GET", path: "/x", signal: AbortSignal.abort() }))).code).toBe(
      "ABORTED",
    );
    expect(server.seen).toHaveLength(0);
    const stop = new AbortController();
    const failed = errorOf(api.request({ method: "GET", path: "/x", signal: stop.signal }));
    await until(() => server.seen.length === 1);
    stop.abort();
    expect((await failed).code).toBe("ABORTED");
  });

  test("say that an answer broke off, was no JSON, or no UTF-8", async () => {
    const server = await start(
      (seen, answer) => {
        answer.writeHead(200);
        if (seen.path === "/html") answer.end("<html>secret</html>");
        else if (seen.path === "/bytes") answer.end(Buffer.from([0x22, 0xff, 0x22]));
        else {
          answer.write('{"a":');
          setTimeout(() => answer.socket?.destroy(), 20);
        }
      },
      { protocols },
    );
    const api = clientOf(server.config());
    for (const path of ["/broken", "/html", "/bytes"]) {
      const error = await errorOf(api.request({ method: "GET", path }));
      expect(error.code).toBe("UNAVAILABLE");
      expect(error.message).not.toContain("secret");
    }
  });

  test("repeat a GET once, nothing else, when the connection had ended", async () => {
    const server = await start(
      (seen, answer) => {
        if (seen.path === "/ok") json(answer, 200, {});
        else seen.socket.destroy();
      },
      { protocols },
    );
    const api = clientOf(server.config());
    for (const [method, times] of [
      ["GET", 2],
      ["POST", 1],
      ["PUT", 1],
    ] as const) {
      await api.request({ method: "GET", path: "/ok" });
      server.seen.length = 0;
      const error = await errorOf(api.request({ method, path: "/drop", ...(method === "GET" ? {} : { body: {} }) }));
      expect(error.code).toBe("UNAVAILABLE");
      expect(server.seen.map((each) => each.method)).toEqual(Array<string>(times).fill(method));
    }
  });

  test("after a 401 go once more with credentials read anew", async () => {
    let token = "old";
    const given: string[] = [];
    const server = await start(
      (seen, answer) => {
        const fresh = seen.headers.authorization === "Bearer new";
        if (fresh) json(answer, 200, { ok: true });
        else json(answer, 401, status(401, "Unauthorized", "who?"));
      },
      { protocols },
    );
    let held = token;
    const api = clientOf({
      ...server.config(),
      credentials: {
        get: () => {
          given.push(held);
          return Promise.resolve({ authorization: `Bearer ${held}` });
        },
        refused: () => {
          held = token;
          return true;
        },
      },
    });
    token = "new";
    expect(await api.request({ method: "POST", path: "/x", body: { a: 1 } })).toEqual({ ok: true });
    expect(given).toEqual(["old", "new"]);
    expect(server.seen.map((each) => each.body)).toEqual(['{"a":1}', '{"a":1}']);

    held = token = "bad";
    const error = await errorOf(api.request({ method: "GET", path: "/x" }));
    expect(error.code).toBe("UNAUTHORIZED");
    expect(error.message + JSON.stringify(error.facts)).not.toContain("bad");
    expect(server.seen).toHaveLength(4);
  });

  test("prove themselves with a client certificate, and connect anew when that changes", async () => {
    const names: unknown[] = [];
    const server = await start(
      (seen, answer) => {
        const socket = seen.socket as unknown as { getPeerCertificate(): { subject?: { CN?: string } } };
        names.push(socket.getPeerCertificate().subject?.CN);
        json(answer, 200, {});
      },
      { protocols, askCertificate: true },
    );
    const { client } = certificates();
    let credentials = {};
    const api = clientOf({
      ...server.config(),
      credentials: { get: () => Promise.resolve(credentials), refused: () => false },
    });
    await api.request({ method: "GET", path: "/x" });
    credentials = { certificate: client.cert, key: client.key };
    await api.request({ method: "GET", path: "/x" });
    expect(names).toEqual([undefined, "client"]);
  });
});

describe("a connection", () => {
  test("is refused to a server that the authority has not signed, or that has another name", async () => {
    const server = await start((_, answer) => json(answer, 200, {}));
    const trust = (change: Partial<KubeConfig["tls"]>): KubeConfig => ({
      ...server.config(),
      tls: { ...server.config().tls, ...change },
    });
    const strange = await errorOf(
      clientOf(trust({ ca: () => Promise.resolve(undefined) })).request({ method: "GET", path: "/" }),
    );
    expect(strange.code).toBe("UNAVAILABLE");
    expect(strange.message).toContain("SELF_SIGNED_CERT_IN_CHAIN");
    const renamed = await errorOf(
      clientOf(trust({ serverName: "other.example" })).request({ method: "GET", path: "/" }),
    );
    expect(renamed.message).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
    const get = { method: "GET", path: "/" } as const;
    expect(await clientOf(trust({ serverName: "api.example" })).request(get)).toEqual({});
    expect(await clientOf(trust({ ca: () => Promise.resolve(undefined), verify: false })).request(get)).toEqual({});
    const broken = await errorOf(
      clientOf(trust({ ca: () => Promise.resolve("-----BEGIN CERTIFICATE-----\nx") })).request(get),
    );
    expect(broken.code).toBe("INVALID_CONFIG");
    const { client, server: other } = certificates();
    const mixed = clientOf(server.config({ certificate: client.cert, key: other.key }));
    const mismatch = await errorOf(mixed.request(get));
    expect(mismatch.code).toBe("INVALID_CONFIG");
    expect(mismatch.message).not.toContain("BEGIN");
  });

  test("that cannot be made is UNAVAILABLE, and the request is tried once", async () => {
    const server = await startServer(() => undefined);
    const config = server.config();
    await server.close();
    const error = await errorOf(clientOf(config).request({ method: "GET", path: "/x" }));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toContain("ECONNREFUSED");
  });

  test.each(["h2", "h1"] satisfies Protocols[])(
    "is gone after close: what is under way over %s fails, and what is new",
    async (protocols) => {
      const server = await start(
        (seen, answer) => {
          if (seen.path !== "/w") return;
          answer.writeHead(200);
          answer.write('{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n');
        },
        { protocols },
      );
      const api = clientOf(server.config());
      const failed = errorOf(api.request({ method: "GET", path: "/x" }));
      let begun = false;
      const watching = errorOf(
        (async () => {
          const { signal } = new AbortController();
          for await (const _ of api.watch({ path: "/w", query: {}, signal })) begun = true;
        })(),
      );
      await until(() => begun && server.seen.length === 2);
      await api.close();
      expect((await failed).code).toBe("UNAVAILABLE");
      expect((await watching).code).toBe("UNAVAILABLE");
      expect((await errorOf(api.request({ method: "GET", path: "/x" }))).code).toBe("UNAVAILABLE");
      await until(() => server.sockets.size === 0);
    },
  );

  test("without TLS works as well, for a proxy on this machine", async () => {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, answer) => {
      seen.push(request.url);
      if (request.url?.startsWith("/base/w") === true)
        answer.end('{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n');
      else answer.end('{"ok":true}');
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { config } = await start(() => undefined);
    const address = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/base`;
    const api = clientOf({ ...config(), server: address });
    expect(await api.request({ method: "GET", path: "/x", query: { a: "1" } })).toEqual({ ok: true });
    for await (const event of api.watch({ path: "/w", query: {}, signal: new AbortController().signal })) {
      expect(event.object.metadata.name).toBe("a");
    }
    expect(seen).toEqual(["/base/x?a=1", "/base/w?watch=true"]);
    await api.close();
    await new Promise((done) => server.close(done));
  });

  test("waits for credentials no longer than a request's time limit", async () => {
    const server = await start((_, answer) => json(answer, 200, {}));
    const credentials = { get: () => new Promise<never>(() => undefined), refused: () => false };
    const api = clientOf({ ...server.config(), credentials });
    const error = await errorOf(api.request({ method: "GET", path: "/", timeoutMs: 50 }));
    expect(error.code).toBe("UNAVAILABLE");
    expect(server.seen).toEqual([]);
  });
});
