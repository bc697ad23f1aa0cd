// The operator as real processes: what a change costs, how soon it is recorded, starts, fail-over, memory.

const DEFAULT_LEASE = [30, 20, 5];

export const scenario = {
  name: "operator",
  title: "the operator: changes, starts, fail-over, memory",
  rounds: 3,
  async plan(context) {
    const latencyMs = context.fixed(15, 0);
    const changes = context.size(100, 5);
    const agents = context.fixed(10_000, 200);
    const run = context.fixed(1500, 40);
    const lease = context.fixed([4, 3, 1], [3, 2, 1]);
    const kills = context.fixed(3, 1);
    const module = "contenders/operator.mjs";
    const ours = (id, title, open, options) => ({
      id,
      title,
      ours: true,
      module,
      open,
      options: { latencyMs, folder: context.temp, ...options },
    });
    const first = { agents, limitMs: 20_000 };
    return {
      about:
        `Processes of rynxs-operator, an API server (the fake one of @rynxs/operator/testing) and a bucket (the emulator, ${latencyMs} ms per request), each a process of its own.\n` +
        `${changes} changes of agents of 2 KB at chance times, one at a time; from before the API server is told to the event's being stored. A round trip is the median of PUTs and GETs.\n` +
        `Starts with ${agents.toLocaleString("en")} agents of 2 KB: recorded already, one object an event, or not (without batches: the first ${first.limitMs / 1000} s).\n` +
        `Fail-over: from SIGKILL to the record of a change that was made then; ${kills} a round. The long run: ${(4 * run).toLocaleString("en")} changes of 100 agents, no latency.`,
      contenders: [
        ours("steady", "steady state", "steady", { changes }),
        ours("known", "start, all recorded", "knownStart", { agents, settleMs: context.fixed(3000, 200) }),
        { ...ours("first", "first start", "firstStart", { ...first, batch: false }), fresh: true },
        { ...ours("batch", "first start, RYNXS_S3_BATCH", "firstStart", { ...first, batch: true }), fresh: true },
        ours("killed", `fail-over, lease ${lease.join("/")} s`, "failOver", { lease, times: kills }),
        // Half a minute each.
        ...(context.smoke
          ? []
          : [ours("default", "fail-over, default lease", "failOver", { lease: DEFAULT_LEASE, times: 1 })]),
        ours("stopped", "clean shutdown, default lease", "handOver", { lease: DEFAULT_LEASE, times: kills }),
        { ...ours("long", "long run", "longRun", { latencyMs: 0, changes: run }), fresh: true },
      ],
      rows: [...steadyRows, ...startRows(agents), ...leaderRows(lease, context.smoke), ...memoryRows(run)],
    };
  },
  chart: [],
};

const steadyRows = [
  {
    id: "puts",
    title: "PUTs of event objects per change",
    of: "steady.puts",
    unit: "requests",
    goal: { atMost: 1 },
  },
  { id: "requests", title: "all requests of the bucket per change", of: "steady.requests", unit: "requests" },
  { id: "p50", title: "observed → recorded, median", of: "steady.p50Ms", unit: "ms" },
  { id: "p99", title: "observed → recorded, p99", of: "steady.p99Ms", unit: "ms" },
  { id: "round-trip", title: "a round trip", of: "steady.roundTripMs", unit: "ms" },
  {
    id: "over",
    title: "observed → recorded, median − 2 round trips",
    of: "steady.overMs",
    unit: "ms",
    goal: { atMost: 50 },
  },
];

const startRows = (agents) => {
  const all = agents.toLocaleString("en");
  return [
    {
      id: "known-appends",
      title: `start, ${all} recorded: appends beside LeaderElected`,
      of: "known.appends",
      unit: "events",
      goal: { atMost: 0 },
    },
    { id: "known-ready", title: `start, ${all} recorded: until ready`, of: "known.readyMs", unit: "ms" },
    {
      id: "known-rss",
      title: `start, ${all} recorded: RSS after the sync`,
      of: "known.rssMb",
      unit: "MB",
      goal: { atMost: 250 },
    },
    { id: "known-peak", title: `start, ${all} recorded: peak RSS`, of: "known.peakMb", unit: "MB" },
    { id: "first-rate", title: `first start, ${all} to record`, of: "first.perSecond", unit: "events/s" },
    { id: "first-rss", title: `first start, ${all} to record: RSS`, of: "first.rssMb", unit: "MB" },
    { id: "first-peak", title: `first start, ${all} to record: peak RSS`, of: "first.peakMb", unit: "MB" },
    { id: "batch-rate", title: `first start, ${all} to record, batches`, of: "batch.perSecond", unit: "events/s" },
    { id: "batch-rss", title: `first start, ${all} to record, batches: RSS`, of: "batch.rssMb", unit: "MB" },
    { id: "batch-peak", title: `first start, ${all} to record, batches: peak RSS`, of: "batch.peakMb", unit: "MB" },
  ];
};

const leaderRows = (lease, smoke) => [
  ...failOverRows("killed", lease),
  ...(smoke ? [] : failOverRows("default", DEFAULT_LEASE)),
  {
    id: "stopped-longest",
    title: "SIGTERM of the leader → the other leads, longest",
    of: "stopped.maxS",
    unit: "s",
    goal: { atMost: 2 },
  },
  { id: "stopped", title: "SIGTERM of the leader → the other leads, median", of: "stopped.p50S", unit: "s" },
  { id: "stopped-exit", title: "SIGTERM of the leader → its exit", of: "stopped.exitS", unit: "s" },
];

const failOverRows = (id, lease) => {
  const what = `SIGKILL → recorded, lease ${lease.join("/")} s`;
  return [
    { id, title: `${what}, median`, of: `${id}.p50S`, unit: "s" },
    { id: `${id}-longest`, title: `${what}, longest`, of: `${id}.maxS`, unit: "s" },
    {
      id: `${id}-ratio`,
      title: `${what}, longest ÷ (duration + retry period)`,
      of: `${id}.maxRatio`,
      unit: "×",
      goal: { atMost: 1 },
    },
  ];
};

const memoryRows = (changes) => [
  { id: "short", title: `RSS after ${changes.toLocaleString("en")} changes`, of: "long.shortMb", unit: "MB" },
  { id: "long", title: `RSS after ${(4 * changes).toLocaleString("en")} changes`, of: "long.longMb", unit: "MB" },
  { id: "growth", title: "RSS, long ÷ short", of: "long.ratio", unit: "×", goal: { atMost: 1.2 } },
  { id: "long-rate", title: "changes recorded in the long run", of: "long.perSecond", unit: "changes/s" },
];
