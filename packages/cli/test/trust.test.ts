import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createPrivateKey, randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startS3Emulator, type S3Emulator } from "@rynxs/event-store/testing";
import { events, json, newLog, rynxs, start, temporaryFolder, type Outcome } from "./rynxs.js";

const folder = await temporaryFolder();
let homes = 0;

/** A user of its own, with nothing remembered. */
async function user(): Promise<{ home: string; env: Record<string, string> }> {
  homes += 1;
  const home = join(folder, `home-${String(homes)}`);
  await mkdir(home);
  return { home, env: { HOME: home, XDG_STATE_HOME: join(home, "state") } };
}

interface Signed {
  readonly path: string;
  readonly store: string[];
  readonly key: string;
  readonly env: Record<string, string>;
  readonly home: string;
}

async function signedLog(count: number, origin = "example.com/orders"): Promise<Signed> {
  const log = newLog(folder);
  const { home, env } = await user();
  await json(["append", ...log.store, "--stdin", "--batch", "100"], { input: events(count) });
  const { key } = await json<{ key: string }>(["key", "generate", "--origin", origin], { env });
  await json(["checkpoint", ...log.store, "--origin", origin], { env });
  return { ...log, key, env, home };
}

const codeOf = ({ stdout }: Outcome): string => (JSON.parse(stdout) as { error: { code: string } }).error.code;

describe("key", () => {
  it("is made once, in a file of its owner's, and shown again", async () => {
    const { home, env } = await user();
    const file = join(home, "log.key");
    const made = await rynxs(["key", "generate", "--origin", "example.com/log", "--signing-key", file], { env });
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/^example\.com\/log\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}\n$/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const secret = await readFile(file, "utf8");
    expect(secret).toMatch(/^PRIVATE\+KEY\+example\.com\/log\+/);
    expect(made.stdout + made.stderr).not.toContain(secret.trim().split("+").at(-1));
    const again = await rynxs(["key", "generate", "--origin", "example.com/log", "--signing-key", file], { env });
    expect(again.code).toBe(1);
    expect(await readFile(file, "utf8")).toBe(secret);
    expect((await rynxs(["key", "show", "--signing-key", file], { env })).stdout).toBe(made.stdout);
    expect((await rynxs(["key", "show"], { env: { ...env, RYNXS_SIGNING_KEY: secret } })).stdout).toBe(made.stdout);
    await chmod(file, 0o640);
    const open = await rynxs(["key", "show", "--signing-key", file, "--json"], { env });
    expect(open.code).toBe(1);
    expect(JSON.parse(open.stdout)).toMatchObject({
      error: { code: "PATH_UNUSABLE", expected: "0600", actual: "0640" },
    });
  });

  it("has the name of the log's place in a bucket", async () => {
    const { env } = await user();
    const { origin } = await json<{ origin: string }>(["key", "generate", "--store", "s3://my-bucket/a b/log"], {
      env,
    });
    expect(origin).toBe("rynxs.s3/my-bucket/a%20b/log");
    const nameless = await rynxs(["key", "generate", "--store", "file:x.log"], { env });
    expect(nameless.code).toBe(1);
    expect(nameless.stderr).toContain("--origin");
  });

  it("can be PEM, with a name", async () => {
    const { home, env } = await user();
    const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), randomBytes(32)]);
    const pem = createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({ type: "pkcs8", format: "pem" });
    const file = join(home, "pem.key");
    await writeFile(file, pem, { mode: 0o600 });
    expect((await rynxs(["key", "show", "--signing-key", file, "--origin", "a/b"], { env })).stdout).toMatch(/^a\/b\+/);
    expect((await rynxs(["key", "show", "--signing-key", file], { env })).code).toBe(1);
  });
});

