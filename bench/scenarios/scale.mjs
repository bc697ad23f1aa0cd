// What grows with the log: nothing, but verification, which grows no faster than it.

export const scenario = {
  name: "scale",
  title: "append and open by the length of the log",
  async plan(context) {
    const [short, long] = [1000, context.size(1_000_000, 10_000)];
    const contender = (id, title, open, options, events) => ({
      id,
      title,
      ours: true,
      module: "contenders/lengths.mjs",
      open,
      options: async () => ({ ...(await options()), events }),
    });
    const file = (name, length) => async () => ({ path: await context.logCopy(length, `${name}-${length}`), length });
    const s3 = (name, length) => async () => ({ ...(await context.s3Log(length, name)), length });
    const [appends, opens] = [context.fixed(1000, 20), context.fixed(100, 5)];
    const pair = (id, title, open, where, events) => [
      contender(`${id}Short`, `${title}, ${short}`, open, where(id, short), events),
      contender(`${id}Long`, `${title}, ${long}`, open, where(id, long), events),
    ];
    const rows = (id, title, goal) => [
      { id: `${id}-short`, title: `${title} at ${short.toLocaleString("en")}`, of: `${id}Short.micros`, unit: "µs" },
      { id: `${id}-long`, title: `${title} at ${long.toLocaleString("en")}`, of: `${id}Long.micros`, unit: "µs" },
      { id: `${id}-ratio`, title: `${title}, long ÷ short`, of: `${id}Long.micros`, over: `${id}Short.micros`, goal },
    ];
    return {
      about:
        `A log of ${short.toLocaleString("en")} and one of ${long.toLocaleString("en")} events; medians of single calls, one after the other.\n` +
        "File: durable. Bucket: batch objects on the emulator, no latency. Open: open, ask for the head, close.",
      contenders: [
        ...pair("fileAppend", "append, file", "append", file, appends),
        ...pair("s3Append", "append, bucket", "append", s3, appends),
        ...pair("fileOpen", "open, file", "open", file, opens),
        ...pair("s3Open", "open, bucket", "open", s3, opens),
      ],
      rows: [
        ...rows("fileAppend", "append, file", { atMost: 1.1 }),
        ...rows("s3Append", "append, bucket", { atMost: 1.1 }),
        ...rows("fileOpen", "open, file", { atMost: 1.2 }),
        ...rows("s3Open", "open, bucket", { atMost: 1.2 }),
      ],
    };
  },
  chart: [
    {
      title: "One append, by the length of the log",
      unit: "µs",
      less: true,
      rows: ["fileAppend-short", "fileAppend-long", "s3Append-short", "s3Append-long"],
    },
  ],
};
