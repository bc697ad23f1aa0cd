import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GENESIS_HASH } from "../../src/core/event.js";
import { encodeChain, prepareEvent } from "../../src/core/record.js";
import { parseRetain, retentionFrom } from "../../src/log/retention.js";
import { fsck } from "../../src/stores/fsck/fsck.js";
import { holdOf } from "../../src/stores/hold/hold.js";
import type { ObjectStore } from "../../src/objects/port.js";
import { openS3Objects, openS3Upkeep, type S3Upkeep } from "../../src/objects/s3/index.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { rawS3 } from "./raw-s3.js";

interface Server {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const env = (name: string): string => process.env[name] ?? "";
const real: Server = {
  endpoint: env("RYNXS_TEST_S3_ENDPOINT"),
  accessKeyId: env("AWS_ACCESS_KEY_ID"),
  secretAccessKey: env("AWS_SECRET_ACCESS_KEY"),
};

const HOUR = 3_600_000;

/** What a driver sees of versions and locks, on any server that has them. */
function suite(server: () => Server): void {
  const locked = `locked-${randomUUID().slice(0, 8)}`;
  const plain = `plain-${randomUUID().slice(0, 8)}`;
  const opened: { close(): Promise<void> }[] = [];
  let objects: ObjectStore;
  let upkeep: S3Upkeep;
  const raw = (method: string, path: string, query = "", headers: Record<string, string> = {}, body = "") => {
    const { endpoint, ...credentials } = server();
    return rawS3(endpoint, { method, path, query, headers, body, credentials });
  };
  const of = (bucket: string): { objects: ObjectStore; upkeep: S3Upkeep } => {
    const found = { objects: openS3Objects({ ...server(), bucket }), upkeep: openS3Upkeep({ ...server(), bucket }) };
    opened.push(found.objects, found.upkeep);
    return found;
  };
  const all = async (prefix: string) => (await upkeep.versions.list({ prefix })).versions;

  beforeAll(async () => {
    expect((await raw("PUT", `/${locked}`, "", { "x-amz-bucket-object-lock-enabled": "true" })).status).toBe(200);
    expect((await raw("PUT", `/${plain}`)).status).toBe(200);
    ({ objects, upkeep } = of(locked));
  });
  afterAll(() => Promise.all(opened.map((each) => each.close())));

  it("lists the versions of a key, newest first, and delete markers; each can be read", async () => {
    for (const body of ["first", "second"])
      expect((await raw("PUT", `/${locked}/v/a%20b.json`, "", {}, body)).status).toBe(200);
    await objects.delete("v/a b.json");
    await raw("PUT", `/${locked}/v/other.json`, "", {}, "other");
    const versions = await all("v/");
    expect(versions.map(({ key, latest, deleteMarker, size }) => [key, latest, deleteMarker, size])).toEqual([
      ["v/a b.json", true, true, 0],
      ["v/a b.json", false, false, 6],
      ["v/a b.json", false, false, 5],
      ["v/other.json", true, false, 5],
    ]);
    expect(versions.every(({ modifiedAt = 0 }) => Math.abs(modifiedAt - Date.now()) < HOUR)).toBe(true);
    expect(await objects.get("v/a b.json")).toBeNull();
    const bodies = await Promise.all(
      versions
        .slice(1, 3)
        .map(async ({ key, versionId }) => (await upkeep.versions.get(key, versionId))?.body.toString()),
    );
    expect(bodies).toEqual(["second", "first"]);
    expect(await upkeep.versions.get("v/a b.json", versions[0]?.versionId ?? "")).toBeNull();
    // Behind all versions of a key.
    const rest = await upkeep.versions.list({ prefix: "v/", after: { key: "v/a b.json" } });
    expect(rest.versions.map(({ key }) => key)).toEqual(["v/other.json"]);
    expect(rest.next).toBeNull();
  });

  it("gives many versions page by page, each once", async () => {
    const { status } = await raw("PUT", `/${locked}/p/0`, "", {}, "0");
    expect(status).toBe(200);
    const put = (i: number) => raw("PUT", `/${locked}/p/${String(i % 11)}`, "", {}, String(i));
    for (let i = 1; i < 1010; i += 16)
      await Promise.all(Array.from({ length: Math.min(16, 1010 - i) }, (_, j) => put(i + j)));
    const found: string[] = [];
    let pages = 0;
    let after: { key: string; versionId?: string | undefined } | null | undefined;
    do {
      const page: Awaited<ReturnType<S3Upkeep["versions"]["list"]>> = await upkeep.versions.list({
        prefix: "p/",
        ...(after && { after }),
      });
      found.push(...page.versions.map(({ key, versionId }) => `${key} ${versionId}`));
      after = page.next;
      pages += 1;
    } while (after);
    expect([pages, found.length, new Set(found).size]).toEqual([2, 1010, 1010]);
    expect(found.map((each) => each.slice(0, 3))).toEqual(found.map((each) => each.slice(0, 3)).sort());
  });

  it("retains what is put with a retention, and reads it back", async () => {
    const until = Math.ceil(Date.now() / 1000) * 1000 + 24 * HOUR;
    const put = await objects.putIfAbsent("r/a.json", Buffer.from("{}"), { retention: { mode: "GOVERNANCE", until } });
    expect(put.outcome).toBe("stored");
    await objects.putIfAbsent("r/b.json", Buffer.from("{}"));
    const [a, b] = await all("r/");
    expect(await upkeep.locks.retention("r/a.json", a?.versionId ?? "")).toEqual({ mode: "GOVERNANCE", until });
    expect(await upkeep.locks.retention("r/b.json", b?.versionId ?? "")).toBe("none");
    const version = `versionId=${a?.versionId ?? ""}`;
    expect((await raw("DELETE", `/${locked}/r/a.json`, version)).status).toBe(403);
    const bypass = { "x-amz-bypass-governance-retention": "true" };
    expect((await raw("DELETE", `/${locked}/r/a.json`, version, bypass)).status).toBe(204);
    expect(await upkeep.versions.get("r/a.json", a?.versionId ?? "")).toBeNull();
  });

  it("holds and lifts a version", async () => {
    await objects.putIfAbsent("h/a.json", Buffer.from("{}"));
    const [a] = await all("h/");
    const id = a?.versionId ?? "";
    expect(await upkeep.locks.legalHold("h/a.json", id)).toBe(false);
    expect(await upkeep.locks.setLegalHold("h/a.json", id, true)).toBe(true);
    expect(await upkeep.locks.setLegalHold("h/a.json", id, true)).toBe(true);
    expect(await upkeep.locks.legalHold("h/a.json", id)).toBe(true);
    const bypass = { "x-amz-bypass-governance-retention": "true" };
    expect((await raw("DELETE", `/${locked}/h/a.json`, `versionId=${id}`, bypass)).status).toBe(403);
    expect(await upkeep.locks.setLegalHold("h/a.json", id, false)).toBe(true);
    expect(await upkeep.locks.legalHold("h/a.json", id)).toBe(false);
    expect((await raw("DELETE", `/${locked}/h/a.json`, `versionId=${id}`)).status).toBe(204);
  });

  it("a log's objects can be held and looked at, whoever wrote them", async () => {
    const lines = encodeChain(
      [0, 1, 2].map((ts) => prepareEvent({ type: "T", aggregateId: "a", ts }, 1, Date.now)),
      { seq: -1, hash: GENESIS_HASH },
    );
    const retention = retentionFrom(parseRetain("30d"), Date.now());
    for (const [seq, { line }] of lines.entries())
      await objects.putIfAbsent(`w/000000000${String(seq)}.json`, line, seq === 2 ? {} : { retention });
    const log = { ...server(), bucket: locked, prefix: "w" };
    const hold = await holdOf(log);
    expect(await hold.set(true, { fromSeq: 1 })).toEqual({ events: 2, segments: 0, versions: 2 });
    const states: unknown[] = [];
    for await (const { seq, hold: on, retention: kept } of hold.show()) states.push([seq, on, kept]);
    expect(states).toEqual([
      [0, false, retention],
      [1, true, retention],
      [2, true, "none"],
    ]);
    await hold.set(false);
    await hold.close();
    await objects.delete("w/0000000001.json");
    const found: string[] = [];
    for await (const { code, seq } of fsck(log, { versions: true, retain: "30d" }))
      found.push(`${code} ${String(seq)}`);
    expect(found).toEqual(["GAP 1", "DELETE_MARKER 1", "NOT_RETAINED 2"]);
    const oldest = await S3EventStore.open({ ...log, oldestVersions: true });
    expect(await oldest.verify()).toMatchObject({ valid: true, events: 3 });
    await oldest.close();
  });

  it("says of a bucket without Object Lock that it has none, and stores nothing", async () => {
    const other = of(plain);
    const retention = { mode: "COMPLIANCE", until: Date.now() + HOUR } as const;
    const refused = other.objects.putIfAbsent("a.json", Buffer.from("{}"), { retention });
    await expect(refused).rejects.toMatchObject({ code: "NO_OBJECT_LOCK", facts: { key: "a.json" } });
    await expect(refused).rejects.toHaveProperty("hint", expect.stringContaining("Object Lock"));
    expect(await other.objects.get("a.json")).toBeNull();
    await other.objects.putIfAbsent("a.json", Buffer.from("{}"));
    const { versions } = await other.upkeep.versions.list({ prefix: "" });
    expect(versions).toMatchObject([{ key: "a.json", versionId: "null", latest: true, deleteMarker: false }]);
    for (const ask of [
      () => other.upkeep.locks.retention("a.json", "null"),
      () => other.upkeep.locks.legalHold("a.json", "null"),
      () => other.upkeep.locks.setLegalHold("a.json", "null", true),
    ])
      await expect(ask()).rejects.toMatchObject({ code: "NO_OBJECT_LOCK" });
  });

  it("an append with a retention to a bucket without Object Lock fails, and the log stays empty", async () => {
    const store = await S3EventStore.open({ ...server(), bucket: plain, prefix: "log", retain: "7y" });
    await expect(store.append({ type: "T", aggregateId: "a" })).rejects.toMatchObject({ code: "NO_OBJECT_LOCK" });
    expect(await store.head()).toMatchObject({ seq: -1 });
    await store.close();
  });
}

describe("on the emulator", () => {
  let emulator: S3Emulator;
  beforeAll(async () => {
    emulator = await startS3Emulator();
  });
  afterAll(() => emulator.close());
  suite(() => ({ endpoint: emulator.endpoint, accessKeyId: "test", secretAccessKey: "testsecret" }));
});

describe.skipIf(real.endpoint === "")("on the real server", () => {
  suite(() => real);

  it("a log is not appended to where If-None-Match is ignored, as in a versioned bucket there", async () => {
    const bucket = `versioned-${randomUUID().slice(0, 8)}`;
    const { endpoint, ...credentials } = real;
    const headers = { "x-amz-bucket-object-lock-enabled": "true" };
    await rawS3(endpoint, { method: "PUT", path: `/${bucket}`, headers, credentials });
    const store = await S3EventStore.open({ ...real, bucket, prefix: "log", retain: "30d" });
    const refused = store.append({ type: "T", aggregateId: "a" });
    await expect(refused).rejects.toMatchObject({ code: "UNSAFE_BACKEND" });
    await expect(refused).rejects.toHaveProperty("hint", expect.stringContaining("without versioning on Ceph"));
    expect(await store.head()).toMatchObject({ seq: -1 });
    await store.close();
  });
});
