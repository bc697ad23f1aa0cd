// What a query and a projection ask of the bucket as the log grows.

import { describeLong, longBucket, longSizes, TAIL } from "../lib/long-log.mjs";

const BEHIND = 1000;
/** Lengths of the faked logs; at the worst ones an index has nine files of each size. */
const FAKED = { e5: 1e5 + TAIL, e6: 1e6 + TAIL, e8: 1e8 + TAIL, worst5: 1e5 - 1, worst6: 1e6 - 1, worst8: 1e8 - 1 };

export const scenario = {
  name: "long-scale",
  title: "requests by the length of the log",
  rounds: 3,
  async plan(context) {
    const sizes = longSizes(context);
    const { events, short, orders } = sizes;
    const contender = (id, title, open, length) => ({
      id,
      title,
      ours: true,
      module: "contenders/long-reads.mjs",
      open,
      options: async () => ({
        ...(await longBucket(context, { events: length, all: events, orders })),
        orders,
        behind: BEHIND,
      }),
    });
    const pair = (id, title, open) => [
      contender(`${id}Short`, `${title}, ${short.toLocaleString("en")}`, open, short),
      contender(`${id}Long`, `${title}, ${events.toLocaleString("en")}`, open, events),
    ];
    return {
      about:
        `${describeLong(sizes)} The shorter log is the beginning of it, with a tail of its own; an aggregate has ${short / orders} events there.\n` +
        `Projection: opening the store, the newest snapshot, ${BEHIND.toLocaleString("en")} events behind the head, and these events. Faked: logs of which the keys, the index and the last\n` +
        "record are made up; an aggregate with an event at the beginning, in the middle and at the end; requests for the events not among the index's.",
      contenders: [
        ...pair("snapshot", "projection from a snapshot", "fromSnapshot"),
        ...pair("one", "one aggregate", "aggregate"),
        {
          id: "faked",
          title: "one aggregate, faked logs",
          ours: true,
          module: "contenders/faked-log.mjs",
          open: "read",
          options: { lengths: FAKED },
        },
      ],
      rows: [...projectionRows(short, events), ...queryRows(short, events), ...fakedRows()],
    };
  },
  chart: [],
};

function projectionRows(short, long) {
  const row = (id, length) => ({
    id: `snapshot-${id.toLowerCase()}`,
    title: `projection, ${length.toLocaleString("en")}`,
    of: `snapshot${id}.requests`,
    unit: "requests",
    goal: { atMost: 25 },
  });
  return [
    row("Short", short),
    row("Long", long),
    {
      id: "snapshot-ratio",
      title: "projection, long ÷ short",
      of: "snapshotLong.requests",
      over: "snapshotShort.requests",
      goal: { atMost: 1 },
    },
  ];
}

function queryRows(short, long) {
  return [
    ["Short", short],
    ["Long", long],
  ].flatMap(([id, length]) => {
    const row = (metric, title, of) => ({
      id: `one-${metric}-${id.toLowerCase()}`,
      title: `one aggregate, ${length.toLocaleString("en")}, ${title}`,
      of: `one${id}.${of}`,
      unit: "requests",
    });
    return [
      row("lists", "LISTs", "lists"),
      row("index", "GETs of the index and the events in it", "indexRequests"),
      row("all", "all", "requests"),
    ];
  });
}

function fakedRows() {
  const value = (name, title) => ({
    id: `faked-${name}`,
    title: `faked, ${title}`,
    of: `faked.${name}`,
    unit: "requests",
  });
  const growth = (id, title, of, over, atMost) => ({
    id,
    title: `faked, ${title}`,
    of: `faked.${of}`,
    over: `faked.${over}`,
    goal: { atMost },
  });
  const at = (name, length) => [
    value(`${name}Lists`, `${length}, LISTs`),
    value(`${name}Index`, `${length}, LISTs and index`),
  ];
  return [
    ...at("e5", "100,000"),
    ...at("e6", "1,000,000"),
    ...at("e8", "100,000,000"),
    // log N grows so many times.
    growth("growth-6", "LISTs and index, 1,000,000 ÷ 100,000", "e6Index", "e5Index", 6 / 5),
    growth("growth-8", "LISTs and index, 100,000,000 ÷ 100,000", "e8Index", "e5Index", 8 / 5),
    value("worst5Index", "99,999, LISTs and index"),
    value("worst6Index", "999,999, LISTs and index"),
    value("worst8Index", "99,999,999, LISTs and index"),
  ];
}
