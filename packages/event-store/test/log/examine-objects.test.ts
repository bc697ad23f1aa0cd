import { describe, expect, it } from "vitest";
import { BackendError } from "../../src/core/errors.js";
import { examineObjects, type Check } from "../../src/log/examine-objects.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { ObjectMap } from "../../src/objects/object-map.js";
import type { ObjectStore } from "../../src/objects/port.js";

/** A driver with some methods replaced. */
function like(objects: ObjectStore, changes: Partial<ObjectStore>): ObjectStore {
  return {
    identity: objects.identity,
    putIfAbsent: (key, body, options) => objects.putIfAbsent(key, body, options),
    replaceIfMatch: (key, body, etag, options) => objects.replaceIfMatch(key, body, etag, options),
    get: (key, options) => objects.get(key, options),
    list: (options) => objects.list(options),
    delete: (key, options) => objects.delete(key, options),
    close: () => objects.close(),
    ...changes,
  };
}

async function examine(objects: ObjectStore, root = "events/"): Promise<Record<string, Check>> {
  const checks: Record<string, Check> = {};
  for await (const one of examineObjects(objects, root)) checks[one.name] = one;
  return checks;
}

function failed(checks: Record<string, Check>): string[] {
  return Object.values(checks)
    .filter((one) => !one.ok)
    .map((one) => one.name);
}

function denied(operation: string): BackendError {
  return new BackendError("ACCESS_DENIED", `${operation} refused`, { hint: `allow ${operation}` });
}

const ALL = [
  "reachable",
  "write",
  "create only once",
  "read",
  "list after write",
  "race of 8 writers",
  "replace if unchanged",
  "delete",
  "clock",
];

describe("examineObjects", () => {
  it("finds nothing wrong with a good store, and leaves nothing behind", async () => {
    const bucket = new ObjectMap();
    const checks = await examine(memoryObjects({ bucket }), "prefix ünï/");
    expect(Object.keys(checks)).toEqual(ALL);
    expect(failed(checks)).toEqual([]);
    expect(bucket.page("", "", 10).keys).toEqual([]);
  });

  it("names a store that overwrites existing keys unsafe", async () => {
    const bucket = new ObjectMap();
    const objects = like(memoryObjects({ bucket }), {
      putIfAbsent: async (key, body, options) => {
        await new Promise((resolve) => setImmediate(resolve));
        return { outcome: "stored", etag: bucket.put(key, Buffer.from(body), options ?? {}).etag };
      },
    });
    const checks = await examine(objects);
    expect(failed(checks)).toEqual(["create only once", "read", "race of 8 writers"]);
    expect(checks["create only once"]?.hint).toContain("do not keep a log here");
    expect(checks["race of 8 writers"]?.detail).toBe("8 writers were told that they had created the same key");
    expect(bucket.page("", "", 10).keys).toEqual([]);
  });

  it("notices a store that checks before it writes instead of while it writes", async () => {
    const bucket = new ObjectMap();
    const objects = like(memoryObjects({ bucket }), {
      putIfAbsent: async (key, body, options) => {
        const there = bucket.get(key) !== undefined;
        await new Promise((resolve) => setImmediate(resolve));
        return there
          ? { outcome: "exists" }
          : { outcome: "stored", etag: bucket.put(key, Buffer.from(body), options ?? {}).etag };
      },
    });
    expect(failed(await examine(objects))).toEqual(["race of 8 writers"]);
  });

  it("takes its own write after a lost answer for its own", async () => {
    const inner = memoryObjects();
    let lost = 0;
    const objects = like(inner, {
      putIfAbsent: async (key, body, options) => {
        const answer = await inner.putIfAbsent(key, body, options);
        if (answer.outcome !== "stored") return answer;
        lost += 1;
        return { outcome: "unknown", sent: true, cause: new BackendError("UNAVAILABLE", "lost"), retryAfterMs: 1 };
      },
    });
    expect(failed(await examine(objects))).toEqual([]);
    expect(lost).toBe(5);
  });

  it("tells that If-Match is ignored, and how to do without", async () => {
    const bucket = new ObjectMap();
    const objects = like(memoryObjects({ bucket }), {
      replaceIfMatch: (key, body) =>
        Promise.resolve({ outcome: "stored", etag: bucket.put(key, Buffer.from(body), {}).etag }),
    });
    const checks = await examine(objects);
    expect(failed(checks)).toEqual(["replace if unchanged"]);
    expect(checks["replace if unchanged"]?.hint).toContain("RYNXS_S3_USE_HEAD=false");
  });

  it("notices lost metadata and stale lists", async () => {
    const inner = memoryObjects();
    const objects = like(inner, {
      putIfAbsent: (key, body) => inner.putIfAbsent(key, body),
      list: () => Promise.resolve({ entries: [], truncated: false }),
    });
    const checks = await examine(objects);
    expect(failed(checks)).toEqual(["read", "list after write"]);
    expect(checks["read"]?.detail).toContain("metadata");
  });

  it("ends early, with the driver's hint, when the store cannot be listed or written", async () => {
    const unlisted = await examine(like(memoryObjects(), { list: () => Promise.reject(denied("LIST")) }));
    expect(unlisted).toEqual({
      reachable: { name: "reachable", ok: false, detail: "ACCESS_DENIED: LIST refused", hint: "allow LIST" },
    });
    const unwritten = await examine(like(memoryObjects(), { putIfAbsent: () => Promise.reject(denied("PUT")) }));
    expect(failed(unwritten)).toEqual(["write"]);
    expect(unwritten["write"]?.hint).toBe("allow PUT");
  });

  it("takes a missing right to delete as what it is: no need of a log, but the probes stay", async () => {
    const bucket = new ObjectMap();
    const checks = await examine(like(memoryObjects({ bucket }), { delete: () => Promise.reject(denied("DELETE")) }));
    expect(failed(checks)).toEqual([]);
    expect(checks["delete"]?.detail).toMatch(
      /^not allowed, which a log does not need; the probes events\/_probe-.* stay$/,
    );
    expect(bucket.page("events/_probe-", "", 10).keys).toHaveLength(5);
  });

  it("judges the clock by the server's", async () => {
    const check = async (clockSkewMs: number): Promise<Check | undefined> =>
      (await examine(like(memoryObjects(), { clockSkewMs })))["clock"];
    expect(await check(-1_234)).toMatchObject({ ok: true, detail: "within 1.2 s of the server's" });
    expect(await check(120_000)).toMatchObject({ ok: false, detail: "120 s behind the server's" });
    expect(await check(-120_000)).toMatchObject({ ok: false, detail: "120 s ahead of the server's" });
  });

  it("removes its probes when it is left half-way", async () => {
    const bucket = new ObjectMap();
    for await (const { name } of examineObjects(memoryObjects({ bucket }), "")) if (name === "read") break;
    expect(bucket.page("", "", 10).keys).toEqual([]);
  });
});