describe("checkpoint and verify --key", () => {
  it("sign, verify, and then verify what is new", async () => {
    const log = await signedLog(300);
    const first = await json(["verify", ...log.store, "--key", log.key], log);
    expect(first).toMatchObject({
      valid: true,
      events: 300,
      unsigned: 0,
      remembered: null,
      checkpoint: { origin: "example.com/orders", size: 300, signed_by: [{ name: "example.com/orders" }] },
    });
    await json(["append", ...log.store, "--stdin"], { input: events(5) });
    const behind = await rynxs(["verify", ...log.store, "--key", log.key, "--since", "state"], log);
    expect(behind.stdout).toMatch(/^valid: 5 events; those before seq 300 were verified earlier\n/);
    expect(behind.stdout).toContain("not yet signed: 5\n");
    const signed = await rynxs(["checkpoint", ...log.store, "--origin", "example.com/orders", "--every", "301"], log);
    expect(signed.stdout).toMatch(/^2 checkpoints signed; the latest has 305 events\nexample\.com\/orders\n305\n/);
    expect((await rynxs(["checkpoint", ...log.store, "--origin", "example.com/orders"], log)).stdout).toMatch(
      /^nothing new/,
    );
    // Unless it is asked for, nothing is taken for verified that was not read.
    for (const since of [[], ["--since", "start"]]) {
      const whole = await json(["verify", ...log.store, "--key", log.key, ...since], log);
      expect(whole).toMatchObject({ events: 305, from: 0 });
    }
    const key = join(folder, "log.pub");
    await writeFile(key, `${log.key}\n`);
    expect(await json(["verify", ...log.store, "--key", `@${key}`, "--since", "state"], log)).toMatchObject({
      from: 305,
    });
    const files = await readdir(join(log.home, "state", "rynxs"));
    for (const file of files) expect((await stat(join(log.home, "state", "rynxs", file))).mode & 0o077, file).toBe(0);
  });

  it("tell a rewritten log, a cut one and a rolled back one from a good one: exit 2", async () => {
    const log = await signedLog(300);
    const forged = newLog(folder);
    await json(["append", ...forged.store, "--stdin", "--batch", "100"], {
      input: events(300).replaceAll("thing-1", "thing-9"),
    });
    const good = await readFile(log.path);
    const state = await user();
    await json(["verify", ...log.store, "--key", log.key], state);

    await writeFile(log.path, await readFile(forged.path));
    const rewritten = await rynxs(["verify", ...log.store, "--key", log.key, "--no-state", "--json"], log);
    expect(rewritten.code).toBe(2);
    expect(JSON.parse(rewritten.stdout)).toMatchObject({ valid: false, error: { code: "TREE_MISMATCH" } });
    expect((await rynxs(["verify", ...log.store])).code).toBe(0);
    const refused = await rynxs(["checkpoint", ...log.store, "--origin", "example.com/orders", "--json"], log);
    expect([refused.code, codeOf(refused)]).toEqual([2, "TREE_MISMATCH"]);

    await writeFile(log.path, `${good.toString().split("\n").slice(0, 200).join("\n")}\n`);
    const cut = await rynxs(["verify", ...log.store, "--key", log.key, "--no-state", "--json"], log);
    expect([cut.code, codeOf(cut)]).toEqual([2, "ROLLED_BACK"]);
    const text = await rynxs(["verify", ...log.store, "--key", log.key, "--no-state"], log);
    expect(text.stdout).toBe("NOT VALID: ROLLED_BACK\n");
    expect(text.stderr).toMatch(/^error ROLLED_BACK: .*\n {2}expected {2}300\n {2}actual {4}200\nhint: /);

    await writeFile(log.path, good);
    await rename(`${log.path}.derived`, `${log.path}.old`);
    const gone = await rynxs(["verify", ...log.store, "--key", log.key, "--json"], state);
    expect([gone.code, codeOf(gone)]).toEqual([2, "ROLLED_BACK"]);
    const never = await rynxs(["verify", ...log.store, "--key", log.key, "--json", "--no-state"], state);
    expect([never.code, codeOf(never)]).toEqual([2, "SIGNATURE_INVALID"]);
    await rm(`${log.path}.derived`, { recursive: true, force: true });
    await rename(`${log.path}.old`, `${log.path}.derived`);
    expect((await rynxs(["verify", ...log.store, "--key", log.key], state)).code).toBe(0);
  });

  it("refuse what makes no sense", async () => {
    const log = await signedLog(3);
    for (const args of [
      ["verify", ...log.store, "--key", log.key, "--from", "1"],
      ["verify", ...log.store, "--origin", "x"],
      ["verify", ...log.store, "--key", "x"],
      ["verify", ...log.store, "--key", log.key, "--since", "state"],
      ["verify", ...log.store, "--key", log.key, "--quorum", "1"],
      ["verify", ...log.store, "--key", log.key, "--checkpoint", "/no/such/file"],
      ["checkpoint", ...log.store],
      ["checkpoint", ...log.store, "--signer-command", "true"],
      ["checkpoint", ...log.store, "--origin", "another/name"],
    ])
      expect((await rynxs(args, log)).code, args.join(" ")).toBe(1);
    const mismatch = await rynxs(["verify", ...log.store, "--key", log.key, "--origin", "x"], log);
    expect(mismatch.code).toBe(2);
  });

  it("sign by a command", async () => {
    const log = await signedLog(3);
    await json(["append", ...log.store, "--stdin"], { input: events(2) });
    const script = join(folder, "sign.mjs");
    await writeFile(
      script,
      `import { createPrivateKey, sign } from "node:crypto";
       import { readFileSync } from "node:fs";
       const [name, id, key] = readFileSync(process.argv[2], "utf8").trim().slice("PRIVATE+KEY+".length).split(/\\+/);
       const whole = readFileSync(process.argv[2], "utf8").trim().split("+" + id + "+")[1];
       const seed = Buffer.from(whole, "base64").subarray(1);
       const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
       const signature = sign(null, readFileSync(0), createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
       console.log("\\u2014 " + name + " " + Buffer.concat([Buffer.from(id, "hex"), signature]).toString("base64"));`,
    );
    const [file = ""] = await readdir(join(log.home, ".config", "rynxs", "keys"));
    const command = `'${process.execPath}' '${script}' '${join(log.home, ".config", "rynxs", "keys", file)}'`;
    const signed = await json(["checkpoint", ...log.store, "--signer-command", command, "--signer-key", log.key], log);
    expect(signed).toMatchObject({ signed: 1, checkpoint: { size: 5 } });
    expect(await json(["verify", ...log.store, "--key", log.key], log)).toMatchObject({ unsigned: 0 });
    const bad = await rynxs(["checkpoint", ...log.store, "--signer-command", "echo no", "--signer-key", log.key], log);
    expect(bad.code).toBe(0); // nothing new: nobody was asked
    await json(["append", ...log.store, "--stdin"], { input: events(1) });
    const failed = await rynxs(
      ["checkpoint", ...log.store, "--signer-command", "echo no; echo why >&2; exit 4", "--signer-key", log.key],
      log,
    );
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain("ended with 4: why");
  });

  it("sign what is appended, until they are stopped", async () => {
    const log = await signedLog(3);
    const watching = start(
      ["checkpoint", ...log.store, "--origin", "example.com/orders", "--watch", "--interval", "0.05"],
      log,
    );
    await json(["append", ...log.store, "--stdin"], { input: events(2) });
    await watching.said("signed 5 events");
    await json(["append", ...log.store, "--stdin"], { input: events(2) });
    await watching.said("signed 7 events");
    watching.kill("SIGINT");
    expect((await watching.ended).code).toBe(0);
    expect(await json(["verify", ...log.store, "--key", log.key], log)).toMatchObject({ unsigned: 0, events: 7 });
  });
});

