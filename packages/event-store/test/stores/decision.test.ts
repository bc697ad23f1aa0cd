import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, expectTypeOf, it } from "vitest";
import type { NewEvent, RecordedEvent } from "../../src/core/event.js";
import { BackendError } from "../../src/core/errors.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { ObjectMap } from "../../src/objects/object-map.js";
import type { ObjectStore } from "../../src/objects/port.js";
import { recordDecision, type NewDecision } from "../../src/stores/decision.js";
import { FileEventStore } from "../../src/stores/file/file-event-store.js";
import type { Committed, EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";

const scratch = mkdtempSync(join(tmpdir(), "rynxs-decision-"));
let files = 0;
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const observed = (n = 0): NewEvent => ({ type: "AgentObserved", aggregateId: "ns/a", payload: { n } });

async function all(store: EventStore): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of store.read()) events.push(event);
  return events;
}

async function eventAt(store: EventStore, seq: number): Promise<RecordedEvent> {
  for await (const event of store.read({ fromSeq: seq, toSeq: seq })) return event;
  throw new Error("no such event");
}

const open: [string, () => () => Promise<EventStore>][] = [
  [
    "a file",
    () => {
      const path = join(scratch, `${String(files++)}.log`);
      return () => FileEventStore.open({ path });
    },
  ],
  [
    "a bucket",
    () => {
      const bucket = new ObjectMap();
      return () => S3EventStore.open({ objects: memoryObjects({ bucket }) });
    },
  ],
];

