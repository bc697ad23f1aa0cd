// Verification's CPU time by the length of the log.

export const scenario = {
  name: "scale-verify",
  title: "CPU time of verification by the length of the log",
  rounds: 3,
  async plan(context) {
    const long = context.size(1_000_000, 10_000);
    const short = Math.ceil(long / 10);
    const contender = (id, events) => ({
      id,
      title: `verify, ${events.toLocaleString("en")} events`,
      ours: true,
      fresh: true,
      module: "contenders/file-walks.mjs",
      open: "verify",
      options: async () => ({
        path: await context.log(events),
        warmUpPath: await context.log(Math.min(short, 20_000)),
        events,
      }),
    });
    return {
      about: "A file, one thread; each measurement in a fresh process that went over 20,000 events first.",
      contenders: [contender("short", short), contender("long", long)],
      rows: [
        { id: "short", title: `verify, ${short.toLocaleString("en")} events`, of: "short.cpuSeconds", unit: "s CPU" },
        { id: "long", title: `verify, ${long.toLocaleString("en")} events`, of: "long.cpuSeconds", unit: "s CPU" },
        {
          id: "ratio",
          title: "long ÷ short (a tenth)",
          of: "long.cpuSeconds",
          over: "short.cpuSeconds",
          goal: { atMost: 10.5 },
        },
      ],
    };
  },
  chart: [],
};
