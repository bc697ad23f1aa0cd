import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { NewEvent } from "../../src/core/event.js";
import { JsonText } from "../../src/core/json/json-text.js";
import { encrypted, type EncryptedOptions, type EncryptedStore } from "../../src/crypto/encrypted.js";
import { isShredded, Shredded } from "../../src/crypto/shredded.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { FileEventStore } from "../../src/stores/file/file-event-store.js";
import type { EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { consume } from "../../src/stores/subscription/consume.js";
import { eventStoreConformance } from "../../src/testing/event-store-conformance.js";
import { scratchFolder } from "../stores/file/scratch.js";
import { all, codeOf, keyring, lines, memoryKeys, memoryLog } from "./kit.js";

interface Set {
  readonly store: EncryptedStore;
  readonly plain: EventStore;
  readonly keys: ReturnType<typeof keyring>;
}

async function setUp(options: Partial<EncryptedOptions> = {}): Promise<Set> {
  const [plain, keys] = [await memoryLog(), keyring()];
  return { plain, keys, store: encrypted(plain, { keys, ...options }) };
}

const event = (aggregateId: string, payload: object = { name: "Alice Liddell" }, type = "T"): NewEvent => ({
  type,
  aggregateId,
  ts: 1,
  payload: { ...payload },
});

const payloads = async (store: Pick<EncryptedStore, "read">): Promise<unknown[]> =>
  (await all(store.read())).map(({ payload }) => payload);

describe("an encrypted store keeps every promise of an event store", () => {
  /** What looks at the very bytes of payloads. */
  const ofBytes = /canonical records|back with all their fields|hash|importRecords|links|8 MiB|byte/;
  const plainOnes = eventStoreConformance.map(({ name, run }) => [name, run] as const);

  it.each(plainOnes)("with payloads of nobody: %s", async (_name, run) => {
    const [{ bucket }, keys] = [memoryObjects(), keyring()];
    await run({
      open: async () => {
        const inner = await S3EventStore.open({ objects: memoryObjects({ bucket }), prefix: "events" });
        return encrypted(inner, { keys, subjectOf: () => null }) as unknown as EventStore;
      },
    });
  });

  it.each(plainOnes.filter(([name]) => !ofBytes.test(name)))("encrypted, in a file: %s", async (_name, run) => {
    const path = join(scratchFolder(), "events.log");
    const { bucket } = memoryObjects();
    await run({
      open: async () => {
        const inner = await FileEventStore.open({ path });
        return encrypted(inner, { keys: keyring(memoryKeys(bucket)) }) as unknown as EventStore;
      },
    });
  });
});

describe("what is stored", () => {
  it("holds nothing of the payload, and verifies by itself", async () => {
    const { store, plain } = await setUp();
    await store.append(event("customer-1"));
    await store.appendWithRetry(event("customer-2"));
    await store.appendBatch([event("customer-1"), event("customer-3")]);
    const stored = await lines(plain);
    expect(stored).toHaveLength(4);
    for (const line of stored) {
      expect(line).not.toMatch(/Alice|Liddell|name/);
      expect(line).toContain('"payload":{"$enc":{"alg":"A256GCM"');
    }
    expect(await lines(store)).toEqual(stored);
    expect(await plain.verify()).toMatchObject({ valid: true, events: 4 });
    expect(await payloads(store)).toEqual(Array(4).fill({ name: "Alice Liddell" }));
  });

  it("has all fields but the payload in the clear, and they come back", async () => {
    const { store, plain } = await setUp();
    await store.append({ type: "T", aggregateId: "a", ts: 5, meta: { by: "me" }, payload: { n: 2n ** 70n, f: 1.5 } });
    const [read] = await all(store.read());
    const [raw] = await all(plain.read());
    expect(read).toEqual({ ...raw, payload: { n: 2n ** 70n, f: 1.5 } });
    expect(read).toMatchObject({ type: "T", aggregateId: "a", ts: 5, meta: { by: "me" }, seq: 0 });
  });

  it("is an envelope to a reader without keys, and an error to one with others", async () => {
    const { store, plain } = await setUp();
    await store.append(event("a"));
    expect(Object.keys((await all(plain.read()))[0]?.payload ?? {})).toEqual(["$enc"]);
    const stranger = encrypted(plain, { keys: keyring() });
    await expect(payloads(stranger)).rejects.toMatchObject({ code: "KEY_MISSING" });
    const withRecord = keyring();
    await withRecord.keyFor("a");
    await expect(payloads(encrypted(plain, { keys: withRecord }))).rejects.toMatchObject({
      code: "DECRYPTION_FAILED",
      action: "evidence",
      facts: { seq: 0 },
    });
  });

  it("is refused when an envelope was moved to another event", async () => {
    const { store, plain } = await setUp({ subjectOf: () => "alice" });
    await store.append(event("order-1"));
    const [{ payload }] = (await all(plain.read())) as unknown as [{ payload: object }];
    for (const moved of [event("order-2", payload), event("order-1", payload, "Other")]) {
      const { seq } = await plain.appendWithRetry(moved);
      await expect(all(store.read({ fromSeq: seq }))).rejects.toMatchObject({
        code: "DECRYPTION_FAILED",
        facts: { seq },
      });
    }
    // To another subject, with a key of its own.
    const { $enc } = payload as { $enc: object };
    await encrypted(plain, { keys: (await setUp()).keys }).append(event("bob"));
    const other = await setUp({ subjectOf: () => "bob" });
    await other.store.append(event("order-1"));
    await other.plain.append(event("order-1", { $enc: { ...$enc, subject: "bob" } }));
    await expect(all(other.store.read({ fromSeq: 1 }))).rejects.toMatchObject({ code: "DECRYPTION_FAILED" });
  });

  it("gives the events before one that is refused", async () => {
    const { store, plain } = await setUp();
    await store.append(event("a", { n: 1 }));
    await plain.append(event("a", { $enc: 1 }));
    const seen: unknown[] = [];
    const reading = (async (): Promise<void> => {
      for await (const { payload } of store.read()) seen.push(payload);
    })();
    expect(await codeOf(reading)).toBe("DECRYPTION_FAILED");
    expect(seen).toEqual([{ n: 1 }]);
  });
});

describe("a read", () => {
  const tampered = async (good: number): Promise<Set> => {
    const [{ bucket }, keys] = [memoryObjects(), keyring()];
    const plain = await memoryLog(bucket);
    const store = encrypted(plain, { keys });
    for (let n = 0; n <= good; n++) await store.append(event(`a${String(n)}`, { n }));
    const key = `events/${String(good).padStart(10, "0")}.json`;
    bucket.put(key, Buffer.from(String(bucket.get(key)?.body).replace('"ts":1', '"ts":2')));
    return { store, plain: await memoryLog(bucket), keys };
  };

  it("gives all events before a fault of the log, however far it looked ahead", async () => {
    const { store } = await tampered(50);
    const seen: unknown[] = [];
    const reading = (async (): Promise<void> => {
      for await (const { payload } of store.read()) seen.push(payload);
    })();
    expect(await codeOf(reading)).toBe("HASH_MISMATCH");
    expect(seen).toEqual(Array.from({ length: 50 }, (_, n) => ({ n })));
  });

  it("asks for keys ahead while the caller goes on, and for none when it stops", async () => {
    const { store, plain, keys } = await setUp();
    await store.appendBatch(Array.from({ length: 200 }, (_, n) => event(`a${String(n)}`, { n })));
    let [asked, under, most] = [0, 0, 0];
    const slow = Object.create(keys, {
      keyOf: {
        value: async (subject: string, version: number) => {
          asked += 1;
          most = Math.max(most, ++under);
          await new Promise((resolve) => setTimeout(resolve, 5));
          under -= 1;
          return keys.keyOf(subject, version);
        },
      },
    }) as typeof keys;
    const reader = encrypted(plain, { keys: slow });
    for await (const { seq } of reader.read()) if (seq === 0) break;
    expect(asked).toBe(1);
    expect(await payloads(reader)).toEqual(Array.from({ length: 200 }, (_, n) => ({ n })));
    expect([asked, most]).toEqual([201, 32]);
  });

  it("is typed: a payload is what was given, or shredded", async () => {
    interface Events {
      Registered: { readonly name: string };
    }
    const inner = await S3EventStore.open<Events>({ objects: memoryObjects() });
    const store = encrypted(inner, { keys: keyring() });
    await store.append({ type: "Registered", aggregateId: "a", payload: { name: "x" } });
    // @ts-expect-error: name is a string
    await store.append({ type: "Registered", aggregateId: "a", payload: { name: 1 } });
    // @ts-expect-error: what was shredded cannot be given
    await store.append({ type: "Registered", aggregateId: "a", payload: new Shredded("a", 1) }).catch(() => undefined);
    const names: (string | null)[] = [];
    for await (const { payload } of store.read({ toSeq: 0 })) names.push(isShredded(payload) ? null : payload.name);
    expect(names).toEqual(["x"]);
  });
});

describe("the subject", () => {
  it("is whoever subjectOf says, or nobody", async () => {
    const { store, plain } = await setUp({
      subjectOf: ({ type, payload }) => (type === "Tick" ? null : (payload as { who: string }).who),
    });
    await store.append(event("order-1", { who: "alice" }));
    await store.append(event("clock", { n: 1 }, "Tick"));
    const raw = await all(plain.read());
    expect(raw.map(({ payload }) => (payload["$enc"] as { subject?: string } | undefined)?.subject)).toEqual([
      "alice",
      undefined,
    ]);
    expect(await payloads(store)).toEqual([{ who: "alice" }, { n: 1 }]);
  });

  it.each(["", "\ud800", "x".repeat(513), undefined, 5])("is refused when it is none: %j", async (subject) => {
    const { store, plain } = await setUp({ subjectOf: () => subject as string });
    expect(await codeOf(store.append(event("a")))).toBe("INVALID_CONFIG");
    expect((await plain.head()).seq).toBe(-1);
  });

  it("keeps plain payloads from looking encrypted", async () => {
    const { store } = await setUp({ subjectOf: () => null });
    for (const payload of [{ $enc: 1 }, JsonText.parse('{"$enc":null}')])
      expect(await codeOf(store.append({ type: "T", aggregateId: "a", payload }))).toBe("INVALID_EVENT");
    const forSomebody = await setUp();
    await forSomebody.store.append(event("a", { $enc: 1 }));
    expect(await payloads(forSomebody.store)).toEqual([{ $enc: 1 }]);
  });
});

describe("appends", () => {
  it("land in the order in which they were called, whatever each key takes", async () => {
    const { plain, keys } = await setUp();
    let delay = 30;
    const slow = new Proxy(keys, {
      get: (target, name) => {
        if (name !== "keyFor") {
          const value: unknown = Reflect.get(target, name);
          return typeof value === "function" ? (value as () => unknown).bind(target) : value;
        }
        return async (subject: string) => {
          await new Promise((resolve) => setTimeout(resolve, (delay -= 6)));
          return target.keyFor(subject);
        };
      },
    });
    const store = encrypted(plain, { keys: slow });
    await Promise.all([0, 1, 2, 3, 4].map((n) => store.append(event(`a${String(n)}`, { n }))));
    expect(await payloads(encrypted(plain, { keys }))).toEqual([0, 1, 2, 3, 4].map((n) => ({ n })));
  });

  it("take the event as it was when they were called", async () => {
    const { store } = await setUp();
    const payload = { n: 1 };
    const appended = store.append({ type: "T", aggregateId: "a", payload });
    payload.n = 2;
    await appended;
    expect(await payloads(store)).toEqual([{ n: 1 }]);
  });

  it("that are refused hold nobody up", async () => {
    const { store } = await setUp();
    const results = await Promise.allSettled([
      store.append(event("a", { n: NaN })),
      store.append({ type: "", aggregateId: "a" }),
      store.append(5 as unknown as NewEvent),
      store.append({ ...event("a"), nonsense: 1 } as NewEvent),
      store.appendBatch(5 as unknown as NewEvent[]),
      store.append(event("a", { n: 1 })),
    ]);
    const codes = results.map((r) => (r.status === "rejected" ? (r.reason as { code: string }).code : "fine"));
    expect(codes).toEqual([
      "INVALID_EVENT",
      "INVALID_EVENT",
      "INVALID_EVENT",
      "INVALID_EVENT",
      "INVALID_CONFIG",
      "fine",
    ]);
    expect(await payloads(store)).toEqual([{ n: 1 }]);
  });

  it("expect what the inner store expects", async () => {
    const { store } = await setUp();
    expect(await store.append(event("a"), { expectedVersion: 0 })).toMatchObject({ committed: true, version: 1 });
    expect(await store.append(event("a"), { expectedVersion: 0 })).toMatchObject({
      conflict: true,
      observedVersion: 1,
    });
    expect(await store.appendBatch([event("a")], { expectedPrevHash: "0".repeat(64) })).toMatchObject({
      conflict: true,
    });
  });
});

describe("two processes", () => {
  it("that begin with one subject agree on its key", async () => {
    const [log, keys] = [memoryObjects().bucket, memoryObjects().bucket];
    const stores = await Promise.all(
      Array.from({ length: 4 }, async () => encrypted(await memoryLog(log), { keys: keyring(memoryKeys(keys)) })),
    );
    await Promise.all(stores.map((store, n) => store.append(event("alice", { n }))));
    for (const store of stores) expect((await payloads(store)).sort()).toHaveLength(4);
    const read = encrypted(await memoryLog(log), { keys: keyring(memoryKeys(keys)) });
    expect(new Set((await payloads(read)).map((payload) => (payload as { n: number }).n))).toEqual(
      new Set([0, 1, 2, 3]),
    );
  });
});

describe("a shredded subject", () => {
  it("reads as Shredded, all others as before, and no new event of it is taken", async () => {
    const { store, keys } = await setUp();
    await store.append(event("alice", { n: 1 }));
    await keys.renew("alice");
    await store.append(event("alice", { n: 2 }));
    await store.append(event("bob", { n: 3 }));
    await keys.destroy("alice", { id: "t", at: 77 });
    const read = await payloads(store);
    expect(read.map(isShredded)).toEqual([true, true, false]);
    expect(read[0]).toEqual(new Shredded("alice", 77));
    expect(read[2]).toEqual({ n: 3 });
    expect(JSON.stringify(read[0])).toBe('{"$shredded":{"subject":"alice","destroyed_at":77}}');
    await expect(store.append(event("alice"))).rejects.toMatchObject({ code: "SUBJECT_SHREDDED", action: "fix" });
    await store.append(event("bob", { n: 4 }));
    expect((await store.head()).seq).toBe(3);
  });

  it("is told from any payload, and cannot be appended", async () => {
    for (const other of [null, undefined, {}, { $shredded: { subject: "a", destroyed_at: 1 } }, "x"])
      expect(isShredded(other)).toBe(false);
    const { store } = await setUp();
    const shredded = new Shredded("a", 1) as unknown as object;
    expect(await codeOf(store.append({ ...event("b"), payload: shredded as NewEvent["payload"] }))).toBe(
      "INVALID_EVENT",
    );
  });

  it("is shredded whatever races with it: an event is in the clear, or lost with its key", async () => {
    for (let round = 0; round < 8; round++) {
      const [log, kept] = [memoryObjects().bucket, memoryObjects().bucket];
      const open = async (): Promise<EncryptedStore> =>
        encrypted(await memoryLog(log), { keys: keyring(memoryKeys(kept)) });
      const writers = await Promise.all([open(), open()]);
      await writers[0].append(event("alice", { n: 0 }));
      const results = await Promise.allSettled([
        ...writers.map((writer) => writer.append(event("alice", { n: 1 }))),
        keyring(memoryKeys(kept)).destroy("alice", { id: "t", at: 1 }),
      ]);
      for (const result of results)
        if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "SUBJECT_SHREDDED" });
      expect((await payloads(await open())).every(isShredded)).toBe(true);
      expect(await codeOf((await open()).append(event("alice")))).toBe("SUBJECT_SHREDDED");
    }
  });
});

