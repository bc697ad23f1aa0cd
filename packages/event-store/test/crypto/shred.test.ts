import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { encrypted } from "../../src/crypto/encrypted.js";
import { fileKeyStore } from "../../src/crypto/file-keys.js";
import type { KeyStore } from "../../src/crypto/key-store.js";
import { shred, countEncrypted } from "../../src/crypto/shred.js";
import { isShredded } from "../../src/crypto/shredded.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { FileEventStore } from "../../src/stores/file/file-event-store.js";
import type { EventStore } from "../../src/stores/port.js";
import { overriding } from "../log/overriding.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { scratchFolder } from "../stores/file/scratch.js";
import { all, codeOf, keyring, lines, memoryKeys, memoryLog } from "./kit.js";

type Bucket = ReturnType<typeof memoryObjects>["bucket"];

interface Scene {
  readonly log: Bucket;
  readonly kept: Bucket;
  readonly store: EventStore;
  readonly keys: KeyStore;
}

/** Three events of alice, one of bob; alice has two key versions. */
async function scene(): Promise<Scene> {
  const [log, kept] = [memoryObjects().bucket, memoryObjects().bucket];
  const ring = keyring(memoryKeys(kept));
  const store = encrypted(await memoryLog(log), { keys: ring });
  await store.append({ type: "T", aggregateId: "alice", ts: 1, payload: { n: 1 } });
  await ring.renew("alice");
  for (const aggregateId of ["alice", "bob", "alice"])
    await store.append({ type: "T", aggregateId, ts: 1, payload: { n: 2 } });
  return { log, kept, store: await memoryLog(log), keys: memoryKeys(kept) };
}

const recorded = async (store: EventStore): Promise<unknown[]> =>
  (await all(store.read({ type: "SubjectShredded" }))).map(({ aggregateId, payload }) => ({ aggregateId, ...payload }));

