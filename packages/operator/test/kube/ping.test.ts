import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { STALLED_CONNECTION, type KubeApi } from "../../src/kube/port.js";
import { clientOf, endAfterEach, errorOf, start } from "./clients.js";
import { json, type TestServer } from "./server.js";
import { silentProxy, type SilentProxy } from "./silent-proxy.js";

endAfterEach();

let server: TestServer;
let proxy: SilentProxy;
let api: KubeApi;
/** Watches that have begun, as the client sees it. */
let begun = 0;

beforeEach(async () => {
  begun = 0;
  server = await start((seen, answer) => {
    if (seen.path === "/ok") {
      json(answer, 200, {});
      return;
    }
    answer.writeHead(200);
    answer.write('{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n');
  });
  proxy = await silentProxy(Number(new URL(server.url).port));
  api = clientOf({ ...server.config(), server: `https://127.0.0.1:${String(proxy.port)}` });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
});

afterEach(async () => {
  vi.useRealTimers();
  await proxy.close();
});

/** Until it holds, without the timers that stand still here. */
async function network(holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    if (turn === 1_000_000) throw new Error(`waited in vain until ${String(holds)}`);
    await new Promise((done) => setImmediate(done));
  }
}

async function watch(signal: AbortSignal = new AbortController().signal): Promise<void> {
  for await (const _ of api.watch({ path: "/w", query: {}, signal })) begun++;
}

test("a connection that answers no ping fails all that is on it", async () => {
  const failures = Promise.all([errorOf(watch()), errorOf(watch())]);
  await network(() => begun === 2);
  proxy.silence();
  vi.advanceTimersByTime(30_000);
  vi.advanceTimersByTime(15_000);
  for (const error of await failures) {
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toContain("broke off");
  }
});

test("one that answers stays, however silent its watches are", async () => {
  let ended = false;
  const stop = new AbortController();
  const watching = watch(stop.signal).catch(() => (ended = true));
  await network(() => begun === 1);
  const [session] = server.sessions;
  let pings = 0;
  session?.on("ping", () => pings++);
  for (let n = 1; n <= 5; n++) {
    vi.advanceTimersByTime(30_000);
    await network(() => pings === n);
    // The answer to the ping is back before that to what was asked after it.
    await api.request({ method: "GET", path: "/ok" });
  }
  expect(ended).toBe(false);
  expect(server.connections()).toBe(1);
  stop.abort();
  await watching;
});

test("when one watch on it stalled, the others fail within five seconds if nothing is answered any more", async () => {
  const stop = new AbortController();
  const stalled = errorOf(watch(stop.signal));
  const other = errorOf(watch());
  await network(() => begun === 2);
  proxy.silence();
  stop.abort(STALLED_CONNECTION);
  expect((await stalled).code).toBe("ABORTED");
  vi.advanceTimersByTime(5000);
  expect((await other).code).toBe("UNAVAILABLE");
});
