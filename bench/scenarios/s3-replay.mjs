// Replays from a real S3 server: of a log with one object per event, and of one with batch objects.

const WINDOW = 64;
const LATENCY_MS = 15;

/** A log on the bucket, of objects of so many records. */
async function fill(context, server, events, perObject) {
  const s3 = server === "slow" ? (await context.emulator(LATENCY_MS)).facts : await context.gateway();
  const prefix = `replay-${perObject}-${process.pid}`;
  const options = { s3, prefix, perObject };
  const filler = await context.child({ module: "contenders/s3-filler.mjs", open: "openFiller", options });
  await filler.call("fill", events);
  await filler.close();
  return { s3, prefix };
}

export const scenario = {
  name: "s3-replay",
  title: "replay from a bucket",
  async plan(context) {
    const events = context.size(5000, 100);
    // Each log is written once, when the first contender asks for it.
    const logs = new Map();
    const log = ({ server = "gateway", perObject = 1 }) => {
      const key = `${server} ${perObject}`;
      if (!logs.has(key)) logs.set(key, fill(context, server, events, perObject));
      return logs.get(key);
    };
    const contender = (id, title, module, open, options, more = {}) => ({
      id,
      title,
      module: `contenders/${module}.mjs`,
      open,
      options: async () => ({ ...(await log(options)), events, ...options }),
      ...more,
    });
    return {
      about:
        `${events.toLocaleString("en")} events on ${context.bucketServer}, one object each unless said; ours verifies every record and its link.\n` +
        `"Slow": the emulator with ${LATENCY_MS} ms per request, the order of a small request to S3 Standard; a stand-in, not S3.`,
      contenders: [
        contender("ours", "ours, verified", "rynxs-s3", "replay", {}, { ours: true }),
        contender("raw", "GETs alone, our driver, 64 in flight", "raw-s3", "getAll", { callers: WINDOW }),
        contender("oursMany", "ours, 400 events an object", "rynxs-s3", "replay", { perObject: 400 }, { ours: true }),
        contender("oursSlow", "ours, slow", "rynxs-s3", "replay", { server: "slow" }, { ours: true }),
        contender("sdk1Slow", "AWS SDK, serial GETs, slow", "aws-sdk", "getAll", {
          server: "slow",
          callers: 1,
          log: events,
          events: Math.min(events, 60),
        }),
        contender("sdk1", "AWS SDK, serial GETs", "aws-sdk", "getAll", {
          callers: 1,
          log: events,
          events: Math.min(events, 500),
        }),
        contender("sdk64", "AWS SDK, 64 in flight", "aws-sdk", "getAll", {
          callers: WINDOW,
          log: events,
          events: Math.min(events, 2500),
        }),
        contender(
          "peer",
          "@jimvella/s3-event-store",
          "jimvella",
          "replay",
          {},
          {
            note: "one stream, written with 20 events an append: chunks of 20 appends, 400 events; nothing is verified",
          },
        ),
      ],
      rows: [
        { id: "ours", title: "ours, verified", of: "ours.perSecond", unit: "events/s" },
        { id: "ours-many", title: "ours, 400 events an object", of: "oursMany.perSecond", unit: "events/s" },
        { id: "raw", title: "GETs alone, our driver, 64 in flight", of: "raw.perSecond", unit: "objects/s" },
        { id: "sdk64", title: "AWS SDK, 64 in flight", of: "sdk64.perSecond", unit: "objects/s" },
        { id: "sdk1", title: "AWS SDK, serial GETs", of: "sdk1.perSecond", unit: "objects/s" },
        { id: "ours-slow", title: "ours, slow", of: "oursSlow.perSecond", unit: "events/s" },
        { id: "sdk1-slow", title: "AWS SDK, serial GETs, slow", of: "sdk1Slow.perSecond", unit: "objects/s" },
        { id: "peer", title: "@jimvella/s3-event-store, 400 events an object", of: "peer.perSecond", unit: "events/s" },
        {
          id: "of-raw",
          title: "ours ÷ GETs alone",
          of: "ours.perSecond",
          over: "raw.perSecond",
          goal: { atLeast: 0.9 },
        },
        {
          id: "of-sdk1",
          title: "ours ÷ AWS SDK, serial",
          of: "ours.perSecond",
          over: "sdk1.perSecond",
          goal: { atLeast: 20 },
        },
        {
          id: "of-sdk1-slow",
          title: "ours ÷ AWS SDK, serial, slow both",
          of: "oursSlow.perSecond",
          over: "sdk1Slow.perSecond",
          goal: { atLeast: 20 },
        },
        { id: "of-sdk64", title: "ours ÷ AWS SDK, 64 in flight", of: "ours.perSecond", over: "sdk64.perSecond" },
        {
          id: "of-peer",
          title: "ours ÷ @jimvella/s3-event-store, 400 events an object both",
          of: "oursMany.perSecond",
          over: "peer.perSecond",
        },
      ],
    };
  },
  chart: [
    {
      title: "Replay from a bucket (Ceph RADOS Gateway)",
      unit: "events/s",
      log: true,
      rows: ["ours", "raw", "sdk64", "sdk1", "ours-many", "peer"],
    },
  ],
};
