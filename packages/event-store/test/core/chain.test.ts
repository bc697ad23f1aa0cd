import { describe, expect, it } from "vitest";
import { ChainWalk } from "../../src/core/chain.js";
import { VerificationError } from "../../src/core/errors.js";
import { eventHash } from "../../src/core/hash.js";
import { isBlank, linesOf } from "../../src/core/lines.js";
import { viewAnySpelling, viewRecord } from "../../src/core/record-view.js";
import { Stride } from "../../src/core/stride.js";
import { vector, vectorJson, vectorLines } from "./vectors.js";

/** Walks a file's lines as a store does. */
function walk(file: Buffer): { good: number; hash: string; error?: VerificationError } {
  const chain = new ChainWalk();
  const terminated = file.at(-1) === 0x0a;
  const lines = [...linesOf(file)];
  for (const [i, line] of lines.entries()) {
    try {
      chain.accept(line, { unterminated: !terminated && i === lines.length - 1 });
    } catch (error) {
      if (error instanceof VerificationError) return { good: chain.head.seq + 1, hash: chain.head.hash, error };
      throw error;
    }
  }
  return { good: chain.head.seq + 1, hash: chain.head.hash };
}

describe("golden chains", () => {
  const chains = vectorJson<{ file?: string; events?: number; last_seq: number; last_hash: string }[]>("chains.json");

  it.each(chains.flatMap((c) => (c.file === undefined ? [] : [[c.file, c] as const])))(
    "%s verifies to its last hash",
    (file, c) => {
      expect(walk(vector(file))).toEqual({ good: c.last_seq + 1, hash: c.last_hash });
    },
  );

  it.each(["v1/operator_log_small", "v1/operator_log_weird", "v2/operator_log_small", "v2/operator_log_weird"])(
    "original fixture %s verifies",
    (name) => {
      const result = walk(vector(`original-fixtures/${name}.jsonl`));
      expect(result.error).toBeUndefined();
      expect(result.good).toBe(name.endsWith("small") ? 12 : 19);
    },
  );

  it("every stored line of the Python system is read without serialising it again, and both ways give one view", () => {
    for (const file of ["chain-v1.jsonl", "chain-v2.jsonl", "chain-mixed.jsonl"]) {
      for (const line of linesOf(vector(file))) {
        const view = viewRecord(line);
        expect(view.bytes).toBe(line);
        expect(viewAnySpelling(line)).toEqual(view);
      }
    }
  });

  it("golden event hashes", () => {
    const cases = vectorLines<{ prev_hash: string; hashed_text: string; event_hash: string }>("event-hash.jsonl");
    expect(cases).toHaveLength(42);
    for (const c of cases) expect(eventHash(c.prev_hash, c.hashed_text.slice(64))).toBe(c.event_hash);
  });
});

