import { describe, expect, it } from "vitest";
import { cases, s3 } from "./cases.js";
import { bothMajors, notes, only, render } from "./helm.js";
import type { Manifest } from "./manifest.js";
import { describeWith } from "./tools.js";

const digest = `sha256:${"a".repeat(64)}`;

function environment(manifests: Manifest[], name = "rynxs"): Record<string, unknown> {
  const { env = [] } = only(manifests, "Deployment", name).spec.template.spec.containers[0];
  return Object.fromEntries(env.map(({ name: variable, value, valueFrom }) => [variable, valueFrom ?? value]));
}

describeWith(bothMajors, "the chart's manifests", (helm = "") => {
  const withValues = (values: object): Promise<Manifest[]> => render(helm, { values });
  const operator = async (values: object): Promise<Manifest["spec"]> =>
    only(await withValues(values), "Deployment", "rynxs").spec;

  describe("image", () => {
    it.each([
      [{}, "rynxs/operator:0.1.0"],
      [{ tag: "2.0.0" }, "rynxs/operator:2.0.0"],
      [{ digest }, `rynxs/operator@${digest}`],
      [{ repository: "example.com:5000/x/y", tag: "2.0.0", digest }, `example.com:5000/x/y:2.0.0@${digest}`],
    ])("%j is %s", async (image, expected) => {
      const { template } = await operator({ image });
      expect(template.spec.containers[0].image).toBe(expected);
    });

    it("keeps its entry point: arguments are appended, the command is never replaced", async () => {
      const plain = (await operator({})).template.spec.containers[0];
      expect([plain.command, plain.args]).toEqual([undefined, undefined]);
      const extra = (await operator({ extraArgs: ["--x"] })).template.spec.containers[0];
      expect([extra.command, extra.args]).toEqual([undefined, ["--x"]]);
    });
  });

  describe("a rollout", () => {
    it("has never two writers of a file, or two that were not elected", async () => {
      expect((await operator({})).strategy).toEqual({ type: "Recreate" });
      expect((await operator({ logSink: s3, leaderElection: { enabled: false } })).strategy).toEqual({
        type: "Recreate",
      });
    });

    it("keeps all replicas where one is elected", async () => {
      expect((await operator({ logSink: s3 })).strategy).toEqual({
        type: "RollingUpdate",
        rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
      });
    });

    it("drains five seconds less than the pod is given", async () => {
      const manifests = await withValues({ terminationGracePeriodSeconds: 60 });
      expect(environment(manifests)["RYNXS_SHUTDOWN_GRACE_SECONDS"]).toBe("55");
      expect(only(manifests, "Deployment").spec.template.spec.terminationGracePeriodSeconds).toBe(60);
    });

    it("has a disruption budget only with several replicas", async () => {
      const one = await withValues({ logSink: s3 });
      expect(one.filter(({ kind }) => kind === "PodDisruptionBudget")).toEqual([]);
      const three = await withValues({ logSink: s3, replicaCount: 3 });
      expect(only(three, "PodDisruptionBudget").spec.maxUnavailable).toBe(1);
      const half = await withValues({
        logSink: s3,
        replicaCount: 3,
        podDisruptionBudget: { minAvailable: "50%", maxUnavailable: "" },
      });
      expect(only(half, "PodDisruptionBudget").spec).toMatchObject({ minAvailable: "50%" });
      expect(only(half, "PodDisruptionBudget").spec.maxUnavailable).toBeUndefined();
    });
  });

  describe("environment", () => {
    it("says where the operator is, and lets others reach it", async () => {
      expect(environment(await withValues({}))).toMatchObject({
        POD_NAME: { fieldRef: { fieldPath: "metadata.name" } },
        RYNXS_OPERATOR_NAMESPACE: { fieldRef: { fieldPath: "metadata.namespace" } },
        RYNXS_HTTP_HOST: "0.0.0.0",
        METRICS_ENABLED: "true",
        METRICS_PORT: "8080",
        RYNXS_LEASE_NAME: "rynxs",
        RYNXS_LEASE_DURATION_SECONDS: "30",
        RYNXS_RENEW_DEADLINE_SECONDS: "20",
        RYNXS_RETRY_PERIOD_SECONDS: "5",
        EVENT_STORE_TYPE: "file",
        EVENT_STORE_PATH: "/var/log/rynxs/operator-events.log",
      });
    });

    it("names what is watched as JSON, to the letter", async () => {
      const { watch } = cases["watching named namespaces"]?.values as { watch: object[] };
      const text = environment(await withValues({ watch }))["RYNXS_WATCH"];
      expect(JSON.parse(String(text))).toEqual(watch);
    });

    it.each(["s3.example.com:9000", "https://s3.example.com", "minio-service.rynxs.svc.cluster.local:9000"])(
      "passes the endpoint %s on as it is",
      async (endpoint) => {
        const manifests = await withValues({ logSink: { type: "s3", s3: { bucket: "my-bucket", endpoint } } });
        expect(environment(manifests)).toMatchObject({
          S3_ENDPOINT: endpoint,
          S3_BUCKET: "my-bucket",
          S3_PREFIX: "events",
        });
      },
    );

    it("has no endpoint and no key where there is none", async () => {
      const env = environment(await withValues({ logSink: { type: "s3", s3: { bucket: "my-bucket", endpoint: "" } } }));
      for (const name of ["S3_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "EVENT_STORE_PATH"]) {
        expect(env).not.toHaveProperty(name);
      }
    });

    it("takes the key from the Secret", async () => {
      const accessKeySecret = { name: "keys", accessKeyIdKey: "id", secretAccessKeyKey: "secret" };
      const env = environment(
        await withValues({ logSink: { type: "s3", s3: { bucket: "my-bucket", accessKeySecret } } }),
      );
      expect(env["AWS_ACCESS_KEY_ID"]).toEqual({ secretKeyRef: { name: "keys", key: "id" } });
      expect(env["AWS_SECRET_ACCESS_KEY"]).toEqual({ secretKeyRef: { name: "keys", key: "secret" } });
    });

    it("writes a large number as digits", async () => {
      const file = { path: "/data/log/events.log", maxBytes: 1073741824 };
      expect(environment(await withValues({ logSink: { file } }))["EVENT_STORE_MAX_BYTES"]).toBe("1073741824");
    });
  });

  describe("the log file", () => {
    const volumes = async (values: object): Promise<{ volumes: unknown; mounts: unknown }> => {
      const { spec } = (await operator(values)).template;
      return { volumes: spec.volumes, mounts: spec.containers[0].volumeMounts };
    };

    it("is on a claim of its own that outlives the release, mounted at its folder", async () => {
      const claim = only(await withValues({}), "PersistentVolumeClaim");
      expect(claim.metadata).toMatchObject({ name: "rynxs-log", annotations: { "helm.sh/resource-policy": "keep" } });
      const { volumes: all, mounts } = await volumes({ logSink: { file: { path: "/data/log/events.log" } } });
      expect(mounts).toContainEqual({ name: "log", mountPath: "/data/log" });
      expect(all).toContainEqual({ name: "log", persistentVolumeClaim: { claimName: "rynxs-log" } });
    });

    it("is on the claim that exists", async () => {
      const manifests = await withValues({ persistence: { existingClaim: "mine" } });
      expect(manifests.filter(({ kind }) => kind === "PersistentVolumeClaim")).toEqual([]);
      const { volumes: all } = await volumes({ persistence: { existingClaim: "mine" } });
      expect(all).toContainEqual({ name: "log", persistentVolumeClaim: { claimName: "mine" } });
    });

    it("needs no volume on S3", async () => {
      const manifests = await withValues({ logSink: s3 });
      expect(manifests.filter(({ kind }) => kind === "PersistentVolumeClaim")).toEqual([]);
      expect((await volumes({ logSink: s3 })).mounts).toEqual([{ name: "tmp", mountPath: "/tmp" }]);
    });
  });

  it("probes /healthz and /ready on the port of the metrics, and the Service reaches it", async () => {
    const manifests = await withValues({ metrics: { port: 9999 } });
    const container = only(manifests, "Deployment").spec.template.spec.containers[0];
    expect(container.ports).toEqual([{ name: "http", containerPort: 9999 }]);
    expect(container.startupProbe?.httpGet).toEqual({ path: "/healthz", port: "http" });
    expect(container.livenessProbe?.httpGet).toEqual({ path: "/healthz", port: "http" });
    expect(container.readinessProbe?.httpGet).toEqual({ path: "/ready", port: "http" });
    expect(only(manifests, "Service").spec.ports).toEqual([{ name: "http", port: 9999, targetPort: "http" }]);
    const unprobed = await operator({ probes: { liveness: { enabled: false }, startup: { enabled: false } } });
    const { livenessProbe, startupProbe, readinessProbe } = unprobed.template.spec.containers[0];
    expect([livenessProbe, startupProbe, readinessProbe?.periodSeconds]).toEqual([undefined, undefined, 5]);
  });

  it("spreads the operator's pods, unless a constraint picks others", async () => {
    const manifests = await render(helm, cases["everything that a pod can have"]);
    const { template, selector } = only(manifests, "Deployment").spec;
    const [own, others] = template.spec.topologySpreadConstraints ?? [];
    expect(own?.labelSelector).toEqual(selector);
    expect(others?.labelSelector).toEqual({ matchLabels: { a: "b" } });
    expect(template.metadata.labels).toMatchObject({ team: "audit", "app.kubernetes.io/name": "rynxs" });
  });

  describe("MinIO", () => {
    it("is reached by the operator on port 9000 through every NetworkPolicy, in both directions", async () => {
      const manifests = await render(helm, cases["minio, restricted by network policies"]);
      const operatorPods = only(manifests, "Deployment", "rynxs").spec.selector;
      const minioPods = only(manifests, "Deployment", "rynxs-minio").spec.selector;
      const port = [{ port: 9000, protocol: "TCP" }];
      const outgoing = only(manifests, "NetworkPolicy", "rynxs").spec;
      expect(outgoing.podSelector).toEqual(operatorPods);
      expect(outgoing.egress).toContainEqual({ ports: port, to: [{ podSelector: minioPods }] });
      expect(outgoing.egress).toContainEqual({ ports: [{ port: 443, protocol: "TCP" }] });
      const incoming = only(manifests, "NetworkPolicy", "rynxs-minio").spec;
      expect(incoming.podSelector).toEqual(minioPods);
      expect(incoming.ingress).toEqual([{ ports: port, from: [{ podSelector: operatorPods }] }]);
      expect(environment(manifests)["S3_ENDPOINT"]).toBe("http://rynxs-minio.rynxs-system.svc:9000");
      expect(only(manifests, "Service", "rynxs-minio").spec.ports[0]?.port).toBe(9000);
    });

    it("is off unless asked for", async () => {
      expect((await withValues({})).filter(({ metadata }) => metadata.name.includes("minio"))).toEqual([]);
    });
  });

  it("lets only the named peers and the pod of helm test scrape", async () => {
    const manifests = await render(helm, cases["production"]);
    const { policyTypes, ingress } = only(manifests, "NetworkPolicy").spec;
    expect(policyTypes).toEqual(["Ingress"]);
    const test = only(manifests, "Pod").metadata.labels;
    expect(ingress).toHaveLength(1);
    expect(ingress[0]?.ports).toEqual([{ port: "http", protocol: "TCP" }]);
    const [prometheus, tester] = ingress[0]?.from ?? [];
    expect(prometheus?.namespaceSelector.matchLabels).toEqual({ "kubernetes.io/metadata.name": "monitoring" });
    expect(test).toMatchObject(tester?.podSelector.matchLabels ?? { none: "" });
  });

  it("gives the ServiceMonitor the Service's labels and a port of its name", async () => {
    const manifests = await render(helm, cases["production"]);
    const { spec } = only(manifests, "ServiceMonitor");
    const service = only(manifests, "Service");
    expect(service.metadata.labels).toMatchObject(spec.selector.matchLabels);
    expect(spec.namespaceSelector.matchNames).toEqual([service.metadata.namespace]);
    expect(service.spec.ports.map(({ name }) => name)).toContain(spec.endpoints[0]?.port);
  });

  it("tells at the end where the log is, and warns where it may be lost", async () => {
    expect(await notes(helm)).toMatch(
      /records in namespace default:\n {2}agents\.universe\.ai\/v1alpha1 in all namespaces/,
    );
    expect(await notes(helm)).not.toMatch(/NOTE|WARNING/);
    expect(await notes(helm, { values: { persistence: { enabled: false } } })).toContain(
      "the log is deleted with its pod",
    );
    expect(await notes(helm, { values: { logSink: s3 } })).toContain("no credentials are configured");
    expect(await notes(helm, cases["production on another server, pinned by digest"])).toMatch(
      /to s3:\/\/my-bucket\/events at s3\.example\.com:9000\./,
    );
  });
});
