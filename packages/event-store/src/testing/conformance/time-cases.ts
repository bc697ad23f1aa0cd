import assert from "node:assert/strict";
import type { ListEntry, ObjectStore } from "../../objects/port.js";
import { assertStored, conformanceCase, getExisting, put, type ConformanceCase } from "./case.js";

const HOUR = 3_600_000;
/** Unix milliseconds of these centuries: a time in seconds or microseconds is none. */
const YEAR_2001 = 978_307_200_000;
const YEAR_2286 = 10_000_000_000_000;

async function entryOf(store: ObjectStore, key: string): Promise<ListEntry> {
  const { entries } = await store.list({ prefix: key, maxKeys: 1 });
  assert.equal(entries[0]?.key, key);
  return entries[0];
}

/** All that a driver may leave out is checked where it is there. */
export const timeCases: readonly ConformanceCase[] = [
  conformanceCase("a listing says when a key was written last", async ({ store, key }) => {
    const etag = await put(store, key("a"));
    const first = await entryOf(store, key("a"));
    if (first.modifiedAt === undefined) return;
    assert.ok(Number.isSafeInteger(first.modifiedAt), `${String(first.modifiedAt)} is a number of milliseconds`);
    assert.ok(first.modifiedAt > YEAR_2001 && first.modifiedAt < YEAR_2286, `${String(first.modifiedAt)} is a time`);
    await put(store, key("b"));
    assert.ok(
      ((await entryOf(store, key("b"))).modifiedAt ?? 0) >= first.modifiedAt,
      "a later put has no earlier time",
    );
    assertStored(await store.replaceIfMatch(key("a"), Buffer.from("again"), etag));
    assert.ok(((await entryOf(store, key("a"))).modifiedAt ?? 0) >= first.modifiedAt, "nor has a replacing one");
    if (store.fence === undefined) return;
    const apart = Math.abs(store.fence.now() - first.modifiedAt);
    assert.ok(apart < 24 * HOUR, `the fence's clock and the backend's are ${String(apart)} ms apart`);
  }),

  conformanceCase("a listing names a storage class by its name, or none", async ({ store, key }) => {
    await put(store, key("a"));
    const { storageClass } = await entryOf(store, key("a"));
    if (storageClass !== undefined) assert.match(storageClass, /^[A-Z][A-Z0-9_-]*$/);
  }),

  conformanceCase("a put whose time is over is not stored, where there is a fence", async ({ store, key }) => {
    const { fence } = store;
    const etag = await put(store, key("b"), "old");
    const notAfter = (fence?.now() ?? Date.now()) - HOUR;
    const created = await store.putIfAbsent(key("a"), Buffer.from("late"), { notAfter });
    const replaced = await store.replaceIfMatch(key("b"), Buffer.from("late"), etag, { notAfter });
    if (fence === undefined) {
      assertStored(created);
      assertStored(replaced);
      return;
    }
    assert.ok(Number.isFinite(fence.lateMs) && fence.lateMs >= 0, "how late a put can be is a number of milliseconds");
    for (const outcome of [created, replaced]) {
      assert.ok(outcome.outcome === "unknown", `${outcome.outcome} is not what becomes of a put whose time is over`);
      assert.deepEqual([outcome.sent, outcome.expired], [false, true], "it was not sent, and has expired");
    }
    assert.equal(await store.get(key("a")), null);
    assert.equal((await getExisting(store, key("b"))).body.toString(), "old");
  }),

  conformanceCase("a put whose time is not over is stored", async ({ store, key }) => {
    const notAfter = (store.fence?.now() ?? Date.now()) + HOUR;
    const etag = assertStored(await store.putIfAbsent(key("a"), Buffer.from("one"), { notAfter }));
    assert.deepEqual(
      await store.putIfAbsent(key("a"), Buffer.from("two"), { notAfter }),
      { outcome: "exists" },
      "the condition still counts",
    );
    assertStored(await store.replaceIfMatch(key("a"), Buffer.from("two"), etag, { notAfter }));
    assert.equal((await getExisting(store, key("a"))).body.toString(), "two");
  }),
];
