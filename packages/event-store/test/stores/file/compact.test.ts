import { chmodSync, cpSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { UpkeepProgress } from "../../../src/log/upkeep.js";
import { vector, vectorJson, VECTORS } from "../../core/vectors.js";
import { SeededRandom } from "../../log/random.js";
import { event, refusal, ScratchLog, verdict } from "./scratch.js";
import { goldenLog, LINES, linesRead, logOf, longLog, suffixOf, text, unzipped } from "./segments.js";

describe("compact() on a log in files", () => {
  it("replaces all rotated segments but the newest by the same lines in gzip", async () => {
    const log = goldenLog();
    chmodSync(log.path + suffixOf(1), 0o604);
    const progress: UpkeepProgress[] = [];
    await log.with(async (store) => {
      const head = await store.head();
      expect(await store.compact({ onProgress: (now) => progress.push(now) })).toEqual({
        written: 2,
        merged: 0,
        records: 30,
        head,
      });
      expect(log.suffixes()).toEqual(["", ".seg-000001.gz", ".seg-000002.gz", ".seg-000003"]);
      expect([unzipped(log, 1), unzipped(log, 2)]).toEqual([text(LINES.slice(0, 15)), text(LINES.slice(15, 30))]);
      expect(statSync(`${log.path}.seg-000001.gz`).mode & 0o777).toBe(0o604);
      expect(await verdict(store)).toEqual({ good: 60, code: undefined, seq: undefined });
      expect(await store.compact()).toMatchObject({ written: 0, records: 30 });
    });
    expect(progress.map(({ of }) => of)).toEqual(progress.map(() => 30));
    expect(progress.map(({ records }) => records)).toEqual([0, 15, 15, 30, 30]);
  });

  it("has nothing to do for a log of one file, of one segment, or of none", async () => {
    for (const log of [new ScratchLog(), logOf(text(LINES)), logOf(text(LINES.slice(0, 9)), text(LINES.slice(9)))]) {
      const files = log.suffixes();
      await log.with(async (store) => expect(await store.compact()).toMatchObject({ written: 0, records: 0 }));
      expect(log.suffixes()).toEqual(files);
    }
  });

  it("goes on with what was rotated since; numbers of compressed segments are not given again", async () => {
    const log = goldenLog();
    await log.with(
      async (store) => {
        await store.compact();
        for (let n = 60; n < 63; n++) expect((await store.appendWithRetry(event(n))).seq).toBe(n);
        expect(log.suffixes().filter((suffix) => !suffix.endsWith(".gz"))).toEqual(
          ["", ".head.json"].concat([3, 4, 5, 6].map(suffixOf)),
        );
        expect(await store.compact()).toMatchObject({ written: 3, records: 61 });
        expect(await verdict(store)).toEqual({ good: 63, code: undefined, seq: undefined });
      },
      { maxBytes: 1 },
    );
  });

  it("finds the next number and the tail where only compressed segments are left", async () => {
    const log = goldenLog();
    await log.with((store) => store.compact());
    log.remove("");
    log.remove(".seg-000003");
    await log.with(
      async (store) => {
        expect((await store.head()).seq).toBe(29);
        const { prevHash } = await store.appendWithRetry(event(30));
        expect(prevHash).toBe((JSON.parse(String(LINES[29])) as { event_hash: string }).event_hash);
        await store.appendWithRetry(event(31));
        expect(log.has(".seg-000003")).toBe(true);
        expect(await verdict(store)).toEqual({ good: 32, code: undefined, seq: undefined });
      },
      { maxBytes: 1, mustExist: true },
    );
  });

  it("keeps blank lines and other spellings; a last newline that is missing is added", async () => {
    const odd = `\n \t\r\n${text(LINES.slice(0, 15)).replaceAll('{"event":{', '{ "event": {')}\n\n`;
    const cut = text(LINES.slice(15, 30)).slice(0, -1);
    const log = logOf(odd, cut, "\n \n", text(LINES.slice(30, 45)), text(LINES.slice(45)));
    await log.with(async (store) => {
      const before = await linesRead(store);
      expect(await store.compact()).toMatchObject({ written: 2, records: 30 });
      expect([unzipped(log, 1), unzipped(log, 2)]).toEqual([odd, `${cut}\n`]);
      // Without a record there is nothing to save.
      expect(log.has(suffixOf(3))).toBe(true);
      expect(await linesRead(store)).toEqual(before);
      for (const from of [1, 14, 15, 16, 29, 30, 31, 59])
        expect(await linesRead(store, { fromSeq: from })).toEqual(before.slice(from));
    });
  });

  it("more than a member's worth of blank lines, at the beginning and at the end", async () => {
    const blank = "\n".repeat(2500);
    const log = logOf(`${blank}${text(LINES.slice(0, 30))}${blank}`, "\n", text(LINES.slice(30)));
    await log.with((store) => store.compact());
    log.remove(suffixOf(2));
    log.write("");
    await log.with(async (store) => {
      expect(log.has(".seg-000001.gz")).toBe(true);
      expect((await store.head()).seq).toBe(29);
      expect(await linesRead(store, { fromSeq: 7, toSeq: 8 })).toEqual(LINES.slice(7, 9));
      expect(await store.getEventHash(7)).not.toBeNull();
    });
  });

  it("a log that the Python system rotated reads the same, and goes on", async () => {
    const log = new ScratchLog();
    cpSync(fileURLToPath(new URL("rotated", VECTORS)), dirname(log.path), { recursive: true });
    const golden = vectorJson<{ dir?: string; last_hash: string }[]>("chains.json").find(
      ({ dir }) => dir === "rotated",
    );
    const lines = [1, 2, 3, 4, 5].map((i) => vector(`rotated/events.log${suffixOf(i)}`).toString());
    await log.with(async (store) => {
      expect((await store.compact()).written).toBe(4);
      expect([1, 2, 3, 4].map((i) => unzipped(log, i))).toEqual(lines.slice(0, 4));
      const report = await store.verify();
      expect([report.valid, report.events, report.head.hash]).toEqual([true, 100, golden?.last_hash]);
      expect((await store.appendWithRetry(event(0))).seq).toBe(100);
    });
  });

  it("refuses a log whose beginning is gone", async () => {
    const log = new ScratchLog();
    cpSync(fileURLToPath(new URL("rotated-pruned", VECTORS)), dirname(log.path), { recursive: true });
    const files = log.suffixes();
    await log.with(async (store) =>
      expect(await refusal(store.compact())).toMatchObject({ code: "GAP", facts: { seq: 0, actual: 60 } }),
    );
    expect(log.suffixes()).toEqual(files);
    const compacted = goldenLog();
    await compacted.with((store) => store.compact());
    compacted.remove(".seg-000001.gz");
    await compacted.with(async (store) =>
      expect(await refusal(store.compact())).toMatchObject({ code: "GAP", facts: { seq: 0, actual: 15 } }),
    );
  });

  it("takes no other file for a segment", async () => {
    const log = goldenLog();
    for (const suffix of [".seg-000007.gz.new", ".seg-000008.gz.old", ".seg-000009.xz", ".seg-10.gz"])
      log.write("something", suffix);
    await log.with(async (store) => {
      expect(await store.compact()).toMatchObject({ written: 2 });
      expect(await verdict(store)).toEqual({ good: 60, code: undefined, seq: undefined });
    });
  });

  it.each([1, 2, 3])("random ranges read the same before and after, seed %i", async (seed) => {
    const random = new SeededRandom(seed);
    const each = 2500 + random.below(2000);
    const log = await longLog(3, each, seed);
    await log.with(async (store) => {
      const before = await linesRead(store);
      await store.compact();
      expect(log.bytes(".seg-000001.gz").length).toBeGreaterThan(512 * 1024);
      expect(await linesRead(store)).toEqual(before);
      const edges = [0, 1, 999, 1000, each - 1, each, each + 1, 2 * each - 1, 2 * each, 3 * each - 1, 3 * each];
      for (const from of [...edges, ...Array.from({ length: 20 }, () => random.below(3 * each))]) {
        const to = from + random.below(1500);
        expect(await linesRead(store, { fromSeq: from, toSeq: to }), `${from}…${to}`).toEqual(
          before.slice(from, to + 1),
        );
        const { event_hash } = JSON.parse(String(before[from])) as { event_hash: string };
        expect(await store.getEventHash(from)).toBe(event_hash);
        if (from === 0) continue;
        const { event_hash: hash } = JSON.parse(String(before[from - 1])) as { event_hash: string };
        expect(await linesRead(store, { anchor: { seq: from - 1, hash }, toSeq: to })).toEqual(
          before.slice(from, to + 1),
        );
      }
      expect(await store.getEventHash(3 * each + 1)).toBeNull();
      const report = await store.verify({ workers: 2 });
      expect([report.valid, report.events]).toEqual([true, 3 * each + 1]);
    });
  });
});
