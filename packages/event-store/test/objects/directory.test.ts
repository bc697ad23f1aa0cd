import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { keyOfPath, pathOfKey } from "../../src/objects/directory-names.js";
import { directoryObjects } from "../../src/objects/directory.js";
import { ioError } from "../../src/system/io-error.js";
import { objectStoreConformance } from "../../src/testing/object-store-conformance.js";

const bytes = (text: string): Buffer => Buffer.from(text);

describe("directoryObjects", () => {
  const shared = mkdtempSync(join(tmpdir(), "directory-suite-"));
  afterAll(() => {
    rmSync(shared, { recursive: true });
  });
  for (const { name, run } of objectStoreConformance.filter(({ requires }) => requires === undefined)) {
    it(name, () =>
      run({ open: () => Promise.resolve(directoryObjects({ path: shared })), prefix: "conformance/", manyKeys: 30 }),
    );
  }

  let path = "";
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "directory-objects-"));
  });
  afterEach(() => {
    rmSync(path, { recursive: true, force: true });
  });

  /** Names of the files in the hidden folders. */
  function hidden(): { temporary: string[]; metadata: string[] } {
    const names = (folder: string): string[] => readdirSync(join(path, ".rynxs", folder));
    return { temporary: names("temporary"), metadata: names("metadata") };
  }

  it("stores a body as the bytes of a file that is named as its key", async () => {
    const store = directoryObjects({ path });
    await store.putIfAbsent("events/0000000000.json", bytes('{"event":1}'), { metadata: { "put-id": "1" } });
    expect(readFileSync(join(path, "events/0000000000.json"), "utf8")).toBe('{"event":1}');
    expect(readdirSync(path).sort()).toEqual([".rynxs", "events"]);
    expect(readdirSync(join(path, "events"))).toEqual(["0000000000.json"]);
  });

  it("makes its directory with the first write, not before", async () => {
    const store = directoryObjects({ path: join(path, "new/er") });
    expect(await store.get("a")).toBeNull();
    expect(await store.list({ prefix: "" })).toEqual({ entries: [], truncated: false });
    await store.delete("a");
    expect(existsSync(join(path, "new"))).toBe(false);
    expect(await store.putIfAbsent("a", bytes("x"))).toMatchObject({ outcome: "stored" });
    expect(readFileSync(join(path, "new/er/a"), "utf8")).toBe("x");
  });

  it("shows files that somebody put there, and nothing hidden, linked or of another kind", async () => {
    mkdirSync(join(path, "events/.git"), { recursive: true });
    writeFileSync(join(path, "events/0000000000.json"), "{}");
    writeFileSync(join(path, "events/.hidden"), "");
    writeFileSync(join(path, "events/.git/config"), "");
    writeFileSync(join(path, "events/%41.json"), "");
    writeFileSync(join(path, "events/100%.json"), "");
    symlinkSync("/etc/passwd", join(path, "events/link"));
    execFileSync("mkfifo", [join(path, "events/pipe")]);
    const store = directoryObjects({ path });
    expect(await store.list({ prefix: "" })).toEqual({
      entries: [{ key: "events/0000000000.json", size: 2, modifiedAt: expect.any(Number) as number }],
      truncated: false,
    });
    expect(await store.get("events/0000000000.json")).toMatchObject({ body: bytes("{}"), metadata: {} });
    expect(await store.get("events/pipe")).toBeNull();
    expect(await store.get("events/link")).toBeNull();
    expect(await store.get("events")).toBeNull();
  });

  it("lists thousands of files in pages of 1000", async () => {
    mkdirSync(join(path, "events"));
    const keys = Array.from({ length: 2500 }, (_, i) => `events/${String(i).padStart(10, "0")}.json`);
    for (const key of keys) writeFileSync(join(path, key), key);
    const store = directoryObjects({ path });
    const listed: string[] = [];
    for (const [from, truncated] of [
      [0, true],
      [1000, true],
      [2000, false],
    ] as const) {
      const page = await store.list({ prefix: "events/", startAfter: keys[from - 1] ?? "" });
      expect(page.truncated).toBe(truncated);
      listed.push(...page.entries.map(({ key }) => key));
    }
    expect(listed).toEqual(keys);
  });

  it("keeps every key below its directory", async () => {
    const store = directoryObjects({ path: join(path, "inner") });
    for (const key of ["../outside", "/etc/absolute", "a/../../../outside", ".rynxs/lock", ".", "..."]) {
      expect(await store.putIfAbsent(key, bytes(key))).toMatchObject({ outcome: "stored" });
      expect((await store.get(key))?.body.toString()).toBe(key);
    }
    expect(readdirSync(path)).toEqual(["inner"]);
    expect((await store.list({ prefix: "" })).entries).toHaveLength(6);
  });

  it("removes what losers, replaced and deleted objects leave", async () => {
    const store = directoryObjects({ path });
    const puts = Array.from({ length: 20 }, (_, i) =>
      store.putIfAbsent("a", bytes(String(i)), { metadata: { n: String(i) } }),
    );
    await Promise.all(puts);
    expect(hidden()).toEqual({ temporary: [], metadata: [expect.stringMatching(/^\d+\.json$/)] });
    const object = await store.get("a");
    await store.replaceIfMatch("a", bytes("new"), object?.etag ?? "", { metadata: { n: "new" } });
    expect(hidden().metadata).toHaveLength(1);
    await store.delete("a");
    expect(hidden()).toEqual({ temporary: [], metadata: [] });
  });

  it("does not take a leftover of another object for its metadata", async () => {
    const store = directoryObjects({ path });
    await store.putIfAbsent("a", bytes("a"), { metadata: { "put-id": "of-a" } });
    const [side] = hidden().metadata;
    const leftover = join(path, ".rynxs/metadata", side ?? "");
    writeFileSync(leftover, JSON.stringify({ key: "b", metadata: { "put-id": "of-b" }, contentType: "text/plain" }));
    expect((await store.get("a"))?.metadata).toEqual({});
    writeFileSync(leftover, "{");
    expect((await store.get("a"))?.metadata).toEqual({});
  });

  it("never shows a reader an object without its metadata, or half replaced", async () => {
    const [writer, reader] = [directoryObjects({ path }), directoryObjects({ path })];
    const first = await writer.putIfAbsent("head", bytes("0"), { metadata: { n: "0" } });
    let etag = first.outcome === "stored" ? first.etag : "";
    const state = { done: false };
    const reading = (async () => {
      let reads = 0;
      for (; !state.done; reads++) {
        const object = await reader.get("head");
        expect(object?.metadata).toEqual({ n: object?.body.toString() });
      }
      return reads;
    })();
    for (let n = 1; n <= 40; n++) {
      const outcome = await writer.replaceIfMatch("head", bytes(String(n)), etag, { metadata: { n: String(n) } });
      if (outcome.outcome === "stored") etag = outcome.etag;
    }
    state.done = true;
    expect(await reading).toBeGreaterThan(0);
    expect((await reader.get("head"))?.body.toString()).toBe("40");
  });

  it("loses no update among clients that know nothing of each other", async () => {
    const stores = Array.from({ length: 4 }, () => directoryObjects({ path }));
    const counts = await Promise.all(
      stores.map(async (store) => {
        let added = 0;
        while (added < 10) {
          const object = await store.get("counter");
          const next = bytes(String(Number(object?.body.toString() ?? "0") + 1));
          const outcome =
            object === null
              ? await store.putIfAbsent("counter", next)
              : await store.replaceIfMatch("counter", next, object.etag);
          if (outcome.outcome === "stored") added++;
        }
        return added;
      }),
    );
    expect(counts).toEqual([10, 10, 10, 10]);
    expect((await stores[0]?.get("counter"))?.body.toString()).toBe("40");
  });

  it("refuses a key that would be a file and a folder at once", async () => {
    const store = directoryObjects({ path });
    await store.putIfAbsent("a/b", bytes("x"));
    const refused = {
      code: "INVALID_CONFIG",
      message: expect.stringContaining("a file and a folder at once") as string,
    };
    await expect(store.putIfAbsent("a", bytes("y"))).rejects.toMatchObject(refused);
    await expect(store.putIfAbsent("a/b/c", bytes("y"))).rejects.toMatchObject(refused);
    expect(await store.get("a")).toBeNull();
    expect(await store.get("a/b/c")).toBeNull();
    expect((await store.list({ prefix: "" })).entries.map(({ key }) => key)).toEqual(["a/b"]);
  });

  it("refuses keys that a case-insensitive file system would mix up", async () => {
    mkdirSync(join(path, ".rynxs"));
    mkdirSync(join(path, ".RYNXS")); // As such a file system would answer.
    const store = directoryObjects({ path });
    expect(await store.putIfAbsent("events/0000000000.json", bytes("{}"))).toMatchObject({ outcome: "stored" });
    for (const key of ["events/A.json", "events/ü.json"]) {
      const refused = {
        code: "INVALID_CONFIG",
        facts: { key },
        hint: expect.stringContaining("case-sensitive") as string,
      };
      await expect(store.putIfAbsent(key, bytes("{}"))).rejects.toMatchObject(refused);
      await expect(store.get(key)).rejects.toMatchObject(refused);
    }
  });

  it("says when its path is a file, or lies below one", async () => {
    const file = join(path, "file");
    writeFileSync(file, "");
    const unusable = { code: "PATH_UNUSABLE", action: "fix", hint: expect.stringContaining("path") as string };
    await expect(directoryObjects({ path: file }).list({ prefix: "" })).rejects.toMatchObject(unusable);
    await expect(directoryObjects({ path: file }).putIfAbsent("a", bytes(""))).rejects.toMatchObject(unusable);
    await expect(directoryObjects({ path: join(file, "sub") }).putIfAbsent("a", bytes(""))).rejects.toMatchObject(
      unusable,
    );
    await expect(directoryObjects({ path: "/proc/nothing" }).putIfAbsent("a", bytes(""))).rejects.toMatchObject(
      unusable,
    );
    expect(() => directoryObjects({ path: "" })).toThrow(/path is empty/);
  });

  it("is closed by close", async () => {
    const store = directoryObjects({ path });
    await store.close();
    await expect(store.putIfAbsent("a", bytes(""))).rejects.toMatchObject({ code: "CLOSED" });
  });
});

