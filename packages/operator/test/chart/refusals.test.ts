import { expect, it } from "vitest";
import { s3 } from "./cases.js";
import { bothMajors, refusal } from "./helm.js";
import { describeWith } from "./tools.js";

/** Values that no release may have, and what Helm has to say: of a check of the chart, or the schema's path and reason. */
const refused: readonly [string, object, ...RegExp[]][] = [
  [
    "a file with two writers",
    { replicaCount: 2 },
    /logSink\.type "file" allows one replica, replicaCount is 2/,
    /two processes on different nodes cannot share a file's lock/,
    /replicaCount: 1, or logSink\.type: s3/,
  ],
  ["S3 without a bucket", { logSink: { type: "s3" } }, /needs a bucket: set logSink\.s3\.bucket/],
  [
    "S3 switched on beside a file",
    { logSink: { s3: { enabled: true } } },
    /logSink\.s3\.enabled is true but logSink\.type is "file"/,
  ],
  [
    "several replicas without an election",
    { logSink: s3, replicaCount: 2, leaderElection: { enabled: false } },
    /leaderElection\.enabled is false and replicaCount is 2/,
  ],
  [
    "a renew deadline as long as the lease",
    { leaderElection: { renewDeadlineSeconds: 30 } },
    /renewDeadlineSeconds \(30\) must be less than leaderElection\.leaseDurationSeconds \(30\)/,
  ],
  [
    "a retry period that leaves no second try",
    { leaderElection: { renewDeadlineSeconds: 12, retryPeriodSeconds: 10 } },
    /retryPeriodSeconds \(10\) times 1\.2 must be less than leaderElection\.renewDeadlineSeconds \(12\)/,
  ],
  ["MinIO beside a file", { minio: { enabled: true } }, /minio\.enabled needs logSink\.type: s3/],
  [
    "MinIO without a Secret",
    { minio: { enabled: true }, logSink: s3 },
    /minio\.enabled needs logSink\.s3\.accessKeySecret\.name/,
    /kubectl create secret generic/,
  ],
  [
    "both limits of a disruption budget",
    { podDisruptionBudget: { minAvailable: 1 } },
    /podDisruptionBudget: set minAvailable or maxUnavailable, not both/,
  ],
  ["neither limit", { podDisruptionBudget: { maxUnavailable: "" } }, /podDisruptionBudget: set minAvailable or max/],
  [
    "a credential in the environment",
    { extraEnv: [{ name: "AWS_SECRET_ACCESS_KEY", value: "hunter2" }] },
    /extraEnv: AWS_SECRET_ACCESS_KEY looks like a credential/,
    /valueFrom\.secretKeyRef/,
  ],
  [
    "a variable of the chart's own",
    { extraEnv: [{ name: "RYNXS_WATCH", value: "x" }] },
    /extraEnv: RYNXS_WATCH is set by the chart already/,
  ],
  [
    "a credential in the endpoint",
    { logSink: { s3: { endpoint: "http://me:hunter2@minio:9000" } } },
    /logSink\.s3\.endpoint must not hold credentials/,
  ],
  [
    "a key among the values",
    { logSink: { s3: { secretAccessKey: "hunter2" } } },
    /logSink.s3.*[Aa]dditional propert.*secretAccessKey.* not allowed/,
  ],
  ["a value misspelt", { replicaCounts: 1 }, /[Aa]dditional propert.*replicaCounts.* not allowed/],
  ["a value misspelt deep inside", { probes: { liveness: { period: 1 } } }, /probes.liveness.*period.* not allowed/],
  ["a sink that is not there", { logSink: { type: "kafka" } }, /logSink.type.* must be one of.*file.*s3/],
  ["no file's folder", { logSink: { file: { path: "/events.log" } } }, /logSink.file.path.*does not match pattern/i],
  ["an endpoint with spaces", { logSink: { s3: { endpoint: "a b" } } }, /logSink.s3.endpoint.*does not match pattern/i],
  ["a resource without a version", { watch: [{ resource: "agents" }] }, /watch.0.resource.*does not match pattern/i],
  ["nothing to watch", { watch: [] }, /watch.*(at least 1 item|minItems)/i],
  ["a digest that is none", { image: { digest: "sha256:abc" } }, /image.digest.*does not match pattern/i],
  ["a number as text", { replicaCount: "1" }, /replicaCount.*(integer.*string|string.*integer)/],
  ["a level that is none", { logging: { level: "loud" } }, /logging.level.* must be one of/],
  ["a privileged port", { metrics: { port: 80 } }, /metrics.port.*(1024|minimum)/i],
  ["no time to drain", { terminationGracePeriodSeconds: 5 }, /terminationGracePeriodSeconds.*(10|minimum)/],
];

describeWith(bothMajors, "the chart refuses", (helm3 = "", helm4 = "") => {
  it.each(refused)("%s", async (_name, values, ...reasons) => {
    for (const helm of [helm3, helm4]) {
      const message = await refusal(helm, { values });
      for (const reason of reasons) expect(message).toMatch(reason);
      expect(message).not.toContain("hunter2");
    }
  });

  it("production's values without a bucket", async () => {
    for (const helm of [helm3, helm4]) {
      expect(await refusal(helm, { files: ["values-production.yaml"] })).toContain("needs a bucket");
    }
  });
});
