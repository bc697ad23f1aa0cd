// Replays of a log with one object per event, from a real S3 server.

const WINDOW = 64;

export const scenario = {
  name: "s3-replay",
  title: "replay from a bucket, one object per event",
  async plan(context) {
    const events = context.size(5000, 100);
    const prefix = `replay-${process.pid}`;
    // Written once, by the store itself; a batch of one is one object per event.
    const filled = async () => {
      const s3 = await context.gateway();
      const filler = await context.child({
        module: "contenders/s3-filler.mjs",
        open: "openFiller",
        options: { s3, prefix },
      });
      await filler.call("fill", events);
      await filler.close();
      return s3;
    };
    let filling;
    const contender = (id, title, module, open, options, more = {}) => ({
      id,
      title,
      module: `contenders/${module}.mjs`,
      open,
      options: async () => ({ s3: await (filling ??= filled()), prefix, events, ...options }),
      ...more,
    });
    return {
      about: `${events.toLocaleString("en")} objects on ${context.bucketServer}; ours verifies every record and its link.`,
      contenders: [
        contender("ours", "ours, verified", "rynxs-s3", "replay", {}, { ours: true }),
        contender("raw", "GETs alone, our driver, 64 in flight", "raw-s3", "getAll", { callers: WINDOW }),
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
            note: "one stream in chunks of 20 events: a twentieth of the objects, and nothing is verified",
          },
        ),
      ],
      rows: [
        { id: "ours", title: "ours, verified", of: "ours.perSecond", unit: "events/s" },
        { id: "raw", title: "GETs alone, our driver, 64 in flight", of: "raw.perSecond", unit: "objects/s" },
        { id: "sdk64", title: "AWS SDK, 64 in flight", of: "sdk64.perSecond", unit: "objects/s" },
        { id: "sdk1", title: "AWS SDK, serial GETs", of: "sdk1.perSecond", unit: "objects/s" },
        { id: "peer", title: "@jimvella/s3-event-store, 20 events an object", of: "peer.perSecond", unit: "events/s" },
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
        { id: "of-sdk64", title: "ours ÷ AWS SDK, 64 in flight", of: "ours.perSecond", over: "sdk64.perSecond" },
        { id: "of-peer", title: "ours ÷ @jimvella/s3-event-store", of: "ours.perSecond", over: "peer.perSecond" },
      ],
    };
  },
  chart: [
    {
      title: "Replay from a bucket, one object per event (Ceph RADOS Gateway)",
      unit: "events/s",
      rows: ["ours", "raw", "sdk64", "sdk1"],
    },
  ],
};
