import { randomBytes } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import { inspect } from "node:util";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { KeyStore } from "../../src/crypto/key-store.js";
import { openKeyStore, openWrapper, subjectFrom } from "../../src/crypto/open.js";
import { pseudonymOf } from "../../src/crypto/subject.js";
import { fileWrapper, localWrapper } from "../../src/crypto/wrapper.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { QuickRuntime } from "../log/fault-bench.js";
import { scratchFolder } from "../stores/file/scratch.js";
import { codeOf, KEK, keyring, memoryKeys, OTHER_KEK } from "./kit.js";

const bytesOf = (key: object): string =>
  "export" in key ? (key as { export(): Buffer }).export().toString("hex") : `no key, ${inspect(key)}`;

/** Counts what is asked of the store. */
function counted(store: KeyStore): KeyStore & { gets: number } {
  const counting = {
    location: store.location,
    gets: 0,
    get: (subject: string) => {
      counting.gets += 1;
      return store.get(subject);
    },
    create: store.create.bind(store),
    replace: store.replace.bind(store),
    destroy: store.destroy.bind(store),
    list: store.list.bind(store),
    close: store.close.bind(store),
  };
  return counting;
}

const quick = (): QuickRuntime => new QuickRuntime(() => randomBytes(8).toString("hex"));

