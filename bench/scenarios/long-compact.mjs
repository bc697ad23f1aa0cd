// Compaction: how fast, beside gzip alone, and in how much memory.

import { describeLong, longBucket, longFile, longSizes } from "../lib/long-log.mjs";

export const scenario = {
  name: "long-compact",
  title: "compaction of a long log",
  rounds: 3,
  async plan(context) {
    const sizes = longSizes(context);
    const contender = (id, title, index) => ({
      id,
      title,
      ours: true,
      fresh: true,
      module: "contenders/compaction.mjs",
      open: "compaction",
      // A log of its own, whose segments and index are deleted before each measurement.
      options: async () => ({ ...(await longBucket(context, { ...sizes, name: "compact", compacted: false })), index }),
    });
    const rate = (id, title, of) => ({ id, title, of: `${of}.perSecond`, unit: "events/s" });
    const ratio = (id, title, of) => ({
      id,
      title: `${title} ÷ gzip alone`,
      of: `${of}.perSecond`,
      over: "gzip.perSecond",
      goal: { atLeast: 0.6 },
    });
    return {
      about:
        `${describeLong(sizes)}\n` +
        "On the emulator without latency, in another process: compaction gets, verifies, compresses, puts and reads back, in a fresh process, of\n" +
        "which the memory is the whole's. gzip alone: zlib's default level, one thread, members of 1,000 lines, without reading them.",
      contenders: [
        contender("all", "segments and index", true),
        {
          id: "gzip",
          title: "gzip alone",
          fresh: true,
          module: "contenders/compaction.mjs",
          open: "gzipAlone",
          options: async () => ({ path: await longFile(context, sizes.events, sizes.orders), events: sizes.events }),
        },
        contender("segments", "segments alone", false),
      ],
      rows: [
        rate("all", "segments and index", "all"),
        rate("segments", "segments alone", "segments"),
        rate("gzip", "gzip alone", "gzip"),
        ratio("all-of-gzip", "segments and index", "all"),
        ratio("segments-of-gzip", "segments alone", "segments"),
        {
          id: "memory",
          title: "peak memory, segments and index",
          of: "all.peakMb",
          unit: "MB",
          goal: { atMost: 200 },
        },
        {
          id: "memory-segments",
          title: "peak memory, segments alone",
          of: "segments.peakMb",
          unit: "MB",
          goal: { atMost: 200 },
        },
      ],
    };
  },
  chart: [],
};
