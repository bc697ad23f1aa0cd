import assert from "node:assert/strict";
import { conformanceCase, getExisting, listAll, put, rejectionCode, type ConformanceCase } from "./case.js";

/** Names that URLs, signatures, XML or file systems are known to stumble over. */
const NAMES: readonly string[] = [
  "plain.json",
  "with space",
  " spaces around ",
  "a+b",
  "100%",
  "%41%2F%25",
  `'single' "double" \`back\``,
  "~tilde-._",
  "!'()*",
  "a&b=c?d#e;f@g:h,i$j",
  "<tag>&amp;",
  "[x]{y}|z^\\",
  "ünïcode/ÄÖ",
  "日本語",
  "\u{1f600}/\u{10ffff}",
  "e\u0301 and é",
  "tab\tnewline\nreturn\r",
  ".hidden",
  "a/.hidden/b",
  "UPPER/lower",
  "upper/LOWER",
  "long-" + "x".repeat(500),
];

/** Segments that a client, proxy or server might normalise away. */
const SEGMENTS: readonly string[] = ["a/./b", "a/../b", "a//b", "c/", "..", "...", "a/b/../../c"];

async function keepApart(
  names: readonly string[],
  { store, another, key }: Parameters<Parameters<typeof conformanceCase>[1]>[0],
): Promise<void> {
  for (const name of names) await put(store, key(name), `body of ${name}`);
  const other = await another();
  for (const name of names) {
    assert.deepEqual(await store.putIfAbsent(key(name), Buffer.from("again")), { outcome: "exists" }, name);
    assert.equal((await getExisting(other, key(name))).body.toString(), `body of ${name}`);
    const { entries } = await other.list({ prefix: key(name), maxKeys: 1 });
    assert.deepEqual([entries[0]?.key, entries[0]?.size], [key(name), Buffer.byteLength(`body of ${name}`)], name);
  }
  const inOrder = names.map(key).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(await listAll(other, key("")), inOrder);
  for (const name of names) await store.delete(key(name));
  assert.deepEqual(await listAll(other, key("")), []);
}

export const readCases: readonly ConformanceCase[] = [
  conformanceCase("get of a missing key is null", async ({ store, key }) => {
    await put(store, key("a/b"));
    for (const name of ["missing", "a", "a/", "a/b/", "a/bc", "a/b/c"])
      assert.equal(await store.get(key(name)), null, name);
    assert.equal(await store.get(key("missing"), { range: { start: 0, end: 1 } }), null);
  }),

  conformanceCase("a range is cut out of the body, and off at its end", async ({ store, key }) => {
    const etag = await put(store, key("a"), "0123456789");
    const cut = async (start: number, end: number): Promise<string> => {
      const object = await store.get(key("a"), { range: { start, end } });
      assert.equal(object?.etag, etag, "a part has the ETag of the whole");
      return object.body.toString();
    };
    assert.equal(await cut(0, 1), "0");
    assert.equal(await cut(3, 7), "3456");
    assert.equal(await cut(9, 10), "9");
    assert.equal(await cut(0, 10), "0123456789");
    assert.equal(await cut(8, 100), "89");
    assert.equal(await cut(4, Number.MAX_SAFE_INTEGER), "456789");
  }),

  conformanceCase("a range behind the end is empty, not missing", async ({ store, key }) => {
    await put(store, key("a"), "0123456789");
    await put(store, key("empty"), "");
    for (const [name, start] of [
      ["a", 10],
      ["a", 1000],
      ["empty", 0],
    ] as const) {
      const object = await store.get(key(name), { range: { start, end: start + 5 } });
      assert.equal(object?.body.length, 0, `${name} from ${String(start)}`);
    }
  }),

  conformanceCase("a body belongs to whoever has it", async ({ store, key }) => {
    const given = Buffer.from("given");
    await put(store, key("a"), given);
    given.fill("x");
    const got = await getExisting(store, key("a"));
    assert.equal(got.body.toString(), "given");
    got.body.fill("y");
    assert.equal((await getExisting(store, key("a"))).body.toString(), "given");
  }),

  conformanceCase("keys of any UTF-8 are kept apart and come back as they were", (bench) => keepApart(NAMES, bench)),

  conformanceCase("dots and empty segments in keys are kept", (bench) => keepApart(SEGMENTS, bench)),

  conformanceCase("an aborted get fails with ABORTED, or is done already", async ({ store, key }) => {
    await put(store, key("a"), Buffer.alloc(2 ** 20, "x"));
    assert.equal(await rejectionCode(store.get(key("a"), { signal: AbortSignal.abort() })), "ABORTED");
    const controller = new AbortController();
    const getting = rejectionCode(store.get(key("a"), { signal: controller.signal }));
    controller.abort();
    const code = await getting;
    assert.ok(code === "ABORTED" || code === null, String(code));
    assert.equal((await getExisting(store, key("a"))).body.length, 2 ** 20, "the client still works");
  }),
];
