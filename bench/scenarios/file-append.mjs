// Durable appends on this machine: ours on a file, peers on SQLite, PostgreSQL and NATS.

const SQLITE = "WAL with synchronous=FULL: synced at each commit; one kept connection; no hash chain";
const POSTGRES = "fsync and synchronous_commit on; over loopback; no hash chain";
const NATS = "acknowledged when written, NOT when synced: the server syncs every 2 minutes by default; no hash chain";

export const scenario = {
  name: "file-append",
  title: "durable appends on this machine",
  async plan(context) {
    const [one, many] = [context.size(2000, 50), context.size(40_000, 1000)];
    const folder = context.folder("append");
    const ours = (id, title, options) => ({
      id,
      title,
      ours: true,
      module: "contenders/rynxs-file.mjs",
      open: "append",
      options: { folder, ...options },
    });
    const raw = (id, title, open, options) => ({
      id,
      title,
      module: "contenders/raw-file.mjs",
      open,
      options: { folder, ...options },
    });
    const sqlite = (id, title, options) => ({
      id,
      title,
      note: SQLITE,
      module: "contenders/emmett-sqlite.mjs",
      open: "append",
      options: { folder, ...options },
    });
    const postgres = (id, title, options) => ({
      id,
      title,
      note: POSTGRES,
      module: "contenders/emmett-postgresql.mjs",
      open: "append",
      options: async () => ({ url: (await context.postgres()).url, ...options }),
    });
    const nats = (id, title, options) => ({
      id,
      title,
      note: NATS,
      module: "contenders/jetstream.mjs",
      open: "append",
      options: async () => ({ server: (await context.nats()).server, ...options }),
    });
    return {
      about:
        "Every figure is of events that were acknowledged; ours, SQLite and PostgreSQL sync before they acknowledge.",
      contenders: [
        // What is compared closely is measured close together.
        ours("one", "ours, one caller", { events: one }),
        raw("raw", "write + fdatasync alone, one by one", "writeAndSync", { events: one }),
        ours("many", "ours, 256 callers", { events: many, callers: 256, warmUp: 2000 }),
        raw("limit", "serialising and hashing alone", "serialiseAndHash", { events: many }),
        ours("array", "ours, appendBatch of 1,000", { events: many, perCall: 1000, warmUp: 5 }),
        sqlite("sqliteOne", "emmett-sqlite, one caller", { events: Math.ceil(one / 4) }),
        sqlite("sqliteArray", "emmett-sqlite, arrays of 1,000", { events: many >> 1, perCall: 1000 }),
        postgres("pgOne", "emmett-postgresql, one caller", { events: Math.ceil(one / 4) }),
        postgres("pgMany", "emmett-postgresql, 256 callers", { events: one, callers: 256 }),
        postgres("pgArray", "emmett-postgresql, arrays of 1,000", { events: many >> 1, perCall: 1000 }),
        postgres("pgArrays", "emmett-postgresql, 8 × arrays of 1,000", { events: many, callers: 8, perCall: 1000 }),
        nats("natsOne", "JetStream, one caller, not synced", { events: one }),
        nats("natsMany", "JetStream, 256 in flight, not synced", { events: many, callers: 256 }),
      ],
      rows: [...values(), ...ratios()],
    };
  },
  chart: [
    {
      title: "Appends on this machine, one caller",
      unit: "events/s",
      rows: ["one", "raw", "sqliteOne", "pgOne", "natsOne"],
    },
    {
      title: "Appends on this machine, each at its best",
      unit: "events/s",
      log: true,
      rows: ["many", "array", "limit", "sqliteArray", "pgMany", "pgArray", "pgArrays", "natsMany"],
    },
  ],
};

const NAMES = {
  one: "ours, one caller",
  many: "ours, 256 callers",
  array: "ours, appendBatch of 1,000",
  raw: "write + fdatasync alone, one by one",
  limit: "serialising and hashing alone",
  sqliteOne: "emmett-sqlite, one caller",
  sqliteArray: "emmett-sqlite, arrays of 1,000",
  pgOne: "emmett-postgresql, one caller",
  pgMany: "emmett-postgresql, 256 callers",
  pgArray: "emmett-postgresql, arrays of 1,000",
  pgArrays: "emmett-postgresql, 8 × arrays of 1,000",
  natsOne: "JetStream, one caller, not synced",
  natsMany: "JetStream, 256 in flight, not synced",
};

function values() {
  const rows = Object.entries(NAMES).map(([id, title]) => ({ id, title, of: `${id}.perSecond`, unit: "events/s" }));
  return [
    ...rows,
    { id: "p50", title: "ours, one caller, latency p50", of: "one.p50Ms", unit: "ms" },
    { id: "p99", title: "ours, one caller, latency p99", of: "one.p99Ms", unit: "ms" },
  ];
}

function ratios() {
  const ratio = (id, of, over, goal) => ({
    id,
    title: `${NAMES[of]} ÷ ${NAMES[over]}`,
    of: `${of}.perSecond`,
    over: `${over}.perSecond`,
    goal,
  });
  return [
    ratio("of-raw", "one", "raw", { atLeast: 0.9 }),
    ratio("group", "many", "one", { atLeast: 30, or: "of-limit" }),
    ratio("of-limit", "many", "limit", { atLeast: 0.8, or: "group" }),
    ratio("of-sqlite-one", "one", "sqliteOne", { atLeast: 1 }),
    ratio("of-pg-one", "one", "pgOne", { atLeast: 1 }),
    ratio("of-nats-one", "one", "natsOne"),
    ratio("of-pg-many", "many", "pgMany", { atLeast: 1 }),
    ratio("of-nats-many", "many", "natsMany", { atLeast: 1 }),
    ratio("of-sqlite-array", "array", "sqliteArray", { atLeast: 1 }),
    ratio("of-pg-array", "array", "pgArray", { atLeast: 1 }),
    ratio("of-pg-arrays", "array", "pgArrays", { atLeast: 1 }),
  ];
}
