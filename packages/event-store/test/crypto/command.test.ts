import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { commandKeyStore } from "../../src/crypto/command-keys.js";
import { commandWrapper } from "../../src/crypto/command-wrapper.js";
import { runCommand } from "../../src/crypto/command.js";
import { scratchFolder } from "../stores/file/scratch.js";
import { answering, codeOf, keyring, memoryKeys, script } from "./kit.js";

const KEY = Buffer.alloc(32, 0x5a);
const CONTEXT = { subject: "alice", version: 2 };

/** Everything about an error that could end up in a log. */
async function failureOf(work: Promise<unknown>): Promise<{ code: string; text: string }> {
  const error: unknown = await work.then(
    (value) => new Error(`it gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  return { code: (error as { code: string }).code, text: inspect(error, { depth: 9 }) + JSON.stringify(error) };
}

function expectNoKey(text: string): void {
  for (const spelling of [KEY.toString("base64"), KEY.toString("base64url"), KEY.toString("hex")])
    expect(text).not.toContain(spelling);
}

describe("a program that wraps keys", () => {
  it("is given the key and its context, and gives it back for the same context", async () => {
    const program = answering(`
      if (request.v !== 1) return {};
      const { context, op } = request;
      const mark = JSON.stringify(context) + "|";
      if (op === "wrap") return { wrapped: Buffer.from(mark + request.key).toString("hex") };
      const text = Buffer.from(request.wrapped, "hex").toString();
      if (!text.startsWith(mark)) { console.error("not of this context"); process.exit(1); }
      return { key: text.slice(mark.length) };`);
    const wrapper = commandWrapper({ program });
    expect(wrapper.id).toBe("command:program.mjs");
    const wrapped = await wrapper.wrap(KEY, CONTEXT);
    expect(await wrapper.unwrap(wrapped, CONTEXT)).toEqual(KEY);
    const moved = await failureOf(wrapper.unwrap(wrapped, { ...CONTEXT, subject: "bob" }));
    expect(moved).toMatchObject({
      code: "REQUEST_REFUSED",
      text: expect.stringContaining("not of this context") as unknown,
    });
    const store = memoryKeys();
    const ring = keyring(store, { wrapper });
    const { key, version } = await ring.keyFor("alice");
    expect(((await keyring(store, { wrapper }).keyOf("alice", version)) as typeof key).equals(key)).toBe(true);
  });

  it("is called what the caller says", () => {
    expect(commandWrapper({ program: "/opt/x", id: "kms-2" }).id).toBe("kms-2");
  });

  it.each([
    ["no JSON", "return 'wrapped!';", "REQUEST_REFUSED"],
    ["nothing", "return undefined;", "REQUEST_REFUSED"],
    ["a list", "return [1];", "REQUEST_REFUSED"],
    ["no wrapped key", "return { wrapped: '' };", "REQUEST_REFUSED"],
    ["the key itself", "return { wrapped: request.key };", "REQUEST_REFUSED"],
    ["the whole request", "return { wrapped: JSON.stringify(request) };", "REQUEST_REFUSED"],
    [
      "its complaint, with the key in it",
      "console.error('bad key ' + request.key); process.exit(3);",
      "REQUEST_REFUSED",
    ],
    [
      "hex of the key",
      "console.error(Buffer.from(request.key, 'base64').toString('hex')); process.exit(1);",
      "REQUEST_REFUSED",
    ],
    ["the key as part of JSON that is none", `return '{"key":' + request.key;`, "REQUEST_REFUSED"],
    ["that it should be tried again", "console.error('throttled'); process.exit(75);", "UNAVAILABLE"],
    [
      "its own end",
      "process.kill(process.pid, 'SIGTERM'); await new Promise((r) => setTimeout(r, 5000));",
      "REQUEST_REFUSED",
    ],
  ])("that answers %s fails, and its error holds no key", async (_what, body, code) => {
    const failure = await failureOf(commandWrapper({ program: answering(body) }).wrap(KEY, CONTEXT));
    expect(failure.code).toBe(code);
    expectNoKey(failure.text);
  });

  it.each([
    ["a short key", `return { key: Buffer.alloc(31).toString("base64") };`],
    ["no key", `return { wrapped: "x" };`],
    ["a complaint with the key", `console.error("cannot give ${KEY.toString("base64")}"); process.exit(1);`],
    ["a key and then nonsense", `return '{"key":"${KEY.toString("base64")}"} x';`],
  ])("that unwraps to %s fails, and its error holds no key", async (_what, body) => {
    const failure = await failureOf(commandWrapper({ program: answering(body) }).unwrap("w", CONTEXT));
    expect(failure.code).toBe("REQUEST_REFUSED");
    expectNoKey(failure.text);
  });

  it("says what it complained of, on one line and not too long", async () => {
    const program = answering(
      `console.error("AccessDenied:\\n  no right to use the key ".padEnd(5000, ".")); process.exit(9);`,
    );
    const { text } = await failureOf(commandWrapper({ program }).wrap(KEY, CONTEXT));
    expect(text).toContain("ended with status 9: AccessDenied: no right to use the key ...");
    expect(text.length).toBeLessThan(4000);
  });

  it("that cannot be started is named", async () => {
    const plain = join(scratchFolder(), "plain.txt");
    writeFileSync(plain, "x", { mode: 0o600 });
    for (const program of [join(scratchFolder(), "nothing"), plain])
      expect(await failureOf(commandWrapper({ program }).wrap(KEY, CONTEXT))).toMatchObject({
        code: "PATH_UNUSABLE",
        text: expect.stringContaining(program) as unknown,
      });
  });

  it("that does not end is killed, with what it started", async () => {
    const folder = scratchFolder();
    const started = join(folder, "started");
    const late = join(folder, "late");
    // The child keeps the pipes of its parent open.
    const program = script(`import { spawn } from "node:child_process"; import { writeFileSync } from "node:fs";
      spawn(process.execPath, ["-e", "require('fs').writeFileSync('${started}', ''); setTimeout(() => require('fs').writeFileSync('${late}', ''), 1500)"], { stdio: "inherit" });
      setInterval(() => undefined, 1000);`);
    const failure = await failureOf(commandWrapper({ program, timeoutMs: 1000 }).wrap(KEY, CONTEXT));
    expect(failure).toMatchObject({ code: "UNAVAILABLE", text: expect.stringContaining("within 1000 ms") as unknown });
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(existsSync(late)).toBe(false);
  });

  it("that never stops answering is stopped", async () => {
    const program = script(
      `const write = () => { while (process.stdout.write("x".repeat(65536))); process.stdout.once("drain", write); }; write();`,
    );
    expect(await codeOf(runCommand({ program }, {}))).toBe("REQUEST_REFUSED");
  });

  it("may leave its input unread", async () => {
    const program = script(`process.stdin.destroy(); process.stdout.write('{"ok":true}');`);
    expect(await runCommand({ program }, { big: "x".repeat(1 << 20) })).toEqual({ ok: true });
  });

  it("is not told our own secrets", async () => {
    process.env["RYNXS_CRYPTO_KEY"] = KEY.toString("base64");
    process.env["OTHER_VARIABLE"] = "kept";
    try {
      const program = answering(`return { env: Object.keys(process.env) };`);
      const { env } = (await runCommand({ program }, {})) as { env: string[] };
      expect(env.filter((name) => name.startsWith("RYNXS_CRYPTO"))).toEqual([]);
      expect(env).toContain("OTHER_VARIABLE");
    } finally {
      delete process.env["RYNXS_CRYPTO_KEY"];
      delete process.env["OTHER_VARIABLE"];
    }
  });
});

describe("a program that keeps keys", () => {
  it.each([
    ["read", "return {};"],
    ["read", "return { document: 5, revision: '1' };"],
    ["read", "return { document: 'x', revision: null };"],
    ["list", "return { names: 'x' };"],
    ["list", "return { names: ['b', 'a'] };"],
    ["list", "return { names: ['b'] };"],
    ["list", "return { names: [5] };"],
  ])("that answers a %s with nonsense is refused: %s", async (op, body) => {
    const store = commandKeyStore({ program: answering(body) });
    const list = async (): Promise<void> => {
      for await (const stored of store.list()) expect(stored).toBeUndefined();
    };
    expect(await codeOf(op === "read" ? store.get("alice") : list())).toBe("REQUEST_REFUSED");
  });

  it("that cannot tell is neither an absent nor a destroyed key", async () => {
    const store = commandKeyStore({ program: answering("process.exit(75);") });
    expect(await codeOf(store.get("alice"))).toBe("UNAVAILABLE");
    expect(await codeOf(keyring(store).keyOf("alice", 1))).toBe("UNAVAILABLE");
    expect(await codeOf(keyring(store).keyFor("alice"))).toBe("UNAVAILABLE");
  });
});
