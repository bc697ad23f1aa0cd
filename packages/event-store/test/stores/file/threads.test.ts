import { open } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { VerifyOptions, VerifyReport } from "../../../src/stores/port.js";
import { FileSource } from "../../../src/stores/file/file-source.js";
import { LogFiles } from "../../../src/stores/file/log-files.js";
import { verifyRun, type Run, type RunReport } from "../../../src/stores/file/run.js";
// Threads run what was built.
import * as built from "../../../dist/stores/file/run-threads.js";
import { RunThreads } from "../../../src/stores/file/run-threads.js";
import { verifyLog } from "../../../src/stores/reading.js";
import type { Answering } from "../../../src/system/thread.js";
import { vector, vectorJson } from "../../core/vectors.js";
import { ScratchLog } from "./scratch.js";

/** What a thread does, in this one. */
function inPlace(report: (run: Run) => Promise<RunReport | null> = verified): Answering<Run, RunReport> {
  return { waiting: 0, ask: report, close: () => Promise.resolve() };
}

async function verified(run: Run): Promise<RunReport> {
  const file = await open(run.path, "r");
  try {
    return await verifyRun(file, run);
  } finally {
    await file.close();
  }
}

/** How far the threads' word carried it: to see that they were asked at all. */
let confirmed = 0;

function verify(
  path: string,
  options: VerifyOptions,
  runBytes?: number,
  verifier: Answering<Run, RunReport> = inPlace(),
): Promise<VerifyReport> {
  const source = new FileSource(new LogFiles(path), {
    worthBytes: 0,
    start: (count) => {
      const threads = new RunThreads(
        Array.from({ length: count }, () => verifier),
        runBytes,
      );
      const walk = threads.walk.bind(threads);
      threads.walk = async function* (...args) {
        for await (const step of walk(...args)) {
          confirmed += step.count;
          yield step;
        }
      };
      return Promise.resolve(threads);
    },
  });
  const head = () => Promise.reject(new Error("the head is not asked for here"));
  return verifyLog(source, head, runBytes === undefined ? options : { ...options, workers: 2 });
}

const outcome = ({ valid, events, head, anchor, error }: VerifyReport): object => ({
  valid,
  events,
  head,
  anchor,
  error: error && { ...error.toJSON() },
});

/** Also the hashes of all good records. */
async function withHashes(path: string, options: VerifyOptions, runBytes?: number): Promise<object> {
  const hashes: Buffer[] = [];
  const report = await verify(path, { ...options, onHashes: (some) => void hashes.push(some) }, runBytes);
  const all = Buffer.concat(hashes);
  expect(all.length).toBe(32 * report.events);
  if (report.events > 0) expect(all.subarray(-32).toString("hex")).toBe(report.head.hash);
  return { ...outcome(report), hashes: all.toString("hex") };
}

/** One thread and several, with runs of many sizes, say the same to the letter. */
async function expectSame(path: string, options: VerifyOptions, sizes: readonly number[], what: string): Promise<void> {
  const alone = await withHashes(path, options);
  for (const runBytes of sizes)
    expect(await withHashes(path, options, runBytes), `${what}, runs of ${runBytes} bytes`).toEqual(alone);
}

const SIZES = [300, 1500, 1_000_000];