describe("prove and verify-proof", () => {
  it("need nothing but the file and the key", async () => {
    const log = await signedLog(300);
    const proof = join(folder, "41.proof");
    await json(["prove", "41", ...log.store, "--output", proof], log);
    const printed = await rynxs(["prove", "41", ...log.store], log);
    expect(printed.stdout).toBe(await readFile(proof, "utf8"));
    const nobody = { env: { HOME: "/nonexistent" } };
    const valid = await rynxs(["verify-proof", proof, "--key", log.key], nobody);
    expect(valid.code).toBe(0);
    expect(valid.stdout).toMatch(/^valid: event 41 is in the checkpoint of 300 events\nlog +example\.com\/orders\n/);
    expect(await json(["verify-proof", "-", "--key", log.key], { ...nobody, input: printed.stdout })).toMatchObject({
      valid: true,
      seq: 41,
      checkpoint: { size: 300 },
      record: { event: { seq: 41, payload: { i: 41 } } },
    });
    const other = await signedLog(3);
    const untrusted = await rynxs(["verify-proof", proof, "--key", other.key, "--json"], nobody);
    expect([untrusted.code, codeOf(untrusted)]).toEqual([2, "SIGNATURE_INVALID"]);
    const changed = await rynxs(["verify-proof", "-", "--key", log.key, "--json"], {
      ...nobody,
      input: printed.stdout.replace("index 41", "index 42"),
    });
    expect([changed.code, codeOf(changed)]).toEqual([2, "PROOF_INVALID"]);
    const garbage = await rynxs(["verify-proof", "-", "--key", log.key, "--json"], {
      ...nobody,
      input: Buffer.from([0xff]),
    });
    expect([garbage.code, codeOf(garbage)]).toEqual([2, "PROOF_INVALID"]);
  });

  it("prove that one checkpoint goes on from another", async () => {
    const log = await signedLog(300);
    await json(["append", ...log.store, "--stdin"], { input: events(50) });
    await json(["checkpoint", ...log.store, "--origin", "example.com/orders"], log);
    const proof = await rynxs(["prove", "--consistency", "300", "350", ...log.store], log);
    expect(proof.code).toBe(0);
    const valid = await rynxs(["verify-proof", "-", "--key", log.key], { input: proof.stdout });
    expect(valid.stdout).toMatch(/^valid: the checkpoint of 350 events goes on from the one of 300 events\n/);
    const missing = await rynxs(["prove", "--consistency", "299", "350", ...log.store], log);
    expect(missing.code).toBe(1);
    expect((await rynxs(["prove", "1", "--consistency", "300", "350", ...log.store], log)).code).toBe(1);
  });
});

