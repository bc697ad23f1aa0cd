import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startS3Emulator, type S3Emulator } from "@rynxs/event-store/testing";
import { events, json, newLog, rynxs, temporaryFolder } from "./rynxs.js";

const folder = await temporaryFolder();
const env = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "testsecret" };
let emulator: S3Emulator;
let store: string[];
let logs = 0;
beforeAll(async () => {
  emulator = await startS3Emulator({ buckets: ["events", "plain"] });
  emulator.settings("events").enableObjectLock();
});
afterAll(() => emulator.close());
beforeEach(() => {
  store = ["--store", `s3://events/log${String((logs += 1))}`, "--endpoint", emulator.endpoint];
});
const key = (seq: number): string => `log${String(logs)}/${String(seq).padStart(10, "0")}.json`;
const append = ["append", "--type", "T", "--aggregate", "a"];
const retentionOf = (name: string) => emulator.versions("events", name)[0]?.retention;

describe("--retain", () => {
  it("retains what append, import and copy write", async () => {
    await json([...append, ...store, "--retain", "7y"], { env });
    expect(retentionOf(key(0))).toMatchObject({ mode: "GOVERNANCE" });
    await json([...append, ...store], { env: { ...env, RYNXS_S3_RETAIN: "30d", RYNXS_S3_RETAIN_MODE: "compliance" } });
    expect(retentionOf(key(1))).toMatchObject({ mode: "COMPLIANCE" });
    await json(["import", "-", ...store, "--name", "x", "--retain", "1y"], { env, input: events(1) });
    expect(retentionOf(key(2))).toMatchObject({ mode: "GOVERNANCE" });
    expect(emulator.versions("events", `log${String(logs)}/_imports/x.json`)[0]?.retention).toBeUndefined();
    const log = newLog(folder);
    await json([...append, ...log.store]);
    const to = `s3://events/copy${String(logs)}`;
    const flags = ["--endpoint", emulator.endpoint, "--retain", "12mo", "--retain-mode", "COMPLIANCE"];
    await json(["copy", `file:${log.path}`, to, ...flags], { env });
    expect(retentionOf(`copy${String(logs)}/0000000000.json`)).toMatchObject({ mode: "COMPLIANCE" });
    // Only what is written is retained: FROM may be a file, and TO none.
    const back = await rynxs(["copy", to, `file:${log.path}2`, ...flags], { env });
    expect([back.code, back.stderr]).toEqual([1, expect.stringContaining("cannot be retained")]);
  });

  it("refuses what is no period or mode, and a log in a file", async () => {
    for (const [flags, problem] of [
      [["--retain", "7"], /retain is "7"/],
      [["--retain", "7y", "--retain-mode", "ever"], /GOVERNANCE or COMPLIANCE/],
    ] as const) {
      const { code, stderr } = await rynxs([...append, ...store, ...flags], { env });
      expect([code, stderr]).toEqual([1, expect.stringMatching(problem)]);
    }
    const file = await rynxs([...append, ...newLog(folder).store, "--retain", "7y"]);
    expect([file.code, file.stderr]).toEqual([1, expect.stringContaining("a log in a file cannot be retained")]);
  });

  it("a bucket without Object Lock is an error that says what to do, and nothing is written", async () => {
    const plain = ["--store", "s3://plain/log", "--endpoint", emulator.endpoint];
    const { code, stderr } = await rynxs([...append, ...plain, "--retain", "7y"], { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error NO_OBJECT_LOCK: PUT s3:\/\/plain\/log\/0000000000.json: the retention was refused/);
    expect(stderr).toMatch(/\nhint: keep the log in a bucket with Object Lock/);
    expect(emulator.objects("plain").keys("log/0")).toEqual([]);
  });
});

describe("policy", () => {
  it("gives the right to retain with --object-lock, or where events are retained", async () => {
    const args = ["policy", "--bucket", "b-1", "--format", "iam"];
    expect((await rynxs(args)).stdout).not.toContain("PutObjectRetention");
    expect((await rynxs([...args, "--object-lock"])).stdout).toContain("s3:PutObjectRetention");
    expect((await rynxs(args, { env: { RYNXS_S3_RETAIN: "7y" } })).stdout).toContain("s3:PutObjectRetention");
  });
});

describe("fsck", () => {
  it("says that all belongs", async () => {
    await rynxs(["append", "--stdin", ...store], { env, input: events(3) });
    const { code, stdout } = await rynxs(["fsck", ...store, "--versions"], { env });
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(
        /^5 objects, \d+ bytes; 3 of events\n3 versions of events, 0 of them pruned\nall belongs, and nothing is missing\n$/,
      ),
    ]);
  });

  it("warnings are no failure but with --strict, and cannot move the cursor", async () => {
    await rynxs(["append", "--stdin", ...store], { env, input: events(3) });
    emulator.objects("events").put(`log${String(logs)}/\u001b[2J`, "x");
    const { code, stdout } = await rynxs(["fsck", ...store], { env });
    expect(code).toBe(0);
    expect(stdout).toContain(`STRANGER  log${String(logs)}/\\u001b[2J\n`);
    expect(stdout).toContain("no evidence; 1 warning\n");
    expect((await rynxs(["fsck", ...store, "--strict"], { env })).code).toBe(2);
  });

  it("evidence is exit 2, with key, seq and version ids; --json has a line for each, and one for all", async () => {
    await rynxs(["append", "--stdin", ...store, "--retain", "7y"], { env, input: events(3) });
    await rynxs(["append", "--stdin", ...store], { env, input: events(2) });
    emulator.faults.clear();
    const before = emulator.versions("events", key(1))[0]?.versionId;
    const { openS3Objects } = await import("@rynxs/event-store/s3");
    const objects = openS3Objects({ endpoint: emulator.endpoint, bucket: "events", ...emulator.credentials });
    await objects.delete(key(1));
    await objects.close();
    const { code, stdout } = await rynxs(["fsck", ...store, "--versions", "--retain", "7y"], { env });
    expect(code).toBe(2);
    expect(stdout).toContain(
      `DELETE_MARKER  ${key(1)}  seq 1\n  a delete marker hides version ${before ?? ""}: readers see a gap\n`,
    );
    expect(stdout).toContain(`NOT_RETAINED  ${key(3)}  seq 3 to 4  (2 objects)`);
    expect(stdout).toContain("EVIDENCE: 2 findings; 1 warning");
    const lines = (await rynxs(["fsck", ...store, "--versions", "--json"], { env })).stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { finding: { code: "GAP", level: "evidence", seq: 1, to_seq: 1 } },
      {
        finding: {
          code: "DELETE_MARKER",
          key: key(1),
          seq: 1,
          versions: [
            { version_id: before, delete_marker: false },
            { delete_marker: true, size: 0 },
          ],
        },
      },
      { ok: false, objects: 6, events: 4, versions: 6, pruned: 0, evidence: 2, warnings: 0 },
    ]);
    const verified = await rynxs(["verify", ...store], { env });
    expect([verified.code, verified.stderr]).toEqual([2, expect.stringContaining("rynxs fsck --versions")]);
    const oldest = await rynxs(["verify", ...store, "--oldest-versions"], { env });
    expect([oldest.code, oldest.stdout]).toEqual([0, expect.stringContaining("valid: 5 events")]);
  });

  it("of a file", async () => {
    const log = newLog(folder);
    await rynxs(["append", "--stdin", ...log.store], { input: events(3) });
    expect(await json(["fsck", ...log.store])).toMatchObject({ ok: true, events: 1, evidence: 0, warnings: 0 });
    const { code, stderr } = await rynxs(["fsck", ...log.store, "--versions"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("a log in a file has no versions")]);
  });
});

