// Group commit on a bucket whose requests take as long as S3's.

const LATENCY_MS = 15;

export const scenario = {
  name: "s3-batch",
  title: "group commit on a bucket, many callers",
  async plan(context) {
    const s3 = async () => (await context.emulator(LATENCY_MS)).facts;
    const contender = (id, title, options) => ({
      id,
      title,
      ours: true,
      module: "contenders/rynxs-s3.mjs",
      open: "append",
      options: async () => ({ s3: await s3(), ...options }),
    });
    const many = { batch: true, warmUp: context.fixed(20_000, 500), budgetMs: 2000 };
    return {
      about:
        `The S3 emulator, in its own process, waits ${LATENCY_MS} ms before each request: the order of a small PUT to S3 Standard.\n` +
        "It is a stand-in with a latency, not S3.",
      contenders: [
        contender("plain", "default mode, 256 callers", {
          callers: 256,
          events: context.fixed(150, 10),
          warmUp: 5,
          budgetMs: 2000,
        }),
        contender("batch256", "batch mode, 256 callers", { ...many, callers: 256, events: context.size(30_000, 1000) }),
        contender("batch4096", "batch mode, 4,096 callers", {
          ...many,
          callers: context.fixed(4096, 256),
          events: context.size(100_000, 5000),
        }),
      ],
      rows: [
        { id: "plain", title: "default mode, 256 callers", of: "plain.perSecond", unit: "events/s" },
        {
          id: "batch-256",
          title: "batch mode, 256 callers",
          of: "batch256.perSecond",
          unit: "events/s",
          goal: { atLeast: 13_000 },
        },
        {
          id: "batch-4096",
          title: "batch mode, 4,096 callers",
          of: "batch4096.perSecond",
          unit: "events/s",
          goal: { atLeast: 50_000 },
        },
        { id: "p50-256", title: "256 callers, latency p50", of: "batch256.p50Ms", unit: "ms" },
        { id: "p99-256", title: "256 callers, latency p99", of: "batch256.p99Ms", unit: "ms" },
        { id: "p50-4096", title: "4,096 callers, latency p50", of: "batch4096.p50Ms", unit: "ms" },
        { id: "p99-4096", title: "4,096 callers, latency p99", of: "batch4096.p99Ms", unit: "ms" },
        {
          id: "of-plain",
          title: "batch ÷ default mode, 256 callers",
          of: "batch256.perSecond",
          over: "plain.perSecond",
          goal: { atLeast: 200 },
        },
      ],
    };
  },
  chart: [
    {
      title: `Group commit on a bucket (emulator, ${LATENCY_MS} ms per request)`,
      unit: "events/s",
      log: true,
      rows: ["batch-4096", "batch-256", "plain"],
    },
  ],
};
