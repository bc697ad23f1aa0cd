import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { EventStoreError } from "../../../src/core/errors.js";
import { systemIo, type FileIo } from "../../../src/stores/file/file-io.js";
import { FaultyIo, skipping, type Operation } from "./faulty-io.js";
import { event, refusal, type ScratchLog, verdict } from "./scratch.js";
import { compressed, goldenLog, LINES, linesRead, longLog, text, unzipped } from "./segments.js";

const GOOD = { good: 60, code: undefined, seq: undefined };
const DONE = ["", ".seg-000001.gz", ".seg-000002.gz", ".seg-000003"];
const FRESH = ".seg-000001.gz.new";

/** What a run left behind reads as ever, and the next run finishes it. */
async function expectFinished(log: ScratchLog, what = ""): Promise<void> {
  await log.with(async (store) => {
    expect(await verdict(store), what).toEqual(GOOD);
    expect((await store.compact()).records, what).toBe(30);
    expect(log.suffixes(), what).toEqual(DONE);
    expect([unzipped(log, 1), unzipped(log, 2)]).toEqual([text(LINES.slice(0, 15)), text(LINES.slice(15, 30))]);
    expect(await verdict(store), what).toEqual(GOOD);
  });
}

describe("a compaction that died", () => {
  it("while it wrote: what it wrote is of no account", async () => {
    const whole = await compressed(Buffer.from(text(LINES.slice(0, 15))));
    for (let size = 0; size <= whole.length; size += 97) {
      const log = goldenLog();
      log.write(whole.subarray(0, size), FRESH);
      await expectFinished(log, `${size} bytes`);
    }
  });

  it.each([
    ["the same", text(LINES.slice(0, 15))],
    ["other records", text(LINES.slice(15, 30))],
    ["nothing", ""],
  ])("before it removed the plain segment: that one counts, beside %s", async (_what, beside) => {
    const log = goldenLog();
    log.write(await compressed(Buffer.from(beside)), ".seg-000001.gz");
    await expectFinished(log);
  });

  it("before it removed the plain segment: that one counts, beside something that is no gzip", async () => {
    const log = goldenLog();
    log.write("no gzip", ".seg-000001.gz");
    await expectFinished(log);
  });

  it("in any write, synchronisation or truncation that the disk refused: nothing is lost, and nothing left over", async () => {
    const kinds: readonly Operation[] = ["append", "sync", "truncate"];
    for (const operation of kinds) {
      for (let passed = 0; passed < 2; passed++) {
        for (const code of ["ENOSPC", "EIO"]) {
          const faulty = new FaultyIo().fail(operation, code, 10);
          const log = goldenLog();
          const io = skipping(faulty, passed, passed, passed);
          await log.with(
            async (store) => {
              const error = await refusal(store.compact());
              expect(error.code).toBe(code === "EIO" ? "IO_FAILED" : "DISK_FULL");
              expect(faulty.left).toBe(0);
              expect(log.suffixes()).toEqual(
                passed === 0
                  ? ["", ".seg-000001", ".seg-000002", ".seg-000003"]
                  : ["", ".seg-000001.gz", ".seg-000002", ".seg-000003"],
              );
            },
            { io },
          );
          await expectFinished(log, `${operation} ${String(passed)} ${code}`);
        }
      }
    }
  });

  it("was aborted at any step: it says so, and the next run goes on", async () => {
    const log = await longLog(3, 900, 5);
    const before = await log.with((store) => linesRead(store));
    const abortedAfter = (steps: number): Promise<boolean> => {
      const abort = new AbortController();
      let left = steps;
      return log.with(async (store) => {
        const onProgress = (): void => {
          if (left-- === 0) abort.abort();
        };
        const error = await store.compact({ onProgress, signal: abort.signal }).then(
          () => null,
          (reason: unknown) => reason as EventStoreError,
        );
        if (error) expect(error.code).toBe("ABORTED");
        expect(log.suffixes().filter((suffix) => suffix.endsWith(".new"))).toEqual([]);
        expect(await linesRead(store)).toEqual(before);
        return error !== null;
      });
    };
    let steps = 0;
    while (await abortedAfter(steps)) steps++;
    expect(steps).toBeGreaterThan(2);
    expect(log.suffixes()).toEqual(["", ".batch", ".seg-000001.gz", ".seg-000002.gz", ".seg-000003"]);
  });
});

