import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Check } from "../../src/log/examine-objects.js";
import { examineFile } from "../../src/stores/examine-file.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "examine-file-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function examine(path: string): Promise<Check[]> {
  const checks: Check[] = [];
  for await (const one of examineFile(path)) checks.push(one);
  return checks;
}

describe("examineFile", () => {
  it("finds nothing wrong with a local directory, and leaves nothing behind", async () => {
    const path = join(folder, "events.log");
    const checks = await examine(path);
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual([
      ["directory", true],
      ["write", true],
      ["sync to disk", true],
      ["lock", true],
      ["free space", true],
    ]);
    expect(checks[1]?.detail).toBe(`files may be created; ${path} does not exist yet`);
    expect(checks[3]?.detail).toMatch(/^excludes a second holder \(by (flock|perl|python3)\)$/);
    expect(await readdir(folder)).toEqual([]);
  });

  it("tries the nearest parent of a directory that the first append will make", async () => {
    const checks = await examine(join(folder, "none", "deeper", "events.log"));
    expect(checks[0]?.detail).toBe(
      `${join(folder, "none", "deeper")} does not exist yet; the first append makes it in ${folder}`,
    );
    expect(checks.map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
    expect(await readdir(folder)).toEqual([]);
  });

  it("says that there is no directory, or that the log's path is one", async () => {
    await writeFile(join(folder, "file"), "");
    const below = await examine(join(folder, "file", "events.log"));
    expect(below).toEqual([
      { name: "directory", ok: false, detail: `${join(folder, "file")} is not a directory`, hint: "correct the path" },
    ]);
    expect(await examine(join(folder, "file", "deeper", "events.log"))).toMatchObject([
      { name: "directory", ok: false },
    ]);
    await mkdir(join(folder, "events.log"));
    expect(await examine(join(folder, "events.log"))).toEqual([
      {
        name: "directory",
        ok: false,
        detail: `${join(folder, "events.log")} is not a regular file`,
        hint: "name a file, or correct the path",
      },
    ]);
  });

  it("fails where nothing can be written", async () => {
    // procfs refuses new files even to root
    const checks = await examine("/proc/self/events.log");
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual([
      ["directory", true],
      ["write", false],
    ]);
    expect(checks[1]?.hint).toBeDefined();
  });
});
