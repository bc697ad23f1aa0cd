import { S3Client } from "@aws-sdk/client-s3";
import { describe, expect, it, onTestFinished } from "vitest";
import { openEventStore, storeConfig } from "../../src/stores/open.js";
import { S3EventStore, type S3EventStoreOptions } from "../../src/stores/s3-event-store.js";
import { FAULTS, startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";

const YEAR = 365.25 * 86_400_000;
const LOCK = "x-amz-object-lock-mode";
const UNTIL = "x-amz-object-lock-retain-until-date";

async function locking(): Promise<{ emulator: S3Emulator; server: S3EventStoreOptions & { endpoint: string } }> {
  const emulator = await startS3Emulator();
  onTestFinished(() => emulator.close());
  emulator.settings("events").enableObjectLock();
  const { endpoint, credentials } = emulator;
  return { emulator, server: { endpoint, bucket: "events", prefix: "log", ...credentials } };
}

const puts = (emulator: S3Emulator, lock: boolean): string[] => [
  ...new Set(
    emulator.requests
      .filter(({ operation, headers }) => operation === "PUT" && LOCK in headers === lock)
      .map(({ key }) => key),
  ),
];

describe("retain", () => {
  it("each event object carries mode, date and digests, signed; the head, probe, snapshots, segments and positions never do", async () => {
    const { emulator, server } = await locking();
    const store = await S3EventStore.open({ ...server, retain: "7y", retainMode: "COMPLIANCE", batch: true });
    await store.append({ type: "T", aggregateId: "a" });
    for (let n = 0; n < 10; n++)
      await store.appendBatch(Array.from({ length: 1000 }, () => ({ type: "T", aggregateId: "a" })));
    await store.compact();
    await store.close();
    const retained = puts(emulator, true);
    expect(retained).toHaveLength(11);
    expect(retained.every((key) => /^log\/\d{10}\.json$/.test(key))).toBe(true);
    const others = puts(emulator, false);
    expect(others).toEqual(expect.arrayContaining(["log/_head.json", "log/_probe.json"]));
    expect(others.some((key) => key.startsWith("log/_segments/"))).toBe(true);
    expect(others.some((key) => /^log\/\d/.test(key))).toBe(false);
    const { headers = {} } =
      emulator.requests.find(({ key, operation }) => operation === "PUT" && key === retained[0]) ?? {};
    expect(headers[LOCK]).toBe("COMPLIANCE");
    expect(Math.abs(Date.parse(headers[UNTIL] ?? "") - Date.now() - 7 * YEAR)).toBeLessThan(3 * 86_400_000);
    for (const name of [LOCK, UNTIL, "content-md5", "x-amz-checksum-sha256"])
      expect(headers["authorization"]).toContain(name);
    expect(emulator.versions("events", retained[0] ?? "")[0]?.retention).toMatchObject({ mode: "COMPLIANCE" });
  });

  it("is reckoned by the server's clock, and the same at each try of one put", async () => {
    const ahead = 5 * YEAR;
    const emulator = await startS3Emulator({ now: () => Date.now() + ahead });
    onTestFinished(() => emulator.close());
    emulator.settings("events").enableObjectLock();
    const { endpoint, credentials } = emulator;
    const store = await S3EventStore.open({ endpoint, bucket: "events", prefix: "log", ...credentials, retain: "1d" });
    emulator.faults.add({ do: FAULTS.internalError, when: { count: 2, operation: "PUT", key: "log/0000000000.json" } });
    await store.append({ type: "T", aggregateId: "a" });
    await store.close();
    const dates = emulator.requests
      .filter(({ key }) => key === "log/0000000000.json")
      .flatMap(({ headers }) => headers[UNTIL] ?? []);
    expect(dates.length).toBeGreaterThan(1);
    expect(new Set(dates).size).toBe(1);
    expect(Math.abs(Date.parse(dates[0] ?? "") - Date.now() - ahead - 86_400_000)).toBeLessThan(60_000);
  });

  it("holds for the caller's S3Client too", async () => {
    const { emulator, server } = await locking();
    const { accessKeyId, secretAccessKey } = emulator.credentials;
    const client = new S3Client({
      endpoint: server.endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    const store = await S3EventStore.open({ client, bucket: "events", prefix: "log", retain: "30d" });
    await store.append({ type: "T", aggregateId: "a" });
    await store.close();
    client.destroy();
    expect(puts(emulator, true)).toEqual(["log/0000000000.json"]);
    expect(emulator.versions("events", "log/0000000000.json")[0]?.retention).toMatchObject({ mode: "GOVERNANCE" });
  });

  it("a policy that denies the retention is named", async () => {
    const { emulator, server } = await locking();
    emulator.faults.add({
      do: {
        name: "denied",
        apply: "never",
        answer: { status: 403, headers: {}, body: Buffer.from("<Error><Code>AccessDenied</Code></Error>") },
      },
      when: { operation: "PUT", key: "log/0000000000.json" },
    });
    const store = await S3EventStore.open({ ...server, retain: "7y" });
    const refused = await store.append({ type: "T", aggregateId: "a" }).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "ACCESS_DENIED",
      hint: expect.stringContaining("s3:PutObject and s3:PutObjectRetention") as string,
    });
    await store.close();
  });

  it("what it cannot understand is refused before anything is opened", async () => {
    await expect(S3EventStore.open({ bucket: "events", retain: "7" })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
  });
});

describe("RYNXS_S3_RETAIN", () => {
  const s3 = { EVENT_STORE_TYPE: "s3" };

  it("says how long, and what is given says it better", () => {
    expect(storeConfig(s3)).toMatchObject({ retain: undefined, retainMode: "GOVERNANCE" });
    const env = { ...s3, RYNXS_S3_RETAIN: " 7y ", RYNXS_S3_RETAIN_MODE: "compliance" };
    expect(storeConfig(env)).toMatchObject({ retain: "7y", retainMode: "COMPLIANCE" });
    expect(storeConfig(env, { retain: "30d", retainMode: "GOVERNANCE" })).toMatchObject({
      retain: "30d",
      retainMode: "GOVERNANCE",
    });
    expect(storeConfig({ ...s3, RYNXS_S3_RETAIN: "" })).toMatchObject({ retain: undefined });
  });

  it("is refused when it cannot be understood, with its name", () => {
    expect(() => storeConfig({ ...s3, RYNXS_S3_RETAIN: "7years" })).toThrow(/RYNXS_S3_RETAIN is "7years"/);
    expect(() => storeConfig({ ...s3, RYNXS_S3_RETAIN_MODE: "x" })).toThrow(/mode of RYNXS_S3_RETAIN is "x"/);
  });

  it("a log in a file leaves the variable alone, and refuses the option", async () => {
    expect(storeConfig({ RYNXS_S3_RETAIN: "7y" }).type).toBe("file");
    await expect(openEventStore({}, { store: "file:/x", retain: "7y" })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
    await expect(openEventStore({}, { store: "file:/x", oldestVersions: true })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
  });
});
