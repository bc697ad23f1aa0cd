// Appends to a real S3 server, durable.

export const scenario = {
  name: "s3-append",
  title: "appends to a bucket",
  async plan(context) {
    const events = context.size(500, 20);
    const s3 = () => context.gateway();
    const contender = (id, title, module, open, options, more = {}) => ({
      id,
      title,
      module: `contenders/${module}.mjs`,
      open,
      options: async () => ({ s3: await s3(), ...options }),
      ...more,
    });
    return {
      about:
        `One caller, one event after the other, on ${context.bucketServer}: acknowledged means on the disk.\n` +
        "Requests are counted on the emulator; the head object is written behind the appends, at most once a second.",
      contenders: [
        contender("ours", "ours, one caller", "rynxs-s3", "append", { events }, { ours: true }),
        contender("raw", "put-if-absent alone, our driver", "raw-s3", "putIfAbsent", { events }),
        contender("ours20", "ours, appendBatch of 20", "rynxs-s3", "append", { events, perCall: 20 }, { ours: true }),
        contender(
          "four",
          "AWS SDK, 4 requests an append",
          "aws-sdk",
          "appendInFour",
          { events: Math.ceil(events / 4) },
          {
            note: "as the Python system appends: GET head, GET last event, PUT event if absent, PUT head",
          },
        ),
        contender(
          "sdk64",
          "AWS SDK, 64 PUTs in flight",
          "aws-sdk",
          "putMany",
          { events: events * 2, callers: 64 },
          {
            note: "independent objects, if absent: no log and no order",
          },
        ),
        contender(
          "peer",
          "@jimvella/s3-event-store",
          "jimvella",
          "append",
          { events: Math.ceil(events / 4) },
          {
            note: "one stream, one event an append; order and conditional writes, no hash chain",
          },
        ),
        contender(
          "peerBatch",
          "@jimvella/s3-event-store, 20 an append",
          "jimvella",
          "append",
          { events, perCall: 20 },
          { note: "one stream, 20 events an append, the most it takes" },
        ),
        {
          id: "requests",
          title: "requests of ours",
          module: "contenders/rynxs-s3.mjs",
          open: "countRequests",
          options: { events: context.fixed(200, 20) },
        },
      ],
      rows: [
        { id: "ours", title: "ours, one caller", of: "ours.perSecond", unit: "events/s" },
        { id: "ours-20", title: "ours, appendBatch of 20", of: "ours20.perSecond", unit: "events/s" },
        { id: "raw", title: "put-if-absent alone, our driver", of: "raw.perSecond", unit: "events/s" },
        { id: "four", title: "AWS SDK, 4 requests an append", of: "four.perSecond", unit: "events/s" },
        { id: "sdk64", title: "AWS SDK, 64 PUTs in flight", of: "sdk64.perSecond", unit: "objects/s" },
        { id: "peer", title: "@jimvella/s3-event-store", of: "peer.perSecond", unit: "events/s" },
        {
          id: "peer-batch",
          title: "@jimvella/s3-event-store, 20 an append",
          of: "peerBatch.perSecond",
          unit: "events/s",
        },
        { id: "p50", title: "ours, latency p50", of: "ours.p50Ms", unit: "ms" },
        { id: "p99", title: "ours, latency p99", of: "ours.p99Ms", unit: "ms" },
        {
          id: "of-raw",
          title: "ours ÷ put-if-absent alone",
          of: "ours.perSecond",
          over: "raw.perSecond",
          goal: { atLeast: 0.95 },
        },
        { id: "of-four", title: "ours ÷ AWS SDK, 4 requests", of: "ours.perSecond", over: "four.perSecond" },
        { id: "of-peer", title: "ours ÷ @jimvella/s3-event-store", of: "ours.perSecond", over: "peer.perSecond" },
        {
          id: "of-peer-batch",
          title: "ours ÷ @jimvella/s3-event-store, 20 an append both",
          of: "ours20.perSecond",
          over: "peerBatch.perSecond",
        },
        {
          id: "event-puts",
          title: "PUTs of event objects per append",
          of: "requests.eventPuts",
          unit: "requests",
          goal: { atMost: 1 },
        },
        {
          id: "other-requests",
          title: "other requests per append",
          of: "requests.others",
          unit: "requests",
          goal: { atMost: 0 },
        },
        { id: "head-requests", title: "requests for the head, per append", of: "requests.head", unit: "requests" },
      ],
    };
  },
  chart: [
    {
      title: "Appends to a bucket (Ceph RADOS Gateway, bluestore)",
      unit: "events/s",
      log: true,
      rows: ["ours", "raw", "four", "peer", "sdk64", "ours-20", "peer-batch"],
    },
  ],
};