/** A file system of 64 KB, where this user may mount one. */
function tinyDisk(): string | null {
  const path = mkdtempSync(join(tmpdir(), "tiny-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", path], { stdio: "ignore" });
    return path;
  } catch {
    rmdirSync(path);
    return null;
  }
}

const disk = tinyDisk();
describe.runIf(disk !== null)("a full disk", () => {
  afterAll(() => {
    execFileSync("umount", [disk ?? ""]);
    rmdirSync(disk ?? "");
  });

  it("is DISK_FULL, stores nothing, leaves nothing, and is no trouble once there is room", async () => {
    const path = disk ?? "";
    const store = directoryObjects({ path });
    await store.putIfAbsent("a", bytes("x"));
    const full = {
      code: "DISK_FULL",
      action: "fix",
      facts: { backendCode: "ENOSPC" },
      hint: expect.stringContaining("free space") as string,
    };
    await expect(store.putIfAbsent("big", Buffer.alloc(100_000))).rejects.toMatchObject(full);
    const etag = (await store.get("a"))?.etag ?? "";
    await expect(store.replaceIfMatch("a", Buffer.alloc(100_000), etag)).rejects.toMatchObject(full);
    expect((await store.list({ prefix: "" })).entries).toMatchObject([{ key: "a", size: 1 }]);
    expect(readdirSync(join(path, ".rynxs/temporary"))).toEqual([]);
    expect(readdirSync(join(path, ".rynxs/metadata"))).toHaveLength(1);
    expect(await store.putIfAbsent("big", Buffer.alloc(10_000))).toMatchObject({ outcome: "stored" });
  });
});

