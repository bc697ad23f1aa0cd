import { execFileSync, spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { collect, event, events, numbers, refusal, ScratchLog, scratchFolder } from "./scratch.js";

/** A file system of 256 KiB; null where this user may not mount one. */
function smallDisk(): string | null {
  const folder = scratchFolder();
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]).status === 0;
  return mounted ? folder : null;
}

const disk = smallDisk();
afterAll(() => {
  if (disk !== null) execFileSync("umount", [disk]);
});

if (disk !== null) {
  describe("a full disk", () => {
    it("DISK_FULL, nothing half-written; appends go on when there is space again", async () => {
      const log = new ScratchLog(join(disk, "events.log"));
      const ballast = join(disk, "ballast");
      writeFileSync(ballast, Buffer.alloc(64 * 1024));
      await log.with(async (store) => {
        let n = 0;
        const error = await refusal(
          (async () => {
            for (;;) await store.appendWithRetry(event(n++, 5000));
          })(),
        );
        expect([error.code, error.facts.backendCode, error.facts.file, error.action]).toEqual([
          "DISK_FULL",
          "ENOSPC",
          log.path,
          "fix",
        ]);
        expect(error.hint).toContain("free space");
        const acknowledged = Array.from({ length: n - 1 }, (_, i) => i);
        expect(n).toBeGreaterThan(10);
        expect(await numbers(store)).toEqual(acknowledged);
        expect((await store.verify()).valid).toBe(true);
        expect(await refusal(store.appendBatch(events(1000, 20, 5000)))).toMatchObject({ code: "DISK_FULL" });
        expect(await numbers(store)).toEqual(acknowledged);
        // What still fits is welcome.
        expect((await store.appendWithRetry(event(n - 1))).seq).toBe(n - 1);

        rmSync(ballast);
        await store.appendBatch(events(n, 3, 5000));
        await log.with((other) => other.appendWithRetry(event(n + 3, 5000)));
        expect(await numbers(store)).toEqual(Array.from({ length: n + 4 }, (_, i) => i));
      });
      expect(log.warnings).toEqual([]);
      expect(log.asides()).toEqual([]);
      rmSync(log.path);
    });

    it("many appends at once: each is in the log or was refused, none in part", async () => {
      const log = new ScratchLog(join(disk, "many.log"));
      await log.with(async (store) => {
        const results = await Promise.allSettled(events(0, 300, 2000).map((e) => store.appendWithRetry(e)));
        const refused = results.flatMap((r) => (r.status === "rejected" ? [r.reason as { code: string }] : []));
        expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(["DISK_FULL"]));
        const stored = results.flatMap((r) => (r.status === "fulfilled" ? [r.value.eventHash] : []));
        expect((await collect(store)).map(({ eventHash }) => eventHash)).toEqual(stored);
      });
      rmSync(log.path);
    });

    it("no space for the side file of an unfinished write: nothing is cut off, no half copy is left", async () => {
      const log = new ScratchLog(join(disk, "torn.log"));
      await log.with((store) => store.appendWithRetry(event(0)));
      log.add(`{"event":{"aggregate_id":"${"x".repeat(60_000)}`);
      const before = log.bytes();
      const ballast = join(disk, "ballast");
      const free = 256 * 1024 - Math.ceil(before.length / 4096) * 4096 - 24 * 1024;
      writeFileSync(ballast, Buffer.alloc(free));
      await log.with(async (store) => {
        expect(await refusal(store.appendWithRetry(event(1)))).toMatchObject({ code: "DISK_FULL" });
        expect(log.bytes()).toEqual(before);
        expect(log.asides()).toEqual([]);
        rmSync(ballast);
        expect((await store.appendWithRetry(event(1))).seq).toBe(1);
        expect(await numbers(store)).toEqual([0, 1]);
      });
      expect(log.asides()).toHaveLength(1);
      for (const suffix of log.suffixes()) if (suffix.startsWith(".torn-")) log.remove(suffix);
      rmSync(log.path);
    });
  });
}

describe(
  disk === null
    ? "a file that may not grow (no file system could be mounted here, so this stands for a full disk)"
    : "a file that may not grow",
  () => {
    it("the append fails, nothing is half-written, and appends go on when it may", async () => {
      const log = new ScratchLog();
      const library = fileURLToPath(new URL("../../../dist/index.js", import.meta.url));
      const program = `
      const { FileEventStore } = await import(process.argv[1]);
      const store = await FileEventStore.open({ path: process.argv[2] });
      for (let n = 0; ; n++) {
        try {
          await store.appendWithRetry({ type: "T", aggregateId: "a", payload: { n, fill: "x".repeat(5000) } });
        } catch (error) {
          console.log(JSON.stringify({ n, code: error.code, backendCode: error.facts.backendCode, hint: error.hint, events: (await store.verify()).events }));
          break;
        }
      }
      await store.close();`;
      const said = execFileSync("bash", [
        "-c",
        'ulimit -f 64; exec "$0" --input-type=module -e "$1" "$2" "$3"',
        process.execPath,
        program,
        library,
        log.path,
      ]);
      const { n, code, backendCode, hint, events: verified } = JSON.parse(said.toString()) as Record<string, unknown>;
      expect([backendCode, verified]).toEqual(["EFBIG", n]);
      expect(["DISK_FULL", "IO_FAILED"]).toContain(code);
      expect(hint).toMatch(/\w/);
      expect(n).toBeGreaterThan(5);
      expect(log.bytes().at(-1)).toBe(0x0a);
      await log.with(async (store) => {
        expect((await store.appendWithRetry(event(Number(n)))).seq).toBe(n);
        expect(await numbers(store)).toEqual(Array.from({ length: Number(n) + 1 }, (_, i) => i));
      });
      expect(log.warnings).toEqual([]);
    });
  },
);
