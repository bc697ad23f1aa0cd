import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEventStore } from "@rynxs/event-store";
import { encrypted, Keyring, localWrapper, openKeyStore, pseudonymOf, type KeyStore } from "@rynxs/event-store/crypto";
import { startS3Emulator, type S3Emulator } from "@rynxs/event-store/testing";
import { json, newLog, rynxs, temporaryFolder } from "./rynxs.js";

const KEK = Buffer.alloc(32, 9);
const env = { RYNXS_CRYPTO_KEY: KEK.toString("base64") };
const folder = await temporaryFolder();
let places = 0;

interface Scene {
  readonly path: string;
  readonly store: string[];
  readonly keysAt: string;
  readonly keys: string[];
}

async function write(store: string, keyStore: KeyStore, subjects: readonly string[]): Promise<void> {
  const keys = new Keyring({ store: keyStore, wrapper: localWrapper(KEK) });
  const log = encrypted(await openEventStore({}, { store }), { keys });
  for (const aggregateId of subjects)
    await log.append({ type: "Seen", aggregateId, ts: 1_700_000_000_000, payload: { name: `name of ${aggregateId}` } });
  await log.close();
  await keys.close();
}

/** A log of two events of alice and one of bob. */
async function scene(subjects = ["alice", "bob", "alice"]): Promise<Scene> {
  const { path, store } = newLog(folder);
  const keysAt = join(folder, `keys-${String(places++)}`);
  await write(`file:${path}`, await openKeyStore({}, { keys: `file:${keysAt}` }), subjects);
  return { path, store, keysAt, keys: ["--keys", `file:${keysAt}`] };
}