describe("errors of the operating system", () => {
  it.each([
    ["ENOSPC", "DISK_FULL"],
    ["EDQUOT", "DISK_FULL"],
    ["EACCES", "PATH_UNUSABLE"],
    ["EROFS", "PATH_UNUSABLE"],
    ["EIO", "IO_FAILED"],
  ])("%s is %s, with what to do", (errno, code) => {
    const cause = Object.assign(new Error("as the system says"), { code: errno });
    const error = ioError(cause, { operation: "write", file: "/data/a" });
    expect(error).toMatchObject({ code, cause, facts: { backendCode: errno, operation: "write", file: "/data/a" } });
    expect(error.hint).toBeTruthy();
  });
});

describe("keys as file names", () => {
  it.each([
    ["events/0000000000.json", "events/0000000000.json"],
    ["events/_head.json", "events/_head.json"],
    ["a b/ü", "a b/ü"],
    ["100%", "100%25"],
    [".", "%2E"],
    ["../x", "%2E./x"],
    [".hidden", "%2Ehidden"],
    ["a.b.", "a.b."],
    ["/a", "%/a"],
    ["a//b/", "a/%/b/%"],
    ["a\0b", "a%00b"],
    ["x".repeat(300), `${"x".repeat(253)}%~/${"x".repeat(47)}`],
    [".".repeat(260), `%2E${".".repeat(250)}%~/%2E${".".repeat(8)}`],
  ])("%j is %j", (key, path) => {
    expect(pathOfKey(key)).toBe(path);
    expect(keyOfPath(path)).toBe(key);
  });

  it.each(["%41", "100%", "%2e", "%25%", ".hidden", "a/./b", "a//b", "x%~", "x%~/y", "%E0%A4%A"])(
    "%j is no key's",
    (path) => {
      expect(keyOfPath(path)).toBeNull();
    },
  );

  it("gives every key one path below the directory, and back", () => {
    const segment = fc.oneof(
      fc.constantFrom("", ".", "..", "%", "%~", "%25"),
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom("x", ".", "%", "ü", "\u{1f600}"), minLength: 60, maxLength: 300 }),
    );
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
        const key = segments.join("/").toWellFormed();
        const path = pathOfKey(key);
        expect(keyOfPath(path)).toBe(key);
        for (const name of path.split("/")) {
          expect(name).not.toMatch(/^(\.|$)|\0/);
          expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
        }
      }),
    );
  });
});
