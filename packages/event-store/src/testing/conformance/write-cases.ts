import assert from "node:assert/strict";
import type { ObjectStore, PutOutcome } from "../../objects/port.js";
import { assertStored, conformanceCase, getExisting, put, rejectionCode, type ConformanceCase } from "./case.js";

const BODIES: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  "one byte": Buffer.from([0]),
  "every byte": Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  "UTF-8": Buffer.from("ünïcode \u2028 \u{1f600}\r\n"),
  "not UTF-8": Buffer.from([0xff, 0xfe, 0xc3, 0x28]),
  "1 MiB": Buffer.from(Uint32Array.from({ length: 2 ** 18 }, (_, i) => Math.imul(i, 2_654_435_761)).buffer),
};

/** What `writers` puts at once came to: exactly one wins, nobody else is told so, and the winner's object is there. */
async function race(stores: readonly ObjectStore[], key: string, writers: number): Promise<void> {
  const outcomes = await Promise.all(
    Array.from({ length: writers }, async (_, i) => {
      const store = stores[i % stores.length];
      assert.ok(store !== undefined);
      const body = Buffer.from(`body of writer ${String(i)}`);
      return {
        i,
        body,
        outcome: await store.putIfAbsent(key, body, { metadata: { "put-id": `writer-${String(i)}` } }),
      };
    }),
  );
  const winners = outcomes.filter(({ outcome }) => outcome.outcome === "stored");
  assert.equal(winners.length, 1, `exactly one of ${String(writers)} puts at once is stored`);
  const [winner] = winners;
  for (const store of stores) {
    const object = await getExisting(store, key);
    assert.deepEqual(object.body.toString(), winner?.body.toString(), "the winner's body is stored");
    assert.deepEqual(object.metadata, { "put-id": `writer-${String(winner?.i)}` }, "the winner's metadata is stored");
    assert.ok(
      winner?.outcome.outcome === "stored" && winner.outcome.etag === object.etag,
      "the winner was told the ETag",
    );
  }
}

/** A put whose signal is aborted is unknown, or refused with ABORTED before anything was sent. */
async function abortedOutcome(action: Promise<PutOutcome>): Promise<string> {
  try {
    const result = await action;
    return result.outcome === "unknown" ? `unknown, sent: ${String(result.sent)}` : result.outcome;
  } catch (error) {
    assert.ok(error instanceof Error && "code" in error && error.code === "ABORTED", "ABORTED is thrown, nothing else");
    return "unknown, sent: false";
  }
}