describe("what is written is read back, and what was read must not have changed", () => {
  const changing = (change: (bytes: Buffer) => Buffer): FileIo => ({
    ...systemIo,
    append: (file, bytes) => systemIo.append(file, change(Buffer.from(bytes))),
  });

  it.each([
    ["a bit is turned", (bytes: Buffer) => Buffer.from(bytes.fill((bytes[40] ?? 0) ^ 1, 40, 41))],
    ["the end is lost", (bytes: Buffer) => bytes.subarray(0, -1)],
    ["all is lost", () => Buffer.alloc(0)],
    ["something follows", (bytes: Buffer) => Buffer.concat([bytes, Buffer.from("x")])],
  ])("%s by the disk: the plain segment is kept", async (_what, change) => {
    const log = goldenLog();
    const files = log.suffixes();
    await log.with(
      async (store) =>
        expect(await refusal(store.compact())).toMatchObject({ code: "IO_FAILED", facts: { operation: "read back" } }),
      { io: changing(change) },
    );
    expect(log.suffixes()).toEqual(files);
    await expectFinished(log);
  });

  it("other records than were verified: the plain segment is kept", async () => {
    const other = await compressed(Buffer.from(text(LINES.slice(15, 30))));
    const log = goldenLog();
    await log.with(async (store) => expect((await refusal(store.compact())).code).toBe("IO_FAILED"), {
      io: changing(() => other),
    });
    await expectFinished(log);
  });

  it("a plain segment that somebody writes to is kept, with what was written", async () => {
    const log = goldenLog();
    const io: FileIo = {
      ...systemIo,
      sync: (file) => {
        log.write(text(LINES.slice(0, 15)) + "\n", ".seg-000001");
        return systemIo.sync(file);
      },
    };
    await log.with(async (store) => expect((await refusal(store.compact())).code).toBe("IO_FAILED"), { io });
    expect(log.bytes(".seg-000001").toString()).toBe(text(LINES.slice(0, 15)) + "\n");
    expect(log.has(".seg-000001.gz")).toBe(false);
  });

  it.each([
    ["changed", (lines: string[]) => lines.splice(20, 1, String(lines[20]).replace("0", "1"))],
    ["missing", (lines: string[]) => lines.splice(20, 1)],
    ["malformed", (lines: string[]) => lines.splice(20, 1, "{}")],
    ["missing at the beginning of its segment", (lines: string[]) => lines.splice(15, 1)],
  ])("a damaged segment (a record is %s) is refused with its verdict, and stays as it is", async (_what, damage) => {
    const lines = [...LINES];
    damage(lines);
    const log = goldenLog(lines);
    const plain = log.bytes(".seg-000002");
    await log.with(async (store) => {
      const { error } = await store.verify();
      expect(error).toBeDefined();
      const { code, facts } = await refusal(store.compact());
      expect({ code, facts }).toEqual({ code: error?.code, facts: error?.facts });
      expect((await store.verify()).error).toMatchObject({ code, seq: error?.seq });
    });
    // What stands before it is good, and was replaced; nothing behind it was touched.
    expect(log.suffixes()).toEqual(["", ".seg-000001.gz", ".seg-000002", ".seg-000003"]);
    expect(log.bytes(".seg-000002")).toEqual(plain);
  });
});

describe("compactors, writers and readers at once", () => {
  it("two compactions of one process, and of two stores, share the work", async () => {
    for (const stores of [1, 2]) {
      const log = goldenLog();
      const first = await log.open();
      const second = stores === 1 ? first : await log.open();
      const reports = await Promise.all([first.compact(), second.compact(), second.compact()]);
      expect(reports.map(({ records }) => records)).toEqual([30, 30, 30]);
      expect(reports.reduce((sum, { written }) => sum + written, 0)).toBeGreaterThanOrEqual(2);
      await expectFinished(log);
    }
  });

  it("another removes the plain segment at any step of ours: it is as if we had come later", async () => {
    const steps: readonly Operation[] = ["truncate", "append", "sync"];
    for (const step of steps) {
      const log = goldenLog();
      const other = await compressed(log.bytes(".seg-000001"));
      const io: FileIo = {
        ...systemIo,
        [step]: (...args: [never, never]) => {
          log.write(other, ".seg-000001.gz");
          if (log.has(".seg-000001")) log.remove(".seg-000001");
          return systemIo[step](...args);
        },
      };
      await log.with(async (store) => expect(await store.compact()).toMatchObject({ written: 1, records: 30 }), { io });
      await expectFinished(log, step);
    }
  });

  it("a reader goes on, wherever it stands when the segments are replaced", async () => {
    const lines = await goldenLog().with((store) => linesRead(store));
    for (let pause = 0; pause < 60; pause++) {
      const log = goldenLog();
      await log.with(async (store) => {
        const found: string[] = [];
        for await (const { line } of store.readRecords()) {
          if (found.length === pause) await store.compact();
          found.push(line.toString());
        }
        expect(found, `at ${String(pause)}`).toEqual(lines);
        expect(existsSync(`${log.path}.seg-000001`)).toBe(false);
      });
    }
  });

  it("appends go on while a segment is being compressed, and rotate", async () => {
    const log = goldenLog();
    let appended = 0;
    await log.with(
      async (store) => {
        const io: FileIo = {
          ...systemIo,
          append: async (file, bytes) => {
            // The compactor waits for a writer here, and not the other way round.
            expect((await store.appendWithRetry(event(60 + appended))).seq).toBe(60 + appended);
            appended++;
            await systemIo.append(file, bytes);
          },
        };
        await log.with((compacting) => compacting.compact(), { io });
        expect(appended).toBe(2);
        expect(await verdict(store)).toEqual({ ...GOOD, good: 62 });
        expect(log.suffixes()).toContain(".seg-000005");
      },
      { maxBytes: 1, appendTimeoutMs: 5000 },
    );
  });
});
