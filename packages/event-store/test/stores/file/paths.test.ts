import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { EventStoreError } from "../../../src/core/errors.js";
import { FileEventStore } from "../../../src/stores/file/file-event-store.js";
import { event, numbers, refusal, ScratchLog, scratchFolder } from "./scratch.js";

/** What opening, or else the first append, says about a path. */
async function refused(path: string): Promise<EventStoreError> {
  return refusal(
    (async () => {
      const store = await FileEventStore.open({ path, appendTimeoutMs: 1000 });
      try {
        await store.appendWithRetry(event(0));
      } finally {
        await store.close();
      }
    })(),
  );
}

/** Permissions do not bind root: does the work as the user `nobody`. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work();
  process.seteuid?.(65534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

function openFolder(): string {
  const folder = scratchFolder();
  chmodSync(folder, 0o755);
  return folder;
}

describe("a path that cannot be a log", () => {
  it.each([
    ["empty", ""],
    ["with a NUL", "/tmp/a\0b"],
  ])("%s is refused before anything is looked at", async (_what, path) => {
    const error = await refused(path);
    expect([error.code, error.action]).toEqual(["INVALID_CONFIG", "fix"]);
    expect(error.hint).toContain("./events.log");
  });

  it("a directory", async () => {
    const folder = scratchFolder();
    const error = await refused(folder);
    expect([error.code, error.facts.file, error.action]).toEqual(["PATH_UNUSABLE", folder, "fix"]);
    expect(error.message).toContain("a directory");
    expect(error.hint).toContain(join(folder, "events.log"));
  });

  it("a path through a file", async () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, "file"), "");
    const error = await refused(join(folder, "file", "events.log"));
    expect([error.code, error.facts.backendCode]).toEqual(["PATH_UNUSABLE", "ENOTDIR"]);
    expect(error.message).toContain("not a directory");
    expect(error.hint).toBe("correct the path");
  });

  it.each([
    ["name", "x".repeat(300)],
    ["path", "x/".repeat(3000)],
  ])("a %s that is too long", async (_what, long) => {
    const error = await refused(join(scratchFolder(), long));
    expect([error.code, error.facts.backendCode]).toEqual(["PATH_UNUSABLE", "ENAMETOOLONG"]);
    expect(error.hint).toContain("shorter");
  });

  it("a name that is long enough for the log, but not for the files beside it: nothing is written", async () => {
    const log = new ScratchLog(join(scratchFolder(), "x".repeat(250)));
    const error = await refused(log.path);
    expect([error.code, error.facts.backendCode]).toEqual(["PATH_UNUSABLE", "ENAMETOOLONG"]);
  });

  it("a named pipe, of which nobody reads the other end", async () => {
    const path = join(scratchFolder(), "pipe");
    execFileSync("mkfifo", [path]);
    const error = await refused(path);
    expect([error.code, error.facts.file]).toEqual(["PATH_UNUSABLE", path]);
    expect(error.message).toContain("no regular file");
    expect(error.hint).toContain("a pipe or a device keeps nothing");
  });

  it.each(["/dev/null", "/dev/full", "/dev/zero"])("%s", async (path) => {
    const error = await refused(path);
    expect([error.code, error.facts.file]).toEqual(["PATH_UNUSABLE", path]);
    expect(error.hint).toContain("a pipe or a device keeps nothing");
  });

  it("symbolic links in a circle", async () => {
    const path = join(scratchFolder(), "link");
    symlinkSync(path, path);
    const error = await refused(path);
    expect([error.code, error.facts.backendCode]).toEqual(["PATH_UNUSABLE", "ELOOP"]);
    expect(error.hint).toContain("links");
  });
});

describe("permissions", () => {
  it("a directory that may not be written: a new log is refused, with the hint", async () => {
    const folder = openFolder();
    const error = await asNobody(async () => {
      chmodIfMine(folder, 0o555);
      return refused(join(folder, "events.log"));
    });
    expect([error.code, error.facts.backendCode, error.action]).toEqual(["PATH_UNUSABLE", "EACCES", "fix"]);
    expect(error.hint).toContain("write access");
    chmodSync(folder, 0o755);
  });

  it("a directory that may not be created", async () => {
    const folder = openFolder();
    const error = await asNobody(async () => {
      chmodIfMine(folder, 0o555);
      return refused(join(folder, "a", "b", "events.log"));
    });
    expect([error.code, error.facts.backendCode]).toEqual(["PATH_UNUSABLE", "EACCES"]);
    chmodSync(folder, 0o755);
  });

  it("a file that may be read only: reads work, appends are refused and change nothing", async () => {
    const log = new ScratchLog(join(openFolder(), "events.log"));
    await log.with((store) => store.appendWithRetry(event(0)));
    const before = log.bytes();
    chmodSync(log.path, 0o444);
    await asNobody(async () => {
      await log.with(async (store) => {
        expect(await numbers(store)).toEqual([0]);
        expect((await store.head()).seq).toBe(0);
        const error = await refusal(store.appendWithRetry(event(1)));
        expect([error.code, error.facts.backendCode, error.facts.file]).toEqual(["PATH_UNUSABLE", "EACCES", log.path]);
      });
    });
    expect(log.bytes()).toEqual(before);
  });

  it("a file that may not be read is refused on opening", async () => {
    const log = new ScratchLog(join(openFolder(), "events.log"), Buffer.alloc(0));
    chmodSync(log.path, 0o200);
    const error = await asNobody(async () => {
      chmodIfMine(log.path, 0o200);
      return refusal(log.open());
    });
    expect([error.code, error.facts.backendCode]).toEqual(["PATH_UNUSABLE", "EACCES"]);
  });

  it("an existing log in a directory that may not be written can be appended to", async () => {
    const log = new ScratchLog(join(openFolder(), "events.log"), Buffer.alloc(0));
    chmodSync(log.path, 0o666);
    await asNobody(async () => log.with((store) => store.appendWithRetry(event(0))));
    expect(await log.with(numbers)).toEqual([0]);
  });

  it("a stored head that may not be read is said, not passed over", async () => {
    const log = new ScratchLog(join(openFolder(), "events.log"));
    await log.with((store) => store.appendWithRetry(event(0)));
    log.write("{}", ".head.json");
    chmodSync(log.path, 0o666);
    chmodSync(`${log.path}.head.json`, 0o000);
    await asNobody(async () => {
      const error = await refusal(log.with(numbers));
      expect([error.code, error.facts.file]).toEqual(["PATH_UNUSABLE", `${log.path}.head.json`]);
    });
  });
});

/** Not root: the files are this user's own, and the bits bind. */
function chmodIfMine(path: string, mode: number): void {
  if (process.geteuid?.() !== 65534) chmodSync(path, mode);
}