describe("a keyring", () => {
  it("makes a subject's key once, whoever asks first", async () => {
    const { bucket } = memoryObjects();
    const rings = Array.from({ length: 4 }, () => keyring(memoryKeys(bucket)));
    const keys = await Promise.all(rings.flatMap((ring) => [ring.keyFor("alice"), ring.keyFor("alice")]));
    expect(new Set(keys.map(({ key, version }) => `${String(version)} ${bytesOf(key)}`)).size).toBe(1);
    const other = await keyring(memoryKeys(bucket)).keyFor("bob");
    expect(bytesOf(other.key)).not.toBe(bytesOf((keys[0] as { key: object }).key));
    expect(bytesOf(await keyring(memoryKeys(bucket)).keyOf("alice", 1))).toBe(
      bytesOf((keys[0] as { key: object }).key),
    );
  });

  it("is not fooled by somebody who looked before the key was there", async () => {
    const ring = keyring();
    const [early, made] = await Promise.all([codeOf(ring.keyOf("alice", 1)), ring.keyFor("alice")]);
    expect([early, made.version]).toEqual(["KEY_MISSING", 1]);
    expect(bytesOf(await ring.keyOf("alice", 1))).toBe(bytesOf(made.key));
  });

  it("never makes a key anew for who was shredded, and hands none out", async () => {
    const { bucket } = memoryObjects();
    const ring = keyring(memoryKeys(bucket));
    await ring.keyFor("alice");
    await ring.destroy("alice", { id: "t", at: 5 });
    for (const each of [ring, keyring(memoryKeys(bucket))]) {
      expect(await codeOf(each.keyFor("alice"))).toBe("SUBJECT_SHREDDED");
      expect(await codeOf(each.renew("alice"))).toBe("SUBJECT_SHREDDED");
      expect(await each.keyOf("alice", 1)).toMatchObject({ state: "destroyed", at: 5, versions: 1 });
    }
  });

  it("says KEY_MISSING of what is neither there nor shredded", async () => {
    const ring = keyring();
    expect(await codeOf(ring.keyOf("alice", 1))).toBe("KEY_MISSING");
    await ring.keyFor("alice");
    expect(await codeOf(ring.keyOf("alice", 2))).toBe("KEY_MISSING");
    expect(await codeOf(ring.renew("bob"))).toBe("KEY_MISSING");
  });

  it("needs the right key-encryption key, and says which", async () => {
    const { bucket } = memoryObjects();
    await keyring(memoryKeys(bucket)).keyFor("alice");
    const wrong = keyring(memoryKeys(bucket), { wrapper: localWrapper(OTHER_KEK) });
    await expect(wrong.keyOf("alice", 1)).rejects.toMatchObject({
      code: "KEY_MISSING",
      facts: { expected: localWrapper(KEK).id, actual: localWrapper(OTHER_KEK).id },
    });
    expect(await codeOf(wrong.keyFor("alice"))).toBe("KEY_MISSING");
  });

  it("refuses a wrapped key that was moved to another subject or version, or was changed", async () => {
    const { bucket } = memoryObjects();
    const [store, ring] = [memoryKeys(bucket), keyring(memoryKeys(bucket))];
    await ring.keyFor("alice");
    await ring.keyFor("bob");
    const [alice, bob] = [await store.get("alice"), await store.get("bob")];
    if (alice?.record.state !== "live" || bob?.record.state !== "live") throw new Error("no keys");
    const [stolen] = alice.record.keys;
    if (stolen === undefined) throw new Error("no key");
    await store.replace({ ...bob.record, keys: [stolen], id: "x" }, bob.revision);
    const flipped = (stolen.wrapped.startsWith("A") ? "B" : "A") + stolen.wrapped.slice(1);
    await store.replace(
      {
        ...alice.record,
        id: "y",
        keys: [
          { ...stolen, wrapped: flipped },
          { ...stolen, version: 2 },
        ],
      },
      alice.revision,
    );
    for (const [subject, version] of [
      ["bob", 1],
      ["alice", 1],
      ["alice", 2],
    ] as const)
      expect(await codeOf(keyring(memoryKeys(bucket)).keyOf(subject, version))).toBe("DECRYPTION_FAILED");
  });

  it("gives a subject a new key, and keeps the old ones for reading", async () => {
    const { bucket } = memoryObjects();
    const ring = keyring(memoryKeys(bucket));
    const other = keyring(memoryKeys(bucket));
    const first = await ring.keyFor("alice");
    await other.keyFor("alice");
    expect(await Promise.all([ring.renew("alice"), other.renew("alice")])).toEqual(expect.arrayContaining([2, 3]));
    const now = await ring.keyFor("alice");
    expect(now.version).toBe(3);
    expect(bytesOf(now.key)).not.toBe(bytesOf(first.key));
    expect(bytesOf(await other.keyOf("alice", 1))).toBe(bytesOf(first.key));
    // What another process has made since is found.
    const third = keyring(memoryKeys(bucket));
    await third.keyOf("alice", 1);
    await ring.renew("alice");
    expect(bytesOf(await third.keyOf("alice", 4))).toBe(bytesOf((await ring.keyFor("alice")).key));
  });

  it("changes a key that was used too often, once", async () => {
    const { bucket } = memoryObjects();
    const ring = keyring(memoryKeys(bucket), { maxUses: 3 });
    const versions: number[] = [];
    for (let i = 0; i < 8; i++) versions.push((await ring.keyFor("alice")).version);
    expect(versions).toEqual([1, 1, 1, 2, 2, 2, 3, 3]);
    const many = await Promise.all(Array.from({ length: 12 }, () => ring.keyFor("bob")));
    for (const version of new Set(many.map((key) => key.version)))
      expect(many.filter((key) => key.version === version).length).toBeLessThanOrEqual(3);
  });

  it("remembers keys for a while, and asks again then", async () => {
    const { bucket } = memoryObjects();
    const [store, runtime] = [counted(memoryKeys(bucket)), quick()];
    await keyring(memoryKeys(bucket)).keyFor("alice");
    const ring = keyring(store, { runtime, cacheMs: 1000 });
    for (let i = 0; i < 5; i++) await ring.keyFor("alice");
    expect(store.gets).toBe(1);
    await memoryKeys(bucket).destroy("alice", { id: "t", at: 1 });
    await runtime.sleep(999);
    expect((await ring.keyFor("alice")).version).toBe(1);
    await runtime.sleep(1);
    expect(await codeOf(ring.keyFor("alice"))).toBe("SUBJECT_SHREDDED");
    const never = keyring(store, { cacheMs: 0 });
    const before = store.gets;
    for (let i = 0; i < 3; i++) await never.keyFor("bob");
    expect(store.gets - before).toBeGreaterThanOrEqual(3);
  });

  it("forgets the least used subjects first", async () => {
    const store = counted(memoryKeys());
    const ring = keyring(store, { cacheSize: 2 });
    for (const subject of ["a", "b", "a", "c"]) await ring.keyFor(subject);
    const before = store.gets;
    await ring.keyFor("a");
    expect(store.gets).toBe(before);
    await ring.keyFor("b");
    expect(store.gets).toBe(before + 1);
  });

  it("shows no key when it is printed", async () => {
    const ring = keyring();
    const { key } = await ring.keyFor("alice");
    const shown = inspect([ring, key, localWrapper(KEK)], { depth: 20, showHidden: true });
    expect(shown).not.toContain(bytesOf(key));
    expect(shown).not.toContain(KEK.toString("hex"));
    expect(JSON.stringify([ring, key])).not.toMatch(/[A-Za-z0-9+/_-]{40}/);
  });
});

