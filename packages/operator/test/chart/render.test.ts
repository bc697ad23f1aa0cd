import { beforeAll, describe, expect, it } from "vitest";
import { cases } from "./cases.js";
import { bothMajors, lint, render } from "./helm.js";
import type { Labels, Manifest, PodSpec } from "./manifest.js";
import { refusedFields } from "./schemas.js";
import { describeWith } from "./tools.js";

/** Of the contract with the operator, of the library (stores/open.ts), and of AWS's chain. */
const knownEnvironment = new Set(
  [
    "EVENT_STORE_TYPE EVENT_STORE_PATH EVENT_STORE_MAX_BYTES RYNXS_HASH_VERSION",
    "S3_ENDPOINT S3_BUCKET S3_PREFIX S3_REGION RYNXS_S3_BATCH RYNXS_S3_USE_HEAD RYNXS_S3_HEAD_KEY RYNXS_S3_SKIP_BUCKET_CHECK",
    "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_WEB_IDENTITY_TOKEN_FILE",
    "RYNXS_WATCH RYNXS_KUBERNETES_EVENTS RYNXS_OPERATOR_NAMESPACE POD_NAME RYNXS_WRITER_ID RYNXS_SHUTDOWN_GRACE_SECONDS",
    "RYNXS_LEADER_ELECTION_ENABLED RYNXS_LEASE_NAME RYNXS_LEASE_DURATION_SECONDS RYNXS_RENEW_DEADLINE_SECONDS",
    "RYNXS_RETRY_PERIOD_SECONDS METRICS_ENABLED METRICS_PORT RYNXS_HTTP_HOST RYNXS_LOG_LEVEL RYNXS_LOG_FORMAT",
  ].flatMap((names) => names.split(" ")),
);

interface Pods {
  readonly owner: string;
  readonly labels: Labels;
  readonly spec: PodSpec;
}

function podsOf(manifests: readonly Manifest[]): Pods[] {
  return manifests.flatMap((one) => {
    if (one.kind !== "Pod" && one.kind !== "Deployment") return [];
    const { metadata, spec } = one.kind === "Pod" ? one : one.spec.template;
    return [{ owner: `${one.kind} ${one.metadata.name}`, labels: metadata.labels, spec }];
  });
}

/** Every selector of a manifest that picks pods, and the component that it is there for. */
function selectorsOf(one: Manifest): Labels[] {
  switch (one.kind) {
    case "Service":
      return [one.spec.selector as unknown as Labels];
    case "Deployment":
      return [
        one.spec.selector.matchLabels,
        ...(one.spec.template.spec.topologySpreadConstraints ?? [])
          .map(({ labelSelector }) => labelSelector.matchLabels)
          .filter((labels) => !("a" in labels)),
      ];
    case "PodDisruptionBudget":
      return [one.spec.selector.matchLabels];
    case "NetworkPolicy":
      return [one.spec.podSelector.matchLabels];
    default:
      return [];
  }
}

const matches = (selector: Labels, labels: Labels): boolean =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

describeWith(bothMajors, "the chart", (helm3 = "", helm4 = "") => {
  describe.each(Object.entries(cases))("with %s", (_name, options) => {
    let manifests: Manifest[] = [];
    beforeAll(async () => {
      manifests = await render(helm4, options);
    });

    it("is clean for lint --strict, and gives the same manifests with Helm 3 and 4", async () => {
      const [three, ...lints] = await Promise.all([render(helm3, options), lint(helm3, options), lint(helm4, options)]);
      expect(three).toEqual(manifests);
      for (const output of lints) expect(output).toContain("0 chart(s) failed");
    });

    it("gives manifests that the Kubernetes API takes, without unknown fields", () => {
      for (const one of manifests) {
        expect(refusedFields(one), `${one.kind} ${one.metadata.name}`).toEqual([]);
      }
    });

    it("names each object once, in a namespace where it has one", () => {
      const ids = manifests.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`);
      expect(new Set(ids).size).toBe(ids.length);
      for (const { kind, metadata } of manifests) {
        const ofCluster = ["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"].includes(kind);
        expect(metadata.namespace === undefined, `${kind} ${metadata.name}`).toBe(ofCluster);
        if (!kind.includes("Role")) expect(metadata.name.length).toBeLessThanOrEqual(63);
        for (const value of Object.values(metadata.labels)) expect(value.length).toBeLessThanOrEqual(63);
      }
    });

    it("selects exactly the pods that are meant", () => {
      const pods = podsOf(manifests);
      for (const one of manifests) {
        for (const selector of selectorsOf(one)) {
          const component = selector["app.kubernetes.io/component"];
          const selected = pods.filter(({ labels }) => matches(selector, labels)).map(({ owner }) => owner);
          const meant = pods.filter(({ labels }) => labels["app.kubernetes.io/component"] === component);
          expect(selected, `${one.kind} ${one.metadata.name}`).toEqual(meant.map(({ owner }) => owner));
          expect(selected).toHaveLength(1);
        }
      }
    });

    it("keeps MinIO's and the test's pods apart from the operator's even by name and instance", () => {
      const byName = podsOf(manifests).map(({ labels }) => labels["app.kubernetes.io/name"]);
      expect(new Set(byName).size).toBe(byName.length);
    });

    it("has only pods that meet Pod Security restricted", () => {
      for (const { owner, spec } of podsOf(manifests)) {
        expect(spec.securityContext, owner).toMatchObject({
          runAsNonRoot: true,
          seccompProfile: { type: "RuntimeDefault" },
        });
        expect(spec.securityContext.runAsUser).toBeGreaterThan(0);
        for (const key of ["hostNetwork", "hostPID", "hostIPC"] as const) expect(spec[key]).toBeUndefined();
        for (const volume of spec.volumes ?? []) {
          expect(["name", "emptyDir", "persistentVolumeClaim"]).toEqual(expect.arrayContaining(Object.keys(volume)));
        }
        for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          });
          for (const port of container.ports ?? []) expect(port.hostPort).toBeUndefined();
        }
      }
    });

    it("gives the operator an environment that it knows, each name once, all of it text", () => {
      const operator = podsOf(manifests).find(({ labels }) => labels["app.kubernetes.io/component"] === "operator");
      const env = operator?.spec.containers[0].env ?? [];
      expect(env.length).toBeGreaterThan(10);
      const names = env.map(({ name }) => name);
      expect(names.filter((name) => !knownEnvironment.has(name))).toEqual([]);
      expect(new Set(names).size).toBe(names.length);
      for (const { value, valueFrom } of env) expect(valueFrom === undefined ? typeof value : "string").toBe("string");
    });

    it("holds no secret: no Secret, and keys only by reference", () => {
      expect(manifests.filter(({ kind }) => kind === "Secret")).toEqual([]);
      for (const { owner, spec } of podsOf(manifests)) {
        for (const { name, value } of spec.containers.flatMap(({ env = [] }) => env)) {
          if (/SECRET|PASSWORD|TOKEN|ACCESS_KEY|ROOT_USER/.test(name) && !name.endsWith("_FILE")) {
            expect(value, `${owner} ${name}`).toBeUndefined();
          }
        }
      }
    });
  });
});
