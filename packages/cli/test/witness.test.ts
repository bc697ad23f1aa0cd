import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  checkpointText,
  CompactRange,
  consistencyProof,
  cosign,
  formatNote,
  formatVerifierKey,
  leafHash,
  localSigner,
  parseVerifierKey,
} from "@rynxs/event-store/trust";
import { describe, expect, it } from "vitest";
import { answerLog } from "../src/commands/witness.js";
import { rynxs, start, temporaryFolder } from "./rynxs.js";

const folder = await temporaryFolder();
const log = localSigner("example.com/log", Buffer.alloc(32, 1));
const checkpoint = async (): Promise<string> => {
  const text = checkpointText({ origin: log.key.name, size: 1, root: leafHash(Buffer.from("one")) });
  return formatNote({ text, signatures: [await log.sign(text)] });
};

let places = 0;
async function place(): Promise<{ args: string[]; key: string; vkey: string }> {
  const base = join(folder, String(places++));
  await mkdir(base);
  const key = join(base, "witness.key");
  const { stdout } = await rynxs(["witness", "--generate-key", "witness.example/w1", "--key", key]);
  const logs = join(base, "logs");
  await writeFile(logs, `# mine\n${formatVerifierKey(log.key)}\n`);
  const args = ["witness", "--logs", logs, "--key", key, "--state", join(base, "state"), "--listen", "127.0.0.1:0"];
  return { args, key, vkey: stdout.trim() };
}