describe("verification with threads", () => {
  const log = new ScratchLog();
  const base = vector("tampered/base.jsonl");

  beforeAll(() => {
    confirmed = 0;
  });

  it.each(vectorJson<{ file: string }[]>("tampered/manifest.json").map(({ file }) => file))(
    "%s: the verdict of the walk in order",
    async (file) => {
      const bytes = vector(`tampered/${file}`);
      log.write(bytes);
      await expectSame(log.path, {}, SIZES, file);
      await expectSame(log.path, { expectedHead: { seq: 20, hash: "0".repeat(64) } }, SIZES, file);
      await expectSame(log.path, { fromSeq: 10 }, SIZES, file);
    },
  );

  it.each(["chain-v1.jsonl", "chain-v2.jsonl", "chain-mixed.jsonl", "chain-empty.jsonl"])(
    "%s is good",
    async (file) => {
      log.write(vector(file));
      await expectSame(log.path, {}, SIZES, file);
    },
  );

  it("at every position of a fault: a bit turned in each 61st byte", async () => {
    for (let i = 0; i < base.length; i += 61) {
      const bytes = Buffer.from(base);
      bytes.writeUInt8((bytes[i] ?? 0) ^ 1, i);
      log.write(bytes);
      await expectSame(log.path, {}, [1300], `byte ${i}`);
    }
  });

  it("at every line: removed, doubled, swapped, cut, blank, in another spelling", async () => {
    const lines = base.toString().trimEnd().split("\n");
    const edits: Record<string, (at: string[], i: number) => unknown> = {
      removed: (at, i) => at.splice(i, 1),
      doubled: (at, i) => at.splice(i, 0, String(at[i])),
      swapped: (at, i) => at.splice(i, 2, ...at.slice(i, i + 2).reverse()),
      cut: (at, i) => at.splice(i, 1, String(at[i]).slice(0, 100)),
      blank: (at, i) => at.splice(i, 0, " \t", ""),
      respelled: (at, i) => at.splice(i, 1, String(at[i]).replace('{"event":', '{ "event" : ')),
      "of another log": (at, i) => at.splice(i, 1, String(lines[(i + 7) % lines.length])),
    };
    for (const [name, edit] of Object.entries(edits)) {
      for (let i = 0; i < lines.length; i += 4) {
        const edited = [...lines];
        edit(edited, i);
        log.write(`${edited.join("\n")}\n`);
        await expectSame(log.path, {}, [900], `${name} at ${i}`);
      }
    }
  });

  it("cut at every 211th byte", async () => {
    for (let end = base.length; end > 0; end -= 211) {
      log.write(base.subarray(0, end));
      await expectSame(log.path, {}, [700], `cut at ${end}`);
    }
  });

  it("confirmed most of it in threads, all the while", () => {
    expect(confirmed).toBeGreaterThan(3000);
  });

  it("sees the heads that it was told to look for, within a run and at its borders", async () => {
    log.write(base);
    const lines = base.toString().trimEnd().split("\n");
    for (const [seq, line] of lines.entries()) {
      const { event_hash: hash } = JSON.parse(line) as { event_hash: string };
      expect(outcome(await verify(log.path, { expectedHead: { seq, hash } }, 1200)), String(seq)).toMatchObject({
        valid: true,
      });
      const wrong = await verify(log.path, { expectedHead: { seq, hash: "1".repeat(64) } }, 1200);
      expect(wrong.error, String(seq)).toMatchObject({ code: "HEAD_CONTRADICTS_LOG" });
    }
  });

  it("goes on alone when a thread fails", async () => {
    log.write(base);
    let calls = 0;
    const failing = inPlace((run) => (++calls > 3 ? Promise.resolve(null) : verified(run)));
    expect(await verify(log.path, {}, 1200, failing)).toMatchObject({ valid: true, events: 60 });
    expect(calls).toBeGreaterThan(3);
  });

  it("does not take the word of a thread that says more than it can know", async () => {
    const lines = base.toString().trimEnd().split("\n");
    log.write(`${lines.toSpliced(30, 1).join("\n")}\n`);
    // Each run is good by itself; only the borders show what is missing.
    const alone = outcome(await verify(log.path, {}));
    expect(alone).toMatchObject({ valid: false, events: 30, error: { code: "GAP" } });
    const first = lines.slice(0, 30).join("\n").length + 1;
    expect(outcome(await verify(log.path, {}, first))).toEqual(alone);
  });
});

describe("a very long blank line", () => {
  it.each([9, 20])("of %i MiB hides nothing behind it", async (mebibytes) => {
    const log = new ScratchLog();
    const lines = vector("tampered/base.jsonl").toString().trimEnd().split("\n");
    const blank = " ".repeat(mebibytes * 1024 * 1024);
    log.write(`${[...lines.slice(0, 3), blank, ...lines.slice(3)].join("\n")}\n`);
    await expectSame(log.path, {}, [4000, 1_000_000], `${mebibytes} MiB`);
    const report = await verify(log.path, {});
    expect(report).toMatchObject({ valid: false, events: 3, error: { code: "MALFORMED", seq: 3 } });
  });
});

describe("real threads", () => {
  it("confirm the whole of a good log, in order, and all but the end of one with a fault", async () => {
    const log = new ScratchLog();
    const base = vector("chain-v1.jsonl");
    log.write(base);
    const threads = new built.RunThreads(built.startRunThreads(3), 3000);
    const genesis = { seq: -1, hash: "0".repeat(64) };
    const walk = async (): Promise<number[]> => {
      const seqs: number[] = [];
      const file = { path: log.path, start: 0, end: base.length };
      for await (const { head } of threads.walk(file, genesis, {})) seqs.push(head.seq);
      return seqs;
    };
    try {
      for (let round = 0; round < 5; round++) {
        const seqs = await walk();
        expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
        expect(seqs.length).toBeGreaterThan(20);
        expect(seqs.at(-1)).toBe(199);
      }
      const forged = Buffer.from(base);
      forged.writeUInt8((forged[base.length - 400] ?? 0) ^ 1, base.length - 400);
      log.write(forged);
      expect((await walk()).at(-1)).toBeGreaterThan(190);
      expect((await walk()).at(-1)).toBeLessThan(199);
    } finally {
      await threads.close();
    }
  });
});
