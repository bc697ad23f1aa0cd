/** The operator's metrics and their labels, as the contract between its parts names them. */
export const metrics: Readonly<
  Record<string, { readonly type: "counter" | "gauge" | "histogram"; readonly labels: readonly string[] }>
> = {
  rynxs_events_total: { type: "counter", labels: ["event_type"] },
  rynxs_reconcile_duration_seconds: { type: "histogram", labels: ["resource_type"] },
  rynxs_leader_election_status: { type: "gauge", labels: [] },
  rynxs_leader_transitions_total: { type: "counter", labels: [] },
  rynxs_leader_election_failures_total: { type: "counter", labels: [] },
  rynxs_s3_put_errors_total: { type: "counter", labels: ["error_type"] },
  rynxs_s3_put_conflicts_total: { type: "counter", labels: [] },
  rynxs_replay_duration_seconds: { type: "histogram", labels: [] },
  rynxs_append_duration_seconds: { type: "histogram", labels: [] },
  rynxs_append_batch_size: { type: "histogram", labels: [] },
  rynxs_log_head_seq: { type: "gauge", labels: [] },
  rynxs_queue_depth: { type: "gauge", labels: [] },
  rynxs_watch_restarts_total: { type: "counter", labels: ["resource_type", "reason"] },
  rynxs_verification_failures_total: { type: "counter", labels: ["verdict"] },
  rynxs_report_errors_total: { type: "counter", labels: ["kind"] },
  rynxs_refused_changes_total: { type: "counter", labels: ["resource_type"] },
  rynxs_build_info: { type: "gauge", labels: ["version"] },
  process_resident_memory_bytes: { type: "gauge", labels: [] },
  process_cpu_seconds_total: { type: "counter", labels: [] },
  process_start_time_seconds: { type: "gauge", labels: [] },
};

/** What Prometheus puts on every series that it scrapes. */
const targetLabels: readonly string[] = ["namespace", "job", "pod"];

/** Metric and labels that an expression speaks of, and what is wrong with them. */
export function unknownIn(expression: string): string[] {
  const problems: string[] = [];
  // strings and comments hold no metrics
  const code = expression.replace(/#.*$/gm, "");
  const names = [...code.replace(/"(?:[^"\\]|\\.)*"/g, '""').matchAll(/\b(rynxs_\w+|process_\w+)\b/g)].map(
    (match) => match[1] ?? "",
  );
  const allowed = new Set(targetLabels);
  for (const name of names) {
    const base = name in metrics ? name : name.replace(/_(bucket|sum|count)$/, "");
    const metric = metrics[base];
    if (metric === undefined) problems.push(`${name} is no metric`);
    else if (metric.type === "histogram" ? name === base : name !== base) problems.push(`${name} is a ${metric.type}`);
    else if (metric.type === "counter" && !counted(code, name))
      problems.push(`${name} is a counter and never falls: rate() or increase()`);
    for (const label of metric?.labels ?? []) allowed.add(label);
    if (metric?.type === "histogram") allowed.add("le");
  }
  if (names.length === 0 && code.includes("rynxs")) problems.push(`no metric in ${expression}`);
  const used = [
    ...[...code.matchAll(/\{([^}]*)\}/g)].flatMap((match) => [...(match[1] ?? "").matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)]),
    ...[...code.matchAll(/\b(?:by|without|on)\s*\(([^)]*)\)/g)].flatMap((match) => [
      ...(match[1] ?? "").matchAll(/(\w+)/g),
    ]),
  ].map((match) => match[1] ?? "");
  for (const label of used) if (!allowed.has(label)) problems.push(`label ${label} is on none of ${names.join(", ")}`);
  return problems;
}

const counted = (code: string, name: string): boolean =>
  [...code.matchAll(new RegExp(`(\\w+)\\(${name}\\b`, "g"))].every((match) =>
    ["rate", "irate", "increase", "max_over_time", "resets"].includes(match[1] ?? ""),
  ) && new RegExp(`\\w+\\(${name}\\b`).test(code);
