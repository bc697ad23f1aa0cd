import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startWriter } from "./processes.js";
import { collect, ScratchLog } from "./scratch.js";
import { goldenLog, LINES, linesRead } from "./segments.js";

const SCRIPT = fileURLToPath(new URL("compactor.mjs", import.meta.url));

/** Compacts until it is told to end, or dies. */
class Compactor {
  readonly #child: ChildProcess;
  readonly #ended: Promise<NodeJS.Signals | number | null>;
  errors = "";
  written = 0;

  /** `steps`: it dies behind so many. */
  constructor(path: string, steps?: number) {
    const child = spawn(process.execPath, [SCRIPT, path, ...(steps === undefined ? [] : [String(steps)])], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    child.stdout.on("data", (data: Buffer) => {
      for (const line of data.toString().trimEnd().split("\n")) this.written += Number(line);
    });
    child.stderr.on("data", (data: Buffer) => (this.errors += data.toString()));
    this.#ended = new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
  }

  async end(): Promise<void> {
    this.#child.stdin?.end();
    expect(await this.#ended, this.errors).toBe(0);
  }

  async killed(): Promise<void> {
    expect(await this.#ended, this.errors).toBe("SIGKILL");
  }
}

describe("compactors, writers and readers in processes of their own", () => {
  it("every acknowledged append is there, every reader sees a whole log, and the compactors write each segment", async () => {
    const log = new ScratchLog();
    const writers = Array.from({ length: 4 }, (_, i) =>
      startWriter({ path: log.path, name: `writer-${String(i)}`, count: 60, mixed: true, maxBytes: 3000 }),
    );
    await Promise.all(writers.map((writer) => writer.begun()));
    const compactors = [new Compactor(log.path), new Compactor(log.path)];
    const state = { writing: true };
    const reading = (async () => {
      const store = await log.open({ mustExist: true });
      while (state.writing) {
        const report = await store.verify();
        expect(report.error).toBeUndefined();
        const from = Math.floor(report.events / 2);
        const found = await collect(store, { fromSeq: from });
        expect(found.map(({ seq }) => seq)).toEqual(found.map((_, i) => from + i));
        expect(await store.getEventHash(from)).toBe(found[0]?.eventHash ?? null);
      }
    })();
    await Promise.all(writers.map((writer) => writer.succeeded()));
    state.writing = false;
    await reading;
    await Promise.all(compactors.map((compactor) => compactor.end()));
    await log.with(async (store) => {
      await store.compact();
      const found = await collect(store);
      expect(found.length).toBe(240);
      for (const { name, acknowledged } of writers) {
        const own = found.filter(({ aggregateId }) => aggregateId === name);
        expect(own.map(({ seq, eventHash, payload }) => ({ seq, hash: eventHash, n: payload["n"] }))).toEqual(
          acknowledged,
        );
      }
    });
    const segments = log.suffixes().filter((suffix) => suffix.startsWith(".seg-"));
    expect(segments.length).toBeGreaterThan(5);
    expect(segments.filter((suffix) => !suffix.endsWith(".gz"))).toEqual([segments.at(-1)]);
    expect(compactors.reduce((sum, { written }) => sum + written, 0)).toBeGreaterThan(0);
    expect([...compactors, ...writers].map(({ errors }) => errors).join("")).toBe("");
  }, 60_000);

  it.each([0, 1, 2, 3, 4, 5])(
    "a compactor that is killed behind %i steps leaves a whole log, and another finishes",
    async (steps) => {
      const log = goldenLog();
      await new Compactor(log.path, steps).killed();
      expect(log.has(`.seg-00000${String(steps < 3 ? 1 : 2)}.gz.new`)).toBe(true);
      await log.with(async (store) => {
        expect(await linesRead(store)).toEqual(LINES);
        expect(await store.compact()).toMatchObject({ written: steps < 3 ? 2 : 1, records: 30 });
        expect(await linesRead(store)).toEqual(LINES);
      });
      expect(log.suffixes()).toEqual(["", ".seg-000001.gz", ".seg-000002.gz", ".seg-000003"]);
    },
  );
});