describe("a log that must exist", () => {
  it("is not created by opening, and a missing one is refused with its path", async () => {
    const log = new ScratchLog(join(scratchFolder(), "missing", "events.log"));
    const error = await refusal(log.open({ mustExist: true }));
    expect([error.code, error.facts.file]).toEqual(["PATH_UNUSABLE", log.path]);
    expect(error.hint).toContain("first append");
    const store = await log.open();
    expect(await numbers(store)).toEqual([]);
    expect(log.has("")).toBe(false);
    expect((await store.appendWithRetry(event(0))).seq).toBe(0);
    await log.with(async (found) => expect(await numbers(found)).toEqual([0]), { mustExist: true });
  });

  it("exists when there are only rotated segments", async () => {
    const log = new ScratchLog();
    await log.with(
      async (store) => {
        await store.appendWithRetry(event(0));
        await store.appendWithRetry(event(1));
      },
      { maxBytes: 1 },
    );
    log.remove("");
    await log.with(async (store) => expect(await numbers(store)).toEqual([0]), { mustExist: true });
  });
});

describe("files beside the log", () => {
  it("with names like a segment's, but not one's, are none of the log's", async () => {
    const log = new ScratchLog();
    await log.with((store) => store.appendWithRetry(event(0)));
    for (const suffix of [
      ".seg-1",
      ".seg-0000001",
      ".seg-abc",
      ".seg-000001.gz.new",
      ".seg-1.gz",
      ".seg-000001~",
      "x.seg-000001",
    ])
      log.write("oops\n", suffix);
    await log.with(async (store) => {
      expect(await numbers(store)).toEqual([0]);
      expect((await store.appendWithRetry(event(1))).seq).toBe(1);
    });
  });

  it("a segment that is a link to nothing is said by reads and appends, and not passed over", async () => {
    const log = new ScratchLog();
    await log.with(
      async (store) => {
        await store.appendWithRetry(event(0));
        await store.appendWithRetry(event(1));
      },
      { maxBytes: 1 },
    );
    log.remove(".seg-000001");
    log.remove("");
    symlinkSync("/nonexistent/nothing", `${log.path}.seg-000001`);
    await log.with(async (store) => {
      expect(await refusal(numbers(store))).toMatchObject({
        code: "PATH_UNUSABLE",
        facts: { file: `${log.path}.seg-000001` },
      });
      expect(await refusal(store.appendWithRetry(event(1)))).toMatchObject({ code: "PATH_UNUSABLE" });
      expect(await refusal(store.head())).toMatchObject({ code: "PATH_UNUSABLE" });
    });
  });

  it("regular expressions in the log's name mean nothing", async () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, "d"));
    const log = new ScratchLog(join(folder, "d", "a+b(c)[d].log"));
    await log.with(
      async (store) => {
        await store.appendWithRetry(event(0));
        await store.appendWithRetry(event(1));
        expect(await numbers(store)).toEqual([0, 1]);
      },
      { maxBytes: 1 },
    );
    expect(log.has(".seg-000001")).toBe(true);
  });
});
