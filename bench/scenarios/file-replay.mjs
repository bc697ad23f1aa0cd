// Passes over a log file.

const AGGREGATES = 1000;

export const scenario = {
  name: "file-replay",
  title: "replay and verification of a file",
  async plan(context) {
    const events = context.size(1_000_000, 5000);
    const contender = (id, title, open, options, ours) => ({
      id,
      title,
      ours,
      fresh: true,
      module: "contenders/file-walks.mjs",
      open,
      options: async () => ({
        path: await context.log(events),
        warmUpPath: await context.log(Math.min(events, 20_000)),
        events,
        ...options,
      }),
    });
    const one = { filter: { aggregateId: "universe/agent-00042" }, expected: Math.ceil((events - 42) / AGGREGATES) };
    return {
      about: `${events.toLocaleString("en")} events; each measurement in a fresh process that went over 20,000 events first.`,
      contenders: [
        contender("replay", "replay, verified", "replay", {}, true),
        contender("parse", "JSON.parse alone", "parseAlone", {}),
        contender("hash", "SHA-256 alone", "hashAlone", {}),
        contender("verify1", "verify", "verify", { workers: 1 }, true),
        contender("verify2", "verify, 2 workers", "verify", { workers: 2 }, true),
        contender("one", "replay of one aggregate of 1,000", "replay", one, true),
      ],
      rows: [
        { id: "replay", title: "replay, verified", of: "replay.perSecond", unit: "events/s" },
        { id: "parse", title: "JSON.parse alone", of: "parse.perSecond", unit: "events/s" },
        { id: "hash", title: "SHA-256 alone", of: "hash.perSecond", unit: "events/s" },
        { id: "verify-1", title: "verify", of: "verify1.perSecond", unit: "events/s" },
        { id: "verify-2", title: "verify, 2 workers", of: "verify2.perSecond", unit: "events/s" },
        { id: "one", title: "replay of one aggregate of 1,000", of: "one.perSecond", unit: "events/s" },
        {
          id: "of-parse",
          title: "replay ÷ JSON.parse alone",
          of: "replay.perSecond",
          over: "parse.perSecond",
          goal: { atLeast: 0.65 },
        },
        {
          id: "of-replay",
          title: "verify ÷ replay",
          of: "verify1.perSecond",
          over: "replay.perSecond",
          goal: { atLeast: 2 },
        },
        {
          id: "workers",
          title: "verify, 2 workers ÷ 1",
          of: "verify2.perSecond",
          over: "verify1.perSecond",
          goal: { atLeast: 1.7 },
        },
        {
          id: "filter",
          title: "replay of one aggregate ÷ of all",
          of: "one.perSecond",
          over: "replay.perSecond",
          goal: { atLeast: 2 },
        },
      ],
    };
  },
  chart: [
    {
      title: "Passes over a log file",
      unit: "events/s",
      rows: ["replay", "parse", "verify-1", "verify-2", "one", "hash"],
    },
  ],
};