describe("a subscription", () => {
  it("gives events in the clear, then as they come, and ends when it is left", async () => {
    const { store } = await setUp();
    await store.appendBatch([event("a", { n: 0 }), event("b", { n: 1 })]);
    const subscription = store.subscribe({ pollMs: 5 });
    const seen: unknown[] = [];
    for await (const { payload, seq } of subscription) {
      seen.push(payload);
      expect(subscription.position?.seq).toBe(seq);
      if (seq === 1) await store.append(event("a", { n: 2 }));
      if (seq === 2) break;
    }
    expect(seen).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
  });

  it("stands before an event that it could not decrypt", async () => {
    const { store, plain, keys } = await setUp();
    const first = await store.appendWithRetry(event("a", { n: 0 }));
    await encrypted(plain, { keys: keyring() }).append(event("stranger"));
    const subscription = store.subscribe();
    const seen: unknown[] = [];
    const reading = (async (): Promise<void> => {
      for await (const { payload } of subscription) seen.push(payload);
    })();
    expect(await codeOf(reading)).toBe("KEY_MISSING");
    expect(seen).toEqual([{ n: 0 }]);
    expect(subscription.position).toEqual({ seq: 0, hash: first.eventHash });
    await keys.close();
  });

  it("works for consumers, which handle what is shredded as such", async () => {
    const { store, keys } = await setUp();
    await store.appendBatch([event("a", { n: 0 }), event("b", { n: 1 })]);
    await keys.destroy("a", { id: "t", at: 1 });
    const seen: unknown[] = [];
    await consume(store, {
      name: "c",
      to: 1,
      handler: ({ payload }) => void seen.push(isShredded(payload) || payload),
    });
    expect(seen).toEqual([true, { n: 1 }]);
  });

  it("forgets the keys of a subject when it sees that it was shredded", async () => {
    const [log, kept] = [memoryObjects().bucket, memoryObjects().bucket];
    const reader = encrypted(await memoryLog(log), { keys: keyring(memoryKeys(kept), { cacheMs: 1e9 }) });
    const writer = encrypted(await memoryLog(log), { keys: keyring(memoryKeys(kept)) });
    await writer.append(event("alice", { n: 1 }));
    expect(await payloads(reader)).toEqual([{ n: 1 }]);
    await keyring(memoryKeys(kept)).destroy("alice", { id: "t", at: 1 });
    expect(await payloads(reader)).toEqual([{ n: 1 }]);
    await writer.append({ type: "SubjectShredded", aggregateId: "alice", payload: { shred_id: "t" } });
    await payloads(reader);
    expect((await payloads(reader)).map(isShredded)).toEqual([true, false]);
  });
});
