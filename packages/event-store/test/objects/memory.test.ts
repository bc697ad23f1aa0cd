import { describe, expect, it } from "vitest";
import { memoryObjects } from "../../src/objects/memory.js";
import { ObjectMap } from "../../src/objects/object-map.js";
import { deletePrefix, objectStoreConformance } from "../../src/testing/object-store-conformance.js";

const bytes = (text: string): Buffer => Buffer.from(text);

describe("memoryObjects", () => {
  const bucket = new ObjectMap();
  for (const { name, run } of objectStoreConformance) {
    it(name, () => run({ open: () => Promise.resolve(memoryObjects({ bucket })), prefix: "conformance/" }));
  }

  it("leaves nothing behind", () => {
    expect(bucket.keys()).toEqual([]);
  });

  it.each([
    ["", "never empty"],
    ["a\ud800b", "lone surrogate"],
    ["ü".repeat(513), "at most 1024 bytes"],
  ])("refuses the key %j", async (key, problem) => {
    const store = memoryObjects();
    const refused = { code: "INVALID_CONFIG", message: expect.stringContaining(problem) as string };
    await expect(store.putIfAbsent(key, bytes(""))).rejects.toMatchObject(refused);
    await expect(store.replaceIfMatch(key, bytes(""), "")).rejects.toMatchObject(refused);
    await expect(store.get(key)).rejects.toMatchObject(refused);
    await expect(store.delete(key)).rejects.toMatchObject(refused);
  });

  it("takes a key of exactly 1024 bytes", async () => {
    const store = memoryObjects();
    expect(await store.putIfAbsent("ü".repeat(512), bytes("x"))).toMatchObject({ outcome: "stored" });
  });

  it.each([
    { metadata: { "Put-Id": "1" } },
    { metadata: { put_id: "1" } },
    { metadata: { "": "1" } },
    { metadata: { a: "" } },
    { metadata: { a: "ü" } },
    { metadata: { a: "line\nbreak" } },
    { metadata: { a: " space" } },
    { metadata: { a: "x".repeat(2048) } },
    { contentType: "a\r\nx-amz-acl: public-read" },
  ])("refuses %j", async (options) => {
    const store = memoryObjects();
    await expect(store.putIfAbsent("a", bytes(""), options)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    expect(store.bucket.size).toBe(0);
  });

  it.each([0, 1001, 1.5, Number.NaN, -1])("refuses a page of %d keys", async (maxKeys) => {
    await expect(memoryObjects().list({ prefix: "", maxKeys })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it.each([
    [-1, 5],
    [5, 5],
    [6, 5],
    [0.5, 5],
    [0, Number.NaN],
  ])("refuses the range %d to %d", async (start, end) => {
    await expect(memoryObjects().get("a", { range: { start, end } })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it("refuses to replace or delete what is written once", async () => {
    const store = memoryObjects({ immutable: (key) => /\d{10}\.json$/.test(key) });
    const key = "events/0000000000.json";
    const put = await store.putIfAbsent(key, bytes("{}"));
    const etag = put.outcome === "stored" ? put.etag : "";
    await expect(store.replaceIfMatch(key, bytes("[]"), etag)).rejects.toMatchObject({
      code: "REQUEST_REFUSED",
      facts: { key },
    });
    await expect(store.delete(key)).rejects.toMatchObject({ code: "REQUEST_REFUSED", facts: { key } });
    expect(store.bucket.get(key)?.body.toString()).toBe("{}");
  });

  it("has the MD5 of the body as its ETag", async () => {
    const stored = await memoryObjects().putIfAbsent("a", bytes("hello"));
    expect(stored).toEqual({ outcome: "stored", etag: '"5d41402abc4b2a76b9719d911017c592"' });
  });

  it("stores what the body was when it was called, and answers later", async () => {
    const store = memoryObjects();
    const body = bytes("then");
    const putting = store.putIfAbsent("a", body);
    expect(store.bucket.size).toBe(0);
    body.write("now!");
    await putting;
    expect(store.bucket.get("a")?.body.toString()).toBe("then");
  });

  it("can be tampered with through its bucket", async () => {
    const store = memoryObjects();
    await store.putIfAbsent("a", bytes("true"));
    store.bucket.put("a", "false");
    expect((await store.get("a"))?.body.toString()).toBe("false");
    expect(store.bucket.delete("a")).toBe(true);
    expect(await store.get("a")).toBeNull();
  });

  it("is closed by close, for itself only", async () => {
    const bucketOfTwo = new ObjectMap();
    const [one, two] = [memoryObjects({ bucket: bucketOfTwo }), memoryObjects({ bucket: bucketOfTwo })];
    await one.close();
    await expect(one.get("a")).rejects.toMatchObject({ code: "CLOSED" });
    await expect(one.putIfAbsent("a", bytes(""))).rejects.toMatchObject({ code: "CLOSED" });
    expect(await two.get("a")).toBeNull();
  });
});

describe("deletePrefix", () => {
  it("deletes all keys of a prefix, over many pages, and no others", async () => {
    const store = memoryObjects();
    for (let i = 0; i < 2500; i++) store.bucket.put(`a/${String(i)}`, "");
    store.bucket.put("ab", "");
    expect(await deletePrefix(store, "a/")).toBe(2500);
    expect(store.bucket.keys()).toEqual(["ab"]);
  });
});