describe.each(open)("recordDecision, on %s", (_, place) => {
  it("links the decision as the Python system does, from an event that was read or from seq and hash", async () => {
    const store = await place()();
    const { eventHash } = await store.appendWithRetry(observed());
    const trigger = await eventAt(store, 0);
    const link = { trigger_event_hash: eventHash, trigger_event_seq: 0, trigger_event_type: "AgentObserved" };
    const payload = { actions: ["scale"] };
    const decision = { type: "ActionsDecided", payload, meta: { by: "me" }, ts: 5 };
    expect(await recordDecision(store, { ...decision, trigger })).toMatchObject({
      committed: true,
      existing: false,
      seq: 1,
    });
    await recordDecision(store, { ...decision, trigger: { seq: 0, eventHash } });
    await recordDecision(store, { type: "Other", aggregateId: "ns/b", trigger: { seq: 0, eventHash } });
    expect((await all(store)).slice(1)).toMatchObject([
      { type: "ActionsDecided", aggregateId: "ns/a", payload: { ...payload, ...link }, meta: { by: "me" }, ts: 5 },
      { type: "ActionsDecided", aggregateId: "ns/a", payload: { ...payload, ...link } },
      { type: "Other", aggregateId: "ns/b", payload: link, meta: {} },
    ]);
    expect(payload).toEqual({ actions: ["scale"] });
    expect(await store.verify({ pointers: true })).toMatchObject({
      valid: true,
      pointers: { checked: 3, brokenCount: 0 },
    });
    await store.close();
  });

  it("refuses a trigger that the log does not hold, and writes nothing", async () => {
    const store = await place()();
    const { eventHash } = await store.appendWithRetry(observed());
    const trigger = await eventAt(store, 0);
    const other = "a".repeat(64);
    const refused = async (bad: NewDecision["trigger"], facts: object): Promise<void> => {
      await expect(recordDecision(store, { type: "D", trigger: bad })).rejects.toMatchObject({
        code: "INVALID_EVENT",
        action: "fix",
        facts,
      });
    };
    await refused({ seq: 0, eventHash: other }, { seq: 0, expected: other, actual: eventHash });
    await refused({ ...trigger, eventHash: other }, { seq: 0, expected: other, actual: eventHash });
    await refused({ seq: 1, eventHash }, { seq: 1, expected: eventHash, actual: "no such record" });
    await refused({ seq: 0, eventHash, type: "X" }, { path: "$.payload.trigger_event_type", actual: "AgentObserved" });
    for (const bad of [{ seq: -1, eventHash }, { seq: 0, eventHash: "short" }, null]) {
      await expect(recordDecision(store, { type: "D", trigger: bad as never })).rejects.toMatchObject({
        code: "INVALID_CONFIG",
      });
    }
    for (const payload of [{ trigger_event_seq: 0 }, new Map(), [1], "x"]) {
      await expect(recordDecision(store, { type: "D", trigger, payload: payload as never })).rejects.toMatchObject({
        code: "INVALID_EVENT",
      });
    }
    expect((await store.head()).seq).toBe(0);
    await store.close();
  });

  it("passes expectations on, and conflicts back", async () => {
    const store = await place()();
    const { eventHash } = await store.appendWithRetry(observed());
    const decision: NewDecision = { type: "D", trigger: { seq: 0, eventHash } };
    expect(await recordDecision(store, decision, { expectedVersion: 1 })).toMatchObject({ seq: 1, version: 2 });
    expect(await recordDecision(store, decision, { expectedVersion: 1 })).toMatchObject({
      conflict: true,
      observedVersion: 2,
    });
    expect(await recordDecision(store, decision, { expectedPrevHash: eventHash })).toMatchObject({ conflict: true });
    await expect(recordDecision(store, decision, { once: true, expectedVersion: 2 })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
    await store.close();
  });

  it("once: gives back the decision that the log has, by type, aggregate and trigger", async () => {
    const reopen = place();
    let store = await reopen();
    const { eventHash } = await store.appendWithRetry(observed(0));
    const second = await store.appendWithRetry(observed(1));
    const decision = { type: "D", payload: { n: 1 }, trigger: { seq: 0, eventHash } };
    const first = await recordDecision(store, decision, { once: true });
    expect(first).toMatchObject({ seq: 2, existing: false });
    await store.close();
    // After a crash, with what others wrote in between.
    store = await reopen();
    await store.append(observed(2));
    const again = await recordDecision(store, { ...decision, payload: { n: 2 } }, { once: true });
    expect(again).toMatchObject({ ...first, existing: true });
    expect(again.event?.payload).toMatchObject({ n: 1 });
    expectTypeOf(again.existing).toEqualTypeOf<boolean>();
    const others = [
      { ...decision, type: "E" },
      { ...decision, aggregateId: "ns/b" },
      { ...decision, trigger: { seq: 1, eventHash: second.eventHash } },
    ];
    for (const other of others)
      expect(await recordDecision(store, other, { once: true })).toMatchObject({ existing: false });
    expect((await store.head()).seq).toBe(6);
    await store.close();
  });

  it("once: of many that record at the same time, one does, whatever else is appended", async () => {
    const reopen = place();
    const stores = await Promise.all([reopen(), reopen(), reopen()]);
    const [first] = stores;
    const triggers: Committed[] = [];
    for (let n = 0; n < 3; n++) triggers.push(await first.appendWithRetry(observed(n)));
    const calls = stores.flatMap((store) =>
      triggers.flatMap(({ seq, eventHash }) => {
        const decision = { type: "D", trigger: { seq, eventHash } };
        return [
          recordDecision(store, decision, { once: true }),
          recordDecision(store, decision, { once: true }),
          store.append(observed(9)).then(() => null),
        ];
      }),
    );
    const results = (await Promise.all(calls)).filter((result) => result !== null);
    expect(results.filter(({ existing }) => !existing)).toHaveLength(3);
    const decisions = (await all(first)).filter(({ type }) => type === "D");
    expect(decisions.map(({ payload }) => payload["trigger_event_seq"]).sort()).toEqual([0, 1, 2]);
    expect(new Set(results.map(({ seq }) => seq))).toEqual(new Set(decisions.map(({ seq }) => seq)));
    for (const store of stores) await store.close();
  }, 30_000);
});

describe("recordDecision once", () => {
  /** A bucket that takes an append and loses the answer, and all that is asked for thereafter until `heal`. */
  function losing(bucket: ObjectMap): { objects: ObjectStore; lose: (key: RegExp) => void; heal: () => void } {
    const inner = memoryObjects({ bucket });
    let lost: RegExp | null = null;
    let dead = false;
    const objects: ObjectStore = {
      identity: inner.identity,
      putIfAbsent: async (key, body, options) => {
        if (dead) return { outcome: "unknown", sent: false, cause: new BackendError("UNAVAILABLE", "lost") };
        const answer = await inner.putIfAbsent(key, body, options);
        if (lost?.test(key) !== true) return answer;
        dead = true;
        return { outcome: "unknown", sent: true, cause: new BackendError("UNAVAILABLE", "lost") };
      },
      replaceIfMatch: (key, body, etag, options) => inner.replaceIfMatch(key, body, etag, options),
      get: (key, options) => inner.get(key, options),
      list: (options) => inner.list(options),
      delete: (key, options) => inner.delete(key, options),
      close: () => inner.close(),
    };
    return {
      objects,
      lose: (key) => (lost = key),
      heal: () => {
        lost = null;
        dead = false;
      },
    };
  }

  it("called again after COMMIT_UNKNOWN, finds its own decision", async () => {
    const bucket = new ObjectMap();
    const { objects, lose, heal } = losing(bucket);
    const store = await S3EventStore.open({ objects, appendTimeoutMs: 300 });
    const { eventHash } = await store.appendWithRetry(observed());
    const decision = { type: "D", trigger: { seq: 0, eventHash } };
    lose(/0000000001\.json$/);
    await expect(recordDecision(store, decision, { once: true })).rejects.toMatchObject({ code: "COMMIT_UNKNOWN" });
    heal();
    expect(await recordDecision(store, decision, { once: true })).toMatchObject({ seq: 1, existing: true });
    expect((await store.head()).seq).toBe(1);
    await store.close();
  });

  it("does not rebase behind a put of its own that arrives late, from before a crash", async () => {
    const bucket = new ObjectMap();
    const dead = await S3EventStore.open({ objects: memoryObjects({ bucket }) });
    const { eventHash } = await dead.appendWithRetry(observed());
    const decision = { type: "D", trigger: { seq: 0, eventHash } };
    let late: (() => Promise<unknown>) | null = (): Promise<unknown> => recordDecision(dead, decision);
    const inner = memoryObjects({ bucket });
    const store = await S3EventStore.open({
      objects: inner,
      // It lands when the new process has looked, right before its own put.
      observe: (objects) => ({
        identity: objects.identity,
        putIfAbsent: async (key, body, options) => {
          const arrive = key.endsWith("/0000000001.json") ? late : null;
          if (arrive) late = null;
          await arrive?.();
          return objects.putIfAbsent(key, body, options);
        },
        replaceIfMatch: (key, body, etag, options) => objects.replaceIfMatch(key, body, etag, options),
        get: (key, options) => objects.get(key, options),
        list: (options) => objects.list(options),
        delete: (key, options) => objects.delete(key, options),
        close: () => Promise.resolve(),
      }),
    });
    expect(await recordDecision(store, decision, { once: true })).toMatchObject({ seq: 1, existing: true });
    expect((await all(store)).map(({ type }) => type)).toEqual(["AgentObserved", "D"]);
    await store.close();
    await dead.close();
  });

  it("gives up with CONTENTION when others always append in between", async () => {
    const store = await S3EventStore.open({ objects: memoryObjects() });
    const { eventHash } = await store.appendWithRetry(observed());
    let pauses = 0;
    const busy: EventStore = Object.create(store, {
      getEventHash: { value: (seq: number) => store.getEventHash(seq) },
      read: { value: (options: object) => store.read(options) },
      head: {
        value: async () => {
          const head = await store.head();
          await store.append(observed(1));
          return head;
        },
      },
      append: { value: store.append.bind(store) },
    }) as EventStore;
    const runtime = {
      random: () => 0.5,
      sleep: (): Promise<void> => {
        pauses++;
        return Promise.resolve();
      },
    };
    const decision = { type: "D", trigger: { seq: 0, eventHash } };
    await expect(recordDecision(busy, decision, { once: true, runtime })).rejects.toMatchObject({ code: "CONTENTION" });
    expect(pauses).toBeGreaterThan(10);
    expect((await all(store)).some(({ type }) => type === "D")).toBe(false);
    await store.close();
  });

  it("takes stores of any event map", async () => {
    interface Mine {
      AgentObserved: { n: number };
      D: object;
    }
    const store = await S3EventStore.open<Mine>({ objects: memoryObjects() });
    await store.append({ type: "AgentObserved", aggregateId: "a", payload: { n: 1 } });
    for await (const trigger of store.read({ type: "AgentObserved" }))
      expect(await recordDecision(store, { type: "D", trigger })).toMatchObject({ seq: 1 });
    await store.close();
  });
});