describe("shredding a subject", () => {
  it("destroys its keys and records it, and the log stays what it was", async () => {
    const { log, kept, store, keys } = await scene();
    const before = await lines(store);
    const head = await store.head();
    const bytes = (): string[] =>
      log
        .keys("")
        .filter((key) => /\/\d{10}\.json$/.test(key))
        .map((key) => `${key} ${String(log.get(key)?.body)}`);
    const objects = bytes();
    expect(await store.verify()).toMatchObject({ valid: true, events: 4 });
    const report = await shred(store, keys, "alice", { reason: "ticket 7" });
    expect(report).toMatchObject({ subject: "alice", keyVersions: 2, repeated: false, recorded: false, seq: 4 });
    expect(await store.verify({ expectedHead: head })).toMatchObject({ valid: true, events: 5 });
    expect((await lines(store)).slice(0, 4)).toEqual(before);
    expect(bytes().slice(0, 4)).toEqual(objects);
    expect(await recorded(store)).toEqual([
      {
        aggregateId: "alice",
        shred_id: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
        destroyed_at: report.destroyedAt,
        key_versions: 2,
        reason: "ticket 7",
      },
    ]);
    const read = await all(encrypted(store, { keys: keyring(memoryKeys(kept)) }).read());
    expect(read.map(({ payload }) => isShredded(payload))).toEqual([true, true, false, true, false]);
    expect(read[2]?.payload).toEqual({ n: 2 });
    for (const key of kept.keys("")) {
      const body = String(kept.get(key)?.body);
      if (body.includes('"alice"')) expect(body).not.toContain("wrapped");
    }
  });

  it("changes no byte of a log file but what it appends", async () => {
    const [path, keysPath] = [join(scratchFolder(), "events.log"), join(scratchFolder(), "keys")];
    const inner = await FileEventStore.open({ path });
    const store = encrypted(inner, { keys: keyring(fileKeyStore({ path: keysPath })) });
    for (const aggregateId of ["a", "b", "a"]) await store.append({ type: "T", aggregateId, payload: { text: "x" } });
    const before = readFileSync(path);
    await shred(inner, fileKeyStore({ path: keysPath }), "a");
    const after = readFileSync(path);
    expect(after.subarray(0, before.length).equals(before)).toBe(true);
    expect(after.length).toBeGreaterThan(before.length);
    expect(await inner.verify()).toMatchObject({ valid: true, events: 4 });
    await store.close();
  });

  it("may be done again: it is recorded once", async () => {
    const { store, keys } = await scene();
    const first = await shred(store, keys, "alice");
    await store.append({ type: "T", aggregateId: "x" });
    const again = await shred(store, keys, "alice", { reason: "again" });
    expect(again).toEqual({ ...first, repeated: true, recorded: true });
    expect(await recorded(store)).toHaveLength(1);
  });

  it("is completed by doing it again when it ended between the two", async () => {
    const { log, store, keys } = await scene();
    const failing = overriding(memoryObjects({ bucket: log }), {
      putIfAbsent: () => Promise.reject(new Error("the process was killed")),
    });
    const broken = await S3EventStore.open({ objects: failing, prefix: "events", skipBackendProof: true });
    await expect(shred(broken, keys, "alice")).rejects.toThrow("killed");
    expect((await keys.get("alice"))?.record.state).toBe("destroyed");
    expect(await recorded(store)).toEqual([]);
    const report = await shred(store, keys, "alice", { reason: "second try" });
    expect(report).toMatchObject({ repeated: true, recorded: false, keyVersions: 2, seq: 4 });
    expect(await recorded(store)).toMatchObject([{ destroyed_at: report.destroyedAt, key_versions: 2 }]);
  });

  it("does nothing before the keys are destroyed", async () => {
    const { store, keys } = await scene();
    const stuck = { ...keys, destroy: () => Promise.reject(new Error("no")) } as unknown as KeyStore;
    await expect(shred(store, stuck, "alice")).rejects.toThrow("no");
    expect(await recorded(store)).toEqual([]);
    expect((await keys.get("alice"))?.record.state).toBe("live");
  });

  it("is told that there is no such subject, and leaves nothing", async () => {
    const { store, keys } = await scene();
    expect(await codeOf(shred(store, keys, "alcie"))).toBe("KEY_MISSING");
    expect(await codeOf(shred(store, keys, ""))).toBe("INVALID_CONFIG");
    expect(await codeOf(shred(store, keys, "alice", { reason: "x".repeat(1001) }))).toBe("INVALID_CONFIG");
    expect(await keys.get("alcie")).toBeNull();
    expect((await keys.get("alice"))?.record.state).toBe("live");
    expect((await store.head()).seq).toBe(3);
  });

  it("is recorded once by many at once, while others append", async () => {
    const { log, kept, store } = await scene();
    const busy = (async (): Promise<void> => {
      const other = await memoryLog(log);
      for (let i = 0; i < 10; i++) await other.appendWithRetry({ type: "T", aggregateId: "busy" });
    })();
    const reports = await Promise.all(
      Array.from({ length: 4 }, async () => shred(await memoryLog(log), memoryKeys(kept), "alice")),
    );
    await busy;
    expect(new Set(reports.map(({ destroyedAt, seq }) => `${String(destroyedAt)} ${String(seq)}`)).size).toBe(1);
    expect(reports.filter((report) => !report.repeated)).toHaveLength(1);
    expect(reports.filter((report) => !report.recorded)).toHaveLength(1);
    expect(await recorded(store)).toHaveLength(1);
    expect(await store.verify()).toMatchObject({ valid: true, events: 15 });
  });

  it("works through a keyring, which forgets the keys, and an encrypted store, which leaves the record in the clear", async () => {
    const { log, kept, store } = await scene();
    const ring = keyring(memoryKeys(kept), { cacheMs: 1e9 });
    const through = encrypted(await memoryLog(log), { keys: ring });
    await all(through.read());
    await shred(through, ring, "alice");
    expect((await all(through.read())).filter(({ payload }) => isShredded(payload))).toHaveLength(3);
    expect(await recorded(store)).toMatchObject([{ aggregateId: "alice", key_versions: 2 }]);
  });

  it("gives a key store that lost it its tombstone back, and one that was restored from a backup forgets again", async () => {
    const { log, kept, store, keys } = await scene();
    const backup = kept.keys("").map((key) => [key, kept.get(key)?.body ?? Buffer.alloc(0)] as const);
    const done = await shred(store, keys, "alice");
    const lost = memoryObjects().bucket;
    const reader = encrypted(store, { keys: keyring(memoryKeys(lost)) });
    expect(await codeOf(all(reader.read({ toSeq: 0 })))).toBe("KEY_MISSING");
    expect(await shred(store, memoryKeys(lost), "alice")).toEqual({ ...done, repeated: true, recorded: true });
    expect((await all(reader.read({ toSeq: 0 }))).map(({ payload }) => isShredded(payload))).toEqual([true]);
    expect(await codeOf(shred(store, memoryKeys(lost), "bob"))).toBe("KEY_MISSING");
    expect((await store.head()).seq).toBe(4);

    for (const [key, body] of backup) kept.put(key, body);
    const restored = encrypted(await memoryLog(log), { keys: keyring(memoryKeys(kept)) });
    expect((await all(restored.read({ toSeq: 0 })))[0]?.payload).toEqual({ n: 1 });
    expect(await shred(store, memoryKeys(kept), "alice")).toMatchObject({ repeated: false, recorded: false, seq: 5 });
    expect((await keys.get("alice"))?.record.state).toBe("destroyed");
  });

  it("can say before how many events it is about", async () => {
    const { store, keys } = await scene();
    await store.append({ type: "T", aggregateId: "alice", payload: { $enc: { subject: ["alice"] } } });
    expect([await countEncrypted(store, "alice"), await countEncrypted(store, "bob")]).toEqual([3, 1]);
    await shred(store, keys, "alice");
    expect(await countEncrypted(store, "alice")).toBe(3);
  });
});
