import assert from "node:assert/strict";
import type { ListPage, ObjectStore } from "../../objects/port.js";
import { conformanceCase, inParallel, listAll, put, rejectionCode, type ConformanceCase } from "./case.js";

function keysOf(page: ListPage): string[] {
  return page.entries.map((entry) => entry.key);
}

async function putAll(store: ObjectStore, keys: readonly string[]): Promise<void> {
  await inParallel(keys, 16, (key) => put(store, key));
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${String(i).padStart(10, "0")}.json`);
}

export const listCases: readonly ConformanceCase[] = [
  conformanceCase("a listing is in the order of the keys' UTF-8 bytes", async ({ store, key }) => {
    const ordered = [
      "!",
      "-",
      ".",
      "/x",
      "0",
      "9",
      "A",
      "Z",
      "_",
      "a-b",
      "a.b",
      "a/b",
      "a0",
      "aa",
      "~",
      "\u00e9",
      "\u0800",
      "\ufb33",
      "\uffee",
      "\u{1f600}",
    ];
    await putAll(store, ordered.toReversed().map(key));
    assert.deepEqual(await listAll(store, key("")), ordered.map(key));
    assert.deepEqual(await listAll(store, key(""), 1), ordered.map(key), "page by page too");
    assert.deepEqual(await listAll(store, key("a")), ["a-b", "a.b", "a/b", "a0", "aa"].map(key));
  }),

  {
    requires: "keys below keys",
    ...conformanceCase("a key and keys below it live side by side", async ({ store, key }) => {
      const keys = ["a", "a-b", "a/", "a/b", "a/b/c", "a0"].map(key);
      await putAll(store, keys);
      assert.deepEqual(await listAll(store, key("")), keys);
      assert.deepEqual(await listAll(store, key("a/")), keys.slice(2, 5));
      await store.delete(key("a"));
      await store.delete(key("a/b"));
      assert.deepEqual(await listAll(store, key("")), ["a-b", "a/", "a/b/c", "a0"].map(key));
    }),
  },

  conformanceCase("a listing has the keys that begin with the prefix, and no others", async ({ store, key }) => {
    await putAll(store, ["events/1", "events/2", "events-old/1", "event", "eventsx", "Events/1", "other"].map(key));
    assert.deepEqual(await listAll(store, key("events/")), ["events/1", "events/2"].map(key));
    assert.deepEqual(await listAll(store, key("events")), ["events-old/1", "events/1", "events/2", "eventsx"].map(key));
    assert.deepEqual(await store.list({ prefix: key("nothing") }), { entries: [], truncated: false });
  }),

  conformanceCase("startAfter is exclusive and need not be a key", async ({ store, key }) => {
    await putAll(
      store,
      ["b", "d", "f"].map((name) => key(`p/${name}`)),
    );
    await putAll(store, [key("o/z"), key("q/a")]);
    const after = async (startAfter: string): Promise<string[]> =>
      keysOf(await store.list({ prefix: key("p/"), startAfter }));
    assert.deepEqual(await after(key("p/b")), [key("p/d"), key("p/f")]);
    assert.deepEqual(await after(key("p/c")), [key("p/d"), key("p/f")]);
    assert.deepEqual(await after(key("p/")), [key("p/b"), key("p/d"), key("p/f")]);
    assert.deepEqual(await after(key("o/z")), [key("p/b"), key("p/d"), key("p/f")], "before the prefix");
    assert.deepEqual(await after(key("p/f")), []);
    assert.deepEqual(await after(key("q/")), [], "behind the prefix");
    assert.deepEqual(await after(key("p/b\u{1f600}")), [key("p/d"), key("p/f")]);
  }),

  conformanceCase("a page has at most maxKeys keys and says whether more follow", async ({ store, key }) => {
    const keys = numbered(5).map(key);
    await putAll(store, keys);
    const page = async (maxKeys: number, startAfter?: string): Promise<[string[], boolean]> => {
      const got = await store.list({ prefix: key(""), maxKeys, ...(startAfter === undefined ? {} : { startAfter }) });
      return [keysOf(got), got.truncated];
    };
    assert.deepEqual(await page(1), [keys.slice(0, 1), true]);
    assert.deepEqual(await page(4), [keys.slice(0, 4), true]);
    assert.deepEqual(await page(5), [keys, false]);
    assert.deepEqual(await page(1000), [keys, false]);
    assert.deepEqual(await page(2, keys[1]), [keys.slice(2, 4), true]);
    assert.deepEqual(await page(2, keys[3]), [keys.slice(4), false]);
    assert.deepEqual(await listAll(store, key(""), 2), keys);
  }),

  conformanceCase("a long listing comes in pages of 1000, complete and in order", async ({ store, key, manyKeys }) => {
    const keys = numbered(manyKeys).map(key);
    await putAll(store, keys);
    const first = await store.list({ prefix: key("") });
    assert.deepEqual(keysOf(first), keys.slice(0, 1000));
    assert.equal(first.truncated, manyKeys > 1000);
    assert.deepEqual(await listAll(store, key("")), keys);
    const middle = await store.list({ prefix: key(""), startAfter: keys[Math.floor(manyKeys / 2)] ?? "", maxKeys: 3 });
    assert.deepEqual(keysOf(middle), keys.slice(Math.floor(manyKeys / 2) + 1, Math.floor(manyKeys / 2) + 4));
  }),

  conformanceCase(
    "a listing sees every put and delete that was answered before it",
    async ({ store, another, key }) => {
      const other = await another();
      const keys: string[] = [];
      for (const name of numbered(10)) {
        await put(store, key(name));
        keys.push(key(name));
        assert.deepEqual(await listAll(other, key("")), keys);
      }
      for (let last = keys.pop(); last !== undefined; last = keys.pop()) {
        await store.delete(last);
        assert.deepEqual(await listAll(other, key("")), keys);
      }
    },
  ),

  conformanceCase("an aborted list fails with ABORTED", async ({ store, key }) => {
    await put(store, key("a"));
    assert.equal(await rejectionCode(store.list({ prefix: key(""), signal: AbortSignal.abort() })), "ABORTED");
    assert.deepEqual(await listAll(store, key("")), [key("a")], "the client still works");
  }),
];