describe("rynxs witness", () => {
  it("makes a key that only its owner can read, and prints the verifier key", async () => {
    const { key, vkey } = await place();
    expect(parseVerifierKey(vkey)).toMatchObject({ name: "witness.example/w1", type: "cosignature/v1" });
    expect((await stat(key)).mode & 0o777).toBe(0o600);
    const text = await readFile(key, "utf8");
    expect(text).toMatch(/^PRIVATE\+KEY\+witness\.example\/w1\+[0-9a-f]{8}\+B/);
    const again = await rynxs(["witness", "--generate-key", "witness.example/w1", "--key", key]);
    expect([again.code, await readFile(key, "utf8")]).toEqual([1, text]);
    expect(again.stderr).toMatch(/^error PATH_UNUSABLE/);
  });

  it("cosigns, says what it answered, ends with SIGTERM, and remembers", async () => {
    const { args, vkey } = await place();
    const witness = start([...args, "--json"]);
    let url = "";
    witness.stdout.on("data", (text: string) => (url ||= /"url":"([^"]+)"/.exec(text)?.[1] ?? ""));
    await witness.said("listening");
    const key = parseVerifierKey(vkey);
    const asked = { witness: { url, key }, proof: () => Promise.resolve([]) };
    expect((await cosign(await checkpoint(), asked)).key).toEqual(key);
    const taken = await rynxs(args);
    expect([taken.code, taken.stderr]).toEqual([1, expect.stringContaining("another witness uses this state")]);
    witness.kill("SIGTERM");
    const { code, stdout, stderr } = await witness.ended;
    expect([code, stderr]).toEqual([0, ""]);
    const [first, second] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(first).toEqual({ event: "listening", url, key: vkey, logs: ["example.com/log"] });
    expect(second).toEqual({
      event: "answer",
      time: expect.any(String) as string,
      method: "POST",
      status: 200,
      origin: "example.com/log",
      size: 1,
    });

    const after = start(args);
    let text = "";
    after.stdout.on("data", (chunk: string) => (text += chunk));
    await after.said("add-checkpoint");
    const place2 = /http:\/\/[^/]+/.exec(text)?.[0] ?? "";
    const smaller = checkpointText({ origin: log.key.name, size: 0, root: Buffer.from(EMPTY, "hex") });
    const note = formatNote({ text: smaller, signatures: [await log.sign(smaller)] });
    await expect(cosign(note, { ...asked, witness: { url: place2, key } })).rejects.toMatchObject({
      code: "ROLLED_BACK",
    });
    after.kill("SIGINT");
    expect(await after.ended).toMatchObject({ code: 0, stderr: "" });
    expect(text).toMatch(/Z 409 POST example\.com\/log 0\n$/);
  });

  it("killed at any moment, holds to all that it has told", { timeout: 60_000 }, async () => {
    const { args, vkey } = await place();
    const key = parseVerifierKey(vkey);
    const range = CompactRange.empty();
    const roots = [range.root()];
    const leaves = Array.from({ length: 400 }, (_, i) => leafHash(Buffer.from(String(i))));
    for (const leaf of leaves) {
      range.append(leaf);
      roots.push(range.root());
    }
    const rootOf = (from: number, to: number): Buffer => {
      const part = CompactRange.empty();
      for (const leaf of leaves.slice(from, to)) part.append(leaf);
      return part.root();
    };
    const proofTo = (size: number) => (old: number) =>
      consistencyProof(old, size, (nodes) =>
        Promise.resolve(nodes.map(({ level, index }) => rootOf(index * 2 ** level, (index + 1) * 2 ** level))),
      );
    let told = 0;
    let asked = 0;
    for (let kill = 0; kill < 4; kill++) {
      const witness = start([...args, "--json"]);
      let url = "";
      witness.stdout.on("data", (text: string) => (url ||= /"url":"([^"]+)"/.exec(text)?.[1] ?? ""));
      await witness.said("listening");
      const ask = async (size: number, timeoutMs = 10_000): Promise<void> => {
        const text = checkpointText({ origin: log.key.name, size, root: roots[size]! });
        const note = formatNote({ text, signatures: [await log.sign(text)] });
        await cosign(note, { witness: { url, key }, oldSize: told, proof: proofTo(size), timeoutMs });
        told = size;
      };
      // What was told before still holds: less is refused, and more is not known.
      if (told > 0) await expect(ask(told - 1)).rejects.toMatchObject({ code: "ROLLED_BACK" });
      if (asked < roots.length - 1) await expect(ask(asked)).resolves.toBeUndefined();
      const enough = told + 4;
      while (asked < roots.length - 1) {
        const size = asked + 1;
        asked = size;
        if (told === enough)
          setTimeout(() => {
            witness.kill("SIGKILL");
          }, kill);
        if (
          !(await ask(size, 300).then(
            () => true,
            () => false,
          ))
        )
          break;
      }
      witness.kill("SIGKILL");
      await witness.ended;
    }
    expect(told).toBeGreaterThan(16);
    expect(asked - told).toBeLessThanOrEqual(1);
  });

  it("says so when others can reach it", async () => {
    const { args } = await place();
    const witness = start([...args.slice(0, -1), "0.0.0.0:0"]);
    await witness.said("add-checkpoint");
    witness.kill("SIGTERM");
    expect((await witness.ended).stderr).toContain("can be reached from elsewhere, without TLS");
  });

  it.each([
    ["no state", (args: string[]) => args.slice(0, 5), "needs --logs FILE, --key FILE and --state DIR"],
    [
      "a log's key for its own",
      async (args: string[]) => {
        const path = join(folder, "log.key");
        const { createPrivateKeyFile } = await import("@rynxs/event-store/trust");
        await createPrivateKeyFile(path, { name: "a", type: "ed25519", seed: Buffer.alloc(32, 5) });
        return args.map((arg) => (arg.endsWith("witness.key") ? path : arg));
      },
      "needs a key for cosignatures",
    ],
    [
      "no logs",
      (args: string[]) => args.map((arg) => (arg.endsWith("logs") && arg.startsWith("/") ? "/dev/null" : arg)),
      "no logs to witness",
    ],
    ["an address that is none", (args: string[]) => [...args.slice(0, -1), "8080"], "Give HOST:PORT"],
  ])("with %s refuses, with exit 1", async (_, change, message) => {
    const { code, stderr } = await rynxs(await change((await place()).args));
    expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
  });
});

const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

describe("what a witness writes of its answers", () => {
  it("is bounded where strangers can make it grow, and says what it left out", () => {
    let now = 1_700_000_000_000;
    const lines: string[] = [];
    const output = { result: (text: string) => Promise.resolve(void lines.push(text)), note: () => undefined };
    const log = answerLog(output, () => now);
    for (let i = 0; i < 1000; i++) log({ method: "POST", status: 404 });
    expect(lines).toHaveLength(20);
    log({ method: "POST", status: 200, origin: "a\u001b[2J", size: 3 });
    expect(lines.at(-1)).toBe("2023-11-14T22:13:20.000Z 200 POST a\\u001b[2J 3 (980 refusals before it not shown)");
    now += 1000;
    log({ method: "POST", status: 404 });
    expect(lines.at(-1)).toBe("2023-11-14T22:13:21.000Z 404 POST");
  });
});
