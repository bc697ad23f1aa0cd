import { describe, expect, it } from "vitest";
import { GENESIS_HASH, type NewEvent, type StoredRecord } from "../../src/core/event.js";
import { EventStoreError, VerificationError } from "../../src/core/errors.js";
import { encodeChain, prepareEvent } from "../../src/core/record.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { checkHistory } from "../../src/testing/history-checker.js";
import { History } from "../../src/testing/history.js";
import { recorded } from "../../src/testing/recorded-store.js";

const event = (id: string): NewEvent => ({ type: "T", aggregateId: "a", ts: 1, payload: { id } });
const log = (...ids: string[]): StoredRecord[] =>
  encodeChain(
    ids.map((id) => prepareEvent(event(id), 1, () => 0)),
    { seq: -1, hash: GENESIS_HASH },
  );

type Story = (history: History, records: readonly StoredRecord[]) => void;

/** Tells that `id` was acknowledged for the record at `seq`. */
function acknowledge(history: History, id: string, record: StoredRecord | undefined): void {
  if (!record) throw new Error("no such record");
  history.invoke([event(id)]).committed(record);
}

function violations(records: readonly StoredRecord[], story: Story): Promise<string[]> {
  const history = new History();
  story(history, records);
  return checkHistory(history, records);
}

describe("a history that its log bears out", () => {
  it.each<[string, string[], Story]>([
    ["nothing happened", [], () => undefined],
    ["an append in flight that never got anywhere", [], (history) => void history.invoke([event("a")])],
    ["an unknown append that is there", ["a"], (history) => history.invoke([event("a")]).unknown()],
    ["an unknown append that is not", [], (history) => history.invoke([event("a")]).unknown()],
    [
      "an unknown append, and the same event again",
      ["a", "a"],
      (history, [, second]) => {
        history.invoke([event("a")]).unknown();
        acknowledge(history, "a", second);
      },
    ],
    [
      "two appends of the same event, told in the other order",
      ["a", "a"],
      (history, [first, second]) => {
        const [one, two] = [history.invoke([event("a")]), history.invoke([event("a")])];
        one.committed(...(second ? [second] : []));
        two.committed(...(first ? [first] : []));
      },
    ],
    [
      "an unknown batch that is there as a whole",
      ["a", "b"],
      (history) => history.invoke([event("a"), event("b")]).unknown(),
    ],
    [
      "a conflict with the last record, a failure, a read of the beginning",
      ["a", "b"],
      (history, [a, b]) => {
        const read = history.read();
        acknowledge(history, "a", a);
        read.saw(0, a?.eventHash ?? "");
        read.end();
        acknowledge(history, "b", b);
        history.invoke([event("c")], a?.eventHash).conflict(b?.eventHash ?? "");
        history.invoke([event("d")]).failed();
      },
    ],
  ])("%s", async (_, ids, story) => {
    expect(await violations(log(...ids), story)).toEqual([]);
  });

  it("a ts that was left to the store is taken as it is stored", async () => {
    const history = new History();
    const [record] = log("a");
    history.invoke([{ type: "T", aggregateId: "a", payload: { id: "a" } }]).committed(...(record ? [record] : []));
    expect(await checkHistory(history, log("a"))).toEqual([]);
  });
});

