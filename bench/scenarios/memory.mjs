// Peak memory of a long replay.

export const scenario = {
  name: "memory",
  title: "peak memory of a replay",
  rounds: 3,
  async plan(context) {
    const events = context.size(1_000_000, 10_000);
    const module = "contenders/memory.mjs";
    return {
      about: `${events.toLocaleString("en")} events, replayed and verified; resident memory above that of the process before it opens the store.`,
      contenders: [
        {
          id: "file",
          title: "a file",
          ours: true,
          fresh: true,
          module,
          open: "fileReplay",
          options: async () => ({ path: await context.log(events), events }),
        },
        {
          id: "s3",
          title: "a bucket, batch objects",
          ours: true,
          fresh: true,
          module,
          open: "s3Replay",
          options: async () => ({ ...(await context.s3Log(events)), events }),
        },
      ],
      rows: [
        { id: "file", title: "a file", of: "file.peakMb", unit: "MB", goal: { atMost: 120 } },
        { id: "s3", title: "a bucket, batch objects", of: "s3.peakMb", unit: "MB", goal: { atMost: 120 } },
        { id: "file-total", title: "a file, whole process", of: "file.totalMb", unit: "MB" },
        { id: "s3-total", title: "a bucket, whole process", of: "s3.totalMb", unit: "MB" },
        { id: "file-speed", title: "a file, speed", of: "file.perSecond", unit: "events/s" },
        { id: "s3-speed", title: "a bucket (emulator), speed", of: "s3.perSecond", unit: "events/s" },
      ],
    };
  },
  chart: [{ title: "Peak memory of a replay of 1,000,000 events", unit: "MB", less: true, rows: ["file", "s3"] }],
};
