import { expect, it } from "vitest";
import { MemoryObjects } from "../../src/objects/memory.js";
import { ObjectMap } from "../../src/objects/object-map.js";
import type { ObjectStore } from "../../src/objects/port.js";
import { objectStoreConformance } from "../../src/testing/object-store-conformance.js";

/** A store with some methods replaced; `good` is the store as it should be. */
type Breakage = (good: ObjectStore, bucket: ObjectMap) => Partial<ObjectStore>;

/** Runs the suite on a broken store; returns the names of the cases that fail. */
async function failures(breakage: Breakage): Promise<string[]> {
  const bucket = new ObjectMap();
  const open = (): Promise<ObjectStore> => {
    const good = new MemoryObjects({ bucket });
    const broken: ObjectStore = {
      identity: good.identity,
      fence: good.fence,
      putIfAbsent: (...args) => good.putIfAbsent(...args),
      replaceIfMatch: (...args) => good.replaceIfMatch(...args),
      get: (...args) => good.get(...args),
      list: (...args) => good.list(...args),
      delete: (...args) => good.delete(...args),
      close: () => good.close(),
    };
    return Promise.resolve({ ...broken, ...breakage(good, bucket) });
  };
  const failed: string[] = [];
  for (const { name, run } of objectStoreConformance) {
    await run({ open, prefix: "teeth/" }).catch(() => failed.push(name));
    for (const key of bucket.keys()) bucket.delete(key);
  }
  return failed;
}