describe("rynxs shred", () => {
  it("says first what it would destroy, and destroys nothing", async () => {
    const { path, store, keysAt, keys } = await scene();
    const before = readFileSync(path);
    const shown = await rynxs(["shred", "alice", ...store, ...keys, "--count"]);
    expect(shown).toEqual({
      code: 0,
      stderr: "",
      stdout: `would destroy 1 key version of alice in file:${keysAt}\n2 events of file:${path} can be read with them alone\nnothing was destroyed: run it again with --yes\n`,
    });
    expect(await json(["shred", "alice", ...store, ...keys])).toEqual({
      subject: "alice",
      destroyed: false,
      key_versions: 1,
    });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect((await rynxs(["read", ...store, ...keys], { env })).stdout).toContain("name of alice");
  });

  it("destroys with --yes, records it, and the log verifies as before", async () => {
    const { path, store, keysAt, keys } = await scene();
    const before = readFileSync(path);
    const head = (await rynxs(["head", ...store])).stdout.trim();
    expect(await json(["verify", ...store])).toMatchObject({ valid: true, events: 3 });
    const done = await rynxs(["shred", "alice", ...store, ...keys, "--reason", "ticket 7", "--yes"]);
    expect(done).toEqual({
      code: 0,
      stderr: "",
      stdout: "destroyed: 1 key version of alice\nrecorded: SubjectShredded, seq 3\n",
    });
    expect(await json(["verify", ...store, "--expect-head", head])).toMatchObject({ valid: true, events: 4 });
    const after = readFileSync(path);
    expect(after.subarray(0, before.length).equals(before)).toBe(true);
    expect(after.subarray(before.length).toString()).toContain('"aggregate_id":"alice"');
    expect(after.subarray(before.length).toString()).toContain('"reason":"ticket 7"');

    const { stdout } = await rynxs(["read", ...store, ...keys], { env });
    expect(stdout).not.toContain("name of alice");
    expect(stdout.match(/\{"\$shredded":\{"subject":"alice"/g)).toHaveLength(2);
    expect(stdout).toContain("name of bob");

    const again = await json<{ destroyed_at: number }>(["shred", "alice", ...store, ...keys, "--yes"]);
    expect(again).toMatchObject({ destroyed: true, key_versions: 1, repeated: true, seq: 3, recorded: true });
    expect((await rynxs(["head", ...store])).stdout).toMatch(/^3:/);
    const shown = await rynxs(["shred", "alice", ...store, ...keys]);
    expect(shown.stdout).toBe(
      `already destroyed, ${new Date(again.destroyed_at).toISOString()}: 1 key version of alice in file:${keysAt}\nrun it again with --yes to make sure that the log records it\n`,
    );
  });

  it("destroys nothing where there is no log, and records what was destroyed once there is", async () => {
    const { path, store, keys } = await scene();
    const away = `${path}.away`;
    await rename(path, away);
    const failed = await rynxs(["shred", "alice", ...store, ...keys, "--yes"]);
    expect([failed.code, failed.stdout]).toEqual([1, ""]);
    expect(failed.stderr).toContain("error PATH_UNUSABLE");
    await rename(away, path);
    expect(await json(["shred", "alice", ...store, ...keys])).toMatchObject({ destroyed: false });
  });

  it("completes what ended between the two steps", async () => {
    const { store, keysAt, keys } = await scene();
    const keyStore = await openKeyStore({}, { keys: `file:${keysAt}` });
    await keyStore.destroy("alice", { id: "0".repeat(32), at: 1_700_000_000_123 });
    expect(await json(["shred", "alice", ...store, ...keys, "--yes"])).toMatchObject({
      destroyed_at: 1_700_000_000_123,
      repeated: true,
      recorded: false,
      seq: 3,
    });
  });

  it.each([
    [["alcie"], "KEY_MISSING"],
    [["alice", "--keys", "nowhere"], "INVALID_CONFIG"],
    [["x".repeat(600)], "INVALID_CONFIG"],
  ])("fails on %j with %s", async (args, code) => {
    const { store, keys } = await scene();
    for (const flags of [[], ["--yes"]]) {
      const outcome = await rynxs(["shred", ...store, ...keys, ...args, ...flags, "--json"]);
      expect(outcome.code).toBe(1);
      expect(JSON.parse(outcome.stdout)).toMatchObject({ error: { code } });
    }
  });

  it("needs to be told where the keys are, by option or variable", async () => {
    const { store, keysAt } = await scene();
    const lost = await rynxs(["shred", "alice", ...store]);
    expect([lost.code, lost.stderr.includes("RYNXS_CRYPTO_KEYS")]).toEqual([1, true]);
    const found = await json(["shred", "alice", ...store], { env: { RYNXS_CRYPTO_KEYS: `file:${keysAt}` } });
    expect(found).toMatchObject({ subject: "alice", key_versions: 1 });
  });

  it("refuses keys that others may read", async () => {
    const { store, keysAt, keys } = await scene();
    await chmod(keysAt, 0o750);
    const { code, stderr } = await rynxs(["shred", "alice", ...store, ...keys, "--yes"]);
    expect(code).toBe(1);
    expect(stderr).toContain("error INVALID_CONFIG");
    expect(stderr).toContain("chmod 0700");
  });

  it("finds a pseudonym by the real name", async () => {
    const secret = Buffer.alloc(32, 5);
    const pseudonym = pseudonymOf("alice@example.org", secret);
    const { store, keys } = await scene([pseudonym]);
    const options = { env: { RYNXS_CRYPTO_PSEUDONYM_KEY: secret.toString("base64") } };
    expect(await json(["shred", "alice@example.org", ...store, ...keys, "--yes"], options)).toMatchObject({
      subject: pseudonym,
      destroyed: true,
    });
    expect((await rynxs(["read", ...store])).stdout).not.toContain("alice");
  });
});

describe("rynxs read --keys", () => {
  it("prints records with payloads in the clear, one a line, with --json", async () => {
    const { store, keys } = await scene();
    const { code, stdout } = await rynxs(["read", ...store, ...keys, "--json", "--aggregate", "bob"], { env });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      event: { type: "Seen", aggregate_id: "bob", seq: 1, payload: { name: "name of bob" }, meta: {} },
      event_hash: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
    });
    const raw = await rynxs(["read", ...store, "--json", "--limit", "1"]);
    expect(raw.stdout).toContain('"payload":{"$enc"');
  });

  it("fails without the key that wraps, or with a wrong one, or without the keys", async () => {
    const { store, keys, keysAt } = await scene();
    const codeOf = async (args: string[], variables: Record<string, string>): Promise<string | undefined> => {
      const outcome = await rynxs(["read", ...store, ...args], { env: variables });
      expect(outcome.code).toBe(1);
      expect(outcome.stdout).not.toContain("name of");
      return /^error (\w+)/m.exec(outcome.stderr)?.[1];
    };
    expect(await codeOf(keys, {})).toBe("INVALID_CONFIG");
    expect(await codeOf(keys, { RYNXS_CRYPTO_KEY: Buffer.alloc(32, 1).toString("base64") })).toBe("KEY_MISSING");
    expect(await codeOf(["--keys", `file:${keysAt}-none`], env)).toBe("KEY_MISSING");
  });
});

