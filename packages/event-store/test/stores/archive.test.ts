import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { archiveOf, type LogArchive } from "../../src/index.js";
import { systemRuntime, type Runtime } from "../../src/system/runtime.js";
import { FAULTS, startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);
const key = (first: number, last: number): string =>
  `log/_segments/${String(first).padStart(10, "0")}-${String(last).padStart(10, "0")}.jsonl.gz`;

let emulator: S3Emulator;
let archive: LogArchive;
let now = START;
/** What happens while it sleeps. */
let asleep: (ms: number) => void;
beforeEach(async () => {
  now = START;
  asleep = () => undefined;
  emulator = await startS3Emulator({ now: () => now });
  const runtime: Runtime = {
    ...systemRuntime,
    now: () => now,
    sleep: async (ms) => {
      asleep(ms);
      await Promise.resolve();
    },
  };
  const { endpoint, credentials } = emulator;
  archive = await archiveOf({ bucket: "events", prefix: "log", endpoint, ...credentials, clock: () => now, runtime });
  onTestFinished(async () => {
    await archive.close();
    await emulator.close();
  });
});

function put(first: number, last: number, storageClass = "STANDARD"): void {
  emulator.objects("events").put(key(first, last), `${String(first)}-${String(last)}`, { storageClass });
}

const posts = (): string[] =>
  emulator.requests.filter(({ operation }) => operation === "RESTORE").map((request) => request.key);
const ask = { days: 7, tier: "Standard" } as const;
const short = (segments: readonly { first: number; state: string; answer?: string }[]): string[] =>
  segments.map(({ first, state, answer }) => [String(first), state, answer].filter(Boolean).join(" "));

describe("restoring", () => {
  it("asks for what is archived in the range, once, and no more when it can be read", async () => {
    put(0, 9, "GLACIER");
    put(10, 19, "DEEP_ARCHIVE");
    put(20, 29);
    put(30, 39, "GLACIER_IR");
    put(40, 49, "GLACIER");
    emulator.objects("events").put("log/_segments/readme", "x", { storageClass: "GLACIER" });
    const range = { fromSeq: 9, toSeq: 39 };
    expect(await archive.segments(range)).toMatchObject([
      { key: key(0, 9), first: 0, last: 9, size: 3, storageClass: "GLACIER", state: "archived" },
      { storageClass: "DEEP_ARCHIVE", state: "archived" },
      { storageClass: "STANDARD", state: "readable" },
      { storageClass: "GLACIER_IR", state: "readable" },
    ]);
    expect(short(await archive.restore({ ...range, ...ask }))).toEqual([
      "0 restoring asked",
      "10 restoring asked",
      "20 readable none",
      "30 readable none",
    ]);
    expect(posts()).toEqual([key(0, 9), key(10, 19)]);

    expect(short(await archive.restore({ ...range, ...ask }))).toEqual([
      "0 restoring under-way",
      "10 restoring under-way",
      "20 readable none",
      "30 readable none",
    ]);
    emulator.completeRestores("events", 7);
    expect(short(await archive.restore({ ...range, ...ask }))[0]).toBe("0 readable none");
    expect(posts()).toHaveLength(2);
  });

  it("keeps copies longer that would end too early, and asks again when they have ended", async () => {
    put(0, 9, "GLACIER");
    await archive.restore(ask);
    emulator.completeRestores("events", 7);
    now += 5 * DAY;
    const [prolonged] = await archive.restore(ask);
    expect(prolonged).toMatchObject({ answer: "prolonged", state: "readable", readableUntil: now + 7 * DAY });
    expect((await archive.segments())[0]?.readableUntil).toBe(now + 7 * DAY);
    now += 8 * DAY;
    expect(short(await archive.restore(ask))).toEqual(["0 restoring asked"]);
  });

  it("takes the largest segment where several hold a record", async () => {
    put(0, 9, "GLACIER");
    put(0, 99, "GLACIER");
    put(90, 99, "GLACIER");
    put(95, 104, "GLACIER");
    put(100, 109);
    expect(short(await archive.restore({ toSeq: 99, ...ask }))).toEqual(["0 restoring asked", "95 restoring asked"]);
    expect(posts()).toEqual([key(0, 99), key(95, 104)]);
  });

  it("reads all pages of the listing", async () => {
    for (let i = 0; i < 1005; i++) put(i * 10, i * 10 + 9, i === 1003 ? "GLACIER" : "STANDARD");
    const segments = await archive.restore(ask);
    expect(segments).toHaveLength(1005);
    expect(posts()).toEqual([key(10_030, 10_039)]);
  });

  it("is asked for by another in the same moment: that is no failure", async () => {
    put(0, 9, "GLACIER");
    emulator.faults.add({ when: { operation: "RESTORE" }, do: FAULTS.status(409, "RestoreAlreadyInProgress") });
    expect(short(await archive.restore(ask))).toEqual(["0 restoring under-way"]);
  });

  it.each([
    [{ days: 0, tier: "Standard" }, "days is 0"],
    [{ days: 1, tier: "Fast" as "Bulk" }, '"Fast" is not a tier'],
    [{ days: 1, tier: "Standard", fromSeq: 5, toSeq: 4 }, "not a range"],
    [{ days: 1, tier: "Expedited" }, "DEEP_ARCHIVE"],
  ] as const)("refuses %j, with nothing asked for", async (options, problem) => {
    put(0, 9, "GLACIER");
    put(10, 19, "DEEP_ARCHIVE");
    await expect(archive.restore(options)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringContaining(problem) as string,
    });
    expect(posts()).toEqual([]);
  });

  it("names the permission that is missing", async () => {
    put(0, 9, "GLACIER");
    emulator.faults.add({ when: { operation: "RESTORE" }, do: FAULTS.accessDenied });
    await expect(archive.restore(ask)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      hint: expect.stringContaining("s3:RestoreObject") as string,
    });
  });
});