describe("hold", () => {
  it("says what it would do, does it with --yes, and shows it, neighbours alike on one line", async () => {
    await rynxs(["append", "--stdin", ...store], { env, input: events(5) });
    await json([...append, ...store, "--retain", "7y"], { env });
    const on = ["hold", "on", ...store, "--from", "1", "--to", "3"];
    const planned = await rynxs(on, { env });
    expect([planned.code, planned.stdout]).toEqual([0, "3 event objects, 3 versions, would be held\n"]);
    expect(planned.stderr).toContain("--yes");
    expect(emulator.versions("events", key(1))[0]?.legalHold).toBe(false);
    expect(await json([...on, "--yes"], { env })).toEqual({
      events: 3,
      segments: 0,
      versions: 3,
      hold: true,
      applied: true,
    });
    const shown = await rynxs(["hold", "show", ...store], { env });
    expect(shown.stdout).toMatch(
      /^seq 0 {2}not held {2}not retained\nseq 1 to 3 {2}held {2}not retained\nseq 4 {2}not held {2}not retained\nseq 5 {2}not held {2}GOVERNANCE up to 20\d\d-.*Z\n6 versions: 3 held, 5 without a retention\n$/,
    );
    expect((await rynxs(["hold", "off", ...store, "--yes"], { env })).stdout).toBe(
      "6 event objects, 6 versions, no longer held\n",
    );
    expect(await json(["hold", "show", ...store, "--from", "9"], { env })).toEqual({
      versions: 0,
      held: 0,
      unretained: 0,
    });
  });

  it.each([
    [["show", "--yes"], /--yes goes with/],
    [["toggle"], /Allowed choices are on, off, show/],
    [["on", "--from", "3", "--to", "1"], /not a range of seqs/],
  ])("refuses %j", async (args, problem) => {
    const { code, stderr } = await rynxs(["hold", ...args, ...store], { env });
    expect([code, stderr]).toEqual([1, expect.stringMatching(problem)]);
  });

  it("says where there is no Object Lock", async () => {
    const plain = ["--store", "s3://plain/held", "--endpoint", emulator.endpoint];
    await json([...append, ...plain], { env });
    const { code, stderr } = await rynxs(["hold", "on", ...plain], { env });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error NO_OBJECT_LOCK: [^]*hint: .*worm\.md/)]);
    const file = await rynxs(["hold", "show", ...newLog(folder).store]);
    expect([file.code, file.stderr]).toEqual([1, expect.stringContaining("a log in a file has no legal hold")]);
  });
});