export const writeCases: readonly ConformanceCase[] = [
  ...Object.entries(BODIES).map(([name, body]) =>
    conformanceCase(`a body is stored byte for byte: ${name}`, async ({ store, key }) => {
      const etag = await put(store, key("body"), body);
      const object = await getExisting(store, key("body"));
      assert.ok(object.body.equals(body), "the bytes read are the bytes written");
      assert.equal(object.etag, etag, "get and put agree about the ETag");
      const { entries } = await store.list({ prefix: key("body") });
      assert.deepEqual(
        entries.map(({ key: listed, size }) => [listed, size]),
        [[key("body"), body.length]],
      );
    }),
  ),

  conformanceCase("putIfAbsent stores a key once, and the loser changes nothing", async ({ store, key }) => {
    const first = { metadata: { "put-id": "first" }, contentType: "text/plain" };
    const etag = assertStored(await store.putIfAbsent(key("a"), Buffer.from("first"), first));
    const again = await store.putIfAbsent(key("a"), Buffer.from("first"), first);
    assert.deepEqual(again, { outcome: "exists" }, "not even the same again");
    const second = { metadata: { "put-id": "second", more: "yes" }, contentType: "text/html" };
    assert.deepEqual(await store.putIfAbsent(key("a"), Buffer.from("second"), second), { outcome: "exists" });
    const object = await getExisting(store, key("a"));
    assert.deepEqual({ ...object, body: object.body.toString() }, { body: "first", etag, ...first });
  }),

  conformanceCase("8 puts at once on one key have exactly one winner", async ({ store, key }) => {
    for (let round = 0; round < 5; round++) await race([store], key(`round-${String(round)}`), 8);
  }),

  conformanceCase("50 puts at once from two clients have exactly one winner", async ({ store, another, key }) => {
    const stores = [store, await another()];
    for (let round = 0; round < 3; round++) await race(stores, key(`round-${String(round)}`), 50);
  }),

  conformanceCase("a deleted key can be stored again", async ({ store, key }) => {
    const before = { metadata: { "put-id": "before" } };
    assertStored(await store.putIfAbsent(key("a"), Buffer.from("before"), before));
    await store.delete(key("a"));
    await put(store, key("a"), "after");
    const { body, metadata } = await getExisting(store, key("a"));
    assert.deepEqual({ body: body.toString(), metadata }, { body: "after", metadata: {} });
  }),

  conformanceCase("user metadata comes back as it was given", async ({ store, key }) => {
    const metadata = {
      "put-id": "0b1e-ff",
      a: "1",
      text: 'with  spaces, commas; ="quotes" and ~',
      "x-1": "!#$%&'()*+/:<>?@[]^_`{|}",
    };
    assertStored(await store.putIfAbsent(key("a"), Buffer.from("{}"), { metadata }));
    assert.deepEqual((await getExisting(store, key("a"))).metadata, metadata);
    await put(store, key("b"));
    const plain = await getExisting(store, key("b"));
    assert.deepEqual(plain.metadata, {});
    assert.equal(plain.contentType, "application/json");
  }),

  conformanceCase("replaceIfMatch replaces what has the given ETag, and nothing else", async ({ store, key }) => {
    const first = await put(store, key("a"), "one");
    const options = { metadata: { "put-id": "two" }, contentType: "text/plain" };
    const second = assertStored(await store.replaceIfMatch(key("a"), Buffer.from("two"), first, options));
    assert.notEqual(second, first);
    assert.deepEqual(
      await store.replaceIfMatch(key("a"), Buffer.from("three"), first),
      { outcome: "exists" },
      "a stale ETag",
    );
    const object = await getExisting(store, key("a"));
    assert.deepEqual({ ...object, body: object.body.toString() }, { body: "two", etag: second, ...options });
    assertStored(await store.replaceIfMatch(key("a"), Buffer.from("three"), object.etag));
    const last = await getExisting(store, key("a"));
    assert.deepEqual([last.body.toString(), last.metadata], ["three", {}], "metadata is replaced with the body");
  }),

  conformanceCase(
    "replaceIfMatch of a key that is missing, or was deleted, is `exists` and stores nothing",
    async ({ store, key }) => {
      const etag = await put(store, key("a"), "one");
      assert.deepEqual(await store.replaceIfMatch(key("b"), Buffer.from("two"), etag), { outcome: "exists" });
      await store.delete(key("a"));
      assert.deepEqual(await store.replaceIfMatch(key("a"), Buffer.from("two"), etag), { outcome: "exists" });
      assert.deepEqual([await store.get(key("a")), await store.get(key("b"))], [null, null]);
    },
  ),

  conformanceCase("of replacers at once at most one has its way", async ({ store, another, key }) => {
    const stores = [store, await another()] as const;
    let etag = await put(store, key("a"), "start");
    let content = "start";
    for (let round = 0; round < 6; round++) {
      const attempts = await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
          const body = `round ${String(round)}, writer ${String(i)}`;
          return { body, ...(await stores[i % 2 === 0 ? 0 : 1].replaceIfMatch(key("a"), Buffer.from(body), etag)) };
        }),
      );
      const stored = attempts.filter(({ outcome }) => outcome === "stored");
      assert.ok(stored.length <= 1, `at most one of the replacers is stored, not ${String(stored.length)}`);
      // Some servers answer losers with 500, and may do so to the winner: then reading tells what is true.
      const open = attempts.filter(({ outcome }) => outcome === "unknown");
      assert.ok(stored.length === 1 || open.length > 0, "somebody wins");
      const possible =
        stored.length === 1 ? stored.map(({ body }) => body) : [content, ...open.map(({ body }) => body)];
      const now = await getExisting(store, key("a"));
      assert.ok(possible.includes(now.body.toString()), `${now.body.toString()} is the winner's`);
      ({ etag } = now);
      content = now.body.toString();
    }
  }),

  conformanceCase("a put whose signal was aborted before is not stored", async ({ store, key }) => {
    const signal = AbortSignal.abort();
    assert.equal(
      await abortedOutcome(store.putIfAbsent(key("a"), Buffer.from("no"), { signal })),
      "unknown, sent: false",
    );
    assert.equal(await store.get(key("a")), null);
    const etag = await put(store, key("b"), "old");
    const replaced = store.replaceIfMatch(key("b"), Buffer.from("new"), etag, { signal });
    assert.equal(await abortedOutcome(replaced), "unknown, sent: false");
    assert.equal((await getExisting(store, key("b"))).body.toString(), "old");
  }),

  conformanceCase("a put that is aborted under way ends, stored or unknown", async ({ store, key }) => {
    const controller = new AbortController();
    const body = Buffer.alloc(2 ** 20, "x");
    const putting = abortedOutcome(store.putIfAbsent(key("a"), body, { signal: controller.signal }));
    controller.abort();
    const outcome = await putting;
    const object = await store.get(key("a"));
    if (outcome === "stored") assert.ok(object?.body.equals(body));
    else assert.match(outcome, /^unknown/);
    assert.ok(object === null || object.body.equals(body), "all of it or nothing");
  }),

  conformanceCase("delete removes a key, and one that is missing too", async ({ store, another, key }) => {
    await put(store, key("a"));
    await put(store, key("ab"));
    await store.delete(key("a"));
    assert.equal(await (await another()).get(key("a")), null);
    await store.delete(key("a"));
    await store.delete(key("never"));
    assert.equal((await getExisting(store, key("ab"))).body.toString(), key("ab"));
    assert.equal(await rejectionCode(store.delete(key("ab"), { signal: AbortSignal.abort() })), "ABORTED");
  }),
];
