import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWitnessDirectory } from "../../../src/trust/index.js";
import { originHash } from "../../../src/trust/witness/witness.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rynxs-witness-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("a witness's directory", () => {
  it("is made, keeps a file for each log with mode 0600, and leaves nothing else behind", async () => {
    const path = join(folder, "made/here");
    const state = await openWitnessDirectory(path);
    expect(await state.read("a/../../b")).toBeNull();
    await state.write("a/../../b", "one\n");
    await state.write("a/../../b", "two\n");
    await state.write("c", "three\n");
    expect([await state.read("a/../../b"), await state.read("c")]).toEqual(["two\n", "three\n"]);
    const names = [`${originHash("a/../../b")}.checkpoint`, `${originHash("c")}.checkpoint`];
    expect((await readdir(path)).sort()).toEqual([...names, "lock"].sort());
    for (const name of names) expect((await stat(join(path, name))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(path, names[1]!), "utf8")).toBe("three\n");
    await state.close();
  });

  it("is one witness's at a time, also when that died", async () => {
    const path = join(folder, "locked");
    const state = await openWitnessDirectory(path);
    await expect(openWitnessDirectory(path)).rejects.toMatchObject({ code: "PATH_UNUSABLE" });
    await state.close();
    const holder = spawn("flock", ["-F", join(path, "lock"), "sh", "-c", "echo held; exec sleep 60"]);
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    await expect(openWitnessDirectory(path)).rejects.toThrow("another witness");
    holder.kill("SIGKILL");
    await new Promise((resolve) => holder.once("close", resolve));
    await (await openWitnessDirectory(path)).close();
  });

  it("reads what a crash left: the note that was there, never the half of a new one", async () => {
    const path = join(folder, "crashed");
    const state = await openWitnessDirectory(path);
    await state.write("c", "old\n");
    const file = join(path, `${originHash("c")}.checkpoint`);
    await writeFile(`${file}.new`, "ne");
    expect(await state.read("c")).toBe("old\n");
    await state.write("c", "new\n");
    expect(await state.read("c")).toBe("new\n");
    await state.close();
  });

  it("says what it cannot read, instead of taking it for nothing", async () => {
    const path = join(folder, "unreadable");
    const state = await openWitnessDirectory(path);
    await mkdir(join(path, `${originHash("c")}.checkpoint`));
    await expect(state.read("c")).rejects.toMatchObject({ code: "PATH_UNUSABLE" });
    await state.close();
  });
});
