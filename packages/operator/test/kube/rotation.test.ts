import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { systemRuntime } from "@rynxs/event-store";
import { kubeConfig } from "../../src/kube/config/kube-config.js";
import { certificates } from "./certificates.js";
import { clientOf, endAfterEach, start } from "./clients.js";
import { json, status, type TestServer } from "./server.js";

endAfterEach();

let folder = "";
afterEach(() => rmSync(folder, { recursive: true }));

/** Takes one token only; answers with the number of connections. */
function serverWith(accepted: () => string): Promise<TestServer> {
  return start((seen, answer) => {
    if (seen.headers.authorization === `Bearer ${accepted()}`) json(answer, 200, { ok: true });
    else json(answer, 401, status(401, "Unauthorized", "Unauthorized"));
  });
}

test("in a cluster, a token that was exchanged under way is found by the first request that needs it", async () => {
  folder = mkdtempSync(join(tmpdir(), "rotation-"));
  let accepted = "first";
  const server = await serverWith(() => accepted);
  writeFileSync(join(folder, "token"), "first\n");
  writeFileSync(join(folder, "ca.crt"), certificates().ca);
  const { hostname, port } = new URL(server.url);
  const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  const config = await kubeConfig(env, { runtime: systemRuntime, serviceAccountFolder: folder });
  const api = clientOf(config);
  const post = { method: "POST", path: "/x", body: {} } as const;
  expect(await api.request(post)).toEqual({ ok: true });
  accepted = "second";
  writeFileSync(join(folder, "token"), "second\n");
  // Several at once: each was refused with the old one, and none spoils what another has read.
  expect(await Promise.all([api.request(post), api.request(post), api.request(post)])).toEqual(
    Array(3).fill({ ok: true }),
  );
  expect(server.connections()).toBe(1);
});

test("with a kubeconfig, authority and client certificate prove each side to the other", async () => {
  folder = mkdtempSync(join(tmpdir(), "rotation-"));
  const { ca, client } = certificates();
  const names: (string | undefined)[] = [];
  const server = await start(
    (seen, answer) => {
      const socket = seen.socket as unknown as { getPeerCertificate(): { subject?: { CN?: string } } };
      names.push(socket.getPeerCertificate().subject?.CN);
      json(answer, 200, {});
    },
    { askCertificate: true },
  );
  const data = (text: string): string => Buffer.from(text, "utf8").toString("base64");
  const file = join(folder, "config");
  const kubeconfig = {
    "current-context": "a",
    contexts: [{ name: "a", context: { cluster: "b", user: "c" } }],
    clusters: [{ name: "b", cluster: { server: server.url, "certificate-authority-data": data(ca) } }],
    users: [{ name: "c", user: { "client-certificate-data": data(client.cert), "client-key-data": data(client.key) } }],
  };
  writeFileSync(file, JSON.stringify(kubeconfig));
  const api = clientOf(await kubeConfig({ KUBECONFIG: file }, { runtime: systemRuntime }));
  await api.request({ method: "GET", path: "/x" });
  expect(names).toEqual(["client"]);
});
