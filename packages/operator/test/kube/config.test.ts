import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemRuntime } from "@rynxs/event-store";
import { kubeConfig, type KubeConfig } from "../../src/kube/config/kube-config.js";
import { certificates } from "./certificates.js";
import { errorOf } from "./clients.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kube-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let made = 0;
/** A folder of its own with these files. */
function files(contents: Readonly<Record<string, string>>): string {
  const where = join(folder, String(made++));
  mkdirSync(where);
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(where, name), text);
  return where;
}

const clock = { now: Date.parse("2026-01-01T00:00:00Z"), elapsed: 0 };
const runtime = { ...systemRuntime, now: () => clock.now, elapsed: () => clock.elapsed };

function read(env: Record<string, string | undefined>, account = "/nowhere", home = "/nowhere"): Promise<KubeConfig> {
  return kubeConfig({ PATH: process.env["PATH"], ...env }, { runtime, serviceAccountFolder: account, home });
}

describe("in a cluster", () => {
  test("address, namespace, authority and token come from the pod's environment and files", async () => {
    const account = files({ token: "one\n", "ca.crt": "PEM", namespace: "agents\n" });
    const config = await read({ KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "6443" }, account);
    expect(config).toMatchObject({ server: "https://10.0.0.1:6443", namespace: "agents", source: "in cluster" });
    expect(config.tls).toMatchObject({ verify: true, serverName: undefined });
    expect(await config.tls.ca()).toBe("PEM");
    expect(await config.credentials.get()).toEqual({ authorization: "Bearer one" });
  });

  test("the host may be an IPv6 address", async () => {
    const account = files({ token: "one", "ca.crt": "PEM" });
    const config = await read({ KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" }, account);
    expect(config.server).toBe("https://[fd00::1]:443");
    expect(new URL(config.server).hostname).toBe("[fd00::1]");
    expect(config.namespace).toBe("default");
  });

  test("the token is read again after a minute, and at once after a refusal", async () => {
    const account = files({ token: "one", "ca.crt": "PEM" });
    const { credentials } = await read({ KUBERNETES_SERVICE_HOST: "h" }, account);
    const first = await credentials.get();
    writeFileSync(join(account, "token"), "two");
    clock.elapsed += 59_000;
    expect(await credentials.get()).toBe(first);
    clock.elapsed += 1000;
    expect(await credentials.get()).toEqual({ authorization: "Bearer two" });
    writeFileSync(join(account, "token"), "three");
    // Said of a token that is no longer used, it means nothing.
    expect(credentials.refused(first)).toBe(true);
    const second = await credentials.get();
    expect(second).toEqual({ authorization: "Bearer two" });
    expect(credentials.refused(second)).toBe(true);
    expect(await credentials.get()).toEqual({ authorization: "Bearer three" });

    // Not to be read for once, the one at hand does, unless the server has refused it.
    writeFileSync(join(account, "token"), "");
    clock.elapsed += 60_000;
    const third = await credentials.get();
    expect(third).toEqual({ authorization: "Bearer three" });
    credentials.refused(third);
    expect((await errorOf(credentials.get())).code).toBe("INVALID_CONFIG");
  });

  test.each([
    [{}, {}, "token"],
    [{ token: "t" }, {}, "ca.crt"],
    [{ token: " \n", "ca.crt": "PEM" }, {}, "is empty"],
    [{ token: "se cret", "ca.crt": "PEM" }, {}, "characters that no token has"],
    [{ token: "t", "ca.crt": "PEM" }, { KUBERNETES_SERVICE_PORT: "x" }, "KUBERNETES_SERVICE_PORT"],
    [{ token: "t", "ca.crt": "PEM" }, { KUBERNETES_SERVICE_HOST: "a b" }, "KUBERNETES_SERVICE_HOST"],
  ])("is refused with %j and %j: %s", async (contents, env, said) => {
    const error = await errorOf(read({ KUBERNETES_SERVICE_HOST: "10.0.0.1", ...env }, files(contents)));
    expect(error.code).toBe("INVALID_CONFIG");
    expect(error.message).toContain(said);
    expect(error.message).not.toContain("cret");
  });
});

interface Entries {
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
  readonly root?: object;
}

/** JSON is YAML. */
function kubeconfigText({ cluster = {}, user = {}, context = {}, root = {} }: Entries): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "main",
    contexts: [
      { name: "other", context: { cluster: "other", user: "other" } },
      { name: "main", context: { cluster: "c", user: "u", ...context } },
    ],
    clusters: [
      { name: "other", cluster: { server: "https://other" } },
      { name: "c", cluster: { server: "https://api.example:6443/base/", ...cluster } },
    ],
    users: [{ name: "u", user }],
    ...root,
  });
}

