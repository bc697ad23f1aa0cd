import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { bothMajors, only, render } from "./helm.js";
import { describeWith } from "./tools.js";

describeWith(bothMajors, "the pod of helm test", (helm = "") => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** An operator's endpoints by path: status and body. */
  async function serve(answers: Readonly<Record<string, readonly [number, string]>>): Promise<string> {
    const started = createServer(({ url = "" }, response) => {
      const [status, body] = answers[url] ?? [404, "not here"];
      response.writeHead(status).end(body);
    });
    server = started;
    await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
  }

  /** Runs the pod's own command with its own environment, but for where the Service is. */
  async function run(values: object, service: string): Promise<{ code: number | null; output: string }> {
    const [container] = only(await render(helm, { values }), "Pod").spec.containers;
    const [program, ...args] = [...(container.command ?? []), ...(container.args ?? [])];
    expect(program).toBe("node");
    const env = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value ?? ""]));
    expect(env["RYNXS_SERVICE"]).toBe("http://rynxs:8080");
    return new Promise((resolve) => {
      const options = { env: { ...env, RYNXS_SERVICE: service } };
      const child = execFile(process.execPath, args, options, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode, output: stdout + stderr }),
      );
    });
  }

  const metrics = [200, "# TYPE rynxs_leader_election_status gauge\nrynxs_leader_election_status 1\n"] as const;

  it("succeeds with an operator that is ready and serves its metrics", async () => {
    const service = await serve({ "/ready": [200, "ok"], "/metrics": metrics });
    expect(await run({}, service)).toEqual({ code: 0, output: "ok /ready\nok /metrics\n" });
  });

  it("fails, and says how, with one that is not ready", async () => {
    const service = await serve({ "/ready": [503, "store not proven"], "/metrics": metrics });
    const { code, output } = await run({}, service);
    expect(code).toBe(1);
    expect(output).toContain("/ready: HTTP 503: store not proven");
  });

  it("fails with something else behind the Service", async () => {
    const service = await serve({ "/ready": [200, "ok"], "/metrics": [200, "up 1\n"] });
    const { code, output } = await run({}, service);
    expect(code).toBe(1);
    expect(output).toContain("no metric rynxs_leader_election_status");
  });

  it("asks for no metrics where they are off", async () => {
    const service = await serve({ "/ready": [200, "ok"] });
    expect(await run({ metrics: { enabled: false } }, service)).toEqual({ code: 0, output: "ok /ready\n" });
  });

  it("fails when nobody answers", async () => {
    const service = await serve({});
    await new Promise((resolve) => server?.close(resolve));
    expect((await run({}, service)).code).toBe(1);
  });
});
