import { describe, expect, test } from "vitest";
import { STALLED_CONNECTION, type KubeApi, type WatchEvent } from "../../src/kube/port.js";
import { clientOf, endAfterEach, errorOf, start } from "./clients.js";
import { json, status, until, type Answer, type Protocols, type TestServer } from "./server.js";

endAfterEach();

function line(type: string, name: string, more: object = {}): string {
  return `${JSON.stringify({ type, object: { metadata: { name, ...more } } })}\n`;
}

function cut(server: TestServer | undefined): void {
  for (const socket of server?.sockets ?? []) socket.destroy();
}

const BOTH = ["h2", "h1"] satisfies Protocols[];

async function names(events: AsyncIterable<WatchEvent>): Promise<string[]> {
  const found: string[] = [];
  for await (const event of events) found.push(`${event.type} ${event.object.metadata.name}`);
  return found;
}

function watchOf(api: KubeApi, path = "/w", signal = new AbortController().signal): AsyncIterable<WatchEvent> {
  return api.watch({ path, query: { resourceVersion: "5" }, signal });
}

/** Writes pieces, each in a packet of its own as far as the network goes. */
async function writeApart(answer: Answer, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) {
    answer.write(piece);
    await new Promise((done) => setTimeout(done, 2));
  }
}

describe.each(BOTH)("a watch over %s", (protocols) => {
  test("asks with watch=true and hands out events until the server ends it", async () => {
    const server = await start(
      (_, answer) => {
        answer.writeHead(200);
        answer.write(line("ADDED", "a") + line("MODIFIED", "a"));
        answer.end(line("DELETED", "a") + `\n{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n`);
      },
      { protocols },
    );
    const found = await names(watchOf(clientOf(server.config())));
    expect(found).toEqual(["ADDED a", "MODIFIED a", "DELETED a", "BOOKMARK undefined"]);
    expect(server.seen[0]).toMatchObject({ method: "GET", path: "/w", query: { watch: "true", resourceVersion: "5" } });
  });

  test("puts lines together wherever they are cut, within characters as well", async () => {
    const text = Buffer.from(line("ADDED", "grüße-👋🏽") + line("MODIFIED", "日本") + line("DELETED", "z"), "utf8");
    const server = await start(
      async (_, answer) => {
        answer.writeHead(200);
        await writeApart(
          answer,
          Array.from(text, (_byte, at) => text.subarray(at, at + 1)),
        );
        answer.end();
      },
      { protocols },
    );
    const found = await names(watchOf(clientOf(server.config())));
    expect(found).toEqual(["ADDED grüße-👋🏽", "MODIFIED 日本", "DELETED z"]);
  });

  test("keeps every digit of a long integer", async () => {
    const server = await start(
      (_, answer) => {
        answer.writeHead(200);
        answer.end('{"type":"ADDED","object":{"metadata":{"name":"a"},"spec":{"n":9007199254740993}}}\n');
      },
      { protocols },
    );
    for await (const { object } of watchOf(clientOf(server.config()))) {
      expect(object["spec"]).toEqual({ n: 9007199254740993n });
    }
  });

  test.each([
    ["within a line", (answer: Answer) => answer.end('{"type":"ADD')],
    ["by the connection", (_: Answer, server: TestServer | undefined) => setTimeout(() => cut(server), 20)],
    ["with no JSON", (answer: Answer) => answer.end("<html>\n")],
    ["with no event", (answer: Answer) => answer.end('{"type":"ADDED","object":{"spec":{}}}\n')],
    ["with an unknown type", (answer: Answer) => answer.end('{"type":"OTHER","object":{"metadata":{"name":"a"}}}\n')],
  ])("that ends %s is UNAVAILABLE, after the events before", async (_, end) => {
    const server: TestServer = await start(
      (_seen, answer) => {
        answer.writeHead(200);
        answer.write(line("ADDED", "a"));
        end(answer, server);
      },
      { protocols },
    );
    const found: string[] = [];
    const error = await errorOf(
      (async () => {
        for await (const event of watchOf(clientOf(server.config()))) found.push(event.object.metadata.name);
      })(),
    );
    expect(error.code).toBe("UNAVAILABLE");
    expect(found).toEqual(["a"]);
  });

  test("takes an ERROR event for the error that it is", async () => {
    const server = await start(
      (seen, answer) => {
        answer.writeHead(200);
        const object = seen.path === "/gone" ? status(410, "Expired", "too old resource version") : { kind: "Status" };
        answer.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
      },
      { protocols },
    );
    const api = clientOf(server.config());
    const gone = await errorOf(names(watchOf(api, "/gone")));
    expect(gone).toMatchObject({ code: "GONE", facts: { status: 410, reason: "Expired" } });
    expect(gone.message).toContain("too old resource version");
    expect((await errorOf(names(watchOf(api, "/bare")))).code).toBe("UNAVAILABLE");
  });

  test("is refused like any request, with Retry-After", async () => {
    const server = await start(
      (_, answer) => json(answer, 429, status(429, "TooManyRequests", "x"), { "retry-after": "2" }),
      { protocols },
    );
    const error = await errorOf(names(watchOf(clientOf(server.config()))));
    expect(error).toMatchObject({ code: "THROTTLED", retryAfterMs: 2000 });
  });

  test("has a time limit for the head of the answer, none for the rest", async () => {
    let answerLater: (() => void) | undefined;
    const server = await start(
      (seen, answer) => {
        if (seen.path === "/never") return;
        answer.writeHead(200);
        answer.write(line("ADDED", "a"));
        answerLater = () => answer.end(line("ADDED", "b"));
      },
      { protocols },
    );
    const api = clientOf(server.config());
    const { signal } = new AbortController();
    const late = await errorOf(names(api.watch({ path: "/never", query: {}, signal, timeoutMs: 50 })));
    expect(late.code).toBe("UNAVAILABLE");
    const found = names(api.watch({ path: "/w", query: {}, signal, timeoutMs: 200 }));
    await until(() => answerLater !== undefined);
    await new Promise((done) => setTimeout(done, 300));
    answerLater?.();
    expect(await found).toEqual(["ADDED a", "ADDED b"]);
  });

  test("reads no further than a window ahead of a slow reader, which holds up nobody else", async () => {
    let written = 0;
    const server = await start(
      async (seen, answer) => {
        if (seen.path !== "/w") {
          json(answer, 200, { ok: true });
          return;
        }
        answer.writeHead(200);
        const big = line("ADDED", "a", { annotations: { x: "x".repeat(10_000) } });
        for (let n = 0; n < 3000 && !answer.destroyed; n++) {
          const more = answer.write(big);
          written += big.length;
          if (!more) await new Promise((done) => answer.once("drain", done));
        }
        answer.end();
      },
      { protocols },
    );
    const api = clientOf(server.config());
    let taken = 0;
    for await (const event of watchOf(api)) {
      expect(event.type).toBe("ADDED");
      taken++;
      if (taken === 1) {
        // The server writes what it can while nobody reads.
        let before = -1;
        while (before !== written) {
          before = written;
          await new Promise((done) => setTimeout(done, 100));
        }
        // Both ends have buffers, the kernel's among them (some MB for a socket of its own).
        expect(written).toBeLessThan(protocols === "h2" ? 2_000_000 : 12_000_000);
        expect(await api.request({ method: "GET", path: "/other" })).toEqual({ ok: true });
      }
    }
    expect(taken).toBe(3000);
  });

  test("ends its request when its loop is left, or its signal aborts", async () => {
    let closed = 0;
    const codes: (number | undefined)[] = [];
    const server = await start(
      (_, answer) => {
        answer.writeHead(200);
        answer.write(line("ADDED", "a"));
        answer.once("close", () => {
          closed++;
          codes.push(answer.stream?.rstCode);
        });
      },
      { protocols },
    );
    const api = clientOf(server.config());
    for await (const event of watchOf(api)) {
      expect(event.object.metadata.name).toBe("a");
      break;
    }
    await until(() => closed === 1);
    const stop = new AbortController();
    const failed = errorOf(names(watchOf(api, "/w", stop.signal)));
    await until(() => server.seen.length === 2);
    stop.abort();
    expect((await failed).code).toBe("ABORTED");
    await until(() => closed === 2);
    // CANCEL, by which a server knows that all is well.
    expect(codes).toEqual(protocols === "h2" ? [8, 8] : [undefined, undefined]);
  });

  test("given up as stalled leaves its connection to those who are on it already", async () => {
    const answers: Answer[] = [];
    const server = await start(
      (seen, answer) => {
        if (seen.path === "/ok") {
          json(answer, 200, {});
          return;
        }
        answer.writeHead(200);
        answer.write(line("ADDED", seen.path.slice(1)));
        answers.push(answer);
      },
      { protocols },
    );
    const api = clientOf(server.config());
    const ok = { method: "GET", path: "/ok" } as const;
    // Over HTTP/1.1 this leaves a connection at rest, which may be as dead as the one that stalls.
    await Promise.all([api.request(ok), api.request(ok), api.request(ok)]);
    const stop = new AbortController();
    const stalled = errorOf(names(watchOf(api, "/stalled", stop.signal)));
    await until(() => answers.length === 1);
    const other = names(watchOf(api, "/other"));
    await until(() => answers.length === 2);
    stop.abort(STALLED_CONNECTION);
    expect((await stalled).code).toBe("ABORTED");
    const before = server.seen.map(({ port }) => port);
    await api.request(ok);
    expect(before).toHaveLength(5);
    expect(before).not.toContain(server.seen.at(-1)?.port);
    answers[1]?.end(line("DELETED", "other"));
    expect(await other).toEqual(["ADDED other", "DELETED other"]);
  });
});