describe("a log in a bucket", () => {
  let server: S3Emulator;
  const credentials = (): Record<string, string> => ({
    AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
  });
  const at = (prefix: string): string[] => ["--store", `s3://events/${prefix}`, "--endpoint", server.endpoint];

  beforeAll(async () => {
    server = await startS3Emulator();
  });
  afterAll(async () => {
    await server.close();
  });

  it("is not passed off as a copy in another place", async () => {
    const me = await user();
    const env = { ...me.env, ...credentials() };
    await json(["append", ...at("one"), "--stdin", "--batch", "100"], { input: events(300), env });
    const { key, origin } = await json<{ key: string; origin: string }>(["key", "generate", ...at("one")], { env });
    expect(origin).toBe("rynxs.s3/events/one");
    await json(["checkpoint", ...at("one")], { env });
    expect(await json(["verify", ...at("one"), "--key", key], { env })).toMatchObject({ valid: true, unsigned: 0 });
    const bucket = server.objects("events");
    for (const name of bucket.keys("one/")) {
      const object = bucket.get(name);
      if (object) bucket.put(name.replace("one/", "two/"), object.body, { metadata: object.metadata });
    }
    const copy = await rynxs(["verify", ...at("two"), "--key", key, "--json"], { env });
    expect([copy.code, codeOf(copy)]).toEqual([2, "ORIGIN_MISMATCH"]);
    const proof = await rynxs(["prove", "7", ...at("one")], { env });
    expect((await rynxs(["verify-proof", "-", "--key", key], { input: proof.stdout })).code).toBe(0);
  });
});
