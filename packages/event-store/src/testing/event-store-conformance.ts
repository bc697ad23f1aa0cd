import assert from "node:assert/strict";
import { EventStoreError, InvalidEventError } from "../core/errors.js";
import { GENESIS_HASH, type NewEvent, type RecordedEvent } from "../core/event.js";
import { eventHash } from "../core/hash.js";
import { encodeChain, prepareEvent } from "../core/record.js";
import { JsonText } from "../core/json/json-text.js";
import type { EventStore, ReadOptions } from "../stores/port.js";
import { project } from "../stores/projection/project.js";
import { defineProjection } from "../stores/projection/projection.js";
import { deleteSnapshots } from "../stores/projection/snapshots.js";

/** What a case runs against: one log, empty at first, that can be opened any number of times. */
export interface EventStoreContext {
  /** Another store on the same log, as another process would open it. The case closes it. */
  open(): Promise<EventStore>;
}

/** A case of the suite: fails by throwing (an AssertionError). Independent of any test runner. */
export interface EventStoreCase {
  readonly name: string;
  run(context: EventStoreContext): Promise<void>;
}

/** What every EventStore does, whatever keeps its records. */
export const eventStoreConformance: readonly EventStoreCase[] = [
  one("an empty log has seq −1, 64 zeros, no events, and verifies", async (store) => {
    assert.deepEqual(await store.head(), { seq: -1, hash: GENESIS_HASH });
    assert.equal(await store.getLastHash(), GENESIS_HASH);
    assert.equal(await store.getEventHash(0), null);
    assert.deepEqual(await collect(store), []);
    const report = await store.verify();
    assert.deepEqual([report.valid, report.events, report.head.seq], [true, 0, -1]);
  }),

  one("appended events are read back with all their fields, each linking to the one before", async (store) => {
    const first = await store.appendWithRetry({
      type: "A",
      aggregateId: "x",
      payload: { n: 1 },
      ts: 5,
      meta: { by: "me" },
    });
    const second = await store.appendWithRetry({ type: "B", aggregateId: "ünï/😀", ts: -1 });
    assert.deepEqual([first.seq, first.prevHash, second.seq, second.prevHash], [0, GENESIS_HASH, 1, first.eventHash]);
    const hash = eventHash(
      GENESIS_HASH,
      '{"aggregate_id":"x","meta":{"by":"me"},"payload":{"n":1},"seq":0,"ts":5,"type":"A"}',
    );
    assert.equal(first.eventHash, hash);
    assert.deepEqual(await collect(store), [
      {
        seq: 0,
        type: "A",
        aggregateId: "x",
        ts: 5,
        payload: { n: 1 },
        meta: { by: "me" },
        hashVersion: 1,
        eventHash: first.eventHash,
        prevHash: GENESIS_HASH,
      },
      {
        seq: 1,
        type: "B",
        aggregateId: "ünï/😀",
        ts: -1,
        payload: {},
        meta: {},
        hashVersion: 1,
        eventHash: second.eventHash,
        prevHash: first.eventHash,
      },
    ]);
    assert.deepEqual(await store.head(), { seq: 1, hash: second.eventHash });
  }),

  one("stored lines are the canonical records", async (store) => {
    await store.append({
      type: "T",
      aggregateId: "a",
      ts: 1,
      payload: { b: 1, a: [1.5, 1e21, -0, 2n ** 64n], "\u{1F600}": JsonText.parse("[1.0,1e2]") },
    });
    const [record] = await all(store.readRecords());
    assert.ok(record);
    const event =
      '{"aggregate_id":"a","meta":{},"payload":{"a":[1.5,1e+21,-0.0,18446744073709551616],"b":1,"\u{1F600}":[1.0,100.0]},"seq":0,"ts":1,"type":"T"}';
    assert.equal(
      record.line.toString(),
      `{"event":${event},"event_hash":"${eventHash(GENESIS_HASH, event)}","prev_hash":"${GENESIS_HASH}"}`,
    );
    const [read] = await collect(store);
    assert.deepEqual(read?.payload["a"], [1.5, 1e21, -0, 18446744073709551616n]);
  }),

  one(
    "an expectation that holds commits; one that does not is a conflict that names the last hash and writes nothing",
    async (store) => {
      const a = await store.append(event(0), { expectedPrevHash: GENESIS_HASH });
      assert.ok(a.committed);
      const b = await store.append(event(1), { expectedPrevHash: GENESIS_HASH });
      assert.deepEqual(b, { committed: false, conflict: true, observedPrevHash: a.eventHash });
      assert.ok((await store.append(event(1), { expectedPrevHash: a.eventHash })).committed);
      assert.equal((await store.head()).seq, 1);
    },
  ),

  two(
    "a tail that another store moved is noticed before a conflict is called, and the other's events are kept",
    async (one_, other) => {
      const a = await one_.appendWithRetry(event(0));
      const b = await other.appendWithRetry(event(1));
      // `one_` still believes in a: the expectation b is right all the same.
      assert.ok((await one_.append(event(2), { expectedPrevHash: b.eventHash })).committed);
      const late = await other.append(event(3), { expectedPrevHash: a.eventHash });
      assert.ok(!late.committed);
      assert.equal(late.observedPrevHash, await one_.getLastHash());
      assert.deepEqual(await numbers(one_), [0, 1, 2]);
    },
  ),

  two("writers in turns and at once: every event once, no gap, each writer's own in its order", async (a, b) => {
    await Promise.all(
      [a, b].map(async (store, writer) => {
        for (let i = 0; i < 15; i++)
          await store.appendWithRetry({ type: "T", aggregateId: String(writer), payload: { i } });
      }),
    );
    const events = await collect(a);
    assert.deepEqual(
      events.map(({ seq }) => seq),
      Array.from({ length: 30 }, (_, i) => i),
    );
    for (const writer of ["0", "1"]) {
      assert.deepEqual(
        events.filter((e) => e.aggregateId === writer).map((e) => e.payload["i"]),
        Array.from({ length: 15 }, (_, i) => i),
      );
    }
  }),

  one("appends called at once all commit, in the order of the calls", async (store) => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => store.append(event(i))));
    assert.deepEqual(
      results.map((r) => r.committed && r.seq),
      Array.from({ length: 20 }, (_, i) => i),
    );
    assert.deepEqual(
      await numbers(store),
      Array.from({ length: 20 }, (_, i) => i),
    );
  }),

  one("a batch is all or none, with consecutive seqs", async (store) => {
    await store.append(event(0));
    const good = await store.appendBatch([event(1), event(2), event(3)]);
    assert.ok(good.committed);
    assert.deepEqual(
      good.records.map(({ seq }) => seq),
      [1, 2, 3],
    );
    await assert.rejects(
      store.appendBatch([event(4), { ...event(5), payload: { bad: NaN } }]),
      hasCode("INVALID_EVENT"),
    );
    const conflict = await store.appendBatch([event(4), event(5)], { expectedPrevHash: GENESIS_HASH });
    assert.ok(!conflict.committed);
    assert.deepEqual(await numbers(store), [0, 1, 2, 3]);
    await store.append(event(4));
    assert.deepEqual(await numbers(store), [0, 1, 2, 3, 4]);
    assert.equal((await store.verify()).events, 5);
  }),

  one(
    "an empty batch, one of 1001 events and one of more than 16 MiB are refused before anything is written",
    async (store) => {
      await assert.rejects(store.appendBatch([]), hasCode("INVALID_CONFIG"));
      await assert.rejects(store.appendBatch(Array.from({ length: 1001 }, (_, i) => event(i))), hasCode("TOO_LARGE"));
      const large = { ...event(0), payload: { text: "x".repeat(6 * 1024 * 1024) } };
      await assert.rejects(store.appendBatch([large, large, large]), hasCode("TOO_LARGE"));
      assert.equal((await store.head()).seq, -1);
    },
  ),

  one("a record of 8 MiB is written and read; a larger one is refused", async (store) => {
    const sized = (bytes: number): NewEvent => ({
      type: "T",
      aggregateId: "a",
      ts: 1,
      payload: { x: "x".repeat(bytes) },
    });
    const frame =
      Buffer.byteLength(
        `{"event":{"aggregate_id":"a","meta":{},"payload":{"x":""},"seq":0,"ts":1,"type":"T"},"event_hash":"","prev_hash":""}`,
      ) + 128;
    await assert.rejects(store.append(sized(8 * 1024 * 1024 - frame + 1)), hasCode("TOO_LARGE"));
    await store.append(sized(8 * 1024 * 1024 - frame));
    assert.equal((await all(store.readRecords()))[0]?.line.length, 8 * 1024 * 1024);
    assert.equal((await store.head()).seq, 0);
  }),

  one("bad events are refused with the JSON path, and their neighbours are not disturbed", async (store) => {
    const bad: [unknown, string][] = [
      [{ type: "", aggregateId: "a" }, "$.type"],
      [{ type: "T" }, "$.aggregateId"],
      [{ type: "T", aggregateId: 7 }, "$.aggregateId"],
      [{ type: "T", aggregateId: "a", ts: 1.5 }, "$.ts"],
      [{ type: "T", aggregateId: "a", payload: [] }, "$.payload"],
      [{ type: "T", aggregateId: "a", payload: { d: new Date(0) } }, "$.payload.d"],
      [{ type: "T", aggregateId: "a", meta: { x: [undefined] } }, "$.meta.x[0]"],
      [{ type: "T", aggregateId: "a", aggregate_id: "a" }, '$["aggregate_id"]'],
      [{ type: "\ud800", aggregateId: "a" }, "$.type"],
    ];
    const results = await Promise.allSettled([
      ...bad.map(([e]) => store.append(e as NewEvent)),
      store.append(event(0)),
    ]);
    for (const [i, [, path]] of bad.entries()) {
      const result = results[i];
      assert.ok(result?.status === "rejected" && result.reason instanceof InvalidEventError, `case ${String(i)}`);
      assert.equal(result.reason.path, path);
    }
    assert.deepEqual(await numbers(store), [0]);
  }),

  one("ranges and filters give just their records; an anchor is told", async (store) => {
    for (let i = 0; i < 12; i++)
      await store.append({ type: i % 2 ? "odd" : "even", aggregateId: `a${String(i % 3)}`, payload: { i } });
    const seqs = async (options: ReadOptions): Promise<number[]> =>
      (await collect(store, options)).map(({ seq }) => seq);
    assert.deepEqual(await seqs({ fromSeq: 10 }), [10, 11]);
    assert.deepEqual(await seqs({ toSeq: 2 }), [0, 1, 2]);
    assert.deepEqual(await seqs({ fromSeq: 3, toSeq: 4 }), [3, 4]);
    assert.deepEqual(await seqs({ fromSeq: 12 }), []);
    assert.deepEqual(await seqs({ fromSeq: 400 }), []);
    assert.deepEqual(await seqs({ type: "odd" }), [1, 3, 5, 7, 9, 11]);
    assert.deepEqual(await seqs({ aggregateId: "a0", type: "odd" }), [3, 9]);
    assert.deepEqual(await seqs({ aggregateId: "nobody" }), []);
    const anchors: unknown[] = [];
    await collect(store, { fromSeq: 5, onAnchor: (anchor) => anchors.push(anchor) });
    assert.deepEqual(anchors, [{ seq: 4, hash: await store.getEventHash(4), source: "record" }]);
    await assert.rejects(seqs({ fromSeq: -1 }), hasCode("INVALID_CONFIG"));
    await assert.rejects(seqs({ fromSeq: 5, anchor: { seq: 4, hash: "f".repeat(64) } }), hasCode("CHAIN_BROKEN"));
    const known = { seq: 4, hash: (await store.getEventHash(4)) ?? "" };
    assert.deepEqual(await seqs({ anchor: known, toSeq: 6 }), [5, 6]);
  }),

  one("verify reports progress and heads, and holds the log against an expected head", async (store) => {
    for (let i = 0; i < 5; i++) await store.append(event(i));
    const head = await store.head();
    const seen: number[] = [];
    const report = await store.verify({ expectedHead: head, onProgress: ({ events }) => seen.push(events) });
    assert.deepEqual([report.valid, report.events, report.head, seen.at(-1)], [true, 5, head, 5]);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
    const short = await store.verify({ expectedHead: { seq: 9, hash: head.hash } });
    assert.deepEqual([short.valid, short.events, short.error?.code, short.error?.seq], [false, 5, "TRUNCATED", 5]);
    const other = await store.verify({ expectedHead: { seq: 2, hash: "0".repeat(64) } });
    assert.deepEqual([other.valid, other.error?.code], [false, "HEAD_CONTRADICTS_LOG"]);
    const part = await store.verify({
      fromSeq: 3,
      expectedHead: { seq: 1, hash: (await store.getEventHash(1)) ?? "" },
    });
    assert.deepEqual([part.valid, part.events, part.anchor.seq, part.anchor.source], [true, 2, 2, "record"]);
  }),

  one("verifying from beyond the end says that the log ends before, and never invents a head", async (store) => {
    for (let i = 0; i < 3; i++) await store.append(event(i));
    const head = await store.head();
    const at = await store.verify({ fromSeq: 3, expectedHead: head });
    assert.deepEqual([at.valid, at.events, at.head], [true, 0, head]);
    for (const fromSeq of [4, 50]) {
      const beyond = await store.verify({ fromSeq });
      assert.deepEqual([beyond.valid, beyond.error?.code, beyond.error?.seq], [false, "TRUNCATED", 3]);
      assert.deepEqual(beyond.head, head);
    }
    const anchored = await store.verify({ anchor: { seq: 9, hash: "a".repeat(64) } });
    assert.deepEqual([anchored.valid, anchored.error?.code], [false, "TRUNCATED"]);
    const wrong = await store.verify({ anchor: { seq: 2, hash: "a".repeat(64) } });
    assert.deepEqual([wrong.valid, wrong.error?.code, wrong.error?.seq], [false, "CHAIN_BROKEN", 3]);
  }),

  one("what is no event, no batch and no record at all is refused with a code", async (store) => {
    for (const nothing of [null, undefined, 7, "x"]) {
      await assert.rejects(store.append(nothing as unknown as NewEvent), hasCode("INVALID_EVENT"));
      await assert.rejects(store.appendBatch(nothing as unknown as NewEvent[]), hasCode("INVALID_CONFIG"));
      await assert.rejects(store.importRecords(nothing as unknown as []), hasCode("INVALID_CONFIG"));
    }
    assert.equal((await store.head()).seq, -1);
  }),

  two("a reader sees what another store appends, and a read under way is a prefix", async (writer, reader) => {
    await writer.append(event(0));
    assert.deepEqual(await numbers(reader), [0]);
    const seen: number[] = [];
    for await (const { seq } of reader.read()) {
      if (seq === 0) await writer.append(event(1));
      seen.push(seq);
    }
    assert.ok(seen.length === 1 || seen.length === 2, String(seen));
    assert.deepEqual(await numbers(reader), [0, 1]);
  }),

  two("records are imported byte for byte, and only where they link", async (source, _same, context) => {
    for (let i = 0; i < 3; i++) await source.append(event(i));
    const records = await all(source.readRecords());
    await assert.rejects(source.importRecords(records), hasCode("NOT_NEXT"));
    const next = await source.append(event(3));
    assert.ok(next.committed);
    const [, , , fourth] = await all((await context.open()).readRecords());
    assert.ok(fourth);
    await assert.rejects(
      source.importRecords([{ ...fourth, line: Buffer.concat([fourth.line, Buffer.from("\n")]) }]),
      hasCode("INVALID_EVENT"),
    );
    const forged = { ...fourth, line: Buffer.from(fourth.line.toString().replace('"n":3', '"n":4')) };
    await assert.rejects(source.importRecords([forged]), hasCode("HASH_MISMATCH"));
    assert.equal((await source.head()).seq, 3);
  }),

  two(
    "an import behind what another store appended is asked of the log, not of an old idea of its end",
    async (a, b) => {
      const prepared = [0, 1, 2].map((n) => prepareEvent(event(n), 1, () => n));
      const [first, second, third] = encodeChain(prepared, { seq: -1, hash: GENESIS_HASH });
      assert.ok(first && second && third);
      await a.importRecords([first]);
      await b.importRecords([second]);
      assert.deepEqual(await a.importRecords([third]), { seq: 2, hash: third.eventHash });
      await assert.rejects(b.importRecords([third]), hasCode("NOT_NEXT"));
      assert.deepEqual(await numbers(b), [0, 1, 2]);
    },
  ),

  one("a range that ends before it begins is empty", async (store) => {
    for (let i = 0; i < 5; i++) await store.append(event(i));
    const anchor = { seq: 2, hash: (await store.getEventHash(2)) ?? "" };
    for (const toSeq of [0, 1, 2]) {
      assert.deepEqual(await collect(store, { anchor, toSeq }), []);
      assert.deepEqual(await collect(store, { fromSeq: 3, toSeq }), []);
    }
    assert.equal((await collect(store, { anchor, toSeq: 3 })).length, 1);
  }),

  one("a fault in a batch is met where it stands, however the read begins and ends", async (store) => {
    await store.appendBatch(Array.from({ length: 10 }, (_, i) => event(i)));
    const seqs = async (options: ReadOptions): Promise<number[]> =>
      (await collect(store, options)).map(({ seq }) => seq);
    assert.deepEqual(await seqs({ fromSeq: 5 }), [5, 6, 7, 8, 9]);
    assert.deepEqual(await seqs({ fromSeq: 5, toSeq: 6 }), [5, 6]);
    assert.deepEqual(await seqs({ toSeq: 3 }), [0, 1, 2, 3]);
    assert.deepEqual(await seqs({ fromSeq: 9 }), [9]);
    assert.deepEqual(await seqs({ fromSeq: 10 }), []);
    assert.equal((await store.verify({ fromSeq: 4 })).events, 6);
  }),

  one("an aborted append writes nothing; a closed store refuses", async (store) => {
    await assert.rejects(store.append(event(0), { signal: AbortSignal.abort() }), hasCode("ABORTED"));
    await store.append(event(0));
    await store.close();
    await store.close();
    await assert.rejects(store.append(event(1)), hasCode("CLOSED"));
  }),

  two("what was acknowledged is there after closing and opening again", async (store, again) => {
    const { eventHash: hash } = await store.appendWithRetry(event(0));
    await store.close();
    assert.deepEqual(await again.head(), { seq: 0, hash });
    assert.equal((await again.appendWithRetry(event(1))).prevHash, hash);
    assert.equal(await again.settle(), null);
  }),

  two("one writer wins each version of an aggregate, whoever appends to others", async (a, b) => {
    const append = async (store: EventStore, n: number): Promise<number> => {
      for (let version = 0; ;) {
        const event = { type: "T", aggregateId: "shared", ts: 0, payload: { n } };
        const answer = await store.append(event, { expectedVersion: version });
        if (answer.committed) return answer.version ?? -1;
        assert.notEqual(answer.observedVersion, version);
        version = answer.observedVersion ?? -1;
      }
    };
    const other = async (store: EventStore): Promise<void> => {
      for (let i = 0; i < 3; i++) await store.appendWithRetry({ type: "T", aggregateId: "other", ts: 0 });
    };
    const versions = await Promise.all([append(a, 0), append(a, 1), append(b, 2), append(b, 3), other(a), other(b)]);
    assert.deepEqual(versions.slice(0, 4).sort(), [1, 2, 3, 4]);
    assert.equal((await collect(a, { aggregateId: "shared" })).length, 4);
    const batch = [0, 1].map((n) => ({ type: "T", aggregateId: "shared", ts: 0, payload: { n } }));
    const late = await b.appendBatch(batch, { expectedVersion: 3 });
    assert.ok(!late.committed && late.observedVersion === 4);
    const next = await a.appendBatch(batch, { expectedVersion: 4 });
    assert.ok(next.committed && next.records.at(-1)?.version === 6);
  }),

  two("a projection goes on from the snapshot that another process wrote", async (a, b) => {
    const sum = defineProjection<{ sum: number | bigint; seqs: number[] }>({
      name: "sum",
      version: 1,
      initial: { sum: 0, seqs: [] },
      apply: ({ sum, seqs }, { seq, payload }) => ({
        sum: BigInt(sum) + BigInt(payload["n"] as number),
        seqs: [...seqs, seq],
      }),
    });
    const append = (store: EventStore, n: bigint): Promise<unknown> =>
      store.appendWithRetry({ type: "T", aggregateId: "x", ts: 0, payload: { n } });
    for (const n of [1n, 2n ** 70n, 3n]) await append(a, n);
    const first = await project(a, sum, { snapshot: true });
    assert.deepEqual([first.from, first.snapshot?.seq], [-1, 2]);
    await append(b, 4n);
    const second = await project(b, sum, { twice: true });
    assert.deepEqual([second.from, second.events], [2, 1]);
    assert.deepEqual(second.state, { sum: 2n ** 70n + 8n, seqs: [0, 1, 2, 3] });
    assert.deepEqual(second.head, await a.head());
    assert.equal(await deleteSnapshots(b, "sum"), 1);
    assert.equal((await project(a, sum)).from, -1);
  }),
];

function event(n: number): NewEvent {
  return { type: "T", aggregateId: "a", payload: { n } };
}

async function numbers(store: EventStore): Promise<unknown[]> {
  return (await collect(store)).map(({ payload }) => payload["n"]);
}

function collect(store: EventStore, options?: ReadOptions): Promise<RecordedEvent[]> {
  return all(store.read(options));
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof EventStoreError, `${String(error)} is not one of ours`);
    assert.equal(error.code, code, error.message);
    return true;
  };
}

function one(name: string, run: (store: EventStore) => Promise<void>): EventStoreCase {
  return {
    name,
    run: async (context) => {
      const store = await context.open();
      try {
        await run(store);
      } finally {
        await store.close();
      }
    },
  };
}

function two(
  name: string,
  run: (a: EventStore, b: EventStore, context: EventStoreContext) => Promise<void>,
): EventStoreCase {
  return {
    name,
    run: async (context) => {
      const [a, b] = [await context.open(), await context.open()];
      const more: EventStore[] = [];
      const open = async (): Promise<EventStore> => {
        const store = await context.open();
        more.push(store);
        return store;
      };
      try {
        await run(a, b, { open });
      } finally {
        for (const store of [a, b, ...more]) await store.close();
      }
    },
  };
}
