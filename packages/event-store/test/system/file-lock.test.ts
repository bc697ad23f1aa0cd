import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockFile, lockMechanism, type LockMechanism } from "../../src/system/file-lock.js";

let folder = "";
let file = "";
const open = new Set<number>();
const children = new Set<ChildProcess>();
const path = process.env["PATH"];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "file-lock-"));
  file = join(folder, "log");
  writeFileSync(file, "");
});

afterEach(() => {
  process.env["PATH"] = path;
  for (const fd of open) closeSync(fd);
  for (const child of children) child.kill("SIGKILL");
  open.clear();
  children.clear();
  rmSync(folder, { recursive: true });
});

function opened(flags = "a"): number {
  const fd = openSync(file, flags);
  open.add(fd);
  return fd;
}

function closed(fd: number): void {
  open.delete(fd);
  closeSync(fd);
}

/** Full path of a program of this machine. */
function which(name: string): string | undefined {
  return (path ?? "")
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find((candidate) => {
      try {
        return !readFileSync(candidate).subarray(0, 2).equals(Buffer.from("#!"));
      } catch {
        return false;
      }
    });
}

/** A PATH on which nothing but these programs is found. */
function onlyOnPath(...names: string[]): string {
  const bin = mkdtempSync(join(folder, "bin-"));
  for (const name of names) {
    const target = which(name);
    if (target === undefined) throw new Error(`this test needs ${name}`);
    symlinkSync(target, join(bin, name));
  }
  return bin;
}

/** Starts a program and waits until it writes its first line. */
async function started(command: string, args: string[]): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  children.add(child);
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => {
      resolve();
    });
    child.once("exit", () => {
      reject(new Error(`${command} ended early`));
    });
  });
  return child;
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) =>
    child.once("close", () => {
      resolve();
    }),
  );
}

/** A Python program that holds the lock until its standard input ends. */
function pythonHolder(): Promise<ChildProcess> {
  const program = `import fcntl, sys
f = open(sys.argv[1], "a")
fcntl.flock(f, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()`;
  return started("python3", ["-c", program, file]);
}

/** What a Python program gets that asks without waiting. */
async function pythonTries(): Promise<string> {
  const program = `import fcntl, sys
f = open(sys.argv[1], "a")
try:
    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("locked")
except BlockingIOError:
    print("refused")`;
  const child = spawn("python3", ["-c", program, file], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  await ended(child);
  return said.trim();
}

const now = { mode: "exclusive", wait: false } as const;

describe("lockFile", () => {
  it("lets one descriptor of a process exclude another, until it is closed", async () => {
    const first = opened();
    const second = opened();
    expect(await lockFile(first, now)).toBe(true);
    expect(await lockFile(second, now)).toBe(false);
    closed(first);
    expect(await lockFile(second, now)).toBe(true);
  });

  it("lets shared holders in together and keeps exclusive ones out", async () => {
    const readers = [opened("r"), opened("r")] as const;
    const writer = opened();
    expect(await lockFile(readers[0], { mode: "shared", wait: false })).toBe(true);
    expect(await lockFile(readers[1], { mode: "shared", wait: false })).toBe(true);
    expect(await lockFile(writer, now)).toBe(false);
    closed(readers[0]);
    closed(readers[1]);
    expect(await lockFile(writer, now)).toBe(true);
  });

  it("gives the lock to each of many waiters, one at a time", async () => {
    const inside: number[] = [];
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const fd = opened();
        expect(await lockFile(fd, { mode: "exclusive", wait: true })).toBe(true);
        inside.push(i);
        most = Math.max(most, inside.length);
        await new Promise((resolve) => setImmediate(resolve));
        inside.pop();
        closed(fd);
      }),
    );
    expect(most).toBe(1);
  });

  it("is excluded by a Python program that holds the file, and excludes it", async () => {
    const python = await pythonHolder();
    const fd = opened();
    expect(await lockFile(fd, now)).toBe(false);
    const waiting = lockFile(fd, { mode: "exclusive", wait: true });
    python.stdin?.end();
    expect(await waiting).toBe(true);
    expect(await pythonTries()).toBe("refused");
    closed(fd);
    expect(await pythonTries()).toBe("locked");
  });

  it("is excluded by another Node process, whose SIGKILL frees the lock", async () => {
    const program = `const { openSync } = require("node:fs");
const fd = openSync(process.argv[1], "a");
require("node:child_process").spawn("flock", ["-x", "3"], { stdio: ["ignore", "ignore", "inherit", fd] })
  .on("exit", (code) => { if (code === 0) console.log("locked"); });
process.stdin.resume();`;
    const holder = await started(process.execPath, ["-e", program, file]);
    const fd = opened();
    expect(await lockFile(fd, now)).toBe(false);
    const waiting = lockFile(fd, { mode: "exclusive", wait: true });
    holder.kill("SIGKILL");
    expect(await waiting).toBe(true);
  });

  it("does not leak the lock to programs started while it is held", async () => {
    const fd = opened();
    expect(await lockFile(fd, now)).toBe(true);
    const other = await started("python3", ["-c", "print('up', flush=True)\nimport sys\nsys.stdin.read()"]);
    closed(fd);
    expect(await lockFile(opened(), now)).toBe(true);
    other.kill("SIGKILL");
  });

  it("gives up after its time-out, and holds nothing then", async () => {
    const holder = opened();
    const waiter = opened();
    expect(await lockFile(holder, now)).toBe(true);
    expect(await lockFile(waiter, { mode: "exclusive", wait: true, timeoutMs: 30 })).toBe(false);
    closed(holder);
    expect(await lockFile(opened(), now)).toBe(true);
  });

  it("is aborted by a signal, before and while it waits, and holds nothing then", async () => {
    const holder = opened();
    const waiter = opened();
    expect(await lockFile(holder, now)).toBe(true);
    const controller = new AbortController();
    const waiting = lockFile(waiter, { mode: "exclusive", wait: true, signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED", cause: { message: "enough" } });
    await expect(lockFile(waiter, { ...now, signal: controller.signal })).rejects.toMatchObject({ code: "ABORTED" });
    closed(holder);
    expect(await lockFile(opened(), now)).toBe(true);
  });

  it("refuses what is not an open file", async () => {
    const fd = opened();
    closed(fd);
    await expect(lockFile(fd, now)).rejects.toMatchObject({ code: "IO_FAILED", facts: { backendCode: "EBADF" } });
    const directory = openSync(folder, "r");
    open.add(directory);
    await expect(lockFile(directory, now)).rejects.toMatchObject({
      code: "PATH_UNUSABLE",
      facts: { operation: "lock" },
    });
  });
});