/** Lets everything that waits go first. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const ONCE = "putIfAbsent stores a key once, and the loser changes nothing";
const REPLACE = "replaceIfMatch replaces what has the given ETag, and nothing else";
const ORDER = "a listing is in the order of the keys' UTF-8 bytes";
const PAGES = "a page has at most maxKeys keys and says whether more follow";

const BROKEN: Readonly<Record<string, { readonly caughtBy: string; readonly breakage: Breakage }>> = {
  overwrites: {
    caughtBy: ONCE,
    breakage: (_, bucket) => ({
      putIfAbsent: (key, body, options) =>
        Promise.resolve({ outcome: "stored", etag: bucket.put(key, body, options).etag }),
    }),
  },
  "asks first and puts then": {
    caughtBy: "8 puts at once on one key have exactly one winner",
    breakage: (good, bucket) => ({
      putIfAbsent: async (key, body, options) => {
        if ((await good.get(key)) !== null) return { outcome: "exists" };
        await turn();
        return { outcome: "stored", etag: bucket.put(key, body, options).etag };
      },
    }),
  },
  "keeps the loser's metadata": {
    caughtBy: ONCE,
    breakage: (good, bucket) => ({
      putIfAbsent: (key, body, options) => {
        const held = bucket.get(key);
        if (held !== undefined) bucket.put(key, held.body, { ...held, ...options });
        return good.putIfAbsent(key, body, options);
      },
    }),
  },
  "loses metadata": {
    caughtBy: "user metadata comes back as it was given",
    breakage: (good) => ({ putIfAbsent: (key, body) => good.putIfAbsent(key, body) }),
  },
  "takes bodies for text": {
    caughtBy: "a body is stored byte for byte: not UTF-8",
    breakage: (good) => ({
      putIfAbsent: (key, body, options) => good.putIfAbsent(key, Buffer.from(Buffer.from(body).toString()), options),
    }),
  },
  "does not compare ETags": {
    caughtBy: REPLACE,
    breakage: (good, bucket) => ({
      replaceIfMatch: (key, body, _, options) => good.replaceIfMatch(key, body, bucket.get(key)?.etag ?? "", options),
    }),
  },
  "replaces what is missing": {
    caughtBy: "replaceIfMatch of a key that is missing, or was deleted, is `exists` and stores nothing",
    breakage: (good, bucket) => ({
      replaceIfMatch: (key, body, etag, options) =>
        bucket.get(key) === undefined
          ? good.putIfAbsent(key, body, options)
          : good.replaceIfMatch(key, body, etag, options),
    }),
  },
  "compares ETags, then waits": {
    caughtBy: "of replacers at once at most one has its way",
    breakage: (good, bucket) => ({
      replaceIfMatch: async (key, body, etag, options) => {
        if ((await good.get(key))?.etag !== etag) return { outcome: "exists" };
        await turn();
        return { outcome: "stored", etag: bucket.put(key, body, options).etag };
      },
    }),
  },
  "does not stop for a signal": {
    caughtBy: "a put whose signal was aborted before is not stored",
    breakage: (good) => ({
      putIfAbsent: (key, body, options) => good.putIfAbsent(key, body, { ...options, signal: undefined }),
    }),
  },
  "makes something of nothing": {
    caughtBy: "get of a missing key is null",
    breakage: (good) => ({
      get: async (key, options) =>
        (await good.get(key, options)) ?? { body: Buffer.alloc(0), etag: '""', metadata: {} },
    }),
  },
  "takes the end of a range in": {
    caughtBy: "a range is cut out of the body, and off at its end",
    breakage: (good) => ({
      get: (key, { range, ...options } = {}) =>
        good.get(
          key,
          range === undefined ? options : { ...options, range: { start: range.start, end: range.end + 1 } },
        ),
    }),
  },
  "knows nothing of ranges": {
    caughtBy: "a range behind the end is empty, not missing",
    breakage: (good) => ({ get: (key, options) => good.get(key, { signal: options?.signal }) }),
  },
  "normalises keys": {
    caughtBy: "dots and empty segments in keys are kept",
    breakage: (good) => ({
      putIfAbsent: (key, body, options) => good.putIfAbsent(key.replaceAll("/./", "/"), body, options),
    }),
  },
  "lets pluses be spaces": {
    caughtBy: "keys of any UTF-8 are kept apart and come back as they were",
    breakage: (good) => ({
      putIfAbsent: (key, body, options) => good.putIfAbsent(key.replaceAll("+", " "), body, options),
    }),
  },
  "sorts by UTF-16": {
    caughtBy: ORDER,
    breakage: (good) => ({
      list: async (options) => {
        const page = await good.list(options);
        return { ...page, entries: page.entries.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
      },
    }),
  },
  "takes a prefix for a folder": {
    caughtBy: "a listing has the keys that begin with the prefix, and no others",
    breakage: (good) => ({
      list: async (options) => {
        const page = await good.list(options);
        const inside = (key: string): boolean =>
          options.prefix.endsWith("/") || key[options.prefix.length] === "/" || !options.prefix.endsWith("events");
        return { ...page, entries: page.entries.filter(({ key }) => inside(key)) };
      },
    }),
  },
  "begins with startAfter": {
    caughtBy: "startAfter is exclusive and need not be a key",
    breakage: (good, bucket) => ({
      list: async (options) => {
        const { startAfter = "", maxKeys = 1000 } = options;
        const held = bucket.get(startAfter);
        const page = await good.list(options);
        if (held === undefined || !startAfter.startsWith(options.prefix)) return page;
        return { ...page, entries: [{ key: startAfter, size: held.body.length }, ...page.entries].slice(0, maxKeys) };
      },
    }),
  },
  "promises no more": {
    caughtBy: PAGES,
    breakage: (good) => ({ list: async (options) => ({ ...(await good.list(options)), truncated: false }) }),
  },
  "stops at 1000 without a word": {
    caughtBy: "a long listing comes in pages of 1000, complete and in order",
    breakage: (good) => ({
      list: async (options) => {
        const page = await good.list(options);
        return { ...page, truncated: page.truncated && page.entries.length < 1000 };
      },
    }),
  },
  "lists late": {
    caughtBy: "a listing sees every put and delete that was answered before it",
    breakage: (good) => {
      let before: Awaited<ReturnType<ObjectStore["list"]>> = { entries: [], truncated: false };
      return {
        list: async (options) => {
          const stale = before;
          before = await good.list(options);
          return stale;
        },
      };
    },
  },
  "forgets when a put is over": {
    caughtBy: "a put whose time is over is not stored, where there is a fence",
    breakage: (good) => ({
      putIfAbsent: (key, body, options) => good.putIfAbsent(key, body, { ...options, notAfter: undefined }),
    }),
  },
  "replaces when its time is over": {
    caughtBy: "a put whose time is over is not stored, where there is a fence",
    breakage: (good) => ({
      replaceIfMatch: (key, body, etag, options) =>
        good.replaceIfMatch(key, body, etag, { ...options, notAfter: undefined }),
    }),
  },
  "takes every put with an end for one that is over": {
    caughtBy: "a put whose time is not over is stored",
    breakage: (good) => ({
      putIfAbsent: (key, body, options) =>
        good.putIfAbsent(key, body, options?.notAfter === undefined ? options : { ...options, notAfter: 0 }),
    }),
  },
  "tells times in seconds": {
    caughtBy: "a listing says when a key was written last",
    breakage: (good) => ({
      list: async (options) => {
        const page = await good.list(options);
        const inSeconds = (at = 0): number => Math.trunc(at / 1000);
        return { ...page, entries: page.entries.map((e) => ({ ...e, modifiedAt: inSeconds(e.modifiedAt) })) };
      },
    }),
  },
  "cannot delete what is missing": {
    caughtBy: "delete removes a key, and one that is missing too",
    breakage: (good, bucket) => ({
      delete: (key, options) =>
        bucket.get(key) === undefined ? Promise.reject(new Error("NoSuchKey")) : good.delete(key, options),
    }),
  },
};

it.each(Object.entries(BROKEN))("the suite catches a store that %s", async (_, { caughtBy, breakage }) => {
  expect(await failures(breakage)).toContain(caughtBy);
});

it("the suite finds nothing wrong with a good store", async () => {
  expect(await failures(() => ({}))).toEqual([]);
});
