import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { version } from "./version.js";

/** Seconds, from one round trip on a fast network to a store that has stopped answering. */
const LATENCY = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const REPLAY = [0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800];
const BATCH = [1, 2, 5, 10, 50, 100, 500, 1000];

/** What Prometheus scrapes: names, labels and meaning in docs/operations/operator.md. Durations are seconds, as it wants them. */
export interface Metrics {
  readonly registry: Registry;
  readonly events: Counter<"event_type">;
  readonly reconcile: Histogram<"resource_type">;
  readonly leads: Gauge;
  readonly transitions: Counter;
  readonly electionFailures: Counter;
  readonly putErrors: Counter<"error_type">;
  readonly putConflicts: Counter;
  readonly replay: Histogram;
  readonly append: Histogram;
  readonly batchSize: Histogram;
  readonly headSeq: Gauge;
  readonly watchRestarts: Counter<"resource_type" | "reason">;
  readonly verificationFailures: Counter<"verdict">;
  readonly reportErrors: Counter<"kind">;
  readonly refused: Counter<"resource_type">;
}

/** `depth`: observations that are not in the log yet. */
export function createMetrics(depth: () => number): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string = never>(name: string, help: string, ...labelNames: L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string, collect?: () => number): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      ...(collect && {
        collect() {
          this.set(collect());
        },
      }),
    });
  const histogram = <L extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: L[]
  ): Histogram<L> => new Histogram({ name, help, buckets, labelNames, registers });

  gauge("rynxs_queue_depth", "Observed changes that are not in the log yet.", depth);
  gauge("process_resident_memory_bytes", "Resident memory size in bytes.", () => process.memoryUsage.rss());
  gauge("process_start_time_seconds", "Start time of the process since the Unix epoch in seconds.").set(
    Math.round(Date.now() / 1000 - process.uptime()),
  );
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Total user and system CPU time spent in seconds.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: "rynxs_build_info",
    help: "Always 1; the version is a label.",
    labelNames: ["version"],
    registers,
  }).set({ version: version() }, 1);
  return {
    registry,
    events: counter("rynxs_events_total", "Events that this replica appended to the log.", "event_type"),
    reconcile: histogram(
      "rynxs_reconcile_duration_seconds",
      "From the observation of a change until its event was in the log.",
      LATENCY,
      "resource_type",
    ),
    leads: gauge("rynxs_leader_election_status", "1 while this replica leads and may append, else 0."),
    transitions: counter("rynxs_leader_transitions_total", "Changes of the lease's holder that this replica saw."),
    electionFailures: counter(
      "rynxs_leader_election_failures_total",
      "Elections, renewals and leaderships that ended in an error, and leaderships that were lost.",
    ),
    putErrors: counter(
      "rynxs_s3_put_errors_total",
      "Writes to the bucket that failed or were left open; lost races are not among them.",
      "error_type",
    ),
    putConflicts: counter(
      "rynxs_s3_put_conflicts_total",
      "Conditional writes that another writer was faster with (412).",
    ),
    replay: histogram(
      "rynxs_replay_duration_seconds",
      "Reading the log up to its head, at start and take-over.",
      REPLAY,
    ),
    append: histogram(
      "rynxs_append_duration_seconds",
      "One append, from its call until the event was durable.",
      LATENCY,
    ),
    batchSize: histogram("rynxs_append_batch_size", "Events that were appended in one write.", BATCH),
    headSeq: gauge(
      "rynxs_log_head_seq",
      "Seq of the last record that this replica has read or written; -1 for an empty log.",
    ),
    watchRestarts: counter("rynxs_watch_restarts_total", "Watches that were opened anew.", "resource_type", "reason"),
    verificationFailures: counter(
      "rynxs_verification_failures_total",
      "Times that the log failed verification; while it does, nothing is appended.",
      "verdict",
    ),
    reportErrors: counter(
      "rynxs_report_errors_total",
      "Statuses and Kubernetes Events that could not be written.",
      "kind",
    ),
    refused: counter(
      "rynxs_refused_changes_total",
      "Changes that no event can hold (too large, not well-formed): they are missing in the log.",
      "resource_type",
    ),
  };
}