function withKubeconfig(entries: Entries, others: Record<string, string> = {}): Promise<KubeConfig> {
  return read({ KUBECONFIG: join(files({ config: kubeconfigText(entries), ...others }), "config") });
}

const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");

describe("a kubeconfig", () => {
  test("gives address, namespace and trust of its current context", async () => {
    const { ca } = certificates();
    const config = await withKubeconfig({
      cluster: { "certificate-authority-data": base64(ca), "tls-server-name": "inner" },
      context: { namespace: "ns" },
    });
    expect(config).toMatchObject({ server: "https://api.example:6443/base", namespace: "ns" });
    expect(config.tls).toMatchObject({ verify: true, serverName: "inner" });
    expect(await config.tls.ca()).toBe(ca);
    expect(await config.credentials.get()).toEqual({});
  });

  test("names files relative to its own folder, and an authority is read anew each time", async () => {
    const where = files({
      config: kubeconfigText({
        cluster: { "certificate-authority": "ca.pem" },
        user: { "client-certificate": "c.pem", "client-key": "./k.pem", tokenFile: "t" },
      }),
      "ca.pem": "CA1",
      "c.pem": "CERT",
      "k.pem": "KEY",
      t: "tok\n",
    });
    const config = await read({ KUBECONFIG: join(where, "config") });
    expect(await config.tls.ca()).toBe("CA1");
    writeFileSync(join(where, "ca.pem"), "CA2");
    expect(await config.tls.ca()).toBe("CA2");
    expect(await config.credentials.get()).toEqual({ authorization: "Bearer tok", certificate: "CERT", key: "KEY" });
  });

  test.each([
    [{ token: "abc" }, { authorization: "Bearer abc" }],
    [{ token: "abc", username: "x", password: "y" }, { authorization: "Bearer abc" }],
    [{ username: "ü", password: "p:w" }, { authorization: `Basic ${base64("ü:p:w")}` }],
    [{}, {}],
  ])("with user %j sends %j", async (user, expected) => {
    expect(await (await withKubeconfig({ user })).credentials.get()).toEqual(expected);
  });

  test("may leave verification out, and be YAML proper", async () => {
    const where = files({
      config: [
        "current-context: a",
        "contexts: [{name: a, context: {cluster: b}}]",
        "clusters:",
        "- name: b",
        "  cluster:",
        "    server: https://127.0.0.1:1",
        "    insecure-skip-tls-verify: true",
      ].join("\n"),
    });
    const config = await read({ KUBECONFIG: join(where, "config") });
    expect(config.tls.verify).toBe(false);
    expect(config.namespace).toBe("default");
  });

  test("is the first of the list that exists; KUBECONFIG comes before the cluster, that before the home's", async () => {
    const first = files({ config: kubeconfigText({ context: { namespace: "first" } }) });
    const second = files({ config: kubeconfigText({ context: { namespace: "second" } }) });
    const home = files({});
    mkdirSync(join(home, ".kube"));
    writeFileSync(join(home, ".kube", "config"), kubeconfigText({ context: { namespace: "home" } }));
    const account = files({ token: "t", "ca.crt": "PEM", namespace: "pod" });
    const list = ["/none", join(first, "config"), join(second, "config")].join(":");
    const inCluster = { KUBERNETES_SERVICE_HOST: "h" };
    expect((await read({ KUBECONFIG: list, ...inCluster }, account, home)).namespace).toBe("first");
    expect((await read(inCluster, account, home)).namespace).toBe("pod");
    expect((await read({}, account, home)).namespace).toBe("home");
    expect((await errorOf(read({ KUBECONFIG: "/none:/either" }))).message).toContain("/none, /either");
    expect((await errorOf(read({}))).hint).toContain("KUBECONFIG");
  });

  test.each<[string, Entries]>([
    ["proxy-url", { cluster: { "proxy-url": "http://p" } }],
    ["no current-context", { root: { "current-context": "" } }],
    ['no context "none"', { root: { "current-context": "none" } }],
    ['no cluster "nope"', { context: { cluster: "nope" } }],
    ['no user "nobody"', { context: { user: "nobody" } }],
    ["has no server", { cluster: { server: "" } }],
    ["no http(s) address", { cluster: { server: "ftp://x" } }],
    ["user or password", { cluster: { server: "https://u:hunter2@x" } }],
    ["insecure-skip-tls-verify", { cluster: { "insecure-skip-tls-verify": "yes" } }],
    [
      "both",
      { cluster: { "insecure-skip-tls-verify": true, "certificate-authority-data": base64(certificates().ca) } },
    ],
    ["not PEM", { cluster: { "certificate-authority-data": base64("hunter2") } }],
    ["certificate-authority file", { cluster: { "certificate-authority": "absent.pem" } }],
    ["without a client-key", { user: { "client-certificate-data": base64("-----BEGIN X") } }],
    ["without a client-certificate", { user: { "client-key-data": base64("-----BEGIN X hunter2") } }],
    ["token that is no string", { user: { token: 5 } }],
    ["characters that no token has", { user: { token: "hunter2\n" } }],
    ["auth-provider", { user: { "auth-provider": { name: "gcp" } } }],
    ["token file", { user: { tokenFile: "absent" } }],
    ["apiVersion", { user: { exec: { apiVersion: "client.authentication.k8s.io/v1alpha1", command: "x" } } }],
    ["has no command", { user: { exec: { apiVersion: "client.authentication.k8s.io/v1" } } }],
    [
      "wants a terminal",
      { user: { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "x", interactiveMode: "Always" } } },
    ],
    ["is no mapping", { root: { clusters: [{ name: "c", cluster: [] }] } }],
  ])("is refused, with the file's name: %s", async (said, entries) => {
    const error = await errorOf(withKubeconfig(entries));
    expect(error.code).toBe("INVALID_CONFIG");
    expect(error.message).toContain(said);
    expect(error.facts.file).toMatch(/\/(config|absent(\.pem)?)$/);
    expect(error.message).toContain(error.facts.file);
    expect(error.message).not.toContain("hunter2");
  });

  test("that is no YAML is refused without quoting it", async () => {
    const where = files({ config: "users:\n- token: hunter2: {\n" });
    const error = await errorOf(read({ KUBECONFIG: join(where, "config") }));
    expect(error.message).toMatch(/not YAML at line \d+/);
    expect(`${error.message}${JSON.stringify(error)}`).not.toContain("hunter2");
  });
});

