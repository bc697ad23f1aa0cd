// Reading a long log: all of it from segments, and one aggregate through the index.

import { describeLong, longBucket, longFile, longSizes, TAIL } from "../lib/long-log.mjs";

export const scenario = {
  name: "long-read",
  title: "reading a long log: segments and index",
  async plan(context) {
    const sizes = longSizes(context);
    const { events, orders } = sizes;
    const place = async () => ({ ...(await longBucket(context, sizes)), orders });
    const ours = (id, title, open, fresh = false) => ({
      id,
      title,
      ours: true,
      fresh,
      module: "contenders/long-reads.mjs",
      open,
      options: place,
    });
    return {
      about:
        `${describeLong(sizes)}\n` +
        "Requests and bytes of bodies are counted by the emulator, in another process, and begin with opening the store. The replays, of the same\n" +
        "records, verify each; each in a fresh process that went over 20,000 events first. Another aggregate each round.",
      contenders: [
        ours("segments", "replay from segments", "replay", true),
        {
          id: "file",
          title: "replay of a local file",
          ours: true,
          fresh: true,
          module: "contenders/file-walks.mjs",
          open: "replay",
          options: async () => ({ path: await longFile(context, events, orders), events: events + TAIL }),
        },
        ours("one", "one aggregate", "aggregate"),
        ours("sizes", "sizes", "sizes"),
      ],
      rows: [...replayRows, ...aggregateRows, ...sizeRows],
    };
  },
  chart: [],
};

const replayRows = [
  {
    id: "data-requests",
    title: "replay from segments, GETs of segments",
    of: "segments.dataRequests",
    unit: "requests",
    goal: { atMost: 150 },
  },
  {
    id: "event-requests",
    title: "replay from segments, GETs of event objects",
    of: "segments.eventRequests",
    unit: "requests",
  },
  { id: "requests", title: "replay from segments, all requests", of: "segments.requests", unit: "requests" },
  { id: "rate", title: "replay from segments", of: "segments.perSecond", unit: "events/s" },
  { id: "file", title: "replay of a local file", of: "file.perSecond", unit: "events/s" },
  {
    id: "of-file",
    title: "replay from segments ÷ of a local file",
    of: "segments.perSecond",
    over: "file.perSecond",
    goal: { atLeast: 0.8 },
  },
];

const aggregateRows = [
  { id: "one", title: "one aggregate, requests", of: "one.requests", unit: "requests", goal: { atMost: 40 } },
  { id: "one-bytes", title: "one aggregate, bytes", of: "one.bytes", unit: "B" },
  { id: "one-event-bytes", title: "one aggregate, bytes of event objects among them", of: "one.eventBytes", unit: "B" },
  {
    id: "one-share",
    title: "one aggregate, bytes ÷ bytes of all segments",
    of: "one.bytes",
    over: "sizes.segmentBytes",
    goal: { atMost: 0.01 },
  },
];

const sizeRows = [
  { id: "record", title: "a record", of: "sizes.recordMean", unit: "B" },
  { id: "segments", title: "segments", of: "sizes.segments", unit: "objects" },
  {
    id: "segments-size",
    title: "size of segments ÷ of the records",
    of: "sizes.segmentBytes",
    over: "sizes.recordBytes",
    goal: { atMost: 0.25 },
  },
  { id: "index-size", title: "size of the index ÷ of the records", of: "sizes.indexBytes", over: "sizes.recordBytes" },
];
