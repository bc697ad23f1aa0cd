import type { Case } from "./helm.js";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
export const s3 = { type: "s3", s3: { bucket: "my-bucket" } };
const s3WithSecret = { type: "s3", s3: { bucket: "my-bucket", accessKeySecret: { name: "rynxs-s3" } } };
const monitored = {
  serviceMonitor: {
    enabled: true,
    labels: { release: "prometheus" },
    relabelings: [{ action: "labelmap", regex: "x" }],
  },
  networkPolicy: { enabled: true, from: [{ namespaceSelector: { matchLabels: { name: "monitoring" } } }] },
  prometheusRule: { enabled: true, disabled: ["RynxsLeaderFlap"], namespace: "monitoring" },
  dashboard: { enabled: true, annotations: { folder: "rynxs" } },
};

/** Values that the chart must render to good manifests. */
export const cases: Readonly<Record<string, Case>> = {
  "the defaults": {},
  production: { files: ["values-production.yaml"], values: { logSink: { s3: { bucket: "my-bucket" } } } },
  "production on another server, pinned by digest": {
    files: ["values-production.yaml"],
    values: {
      image: { tag: "1.2.3", digest },
      logSink: {
        s3: { bucket: "my-bucket", endpoint: "s3.example.com:9000", batch: true, accessKeySecret: { name: "k" } },
      },
    },
  },
  "an empty endpoint and workload identity": {
    values: {
      replicaCount: 2,
      logSink: { type: "s3", s3: { bucket: "my-bucket", endpoint: "" } },
      serviceAccount: { name: "writer", annotations: { "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/rynxs" } },
    },
  },
  "names of one's own": {
    release: "audit",
    values: { nameOverride: "recorder", logSink: s3, replicaCount: 2, metrics: monitored },
  },
  "long names": {
    release: "a-release-with-a-name-of-fifty-three-characters-in-al",
    namespace: "a-namespace",
    values: { logSink: s3WithSecret, minio: { enabled: true }, metrics: monitored },
  },
  "a full name": { values: { fullnameOverride: "the-log", leaderElection: { leaseName: "the-lease" } } },
  "no leader election": { values: { logSink: s3, leaderElection: { enabled: false } } },
  "minio, restricted by network policies": {
    values: {
      logSink: s3WithSecret,
      replicaCount: 2,
      minio: { enabled: true, persistence: { enabled: true, storageClass: "fast" } },
      metrics: {
        networkPolicy: {
          enabled: true,
          egress: { enabled: true, rules: [{ ports: [{ port: 443, protocol: "TCP" }] }] },
        },
      },
    },
  },
  "a file on a claim that exists": {
    values: {
      logSink: { type: "file", file: { path: "/data/log/events.log", maxBytes: 1073741824 } },
      persistence: { existingClaim: "the-claim" },
      terminationGracePeriodSeconds: 60,
    },
  },
  "a file on a claim made here": {
    values: { persistence: { storageClass: "fast", size: "1Ti", retain: false, annotations: { a: "b" } } },
  },
  "a file that dies with its pod": { values: { persistence: { enabled: false } } },
  "watching named namespaces": {
    values: {
      watch: [
        { resource: "agents.universe.ai/v1alpha1", namespaces: ["team-a", "team-b"] },
        { resource: "configmaps/v1", namespaces: ["team-b"], labelSelector: "tier in (a,b),x!=<&>", status: false },
      ],
    },
  },
  "watching both ways": {
    values: {
      watch: [
        { resource: "agents.universe.ai/v1alpha1" },
        { resource: "deployments.apps/v1", status: false },
        { resource: "secrets/v1", namespaces: ["team-a"], status: false },
      ],
    },
  },
  "no Kubernetes events, no metrics, no CRD": {
    values: {
      kubernetesEvents: { enabled: false },
      metrics: { enabled: false, ...monitored },
      crds: { install: false },
      probes: { liveness: { enabled: false }, startup: { enabled: false } },
    },
  },
  "no account and no roles of its own": { values: { serviceAccount: { create: false }, rbac: { create: false } } },
  "everything that a pod can have": {
    values: {
      replicaCount: 3,
      logSink: s3WithSecret,
      imagePullSecrets: [{ name: "pull" }],
      podAnnotations: { "prometheus.io/scrape": "true" },
      // one of the labels that pods are selected by
      podLabels: { team: "audit", "app.kubernetes.io/name": "something-else" },
      priorityClassName: "high",
      nodeSelector: { "kubernetes.io/os": "linux" },
      tolerations: [{ key: "dedicated", operator: "Exists", effect: "NoSchedule" }],
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" },
        {
          maxSkew: 1,
          topologyKey: "rack",
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: { matchLabels: { a: "b" } },
        },
      ],
      podDisruptionBudget: { minAvailable: "50%", maxUnavailable: "" },
      extraArgs: ["--verbose"],
      extraEnv: [
        { name: "RYNXS_HASH_VERSION", value: "v2" },
        { name: "AWS_WEB_IDENTITY_TOKEN_FILE", value: "/var/run/token" },
        { name: "AWS_SESSION_TOKEN", valueFrom: { secretKeyRef: { name: "rynxs-s3", key: "token" } } },
      ],
      extraVolumes: [{ name: "authority", emptyDir: {} }],
      extraVolumeMounts: [{ name: "authority", mountPath: "/etc/authority", readOnly: true }],
      logging: { level: "debug", format: "text" },
    },
  },
};