describe("docs/operations/shredding.md", () => {
  it("has a program, and commands, that do what they say", async () => {
    const place = join(folder, "docs");
    await mkdir(place);
    await symlink(join(import.meta.dirname, "../../../node_modules"), join(place, "node_modules"));
    const page = readFileSync(join(import.meta.dirname, "../../../docs/operations/shredding.md"), "utf8");
    const [, program = ""] = /^```js shredding\.mjs\n([\s\S]*?)^```$/m.exec(page) ?? [];
    await writeFile(join(place, "shredding.mjs"), program);
    const { stdout } = await promisify(execFile)(process.execPath, ["shredding.mjs"], { cwd: place });
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    expect(page).toContain(["$ node shredding.mjs", ...lines].map((line) => `    ${line}\n`).join(""));

    const commands = [...page.matchAll(/^ {4}\$ rynxs (.*)$/gm)].map(([, text = ""]) => text);
    expect(commands).toHaveLength(3);
    const outcomes: string[] = [];
    for (const text of commands.slice(0, 2)) {
      const args = (text.match(/"[^"]*"|\S+/g) ?? []).map((word) =>
        word.replace(/"/g, "").replace(/^file:/, `file:${place}/`),
      );
      const outcome = await rynxs(args);
      expect([outcome.code, outcome.stderr]).toEqual([0, ""]);
      outcomes.push(outcome.stdout);
    }
    expect(outcomes[0]).toContain("1 event of");
    expect(outcomes[1]).toContain("recorded: SubjectShredded, seq 3");
  });
});

describe("keys in a bucket", () => {
  let emulator: S3Emulator;
  let variables: Record<string, string>;
  beforeAll(async () => {
    emulator = await startS3Emulator();
    const { accessKeyId, secretAccessKey } = emulator.credentials;
    variables = {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      S3_ENDPOINT: emulator.endpoint,
    };
  });
  afterAll(() => emulator.close());

  it("are destroyed there, and not where old versions would remain, unless that is allowed", async () => {
    const { store, path } = newLog(folder);
    const keys = ["--keys", "s3://events/my-keys"];
    const before = { ...process.env };
    Object.assign(process.env, variables);
    try {
      await write(`file:${path}`, await openKeyStore(process.env, { keys: "s3://events/my-keys" }), ["alice", "bob"]);
    } finally {
      process.env = before;
    }
    const options = { env: variables };
    expect(await json(["shred", "alice", ...store, ...keys, "--yes"], options)).toMatchObject({
      destroyed: true,
      seq: 2,
    });
    const versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    emulator.settings("events").documents.set("VERSIONING", versioned);
    const shown = await json(["shred", "bob", ...store, ...keys], options);
    expect(shown).toMatchObject({
      destroyed: false,
      remains: expect.stringContaining("events is versioned") as unknown,
    });
    const refused = await rynxs(["shred", "bob", ...store, ...keys, "--yes"], options);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain("error UNSAFE_BACKEND: the keys could be had back");
    expect(await json(["shred", "bob", ...store, ...keys], options)).toMatchObject({ destroyed: false });
    const allowed = await json(["shred", "bob", ...store, ...keys, "--yes", "--allow-versioned"], options);
    expect(allowed).toMatchObject({
      destroyed: true,
      seq: 3,
      remains: expect.stringContaining("versioned") as unknown,
    });
  });
});