describe("over HTTP/2", () => {
  async function manyWatches(
    server: TestServer,
    api: KubeApi,
    count: number,
    answers: Map<string, Answer>,
  ): Promise<{
    readonly found: Promise<string[] | string>[];
    readonly stops: AbortController[];
  }> {
    const stops = Array.from({ length: count }, () => new AbortController());
    const found = stops.map(({ signal }, n) =>
      names(watchOf(api, `/w${String(n)}`, signal)).catch((error: unknown) => (error as { code: string }).code),
    );
    await until(() => answers.size === count);
    expect(server.seen).toHaveLength(count);
    return { found, stops };
  }

  function watchServer(answers: Map<string, Answer>, options: { maxStreams?: number } = {}): Promise<TestServer> {
    return start((seen, answer) => {
      if (!seen.path.startsWith("/w")) {
        json(answer, 200, { method: seen.method });
        return;
      }
      answer.writeHead(200);
      answer.write(line("ADDED", seen.path));
      answers.set(seen.path, answer);
    }, options);
  }

  test("fifty watches and requests of all methods share one connection, and one that is aborted leaves the others alone", async () => {
    const answers = new Map<string, Answer>();
    const server = await watchServer(answers);
    const api = clientOf(server.config());
    const { found, stops } = await manyWatches(server, api, 50, answers);
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"] as const) {
      const body = method === "GET" || method === "DELETE" ? {} : { body: {} };
      expect(await api.request({ method, path: "/x", ...body })).toEqual({ method });
    }
    expect(server.connections()).toBe(1);
    const closed = new Promise((done) => answers.get("/w7")?.once("close", done));
    stops[7]?.abort();
    await closed;
    expect(await found[7]).toBe("ABORTED");
    for (const [path, answer] of answers) if (path !== "/w7") answer.end(line("DELETED", path));
    for (const [n, each] of found.entries()) {
      const path = `/w${String(n)}`;
      if (n !== 7) expect(await each).toEqual([`ADDED ${path}`, `DELETED ${path}`]);
    }
    expect(server.connections()).toBe(1);
  });

  test("what the server takes no more of on one connection goes over another", async () => {
    const answers = new Map<string, Answer>();
    const server = await watchServer(answers, { maxStreams: 4 });
    const api = clientOf(server.config());
    const { found } = await manyWatches(server, api, 10, answers);
    expect(await api.request({ method: "POST", path: "/x", body: {} })).toEqual({ method: "POST" });
    expect(server.connections()).toBe(3);
    for (const answer of answers.values()) answer.end();
    expect((await Promise.all(found)).flat()).toHaveLength(10);
  });

  test("a GOAWAY lets what is under way end, and new requests go over a new connection", async () => {
    const answers = new Map<string, Answer>();
    const server = await watchServer(answers);
    const api = clientOf(server.config());
    const { found } = await manyWatches(server, api, 3, answers);
    for (const session of server.sessions) session.goaway(0);
    await until(() => server.connections() === 1);
    // The frame is on its way; whichever side of it the request comes, it is answered.
    expect(await api.request({ method: "POST", path: "/x", body: {} })).toEqual({ method: "POST" });
    await new Promise((done) => setTimeout(done, 50));
    expect(await api.request({ method: "POST", path: "/x", body: {} })).toEqual({ method: "POST" });
    expect(server.connections()).toBe(2);
    for (const [path, answer] of answers) answer.end(line("DELETED", path));
    expect(await Promise.all(found)).toEqual([0, 1, 2].map((n) => [`ADDED /w${String(n)}`, `DELETED /w${String(n)}`]));
  });

  test("a stream that the server refuses goes again, over another connection", async () => {
    let refuse = true;
    const server = await start((_, answer) => {
      if (refuse) answer.stream?.close(7);
      else json(answer, 200, { ok: true });
      refuse = false;
    });
    const api = clientOf(server.config());
    expect(await api.request({ method: "POST", path: "/x", body: { a: 1 } })).toEqual({ ok: true });
    expect(server.seen.map(({ body }) => body)).toEqual(['{"a":1}', '{"a":1}']);
    expect(server.connections()).toBe(2);
  });

  test("a stream that the server resets breaks off alone", async () => {
    const answers = new Map<string, Answer>();
    const server = await watchServer(answers);
    const api = clientOf(server.config());
    const { found } = await manyWatches(server, api, 3, answers);
    const broken = answers.get("/w1");
    broken?.stream?.close(8);
    expect(await found[1]).toBe("UNAVAILABLE");
    answers.get("/w0")?.end();
    answers.get("/w2")?.end();
    expect(await Promise.all([found[0], found[2]])).toEqual([["ADDED /w0"], ["ADDED /w2"]]);
    expect(server.connections()).toBe(1);
  });
});
