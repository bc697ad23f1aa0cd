import { afterEach, describe, expect, test } from "vitest";
import { systemRuntime } from "@rynxs/event-store";
import type { KubeApi } from "../../src/kube/port.js";
import { Informer } from "../../src/watch/informer.js";
import { clientOf, endAfterEach, start } from "../kube/clients.js";
import { json, until, type Answer, type Protocols, type TestServer } from "../kube/server.js";
import { silentProxy, type SilentProxy } from "../kube/silent-proxy.js";
import { agent, listOf, NotingSink, SCOPE } from "./scripted.js";

endAfterEach();

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of stops.splice(0).reverse()) await end();
});

/** Watches that reached the server, with what each went on from. */
const watches: { readonly from: string | undefined; readonly answer: Answer }[] = [];
/** What every new watch is sent at once. */
let greeting = "";

async function setUp(protocols: Protocols): Promise<{ server: TestServer; proxy: SilentProxy; api: KubeApi }> {
  watches.length = 0;
  greeting = "";
  const server = await start(
    (seen, answer) => {
      if (seen.query["watch"] !== "true") {
        json(answer, 200, listOf("10", [agent("x", "3")]));
        return;
      }
      answer.writeHead(200);
      answer.write(greeting === "" ? "\n" : greeting);
      watches.push({ from: seen.query["resourceVersion"], answer });
    },
    { protocols },
  );
  const proxy = await silentProxy(Number(new URL(server.url).port));
  stops.push(proxy.close);
  const api = clientOf({ ...server.config(), server: `https://127.0.0.1:${String(proxy.port)}` });
  return { server, proxy, api };
}

function event(name: string, resourceVersion: string): string {
  return `${JSON.stringify({ type: "ADDED", object: agent(name, resourceVersion) })}\n`;
}

describe.each(["h2", "h1"] satisfies Protocols[])("over %s", (protocols) => {
  test("a connection that was lost without a word is left, and nothing is missed", async () => {
    const { proxy, api } = await setUp(protocols);
    const sink = new NotingSink();
    const stop = new AbortController();
    const restarts: string[] = [];
    const informer = new Informer(api, SCOPE, sink, {
      runtime: systemRuntime,
      idleMs: 1000,
      onRestart: (reason) => restarts.push(reason),
    });
    const running = informer.run(stop.signal);
    stops.push(async () => {
      stop.abort();
      await running;
    });
    await until(() => watches.length === 1);
    watches[0]?.answer.write(event("y", "11"));
    await until(() => sink.told.includes("observed a/y 11"));

    const before = proxy.connections();
    proxy.silence();
    // Written into the void: it is lost with the connection.
    watches[0]?.answer.write(event("z", "12"));
    greeting = event("z", "12");
    await until(() => sink.told.includes("observed a/z 12"));
    expect(watches[1]?.from).toBe("11");
    // undici opens one too many when a request is aborted, and closes it again.
    if (protocols === "h2") expect(proxy.connections()).toBe(before + 1);
    else expect(proxy.connections()).toBeGreaterThan(before);
    expect(restarts[0]).toBe("stalled");
    expect(sink.told.filter((told) => told.startsWith("listed"))).toHaveLength(1);

    // Requests go over the new connection as well, at once.
    await api.request({ method: "GET", path: "/other", timeoutMs: 2000 });
  });

  test("of many watches on it each goes on over one that works", async () => {
    const { proxy, api } = await setUp(protocols);
    const stop = new AbortController();
    const count = 8;
    const sinks = Array.from({ length: count }, () => new NotingSink());
    const running = sinks.map((sink, n) => {
      const scope = { ...SCOPE, namespace: `n${String(n)}` };
      return new Informer(api, scope, sink, { runtime: systemRuntime, idleMs: 1000 }).run(stop.signal);
    });
    stops.push(async () => {
      stop.abort();
      await Promise.all(running);
    });
    await until(() => watches.length === count);
    proxy.silence();
    const before = proxy.connections();
    greeting = event("new", "20");
    await until(() => sinks.every((sink) => sink.told.includes("observed a/new 20")));
    // Eight find the same connection dead: they open one anew, not eight.
    if (protocols === "h2") expect(proxy.connections() - before).toBeLessThanOrEqual(2);
  });
});
