import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { lifecycleOf, type LogLifecycle } from "../../src/index.js";
import { openS3Upkeep } from "../../src/objects/s3/index.js";
import { systemRuntime, type Runtime } from "../../src/system/runtime.js";
import { FAULTS, startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { rawS3 } from "../objects/raw-s3.js";

interface Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

const segments = { storageClass: "GLACIER", days: 90 };
const hash = (root: string): string => createHash("sha256").update(root).digest("hex").slice(0, 16);
const OTHERS =
  "<Rule><ID>others</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>";
const document = (rules: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${rules}</LifecycleConfiguration>`;

/** Pauses that take no time. */
const impatient: Runtime = { ...systemRuntime, sleep: () => Promise.resolve() };

async function open(server: Server, prefix: string): Promise<LogLifecycle> {
  const opened = await lifecycleOf({ ...server, prefix, runtime: impatient });
  onTestFinished(() => opened.close());
  return opened;
}

function suite(getServer: () => Server): void {
  const prefix = `lifecycle-${randomUUID()}/log`;
  const own = `rynxs-${hash(`${prefix}/`)}-`;

  beforeEach(async () => {
    const upkeep = openS3Upkeep(getServer());
    await upkeep.lifecycle.put(null);
    expect(await upkeep.lifecycle.get()).toBeNull();
    await upkeep.lifecycle.put({ xml: document(OTHERS) });
    await upkeep.close();
  });

  it("adds, changes and removes a log's own rules, and leaves all others alone", async () => {
    const rules = await open(getServer(), prefix);
    const before = await rules.show();
    expect(before).toMatchObject({ rules: [{ id: "others", ours: false, change: "none" }], changed: false });

    const added = {
      id: `${own}segments`,
      ours: true,
      enabled: true,
      prefix: `${prefix}/_segments/`,
      does: ["Transition Days=90 StorageClass=GLACIER"],
      change: "add",
    };
    const planned = await rules.plan({ segments });
    expect(planned).toEqual({ rules: [...before.rules, added], changed: true, warnings: [] });
    expect(await rules.show(), "a plan changes nothing").toEqual(before);

    expect(await rules.apply({ segments })).toEqual(planned);
    const applied = await rules.show();
    expect(new Set(applied.rules)).toEqual(new Set([...before.rules, { ...added, change: "none" }]));
    expect(await rules.apply({ segments }), "again").toMatchObject({ changed: false });

    const other = { segments: { storageClass: "STANDARD_IA", days: 30 }, expireSnapshotsDays: 14 };
    const changes = (await rules.apply(other)).rules.map(({ id, change }) => `${change} ${id}`);
    expect(new Set(changes)).toEqual(
      new Set(["none others", `remove ${own}segments`, `add ${own}segments`, `add ${own}snapshots`]),
    );
    const now = await rules.show();
    expect(now.rules.filter(({ ours }) => ours).map(({ prefix: about, does }) => [about, ...does])).toEqual([
      [`${prefix}/_segments/`, "Transition Days=30 StorageClass=STANDARD_IA"],
      [`${prefix}/_snapshots/`, "Expiration Days=14"],
    ]);

    await rules.apply({});
    expect(await rules.show()).toEqual(before);
  });

  it("keeps apart logs that share a bucket", async () => {
    const [one, two] = [await open(getServer(), prefix), await open(getServer(), `${prefix}-two`)];
    await one.apply({ segments });
    await two.apply({ segments });
    await one.apply({});
    expect((await two.show()).rules.map(({ id, ours }) => [id, ours])).toEqual(
      expect.arrayContaining([
        ["others", false],
        [`rynxs-${hash(`${prefix}-two/`)}-segments`, true],
      ]),
    );
    expect((await one.show()).rules).toHaveLength(2);
  });

  it("removes the whole document with the last rule", async () => {
    const upkeep = openS3Upkeep(getServer());
    onTestFinished(() => upkeep.close());
    await upkeep.lifecycle.put(null);
    const rules = await open(getServer(), prefix);
    expect(await rules.show()).toEqual({ rules: [], changed: false, warnings: [] });
    await rules.apply({ segments });
    await rules.apply({});
    expect(await upkeep.lifecycle.get()).toBeNull();
  });
}

async function emulated(): Promise<{ emulator: S3Emulator; server: Server }> {
  const emulator = await startS3Emulator();
  onTestFinished(() => emulator.close());
  const { accessKeyId, secretAccessKey } = emulator.credentials;
  return {
    emulator,
    server: { endpoint: emulator.endpoint, bucket: "events", accessKeyId, secretAccessKey, region: "us-east-1" },
  };
}

describe("the emulator", () => {
  let server: Server;
  beforeEach(async () => {
    ({ server } = await emulated());
  });
  suite(() => server);
});

const endpoint = process.env["RYNXS_TEST_S3_ENDPOINT"] ?? "";
describe.runIf(endpoint !== "")("real server", () => {
  // The rules of a bucket are one document: this takes a bucket of its own.
  const bucket = `rynxs-lifecycle-${randomUUID()}`;
  const credentials = {
    accessKeyId: process.env["AWS_ACCESS_KEY_ID"] ?? "",
    secretAccessKey: process.env["AWS_SECRET_ACCESS_KEY"] ?? "",
  };
  beforeAll(async () => {
    expect(await rawS3(endpoint, { method: "PUT", path: `/${bucket}`, credentials })).toMatchObject({ status: 200 });
  });
  afterAll(async () => {
    expect(await rawS3(endpoint, { method: "DELETE", path: `/${bucket}`, credentials })).toMatchObject({ status: 204 });
  });
  suite(() => ({ endpoint, bucket, ...credentials, region: "us-east-1" }));
});

describe("what others wrote", () => {
  it("stays, byte for byte, with what is said beside it", async () => {
    const { emulator, server } = await emulated();
    const odd = `<Rule>\n <ID>odd &#x3C;1&gt;</ID><Status>Enabled</Status><!-- c --><Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter><New><Action>1</Action></New></Rule>`;
    emulator.lifecycle("events").xml = document(`${odd}\n${OTHERS}`);
    emulator.faults.add({
      when: { operation: "GET_LIFECYCLE" },
      do: {
        name: "other minimum",
        apply: "never",
        answer: {
          status: 200,
          headers: { "x-amz-transition-default-minimum-object-size": "varies_by_storage_class" },
          body: Buffer.from(document(`${odd}\n${OTHERS}`)),
        },
      },
    });
    await (await open(server, "a")).apply({ segments });
    expect(emulator.lifecycle("events").xml).toContain(`>${odd}\n${OTHERS}<Rule><ID>rynxs-`);
    const put = emulator.requests.find(({ operation }) => operation === "PUT_LIFECYCLE");
    expect(put?.headers["x-amz-transition-default-minimum-object-size"]).toBe("varies_by_storage_class");
    expect(put?.headers).toHaveProperty("content-md5");
    expect(put?.headers).toHaveProperty("x-amz-checksum-sha256");
  });

  it("is not touched when it cannot be read", async () => {
    const { emulator, server } = await emulated();
    const xml = `<s:LifecycleConfiguration xmlns:s="x"><s:Rule/></s:LifecycleConfiguration>`;
    emulator.lifecycle("events").xml = xml;
    await expect((await open(server, "a")).apply({ segments })).rejects.toMatchObject({ code: "REQUEST_REFUSED" });
    expect(emulator.lifecycle("events").xml).toBe(xml);
  });

  it("and writes over ours in the same moment, is noticed", async () => {
    const { emulator, server } = await emulated();
    const rules = await open(server, "a");
    emulator.faults.add({
      when: { operation: "GET_LIFECYCLE", nth: 2, count: Infinity },
      do: { name: "others", apply: "never", answer: { status: 200, headers: {}, body: Buffer.from(document(OTHERS)) } },
    });
    await expect(rules.apply({ segments })).rejects.toMatchObject({ code: "CONTENTION" });
  });

  it("is shown late by a server, is waited for", async () => {
    const { emulator, server } = await emulated();
    const rules = await open(server, "a");
    emulator.faults.add({
      when: { operation: "GET_LIFECYCLE", nth: 2, count: 3 },
      do: FAULTS.status(404, "NoSuchLifecycleConfiguration"),
    });
    expect(await rules.apply({ segments })).toMatchObject({ changed: true });
    emulator.faults.assertAllUsed();
  });

  it.each([
    ["Enabled", "", "Expiration", "<Days>1</Days>", /deletes objects of the log/],
    ["Enabled", "ev", "Expiration", "<Date>2030-01-01T00:00:00.000Z</Date>", /deletes/],
    ["Enabled", "events/00", "Expiration", "<Days>1</Days>", /deletes/],
    ["Enabled", "events/_segments/0", "Expiration", "<Days>1</Days>", /deletes/],
    ["Enabled", "events/", "Transition", "<Days>1</Days><StorageClass>GLACIER</StorageClass>", /archives/],
    ["Enabled", "events/_snap", "Expiration", "<Days>1</Days>", null],
    ["Enabled", "events-old/", "Expiration", "<Days>1</Days>", null],
    ["Disabled", "", "Expiration", "<Days>1</Days>", null],
    ["Enabled", "", "Expiration", "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>", null],
    ["Enabled", "events/", "Transition", "<Days>1</Days><StorageClass>STANDARD_IA</StorageClass>", null],
    ["Enabled", "events/_segments/", "Transition", "<Days>1</Days><StorageClass>GLACIER</StorageClass>", null],
  ])("%s on %j, %s %s: %s", async (status, prefix, action, content, warning) => {
    const { emulator, server } = await emulated();
    emulator.lifecycle("events").xml = document(
      `<Rule><ID>x</ID><Filter><Prefix>${prefix}</Prefix></Filter><Status>${status}</Status><${action}>${content}</${action}></Rule>`,
    );
    const { warnings } = await (await open(server, "events")).show();
    if (warning === null) expect(warnings).toEqual([]);
    else expect(warnings).toEqual([expect.stringMatching(warning)]);
  });
});