describe("waiting", () => {
  it("asks again only for those that cannot be read yet", async () => {
    put(0, 9, "GLACIER");
    put(10, 19, "GLACIER");
    put(20, 29);
    const segments = await archive.restore(ask);
    const pauses: number[] = [];
    asleep = (ms) => {
      pauses.push(ms);
      const copy = pauses.length === 2 ? key(0, 9) : pauses.length === 4 ? key(10, 19) : null;
      if (copy !== null) emulator.objects("events").change(copy, { restore: now + DAY });
    };
    emulator.requests.length = 0;
    const seen: string[] = [];
    await archive.untilReadable(segments, {
      pollMs: 5,
      onProgress: (n, all) => seen.push(`${String(n)}/${String(all)}`),
    });
    expect(pauses).toEqual([5, 5, 5, 5]);
    expect(seen).toEqual(["1/3", "1/3", "2/3", "2/3", "3/3"]);
    const heads = emulator.requests.map((request) => `${request.operation} ${request.key.slice(-16)}`);
    expect(heads).toHaveLength(6);
    expect(new Set(emulator.requests.slice(-2).map((request) => request.key))).toEqual(new Set([key(10, 19)]));
  });

  it("ends by the signal, and when nobody restores any more", async () => {
    put(0, 9, "GLACIER");
    const segments = await archive.restore(ask);
    const controller = new AbortController();
    asleep = () => {
      controller.abort();
    };
    await expect(archive.untilReadable(segments, { signal: controller.signal })).rejects.toMatchObject({
      code: "ABORTED",
    });
    emulator.objects("events").change(key(0, 9), { restore: undefined });
    await expect(archive.untilReadable(segments)).rejects.toMatchObject({
      code: "ARCHIVED",
      facts: { key: key(0, 9), storageClass: "GLACIER" },
    });
  });
});

it("a log in a file has no archive", async () => {
  const file = { type: "file", path: "x", maxBytes: undefined, hashVersion: 1 } as const;
  await expect(archiveOf(file)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
});