describe("a history that its log belies", () => {
  it.each<[string, string[], Story, RegExp]>([
    [
      "an acknowledged event is lost",
      ["a"],
      (h) => h.invoke([event("b")]).committed({ seq: 1, eventHash: "x" }),
      /acknowledged at seq 1, but the log ends before/,
    ],
    [
      "another hash is stored",
      ["a"],
      (h) => h.invoke([event("a")]).committed({ seq: 0, eventHash: "f".repeat(64) }),
      /with hash f+, but the log has/,
    ],
    ["another event is stored", ["a"], (h, [a]) => acknowledge(h, "b", a), /other bytes are stored/],
    [
      "two are acknowledged the same seq",
      ["a"],
      (h, [a]) => {
        const [one, two] = [h.invoke([event("a")]), h.invoke([event("a")])];
        for (const append of [one, two]) append.committed(...(a ? [a] : []));
      },
      /append 1 and append 0 were both acknowledged at seq 0/,
    ],
    [
      "it is there twice",
      ["a", "a"],
      (h, [a]) => acknowledge(h, "a", a),
      /seq 1 should not be there \(append 0 committed at seq 0\)/,
    ],
    [
      "an unknown one is there twice",
      ["a", "a"],
      (h) => h.invoke([event("a")]).unknown(),
      /seq 1 should not be there \(append 0, its outcome unknown/,
    ],
    ["a failed one is there", ["a"], (h) => h.invoke([event("a")]).failed(), /append 0 ended as failed/],
    [
      "one that ended in a conflict is there",
      ["a"],
      (h, [a]) => h.invoke([event("a")], GENESIS_HASH).conflict(a?.eventHash ?? ""),
      /append 0 ended as conflict/,
    ],
    ["nobody appended it", ["a"], () => undefined, /seq 0 should not be there \(nobody appended it\)/],
    [
      "a batch is there in part",
      ["a"],
      (h) => h.invoke([event("a"), event("b")]).unknown(),
      /can explain one whole write/,
    ],
    [
      "a batch is torn apart",
      ["a", "x", "b"],
      (h, [a, x, b]) => {
        h.invoke([event("a"), event("b")]).committed(...(a && b ? [a, b] : []));
        acknowledge(h, "x", x);
      },
      /not consecutive/,
    ],
    [
      "a batch is acknowledged in part",
      ["a"],
      (h, [a]) => h.invoke([event("a"), event("b")]).committed(...(a ? [a] : [])),
      /2 events, but 1 were acknowledged/,
    ],
    [
      "a later append stands before an earlier one",
      ["b", "a"],
      (h, [b, a]) => {
        acknowledge(h, "a", a);
        acknowledge(h, "b", b);
      },
      /append 1 got seq 0, but seq 1 had been told before it began/,
    ],
    [
      "an unknown append stands before what was known when it began",
      ["b", "a"],
      (h, [, a]) => {
        acknowledge(h, "a", a);
        h.invoke([event("b")]).unknown();
      },
      /seq 0 should not be there/,
    ],
    [
      "it committed behind another hash than it expected",
      ["a"],
      (h, [a]) => h.invoke([event("a")], "e".repeat(64)).committed(...(a ? [a] : [])),
      /behind another hash/,
    ],
    [
      "a conflict with what was expected",
      ["a"],
      (h, [a]) => h.invoke([event("b")], a?.eventHash).conflict(a?.eventHash ?? ""),
      /a conflict with what it expected/,
    ],
    [
      "a conflict with a hash from nowhere",
      [],
      (h) => h.invoke([event("b")], GENESIS_HASH).conflict("e".repeat(64)),
      /a hash that the log has not/,
    ],
    [
      "a conflict with a tail that was old",
      ["a", "b"],
      (h, [a, b]) => {
        acknowledge(h, "a", a);
        acknowledge(h, "b", b);
        h.invoke([event("c")], b?.eventHash).conflict(a?.eventHash ?? "");
      },
      /a conflict with seq 0, but seq 1 had been told/,
    ],
    [
      "a read shows what is not there",
      [],
      (h) => h.read().saw(0, "e".repeat(64)),
      /read 0 showed a record at seq 0 that the log has not/,
    ],
    [
      "a read leaves a record out",
      ["a", "b"],
      (h, [, b]) => h.read().saw(1, b?.eventHash ?? ""),
      /showed seq 1 in the place of seq 0/,
    ],
    [
      "a read ends before what was acknowledged",
      ["a"],
      (h, [a]) => {
        acknowledge(h, "a", a);
        h.read().end();
      },
      /read 0 ended at seq -1, but seq 0 had been told/,
    ],
    [
      "a read ends before what another has seen",
      ["a"],
      (h, [a]) => {
        h.read().saw(0, a?.eventHash ?? "");
        h.read().end();
      },
      /read 1 ended at seq -1, but seq 0 had been told/,
    ],
  ])("%s", async (_, ids, story, message) => {
    expect((await violations(log(...ids), story)).join("\n")).toMatch(message);
  });

  it("records that do not follow one another", async () => {
    const [a, , c] = log("a", "b", "c");
    const history = new History();
    for (const id of ["a", "c"]) history.invoke([event(id)]).unknown();
    const records = a && c ? [a, c] : [];
    expect(await checkHistory(history, records)).toEqual(
      expect.arrayContaining(["seq 1: the record there says seq 2", "seq 1: it does not link to the record before it"]),
    );
  });

  it("a log whose read throws", async () => {
    const broken = async function* (): AsyncGenerator<StoredRecord> {
      yield* log("a");
      throw new VerificationError("GAP", { seq: 1, expected: 1, actual: 2 }, "record 1 is missing");
    };
    const history = new History();
    history.invoke([event("a")]).unknown();
    expect(await checkHistory(history, broken())).toEqual([
      expect.stringMatching(/^the log breaks off at seq 1: GAP: .*record 1 is missing/),
    ]);
  });

  it("a line that is no record", async () => {
    expect((await checkHistory(new History(), [{ line: Buffer.from("{}") }])).join()).toMatch(/breaks off at seq 0/);
  });
});

describe("a recorded store", () => {
  it("writes down what its methods do and are told", async () => {
    const history = new History();
    const store = recorded(await S3EventStore.open({ objects: memoryObjects() }), history);
    const first = await store.appendWithRetry(event("a"));
    await store.append(event("b"), { expectedPrevHash: GENESIS_HASH });
    await store.appendBatch([event("c"), event("d")], { expectedPrevHash: first.eventHash });
    await expect(store.append({ ...event("e"), aggregateId: "" })).rejects.toBeInstanceOf(EventStoreError);
    await expect(store.append(event("f"), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    expect(history.appends.map(({ outcome }) => outcome.kind)).toEqual([
      "committed",
      "conflict",
      "committed",
      "failed",
      "failed",
    ]);
    expect(history.appends.map(({ floor }) => floor)).toEqual([-1, 0, 0, 2, 2]);

    for await (const { seq } of store.read()) if (seq === 1) break;
    for await (const { seq } of store.readRecords({ fromSeq: 1 })) expect(seq).toBeGreaterThan(0);
    for await (const { aggregateId } of store.read({ type: "T" })) expect(aggregateId).toBe("a");
    await store.head();
    const told = history.reads.map(({ from, reachedEnd, seen }) => [from, reachedEnd, seen.map(({ seq }) => seq)]);
    expect(told).toEqual([
      [0, false, [0, 1]],
      [1, true, [1, 2]],
      [null, false, [0, 1, 2]],
      [null, true, [2]],
    ]);
    expect(await checkHistory(history, store.readRecords())).toEqual([]);
    await store.close();
  });
});