describe("refuses", () => {
  it.each([
    [{ segments: { storageClass: "GLACIER", days: 0 } }, /days is 0/],
    [{ segments: { storageClass: "GLACIER", days: 1.5 } }, /days is 1.5/],
    [{ segments: { storageClass: "STANDARD_IA", days: 29 } }, /days is 29/],
    [{ segments: { storageClass: "glacier", days: 90 } }, /not a storage class/],
    [{ segments: { storageClass: "A</StorageClass>", days: 90 } }, /not a storage class/],
    [{ expireSnapshotsDays: 0 }, /expireSnapshotsDays is 0/],
  ])("%j, with nothing written", async (policy, problem) => {
    const { emulator, server } = await emulated();
    await expect((await open(server, "a")).apply(policy)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringMatching(problem) as string,
    });
    expect(emulator.requests).toEqual([]);
  });

  it("on AWS a class that is not AWS's", async () => {
    const rules = await lifecycleOf({ bucket: "events", accessKeyId: "a", secretAccessKey: "b", region: "us-east-1" });
    onTestFinished(() => rules.close());
    const policy = { segments: { storageClass: "MY_CLASS", days: 90 } };
    await expect(rules.plan(policy)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it("logs that are in no bucket, or in one that is reached by an S3Client", async () => {
    const file = { type: "file", path: "x", maxBytes: undefined, hashVersion: 1 } as const;
    await expect(lifecycleOf(file)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    const client = { bucket: "b", client: {} };
    await expect(lifecycleOf(client)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it("without the right, by its name", async () => {
    const { emulator, server } = await emulated();
    emulator.faults.add({ when: { operation: "PUT_LIFECYCLE" }, do: FAULTS.accessDenied });
    await expect((await open(server, "a")).apply({ segments })).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      hint: expect.stringContaining("s3:PutLifecycleConfiguration") as string,
    });
  });
});