describe.each<LockMechanism>(["flock", "perl", "python3"])("with only %s on the PATH", (name) => {
  beforeEach(() => {
    process.env["PATH"] = onlyOnPath(name);
  });

  it("finds it", async () => {
    expect(await lockMechanism()).toBe(name);
  });

  it.each(["a", "r", "r+", "w"])(
    "locks, waits, converts and times out on a descriptor opened with %j",
    async (flags) => {
      const first = opened(flags);
      const second = opened(flags);
      expect(await lockFile(first, { mode: "exclusive", wait: true })).toBe(true);
      expect(await lockFile(second, { mode: "shared", wait: false })).toBe(false);
      expect(await lockFile(second, { mode: "shared", wait: true, timeoutMs: 50 })).toBe(false);
      expect(await lockFile(first, { mode: "shared", wait: true })).toBe(true);
      expect(await lockFile(second, { mode: "shared", wait: false })).toBe(true);
      closed(first);
      expect(await lockFile(second, now)).toBe(true);
    },
  );

  it("excludes the other mechanisms", async () => {
    expect(await lockFile(opened(), now)).toBe(true);
    process.env["PATH"] = path;
    for (const mechanism of ["flock", "perl", "python3"] as const) {
      expect(await lockFile(opened(), { ...now, mechanism })).toBe(false);
    }
  });
});

describe("without any program that can lock", () => {
  it("refuses with a hint", async () => {
    process.env["PATH"] = onlyOnPath();
    expect(await lockMechanism()).toBeNull();
    const refusal: unknown = await lockFile(opened(), now).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "PATH_UNUSABLE", action: "fix" });
    expect(refusal).toHaveProperty("message", expect.stringContaining("flock, perl, python3"));
    expect(refusal).toHaveProperty("hint", expect.stringContaining("util-linux"));
  });

  it("passes over a program of that name that cannot be executed", async () => {
    const bin = onlyOnPath("perl");
    mkdirSync(join(bin, "x"));
    writeFileSync(join(bin, "flock"), "not a program");
    chmodSync(join(bin, "flock"), 0o644);
    process.env["PATH"] = bin;
    expect(await lockMechanism()).toBe("perl");
    expect(await lockFile(opened(), now)).toBe(true);
  });
});
