import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { rynxs, temporaryFolder } from "./rynxs.js";

const program = fileURLToPath(new URL("../bin/rynxs.js", import.meta.url));
let witness: ChildProcess | undefined;
afterEach(() => void witness?.kill("SIGKILL"));

/** A log with its key, and a witness that knows it. */
async function signedLog() {
  const folder = await temporaryFolder();
  const env = { XDG_STATE_HOME: join(folder, "state"), XDG_CONFIG_HOME: join(folder, "config") };
  const store = ["--store", `file:${join(folder, "events.log")}`];
  const origin = ["--origin", "example.com/log"];
  const run = (...args: string[]) => rynxs(args, { env });
  await run("append", ...store, "--type", "T", "--aggregate", "a");
  const vkey = /^\S+\+[0-9a-f]{8}\+\S+$/m.exec((await run("key", "generate", ...store, ...origin)).stdout)![0];
  const keyFile = join(folder, "witness.key");
  const witnessKey = /\S+\+[0-9a-f]{8}\+\S+/.exec(
    (await run("witness", "--generate-key", "witness.example/w", "--key", keyFile)).stdout,
  )![0];
  return { folder, store, origin, run, vkey, keyFile, witnessKey };
}

describe("rynxs checkpoint --witness", () => {
  it("has a checkpoint cosigned by a running witness, which a verifier can ask for", async () => {
    const { folder, store, origin, run, vkey, keyFile, witnessKey } = await signedLog();
    const logs = join(folder, "logs");
    await writeFile(logs, `${vkey}\n`);
    const args = [
      "witness",
      "--logs",
      logs,
      "--key",
      keyFile,
      "--state",
      join(folder, "witnessed"),
      "--listen",
      "127.0.0.1:0",
      "--json",
    ];
    witness = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    witness.stdout!.setEncoding("utf8").on("data", (text: string) => (said += text));
    witness.stderr!.setEncoding("utf8").on("data", (text: string) => (said += text));
    while (!/127\.0\.0\.1:[1-9]/.test(said)) await once(witness.stdout!, "data");
    const url = `http://127.0.0.1:${/127\.0\.0\.1:(\d+)/.exec(said)![1]!}`;
    const signed = await run("checkpoint", ...store, ...origin, "--witness", `${url}=${witnessKey}`, "--quorum", "1");
    expect([signed.code, signed.stderr]).toEqual([0, ""]);
    expect(signed.stdout).toContain("— witness.example/w ");
    const verified = await run("verify", ...store, "--key", vkey, "--witness-key", witnessKey, "--quorum", "1");
    expect([verified.code, verified.stderr]).toEqual([0, ""]);
    // The witness goes away: nothing is stored, unless that is asked for.
    witness.kill("SIGKILL");
    await run("append", ...store, "--type", "T", "--aggregate", "a");
    const alone = await run("checkpoint", ...store, ...origin, "--witness", `${url}=${witnessKey}`, "--quorum", "1");
    expect(alone.code).toBe(2);
    expect(alone.stderr).toContain("NOT_WITNESSED");
    const kept = await readFile(join(folder, "events.log.derived", "_tlog", "checkpoint"), "utf8").catch(() => "");
    expect(kept).not.toContain("\n2\n");
    const open = await run(
      "checkpoint",
      ...store,
      ...origin,
      "--witness",
      `${url}=${witnessKey}`,
      "--quorum",
      "1",
      "--fail-open",
    );
    expect(open.code).toBe(0);
    expect(open.stderr).toContain("NOT_WITNESSED");
    const refused = await run("verify", ...store, "--key", vkey, "--witness-key", witnessKey, "--quorum", "1");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("NOT_WITNESSED");
  }, 120_000);

  it.each([
    [["--witness", "http://127.0.0.1:1"], "names no witness"],
    [["--quorum", "1"], "about witnesses"],
    [["--fail-open"], "about witnesses"],
  ])("refuses %j", async (flags, problem) => {
    const { store, origin, run } = await signedLog();
    const all = flags[0] === "--witness" ? [...flags, "--quorum", "1"] : flags;
    const { code, stderr } = await run("checkpoint", ...store, ...origin, ...all);
    expect(code).toBe(1);
    expect(stderr).toContain(problem);
  });
});