describe.each(["v1", "v1beta1"])("an exec plugin of %s", (version) => {
  const apiVersion = `client.authentication.k8s.io/${version}`;

  /** A plugin that counts its runs, keeps what it was told, and runs `script`, a shell's. */
  function plugin(
    script: string,
    exec: object = {},
  ): Promise<{ config: KubeConfig; where: string; runs: () => number }> {
    const where = files({
      "plugin.sh": `#!/bin/sh\ncd "$(dirname "$0")"\necho run >> runs\nprintf '%s' "$KUBERNETES_EXEC_INFO" > info\n${script}\n`,
      config: kubeconfigText({
        cluster: { "certificate-authority-data": base64(certificates().ca) },
        user: { exec: { apiVersion, command: "./plugin.sh", ...exec } },
      }),
    });
    chmodSync(join(where, "plugin.sh"), 0o755);
    const runs = (): number =>
      existsSync(join(where, "runs")) ? readFileSync(join(where, "runs"), "utf8").trim().split("\n").length : 0;
    return read({ KUBECONFIG: join(where, "config") }).then((config) => ({ config, where, runs }));
  }

  const answer = (status: object): string =>
    `cat <<'END'\n${JSON.stringify({ apiVersion, kind: "ExecCredential", status })}\nEND`;

  test("hands out a token that is kept until it expires; one run serves all who ask", async () => {
    const { config, runs } = await plugin(answer({ token: "tok", expirationTimestamp: "2026-01-01T01:00:00Z" }));
    clock.now = Date.parse("2026-01-01T00:00:00Z");
    expect(runs()).toBe(0);
    const [a, b] = await Promise.all([config.credentials.get(), config.credentials.get()]);
    expect(a).toEqual({ authorization: "Bearer tok" });
    expect(b).toBe(a);
    expect(await config.credentials.get()).toBe(a);
    expect(runs()).toBe(1);
    clock.now = Date.parse("2026-01-01T00:59:59Z");
    await config.credentials.get();
    expect(runs()).toBe(2);
  });

  test("is run again when the server refused what it gave, and not for an older refusal", async () => {
    const { config, runs } = await plugin(answer({ token: "tok" }));
    const first = await config.credentials.get();
    expect(config.credentials.refused(first)).toBe(true);
    await config.credentials.get();
    expect(runs()).toBe(2);
    config.credentials.refused(first);
    await config.credentials.get();
    expect(runs()).toBe(2);
  });

  test("gets its arguments, its environment and, if wanted, the cluster; certificates are taken as well", async () => {
    const status = { clientCertificateData: "CERT", clientKeyData: "KEY" };
    const { config, where } = await plugin(`printf '%s' "$1 $EXTRA" > told\n${answer(status)}`, {
      args: ["first arg"],
      env: [{ name: "EXTRA", value: "more" }],
      provideClusterInfo: true,
    });
    expect(await config.credentials.get()).toEqual({ certificate: "CERT", key: "KEY" });
    expect(readFileSync(join(where, "told"), "utf8")).toBe("first arg more");
    expect(JSON.parse(readFileSync(join(where, "info"), "utf8"))).toEqual({
      apiVersion,
      kind: "ExecCredential",
      spec: {
        interactive: false,
        cluster: { server: "https://api.example:6443/base", "certificate-authority-data": base64(certificates().ca) },
      },
    });
  });

  test.each([
    ["failed with exit code 3: please log in", `echo hunter2; echo 'please log in' >&2; exit 3`],
    ["no JSON", "echo hunter2"],
    ["no ExecCredential", `echo '{"kind":"Other","status":{"token":"hunter2"}}'`],
    ["another apiVersion", `echo '{"kind":"ExecCredential","apiVersion":"x","status":{"token":"hunter2"}}'`],
    ["neither a token nor a certificate", answer({})],
    ["without the other", answer({ clientKeyData: "hunter2" })],
    ["no time", answer({ token: "hunter2", expirationTimestamp: "soon" })],
    ["characters that no token has", answer({ token: "hunter2 x" })],
  ])("that misbehaves is named with its words, never its token: %s", async (said, script) => {
    const { config } = await plugin(script);
    const error = await errorOf(config.credentials.get());
    expect(error.code).toBe("INVALID_CONFIG");
    expect(error.message).toContain(said);
    expect(error.message).toContain("plugin.sh");
    expect(error.message).not.toContain("hunter2");
  });

  test("that is not there is named with its installation hint, and asked again the next time", async () => {
    const { config } = await plugin("", { command: "./absent", installHint: "install it" });
    for (const _ of [1, 2]) {
      const error = await errorOf(config.credentials.get());
      expect(error.message).toContain("cannot be started (ENOENT)");
      expect(error.hint).toBe("install it");
    }
  });
});
