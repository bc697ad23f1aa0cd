import { describe, expect, it } from "vitest";
import { MalformedRecord, viewAnySpelling, viewRecord, type RecordView } from "../../../src/core/record-view.js";
import { vector } from "../../core/vectors.js";
import { ScratchLog, verdict } from "./scratch.js";

/** The golden log of 60 records that the tampered ones were made from. */
const LINES = vector("tampered/base.jsonl").toString().trimEnd().split("\n");
const LAST = LINES.length - 1;

const changed = (line: string): string => {
  const at = line.indexOf('"payload":{"') + '"payload":{"'.length;
  return line.slice(0, at) + (line[at] === "q" ? "r" : "q") + line.slice(at + 1);
};

interface Fault {
  readonly make: (lines: string[], i: number) => void;
  /** Records before the fault, and its code; undefined where a chain alone cannot tell. */
  readonly expected: (i: number) => readonly [good: number, code: string | undefined];
}

const FAULTS: Record<string, Fault> = {
  "a byte of the payload changed": {
    make: (lines, i) => lines.splice(i, 1, changed(String(lines[i]))),
    expected: (i) => [i, "HASH_MISMATCH"],
  },
  "a line removed": {
    make: (lines, i) => lines.splice(i, 1),
    expected: (i) => (i === LAST ? [LAST, undefined] : [i, "GAP"]),
  },
  "a line doubled": {
    make: (lines, i) => lines.splice(i, 0, String(lines[i])),
    expected: (i) => [i + 1, "DUPLICATE"],
  },
  "two lines swapped": {
    make: (lines, i) => lines.splice(i, 2, ...lines.slice(i, i + 2).reverse()),
    expected: (i) => (i === LAST ? [LAST + 1, undefined] : [i, "GAP"]),
  },
  "a line cut in its middle": {
    make: (lines, i) => lines.splice(i, 1, String(lines[i]).slice(0, 100)),
    expected: (i) => [i, "MALFORMED"],
  },
};

/** The same records in a spelling that is not canonical, so that each goes the longer way. */
const respelled = (line: string): string => line.replace('{"event":{', '{ "event":{');

function judge(view: (line: Buffer) => RecordView, line: Buffer): object {
  try {
    const { seq, eventHash, prevHash, bytes } = view(line);
    return { seq, eventHash, prevHash, bytes: bytes.toString() };
  } catch (error) {
    if (error instanceof MalformedRecord) return { malformed: error.message, incomplete: error.incomplete };
    throw error;
  }
}

describe.each(Object.entries(FAULTS))("%s, in each of 60 lines", (_what, { make, expected }) => {
  it.each([
    ["in canonical spelling", (line: string) => line],
    ["in another spelling", respelled],
  ])("%s: the same code and seq from read, readRecords and verify", async (_how, spell) => {
    const log = new ScratchLog();
    const store = await log.open();
    for (let i = 0; i < LINES.length; i++) {
      const lines = LINES.map(spell);
      make(lines, i);
      log.write(lines.map((line) => `${line}\n`).join(""));
      const [good, code] = expected(i);
      expect(await verdict(store), `line ${i}`).toEqual({ good, code, seq: code && good });
    }
  });

  it("both ways of judging a line give one view or one complaint", () => {
    for (let i = 0; i < LINES.length; i++) {
      const lines = [...LINES];
      make(lines, i);
      for (const line of lines.slice(Math.max(0, i - 1), i + 2)) {
        const bytes = Buffer.from(line);
        expect(judge(viewAnySpelling, bytes)).toEqual(judge(viewRecord, bytes));
        expect(judge(viewRecord, Buffer.from(respelled(line)))).toHaveProperty(
          "seq" in judge(viewRecord, bytes) ? "bytes" : "malformed",
        );
      }
    }
  });

  it("split over segments: the same", async () => {
    for (const i of [0, 14, 15, 29, 30, 31, 44, 59]) {
      const lines = [...LINES];
      make(lines, i);
      const log = new ScratchLog();
      const text = (from: number, to?: number): string =>
        lines
          .slice(from, to)
          .map((line) => `${line}\n`)
          .join("");
      log.write(text(0, 15), ".seg-000001");
      log.write(text(15, 30), ".seg-000002");
      log.write(text(30));
      const [good, code] = expected(i);
      await log.with(async (store) =>
        expect(await verdict(store), `line ${i}`).toEqual({ good, code, seq: code && good }),
      );
    }
  });
});

describe("a fault before the range of a read", () => {
  it.each(Object.entries(FAULTS))("%s: is not of the range, wherever it is", async (_what, { make }) => {
    const log = new ScratchLog();
    const store = await log.open();
    for (let i = 0; i < 38; i++) {
      const lines = [...LINES];
      make(lines, i);
      log.write(lines.map((line) => `${line}\n`).join(""));
      const seqs: number[] = [];
      for await (const { seq } of store.read({ fromSeq: 40, toSeq: 44 })) seqs.push(seq);
      expect(seqs, `line ${i}`).toEqual([40, 41, 42, 43, 44]);
    }
  });

  it.each([
    ["a byte of the payload changed", "HASH_MISMATCH", 39],
    ["a line removed", "GAP", 39],
    ["a line cut in its middle", "MALFORMED", 39],
  ])("in the record that the range stands on: %s is said at its seq", async (what, code, seq) => {
    const lines = [...LINES];
    FAULTS[what]?.make(lines, 39);
    for (const from of [0, 39]) {
      const log = new ScratchLog(
        undefined,
        Buffer.from(
          lines
            .slice(from)
            .map((line) => `${line}\n`)
            .join(""),
        ),
      );
      await log.with(async (store) => {
        const report = await store.verify({ fromSeq: 40 });
        expect([report.error?.code, report.error?.seq, report.events]).toEqual([code, seq, 0]);
      });
    }
  });
});
