import { afterEach, expect, it } from "vitest";
import { rbacAuthorizer } from "../../src/testing/index.js";
import { bothMajors, only, render } from "../chart/helm.js";
import { describeWith } from "../chart/tools.js";
import { AGENT_CRD, changeAgent, createAgent, createWorld, history, until, type World } from "./world.js";

let world: World | undefined;
afterEach(() => world?.close());

/** What the chart sets, but for what only a pod has: its address, its mounts, and where this test's servers are. */
function environmentOf(manifests: Awaited<ReturnType<typeof render>>): Record<string, string> {
  const [container] = only(manifests, "Deployment", "rynxs").spec.template.spec.containers;
  const plain = (container.env as { name: string; value?: string }[]).filter(({ value }) => value !== undefined);
  return Object.fromEntries(plain.map(({ name, value }) => [name, value!]));
}

describeWith([bothMajors[1]!], "what the chart installs", (helm = "") => {
  it.each(["all namespaces", "named namespaces"])("is all that the operator needs: %s", async (where) => {
    world = await createWorld({ fakeOnly: true, user: "system:serviceaccount:home:rynxs" });
    const { fake, namespace, home, env } = world;
    const watch = [
      {
        resource: "agents.universe.ai/v1alpha1",
        ...(where === "named namespaces" && { namespaces: [namespace] }),
      },
    ];
    const values = {
      replicaCount: 2,
      logSink: { type: "s3", s3: { bucket: env["S3_BUCKET"], prefix: env["S3_PREFIX"], endpoint: env["S3_ENDPOINT"] } },
      leaderElection: { leaseDurationSeconds: 4, renewDeadlineSeconds: 3, retryPeriodSeconds: 1 },
      watch,
      serviceAccount: { name: "rynxs" },
    };
    const manifests = await render(helm, { values, namespace: home });
    const rendered = only(manifests, "CustomResourceDefinition");
    expect(rendered.spec).toEqual(AGENT_CRD["spec"]);
    const { AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "", KUBECONFIG = "" } = env;
    const own = {
      AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY,
      KUBECONFIG,
      METRICS_PORT: "0",
      RYNXS_HTTP_HOST: "127.0.0.1",
    };
    const chartEnv = { ...environmentOf(manifests), RYNXS_OPERATOR_NAMESPACE: home, ...own };
    await createAgent(world, "x", { role: "one" });

    // From here on, nothing but what the chart's roles allow.
    const account = `system:serviceaccount:${home}:rynxs`;
    fake!.tokens.add("as-the-pod", account);
    fake!.authorize = rbacAuthorizer(manifests.filter(({ kind }) => kind.includes("Role")));
    const pod = { ...chartEnv, KUBECONFIG: world.kubeconfig("as-the-pod") };
    const a = world.replica("op-0", pod);
    await a.leads();
    const b = world.replica("op-1", pod);
    await until("both are ready", async () => (await a.get("/ready")).status + (await b.get("/ready")).status === 400);
    expect(await history(world, 1)).toEqual(["AgentObserved x one"]);
    await until("the status says it", () => {
      const agent = fake!.get("agents.universe.ai/v1alpha1", `${namespace}/x`)!;
      return (agent["status"] as { recordedSeq?: number } | undefined)?.recordedSeq === 1;
    });
    fake!.authorize = () => true;
    await changeAgent(world, "x", { spec: { role: "two" } });
    fake!.authorize = rbacAuthorizer(manifests.filter(({ kind }) => kind.includes("Role")));
    a.signal("SIGTERM");
    await b.leads();
    expect(await history(world, 2)).toEqual(["AgentObserved x one", "AgentObserved x two"]);
    const refused = fake!.requests.filter(
      ({ status, userAgent }) => status === 403 && userAgent.startsWith("rynxs-operator"),
    );
    expect(refused.map(({ verb, path }) => `${verb} ${path}`)).toEqual([]);
  });
});