describe("rotating the key-encryption key", () => {
  it("wraps every key anew, and the old one is needed no more", async () => {
    const { bucket } = memoryObjects();
    const ring = keyring(memoryKeys(bucket));
    const before = new Map<string, string>();
    for (const subject of ["alice", "bob", "carol"]) before.set(subject, bytesOf((await ring.keyFor(subject)).key));
    await ring.renew("bob");
    await ring.destroy("carol", { id: "t", at: 1 });
    const next = localWrapper(OTHER_KEK);
    const rotating = keyring(memoryKeys(bucket), { wrapper: next, previous: [localWrapper(KEK)] });
    const seen: number[] = [];
    expect(await rotating.rotate({ onProgress: ({ subjects }) => seen.push(subjects) })).toEqual({
      subjects: 3,
      rewrapped: 2,
    });
    expect(seen).toEqual([1, 2, 3]);
    expect(await rotating.rotate()).toEqual({ subjects: 3, rewrapped: 0 });
    const after = keyring(memoryKeys(bucket), { wrapper: next });
    expect(bytesOf(await after.keyOf("alice", 1))).toBe(before.get("alice"));
    expect(bytesOf(await after.keyOf("bob", 1))).toBe(before.get("bob"));
    expect((await after.keyFor("bob")).version).toBe(2);
    expect(await codeOf(after.keyFor("carol"))).toBe("SUBJECT_SHREDDED");
    expect(await codeOf(keyring(memoryKeys(bucket)).keyOf("alice", 1))).toBe("KEY_MISSING");
  });

  it("loses no key that is made meanwhile, and brings no shredded one back", async () => {
    const { bucket } = memoryObjects();
    const ring = keyring(memoryKeys(bucket));
    for (let i = 0; i < 12; i++) await ring.keyFor(`s${String(i)}`);
    const rotating = keyring(memoryKeys(bucket), { wrapper: localWrapper(OTHER_KEK), previous: [localWrapper(KEK)] });
    await Promise.all([
      rotating.rotate(),
      ...Array.from({ length: 6 }, (_, i) =>
        keyring(memoryKeys(bucket))
          .renew(`s${String(i)}`)
          .catch(() => 0),
      ),
      ...Array.from({ length: 6 }, (_, i) => ring.destroy(`s${String(i + 6)}`, { id: "t", at: 1 })),
    ]);
    for (let i = 6; i < 12; i++) expect((await ring.store.get(`s${String(i)}`))?.record.state).toBe("destroyed");
    for (let i = 0; i < 6; i++)
      expect((await ring.store.get(`s${String(i)}`))?.record).toMatchObject({
        state: "live",
        keys: [{ version: 1 }, { version: 2 }],
      });
  });

  it("stops when it is told to, and when a key is nobody's", async () => {
    const { bucket } = memoryObjects();
    await keyring(memoryKeys(bucket)).keyFor("alice");
    const rotating = keyring(memoryKeys(bucket), { wrapper: localWrapper(OTHER_KEK) });
    expect(await codeOf(rotating.rotate())).toBe("KEY_MISSING");
    expect(await codeOf(rotating.rotate({ signal: AbortSignal.abort() }))).toBe("ABORTED");
  });

  it("refuses two wrappers of one id", () => {
    expect(() => keyring(memoryKeys(), { previous: [localWrapper(KEK)] })).toThrow("one id");
  });
});

