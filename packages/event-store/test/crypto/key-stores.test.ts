import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandKeyStore } from "../../src/crypto/command-keys.js";
import { fileKeyStore } from "../../src/crypto/file-keys.js";
import type { LiveKeys } from "../../src/crypto/key-record.js";
import type { KeyStore } from "../../src/crypto/key-store.js";
import { objectKeyStore } from "../../src/crypto/object-keys.js";
import { nameOfSubject } from "../../src/crypto/subject.js";
import { directoryObjects } from "../../src/objects/directory.js";
import { openS3Objects } from "../../src/objects/s3/index.js";
import { memoryObjects, type MemoryObjects } from "../../src/objects/memory.js";
import { FAULTS, startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { FaultBench, isSlow, QuickRuntime } from "../log/fault-bench.js";
import { REFUSALS, UNTOLD } from "../log/fault-kinds.js";
import { overriding } from "../log/overriding.js";
import { scratchFolder } from "../stores/file/scratch.js";
import { all, answering, codeOf } from "./kit.js";

let ids = 0;
const record = (subject: string, versions = 1, mark = "w"): LiveKeys => ({
  subject,
  state: "live",
  keys: Array.from({ length: versions }, (_, i) => ({
    version: i + 1,
    created: 5,
    kek: "k",
    wrapped: `${mark}${String(i)}`,
  })),
  id: `id-${String(ids++)}`,
});
const tombstone = (id = `t-${String(ids++)}`): { id: string; at: number } => ({ id, at: 99 });

/** A small database: a directory of documents, one writer at a time. */
function program(folder: string): string {
  return answering(`
    const { mkdirSync, rmdirSync, readdirSync } = await import("node:fs");
    const folder = ${JSON.stringify(folder)};
    const lock = folder + "/lock";
    for (;;) { try { mkdirSync(lock); break; } catch { await new Promise((r) => setTimeout(r, 2)); } }
    try {
      const file = folder + "/" + request.name + ".doc";
      const now = request.name && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { document: null, revision: null };
      switch (request.op) {
        case "read": return now;
        case "list": return { names: readdirSync(folder).filter((n) => n.endsWith(".doc")).map((n) => n.slice(0, -4)).filter((n) => n > request.after).sort().slice(0, 2) };
        default: {
          if (request.op === "create" ? now.document !== null : now.revision !== request.revision) return { revision: null };
          const revision = String(Number(now.revision ?? 0) + 1);
          writeFileSync(file, JSON.stringify({ document: request.document, revision }));
          return { revision };
        }
      }
    } finally { rmdirSync(lock); }`);
}

const kinds: Record<string, () => () => KeyStore> = {
  file: () => {
    const path = join(scratchFolder(), "a", "keys");
    return () => fileKeyStore({ path });
  },
  memory: () => {
    const { bucket } = memoryObjects();
    return () => objectKeyStore({ objects: memoryObjects({ bucket }), prefix: "k/" });
  },
  directory: () => {
    const path = scratchFolder();
    return () => objectKeyStore({ objects: directoryObjects({ path }) });
  },
  command: () => {
    const command = program(scratchFolder());
    return () => commandKeyStore({ program: command });
  },
};

const server = {
  bucket: process.env["RYNXS_TEST_S3_BUCKET"] ?? "",
  endpoint: process.env["RYNXS_TEST_S3_ENDPOINT"],
};
if (server.endpoint !== undefined)
  kinds["real server"] = () => {
    const prefix = `keys-${String(process.pid)}-${String(Date.now())}-${String(ids++)}`;
    return () => objectKeyStore({ objects: openS3Objects(server), prefix });
  };

describe.each(Object.entries(kinds))("a key store (%s)", (kind, make) => {
  it("creates a record once, and gives who is late the first one", async () => {
    const open = make();
    expect(await open().get("alice")).toBeNull();
    const mine = record("alice");
    expect((await open().create(mine)).record).toEqual(mine);
    const late = await open().create(record("alice"));
    expect(late.record).toEqual(mine);
    expect(late.revision).toBe((await open().get("alice"))?.revision);
    expect(await open().get("bob")).toBeNull();
  });

  it("gives many who create at once one and the same record", async () => {
    const open = make();
    const rivals = Array.from({ length: kind === "command" ? 3 : 8 }, () => record("alice"));
    const stored = await Promise.all(rivals.map((each) => open().create(each)));
    expect(new Set(stored.map(({ record: { id } }) => id)).size).toBe(1);
    expect((await open().get("alice"))?.record.id).toBe(stored[0]?.record.id);
  });

  it("replaces what is still at its revision, and nothing else", async () => {
    const open = make();
    const first = await open().create(record("alice"));
    const [a, b] = [record("alice", 2), record("alice", 3)];
    const results = await Promise.all([open().replace(a, first.revision), open().replace(b, first.revision)]);
    const won = results[0].record.id === a.id ? a : b;
    expect(results.map(({ record: { id } }) => id)).toEqual([won.id, won.id]);
    expect((await open().get("alice"))?.record).toEqual(won);
    expect((await open().replace(record("alice"), first.revision)).record).toEqual(won);
    expect(await codeOf(open().replace(record("nobody"), first.revision))).toBe("KEY_MISSING");
  });

  it("leaves a tombstone for ever, the first one, and no key behind it", async () => {
    const open = make();
    expect(await open().destroy("alice", tombstone())).toBeNull();
    expect(await open().get("alice")).toBeNull();
    const { revision } = await open().create(record("alice", 3));
    const dead = { subject: "alice", state: "destroyed", id: "first", at: 99, versions: 3 };
    expect(await open().destroy("alice", tombstone("first"))).toEqual(dead);
    expect(await open().destroy("alice", { id: "second", at: 100 })).toEqual(dead);
    const found = await open().get("alice");
    expect(found?.record).toEqual(dead);
    expect((await open().create(record("alice"))).record).toEqual(dead);
    expect((await open().replace(record("alice"), revision)).record).toEqual(dead);
    expect((await open().replace(record("alice"), found?.revision ?? "")).record).toEqual(dead);
    expect((await open().get("alice"))?.record).toEqual(dead);
  });

  it("destroys whatever is changed meanwhile", async () => {
    const open = make();
    const rounds = kind === "command" ? 1 : 5;
    for (let round = 0; round < rounds; round++) {
      const subject = `s${String(round)}`;
      const { revision } = await open().create(record(subject));
      const [replaced, destroyed] = await Promise.all([
        open().replace(record(subject, 2), revision),
        open().destroy(subject, tombstone()),
      ]);
      expect(destroyed?.state).toBe("destroyed");
      expect((await open().get(subject))?.record).toEqual(destroyed);
      expect([1, 2]).toContain(destroyed?.versions);
      if (replaced.record.state === "live") expect(destroyed?.versions).toBe(2);
    }
  });

  it("lists all, tombstones too", async () => {
    const open = make();
    expect(await all(open().list())).toEqual([]);
    const subjects = ["alice", "böb", "/../x", ...(kind === "command" ? [] : ["a".repeat(512), " "])];
    for (const subject of subjects) await open().create(record(subject));
    await open().destroy("böb", tombstone());
    const listed = (await all(open().list())).map(({ record: { subject, state } }) => `${state} ${subject}`);
    expect(listed.sort()).toEqual(subjects.map((s) => `${s === "böb" ? "destroyed" : "live"} ${s}`).sort());
  });

  it("refuses what is no subject", async () => {
    for (const bad of ["", "\ud800", "x".repeat(513)]) expect(await codeOf(make()().get(bad))).toBe("INVALID_CONFIG");
  });
});

describe("keys in files", () => {
  const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

  it("are their owner's alone", async () => {
    const path = join(scratchFolder(), "keys");
    await fileKeyStore({ path }).create(record("alice"));
    await fileKeyStore({ path }).destroy("alice", tombstone());
    expect(mode(path)).toBe("700");
    expect(readdirSync(path).map((name) => mode(join(path, name)))).toEqual(["600", "600"]);
  });

  it.each([0o755, 0o710, 0o701])("are refused in a directory of mode %o", async (loose) => {
    const path = join(scratchFolder(), "keys");
    const store = fileKeyStore({ path });
    await store.create(record("alice"));
    chmodSync(path, loose);
    for (const work of [
      () => store.get("alice"),
      () => store.create(record("bob")),
      () => store.destroy("alice", tombstone()),
      () => all(store.list()),
    ])
      expect(await codeOf(work())).toBe("INVALID_CONFIG");
    chmodSync(path, 0o700);
    expect((await store.get("alice"))?.record.state).toBe("live");
  });

  it.each([0o640, 0o604, 0o622])("are refused when one has mode %o", async (loose) => {
    const path = join(scratchFolder(), "keys");
    const store = fileKeyStore({ path });
    const { revision } = await store.create(record("alice"));
    chmodSync(join(path, `${nameOfSubject("alice")}.json`), loose);
    for (const work of [
      () => store.get("alice"),
      () => store.replace(record("alice"), revision),
      () => store.destroy("alice", tombstone()),
    ])
      expect(await codeOf(work())).toBe("INVALID_CONFIG");
  });

  it("are overwritten when they are replaced or destroyed", async () => {
    const path = join(scratchFolder(), "keys");
    const store = fileKeyStore({ path });
    const file = join(path, `${nameOfSubject("alice")}.json`);
    const { revision } = await store.create(record("alice", 1, "secret"));
    linkSync(file, join(path, "old"));
    await store.replace(record("alice", 2, "secret"), revision);
    linkSync(file, join(path, "newer"));
    await store.destroy("alice", tombstone());
    for (const held of ["old", "newer"]) {
      const bytes = readFileSync(join(path, held));
      expect(bytes.length).toBeGreaterThan(50);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
    }
    expect(readFileSync(file, "utf8")).not.toContain("secret");
    expect(readdirSync(path).filter((name) => name.startsWith(".new"))).toEqual([]);
  });

  it("are told from what is none: neither missing nor destroyed", async () => {
    const path = join(scratchFolder(), "keys");
    const store = fileKeyStore({ path });
    await store.create(record("alice"));
    const file = join(path, `${nameOfSubject("alice")}.json`);
    const good = readFileSync(file, "utf8");
    const other = JSON.stringify({ ...(JSON.parse(good) as object), subject: "bob" });
    for (const bad of ["", "{}", "null", good.slice(1), good.replace('"v":1', '"v":2'), "\0".repeat(99), other]) {
      writeFileSync(file, bad);
      for (const work of [
        () => store.get("alice"),
        () => store.create(record("alice")),
        () => store.destroy("alice", tombstone()),
      ])
        expect([bad, await codeOf(work())]).toEqual([bad, "DECRYPTION_FAILED"]);
    }
  });

  it("are not looked for where there is no directory, and not made by a look", async () => {
    const path = join(scratchFolder(), "keys");
    expect(await fileKeyStore({ path }).get("alice")).toBeNull();
    expect(existsSync(path)).toBe(false);
    mkdirSync(path, { mode: 0o755 });
    expect(await codeOf(fileKeyStore({ path }).create(record("alice")))).toBe("INVALID_CONFIG");
  });
});

describe("keys in a bucket whose answers get lost", () => {
  let emulator: S3Emulator;
  beforeAll(async () => {
    emulator = await startS3Emulator();
  });
  afterAll(() => emulator.close());

  const named = [...Object.values(UNTOLD).flat(), FAULTS.twice]
    .filter((fault) => fault !== FAULTS.hang)
    .map((fault) => [fault.name, fault] as const);

  it.each(named)("%s", async (_name, fault) => {
    const bench = new FaultBench(emulator, { impatient: isSlow(fault) });
    const store = objectKeyStore({
      objects: bench.driver(),
      prefix: bench.prefix,
      runtime: new QuickRuntime(bench.newId),
      skipBackendProof: true,
    });
    const once = (): void => bench.fault(fault, { method: "PUT", count: 1 });
    const first = record("alice");
    once();
    const created = await store.create(first);
    expect(created.record).toEqual(first);
    const second = record("alice", 2);
    once();
    expect((await store.replace(second, created.revision)).record).toEqual(second);
    once();
    expect(await store.destroy("alice", tombstone("mine"))).toMatchObject({ id: "mine", versions: 2 });
    bench.heal();
    emulator.releaseLate();
    expect((await store.get("alice"))?.record).toMatchObject({ state: "destroyed", id: "mine" });
    await bench.close();
  });

  it.each(REFUSALS.map(([fault, code]) => [fault.name, code, fault] as const))("%s: %s", async (_name, code, fault) => {
    const bench = new FaultBench(emulator);
    const store = objectKeyStore({ objects: bench.driver(), prefix: bench.prefix, skipBackendProof: true });
    const { revision } = await store.create(record("alice"));
    bench.fault(fault, { method: "PUT", count: 3 });
    for (const work of [
      () => store.create(record("bob")),
      () => store.replace(record("alice", 2), revision),
      () => store.destroy("alice", tombstone()),
    ])
      expect(await codeOf(work())).toBe(code);
    bench.heal();
    expect((await store.get("alice"))?.record).toMatchObject({ state: "live", keys: [{ version: 1 }] });
    await bench.close();
  });
});

describe("a backend that does not keep its conditions", () => {
  const careless = {
    "If-None-Match": (objects: MemoryObjects) => ({
      putIfAbsent: (key: string, body: Uint8Array, options: object = {}) => {
        objects.bucket.delete(key);
        return objects.putIfAbsent(key, body, options);
      },
    }),
    "If-Match": (objects: MemoryObjects) => ({
      replaceIfMatch: (key: string, body: Uint8Array, _etag: string, options: object = {}) => {
        objects.bucket.delete(key);
        return objects.putIfAbsent(key, body, options);
      },
    }),
  };

  it.each(Object.entries(careless))("is refused before a key is lost: %s", async (header, methods) => {
    const good = memoryObjects({ identity: `memory ${header}` });
    const store = objectKeyStore({ objects: overriding(good, methods(good)) });
    for (let i = 0; i < 2; i++) expect(await codeOf(store.create(record("alice")))).toBe("UNSAFE_BACKEND");
    expect(await store.get("alice")).toBeNull();
  });
});