describe("tampered variants", () => {
  const manifest = vectorJson<{ file: string; expect: string; seq: number; note: string }[]>("tampered/manifest.json");

  it.each(manifest.map((m) => [m.file, m.expect, m.seq, m.note] as const))(
    "%s: %s at seq %i (%s)",
    (file, expected, seq) => {
      const result = walk(vector(`tampered/${file}`));
      if (expected === "valid") {
        expect(result.error).toBeUndefined();
        expect(result.good).toBe(seq + 1);
      } else {
        expect(result.error?.code).toBe(expected.toUpperCase().replaceAll("-", "_"));
        expect(result.error?.seq).toBe(seq);
        expect(result.good).toBe(seq);
      }
    },
  );

  it("says what was expected and what was found", () => {
    expect(walk(vector("tampered/prev-hash-changed.jsonl")).error).toMatchObject({
      code: "CHAIN_BROKEN",
      expected: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(walk(vector("tampered/deleted-middle.jsonl")).error).toMatchObject({
      expected: 25,
      actual: 26,
      action: "evidence",
    });
    const mismatch = walk(vector("tampered/payload-changed.jsonl")).error;
    expect(mismatch?.expected).toMatch(/^[0-9a-f]{64}$/);
    expect(mismatch?.actual).toMatch(/^[0-9a-f]{64}$/);
    expect(mismatch?.actual).not.toBe(mismatch?.expected);
    expect(walk(vector("tampered/duplicate-key.jsonl")).error?.message).toContain("duplicate key");
  });
});

describe("blocks", () => {
  const lines = [...linesOf(vector("chain-mixed.jsonl"))];

  it("what an earlier block left in the memory that is used again is no part of the next", () => {
    const chain = new ChainWalk();
    chain.acceptLines(vector("chain-mixed.jsonl"), { limit: 7 });
    const line = lines[7] ?? Buffer.alloc(0);
    for (let length = line.length - 1; length > 0; length--) {
      // the whole line is looked at first, and left alone
      expect(chain.acceptLines(line, { limit: 0 }).count).toBe(0);
      const torn = chain.acceptLines(line.subarray(0, length), { atEnd: true });
      expect([torn.count, torn.end, torn.fault?.code, torn.fault?.seq], String(length)).toEqual([0, 0, "TORN_TAIL", 7]);
    }
    expect(chain.acceptLines(line).count).toBe(1);
  });

  it("take no record for linked where there is no hash to link to", () => {
    const event = '{"aggregate_id":"a","meta":{},"payload":{},"seq":0,"ts":0,"type":"T"}';
    const nothing = "\0".repeat(64);
    const record = `{"event":${event},"event_hash":"${eventHash(nothing, event)}","prev_hash":"${nothing}"}`;
    const block = Buffer.from(record.padEnd(70_000, " "));
    const stride = new Stride();
    expect(stride.load(block, 0, record.length)).toBe(true);
    expect(stride.accept(0, 0, "")).toBeNull();
  });

  it("go the short way for every line in canonical spelling", () => {
    const stride = new Stride();
    const block = vector("chain-mixed.jsonl");
    expect(stride.load(block, 0, block.length)).toBe(true);
    let [at, hash] = [0, "0".repeat(64)];
    for (let seq = 0; seq < lines.length; seq++) {
      const accepted = stride.accept(at, seq, hash);
      expect(accepted, String(seq)).toBe(viewRecord(lines[seq] ?? Buffer.alloc(0)).eventHash);
      [at, hash] = [stride.end + 1, String(accepted)];
    }
    expect(at).toBe(block.length);
  });
});

describe("torn tails", () => {
  const whole = vector("tampered/no-final-newline.jsonl");
  const lastStart = whole.lastIndexOf(0x0a) + 1;

  it("every proper beginning of the last line is torn, wherever it was cut", () => {
    for (let end = lastStart + 1; end < whole.length; end++) {
      const { error } = walk(whole.subarray(0, end));
      expect([error?.code, error?.seq], `cut at ${String(end)}`).toEqual(["TORN_TAIL", 29]);
    }
  });

  it("a cut within a character, a number or a literal is torn", () => {
    for (const start of ['{"a":"\u{1F600}', '{"a":1.', '{"a":-', '{"a":1e', '{"a":tru', '{"a":"\\u00', '{"a":"\\']) {
      const bytes = Buffer.from(start);
      const cut = start.includes("\u{1F600}") ? bytes.subarray(0, -2) : bytes;
      expect(walk(cut).error?.code, start).toBe("TORN_TAIL");
    }
  });

  it("NULs at the end are torn; a complete but bad last line is malformed", () => {
    expect(walk(Buffer.concat([whole, Buffer.from("\n"), Buffer.alloc(100)])).error).toMatchObject({
      code: "TORN_TAIL",
      seq: 30,
    });
    expect(walk(Buffer.concat([whole.subarray(0, lastStart + 50), Buffer.alloc(9)])).error).toMatchObject({
      code: "TORN_TAIL",
      seq: 29,
    });
    expect(walk(Buffer.concat([whole, Buffer.from("\n{}")])).error).toMatchObject({ code: "MALFORMED", seq: 30 });
    expect(walk(Buffer.concat([whole, Buffer.from('\n{"a":x')])).error).toMatchObject({ code: "MALFORMED", seq: 30 });
    expect(walk(Buffer.concat([whole, Buffer.from([0x0a, 0x7b, 0xff, 0xfe])])).error).toMatchObject({
      code: "MALFORMED",
      seq: 30,
    });
  });

  it("an incomplete line with a newline is malformed, and bytes cut off a character do not pass unseen", () => {
    expect(walk(Buffer.concat([whole.subarray(0, lastStart + 50), Buffer.from("\n")])).error).toMatchObject({
      code: "MALFORMED",
      seq: 29,
    });
    expect(walk(Buffer.concat([whole, Buffer.from([0xf0, 0x9f, 0x0a])])).error).toMatchObject({
      code: "MALFORMED",
      seq: 29,
    });
  });
});

describe("record fields", () => {
  const good = `{"event":{"aggregate_id":"a","meta":{},"payload":{},"seq":0,"ts":1,"type":"T"}`;
  const hashes = `,"event_hash":"${"a".repeat(64)}","prev_hash":"${"0".repeat(64)}"}`;
  const verdict = (event: string, tail = hashes): string | undefined =>
    walk(Buffer.from(event + tail + "\n")).error?.message;

  it.each([
    [good.replace('"meta":{},', ""), '"meta" is missing'],
    [good.replace('"aggregate_id":"a"', '"aggregate_id":"a","hash_version":"v2"'), "empty meta"],
    [good.replace('"aggregate_id":"a"', '"aggregate_id":"a","hash_version":"v9"'), '"hash_version" has a value'],
    [good.replace('"aggregate_id":"a"', '"aggregate_id":"a","hash_version":"v1"'), '"hash_version" has a value'],
    [good.replace('"a"', '""'), '"aggregate_id" has a value'],
    [good.replace('"T"', "7"), '"type" has a value'],
    [good.replace('"payload":{}', '"payload":[]'), '"payload" has a value'],
    [good.replace('"seq":0', '"seq":0.0'), "integer"],
    [good.replace('"seq":0', '"seq":-1'), "in range"],
    [good.replace('"seq":0', '"seq":10000000000'), "in range"],
    [good.replace('"ts":1', '"ts":1.0'), "integer"],
    [good.replace('"ts":1', '"ts":"1"'), '"ts" has a value'],
    [good.replace('"seq":0', '"extra":1,"seq":0'), "unknown event field"],
  ])("%s is malformed", (event, problem) => {
    expect(verdict(event)).toContain("malformed");
    expect(verdict(event)).toContain(problem);
  });

  it("a ts beyond 2^53 and a negative one are fine", () => {
    for (const ts of ["9007199254740993", "-5", "-0"]) {
      const text = good.replace('"ts":1', `"ts":${ts}`);
      const hash = eventHash("0".repeat(64), text.slice(9).replace('"ts":-0', '"ts":0'));
      expect(walk(Buffer.from(text + hashes.replace("a".repeat(64), hash))).error, ts).toBeUndefined();
    }
  });

  it("a slice that matches its hash but is not canonical is judged by its canonical form", () => {
    const loose = good.replace('"payload":{}', '"payload":{"b":1,"a":2}');
    const text = loose + hashes.replace("a".repeat(64), eventHash("0".repeat(64), loose.slice(9)));
    expect(walk(Buffer.from(text)).error?.code).toBe("HASH_MISMATCH");
  });

  it("blank means JSON white space only", () => {
    expect(isBlank(Buffer.from(" \t\r"))).toBe(true);
    expect(isBlank(Buffer.from("\f"))).toBe(false);
    expect(isBlank(Buffer.from("\u00a0"))).toBe(false);
  });
});