describe("the key-encryption key", () => {
  it("comes from a variable, a file or a program, exactly one of them", async () => {
    const path = join(scratchFolder(), "kek");
    const { id } = localWrapper(KEK);
    for (const text of [KEK.toString("base64"), `${KEK.toString("hex")}\n`, KEK.toString("base64url")]) {
      expect((await openWrapper({ RYNXS_CRYPTO_KEY: text })).id).toBe(id);
      writeFileSync(path, text, { mode: 0o600 });
      expect((await openWrapper({ RYNXS_CRYPTO_KEY_FILE: path, RYNXS_CRYPTO_KEY: "" })).id).toBe(id);
    }
    writeFileSync(path, KEK);
    expect((await fileWrapper(path)).id).toBe(id);
    expect((await openWrapper({ RYNXS_CRYPTO_COMMAND: "/bin/x/kms" })).id).toBe("command:kms");
    expect(await codeOf(openWrapper({}))).toBe("INVALID_CONFIG");
    expect(await codeOf(openWrapper({ RYNXS_CRYPTO_KEY: KEK.toString("hex"), RYNXS_CRYPTO_COMMAND: "x" }))).toBe(
      "INVALID_CONFIG",
    );
  });

  it("is refused, and not repeated, when it is none", async () => {
    for (const bad of ["short", "a".repeat(63), KEK.toString("base64").slice(2), `${KEK.toString("base64")}AAAA`]) {
      const error: unknown = await openWrapper({ RYNXS_CRYPTO_KEY: bad }).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: "INVALID_CONFIG" });
      expect(inspect(error)).not.toContain(bad);
    }
    expect(() => localWrapper(Buffer.alloc(16))).toThrow("32 bytes");
  });

  it.each([0o640, 0o644, 0o606])("is refused in a file of mode %o", async (loose) => {
    const path = join(scratchFolder(), "kek");
    writeFileSync(path, KEK, { mode: 0o600 });
    chmodSync(path, loose);
    await expect(fileWrapper(path)).rejects.toMatchObject({ code: "INVALID_CONFIG", facts: { expected: "0600" } });
    expect(await codeOf(fileWrapper(scratchFolder()))).toBe("INVALID_CONFIG");
    expect(await codeOf(fileWrapper(join(path, "no")))).toBe("PATH_UNUSABLE");
  });
});

describe("the environment", () => {
  it("names a key store, or is told what it may name", async () => {
    const location = async (keys: string): Promise<string> =>
      (await openKeyStore({ RYNXS_CRYPTO_KEYS: keys })).location;
    expect(await location("file:/etc/keys")).toBe("file:/etc/keys");
    expect(await location("file:///etc/keys")).toBe("file:/etc/keys");
    expect(await location("command:/usr/bin/vault-keys")).toBe("command:/usr/bin/vault-keys");
    expect(await location("s3://my-keys/events/")).toBe("s3://my-keys/events/");
    for (const bad of ["s3://my-keys", "s3://my-keys/", "file:", "file://host/x", "keys", "command:"])
      expect(await codeOf(openKeyStore({}, { keys: bad }))).toBe("INVALID_CONFIG");
    expect(await codeOf(openKeyStore({ RYNXS_CRYPTO_KEYS: " " }))).toBe("INVALID_CONFIG");
  });

  it("may hold a secret for pseudonyms", () => {
    const secret = Buffer.alloc(32, 3);
    const pseudonym = subjectFrom({ RYNXS_CRYPTO_PSEUDONYM_KEY: secret.toString("base64") }, "alice@example.org");
    expect(pseudonym).toBe(pseudonymOf("alice@example.org", secret));
    expect(pseudonym).toMatch(/^p1\.[A-Za-z0-9_-]{43}$/);
    expect(pseudonymOf("alice@example.org", Buffer.alloc(32, 4))).not.toBe(pseudonym);
    expect(pseudonymOf("bob@example.org", secret)).not.toBe(pseudonym);
    expect(subjectFrom({}, "alice")).toBe("alice");
    expect(() => pseudonymOf("alice", Buffer.alloc(31))).toThrow("32 bytes");
  });
});
