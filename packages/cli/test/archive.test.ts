import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startS3Emulator, type S3Emulator } from "@rynxs/event-store/testing";
import { json, newLog, rynxs, start, temporaryFolder } from "./rynxs.js";

const folder = await temporaryFolder();
let emulator: S3Emulator;
let store: string[];
const env = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "testsecret" };
beforeAll(async () => {
  emulator = await startS3Emulator();
  store = ["--store", "s3://events/log", "--endpoint", emulator.endpoint];
});
afterAll(() => emulator.close());
beforeEach(() => {
  emulator.lifecycle("events").xml = null;
  emulator.requests.length = 0;
  for (const key of emulator.objects("events").keys()) emulator.objects("events").delete(key);
});

describe("lifecycle", () => {
  it("shows what apply and remove would do, and does it with --yes", async () => {
    expect((await rynxs(["lifecycle", "show", ...store], { env })).stdout).toBe("no lifecycle rules\n");
    const apply = ["lifecycle", "apply", ...store, "--class", "GLACIER_IR", "--days", "90"];
    const planned = await rynxs(apply, { env });
    expect(planned.stdout).toMatch(
      /^\+ rynxs-[0-9a-f]{16}-segments {2}log\/_segments\/ {2}Transition Days=90 StorageClass=GLACIER_IR {2}\(ours\)\nwould change\n$/,
    );
    expect([planned.code, planned.stderr]).toEqual([0, "nothing was changed: run it again with --yes to do so\n"]);
    expect(emulator.lifecycle("events").xml).toBeNull();

    expect((await rynxs([...apply, "--yes"], { env })).stdout).toMatch(/\nchanged\n$/);
    expect((await rynxs(["lifecycle", "show", ...store], { env })).stdout).toMatch(/^1 rule\n {2}rynxs-/);
    expect(await json([...apply, "--yes"], { env })).toMatchObject({
      rules: [{ ours: true, prefix: "log/_segments/", change: "none" }],
      changed: false,
      applied: false,
      warnings: [],
    });
    expect((await rynxs(["lifecycle", "remove", ...store], { env })).stdout).toMatch(/^- rynxs-.*\nwould change\n$/);
    expect(await json(["lifecycle", "remove", ...store, "--yes"], { env })).toMatchObject({ applied: true });
    expect(emulator.lifecycle("events").xml).toBeNull();
  });

  it("warns of rules that delete what is in the log", async () => {
    emulator.lifecycle("events").xml =
      "<LifecycleConfiguration><Rule><ID>all\u001b</ID><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
    const { stdout, stderr } = await rynxs(["lifecycle", "show", ...store], { env });
    expect(stdout).toContain("all\\u001b  the whole bucket  Expiration Days=1  (not ours)");
    expect(stderr).toMatch(/^warning LIFECYCLE_RULE_HARMS_LOG: rule .* deletes objects of the log/);
  });

  it.each([
    [["apply"], /apply what/],
    [["apply", "--class", "GLACIER"], /--class and --days go together/],
    [["apply", "--class", "STANDARD_IA", "--days", "5"], /days is 5/],
    [["show", "--days", "5"], /go with apply/],
    [["show", "--yes"], /--yes goes with/],
    [["list"], /Allowed choices are show, apply, remove/],
    [[], /missing required argument 'action'/],
  ])("refuses %j", async (args, problem) => {
    const { code, stderr } = await rynxs(["lifecycle", ...args, ...store], { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(problem);
    expect(emulator.requests).toEqual([]);
  });

  it("is for buckets only", async () => {
    const { code, stderr } = await rynxs(["lifecycle", "show", ...newLog(folder).store]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error INVALID_CONFIG: a log in a file has no lifecycle rules\nhint: .*s3:/);
  });
});

describe("restore", () => {
  const key = (first: number): string =>
    `log/_segments/${String(first).padStart(10, "0")}-${String(first + 9).padStart(10, "0")}.jsonl.gz`;
  const archive = (first: number, storageClass: string): void =>
    void emulator.objects("events").put(key(first), Buffer.alloc(1_500_000), { storageClass });

  it("says what it asked for, how long it takes and what is billed; again, it asks for nothing", async () => {
    archive(0, "GLACIER");
    archive(10, "DEEP_ARCHIVE");
    archive(20, "STANDARD");
    archive(30, "GLACIER");
    const args = ["restore", ...store, "--to", "25", "--tier", "Bulk", "--days", "3"];
    const { code, stdout, stderr } = await rynxs(args, { env });
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        "seq 0 to 9  GLACIER  asked for",
        "seq 10 to 19  DEEP_ARCHIVE  asked for",
        "1 segment can be read as it is",
        "asked for 2 segments, 3.0 MB, by the tier Bulk",
        "  GLACIER: usually 5 to 12 hours",
        "  DEEP_ARCHIVE: usually within 48 hours",
        "  cost: a fee per GB and per object, the lowest there is; then, for 3 days,",
        "  the copies as S3 Standard, beside the archived objects",
        "",
      ].join("\n"),
    );
    expect(stderr).toContain("--wait");
    const body = await json<object>(args, { env });
    expect(body).toMatchObject({
      segments: [
        { first: 0, last: 9, key: key(0), size: 1_500_000, storage_class: "GLACIER", answer: "under-way" },
        { first: 10, answer: "under-way", state: "restoring" },
        { first: 20, answer: "none", state: "readable" },
      ],
      asked: 0,
      readable: false,
    });
    expect(emulator.requests.filter(({ operation, status }) => operation === "RESTORE" && status === 202)).toHaveLength(
      2,
    );
    const none = await rynxs(["restore", ...store, "--from", "1000"], { env });
    expect(none.stdout).toBe("no segments hold records of this range: there is nothing to restore\n");
  });

  it("waits, can be interrupted, and goes on waiting", async () => {
    archive(0, "GLACIER");
    const args = ["restore", ...store, "--wait", "--interval", "0.05"];
    const waiting = start(args, { env });
    await waiting.said("asked for 1 segment");
    waiting.kill("SIGINT");
    const { code, stderr } = await waiting.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/^error INTERRUPTED: .*restored all the same\nhint: run the same command again/);

    const again = start(args, { env });
    await again.said("was asked for before");
    emulator.completeRestores("events", 30);
    expect(await again.ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\nall can be read\n$/) as string,
    });
    expect(await json([...args], { env })).toMatchObject({ asked: 0, readable: true });
  });

  it("refuses what cannot be had", async () => {
    archive(0, "DEEP_ARCHIVE");
    const { code, stderr } = await rynxs(["restore", ...store, "--tier", "Expedited"], { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error INVALID_CONFIG: objects in DEEP_ARCHIVE cannot be restored by the tier Expedited/);
    expect(emulator.requests.map(({ operation }) => operation)).toEqual(["LIST", "HEAD"]);
    expect((await rynxs(["restore", ...newLog(folder).store])).stderr).toMatch(/a log in a file has no archived/);
  });
});
