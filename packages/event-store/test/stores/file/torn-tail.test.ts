import { describe, expect, it } from "vitest";
import { count, event, events, numbers, refusal, ScratchLog, verdict } from "./scratch.js";

/** A log of `count` records and its bytes. */
async function logOf(count: number): Promise<{ log: ScratchLog; whole: Buffer; lastStart: number }> {
  const log = new ScratchLog();
  await log.with(async (store) => {
    for (let n = 0; n < count; n++) await store.appendWithRetry(event(n));
  });
  const whole = log.bytes();
  return { log, whole, lastStart: whole.lastIndexOf(0x0a, whole.length - 2) + 1 };
}

describe("a last line that is cut off", () => {
  it("is a torn tail for readers wherever it was cut, and the head is the record before it", async () => {
    const { log, whole, lastStart } = await logOf(3);
    const store = await log.open();
    for (let end = lastStart + 1; end < whole.length - 1; end++) {
      log.write(whole.subarray(0, end));
      const error = (await store.verify()).error;
      expect([error?.code, error?.seq], `cut at ${end}`).toEqual(["TORN_TAIL", 2]);
      expect((await store.head()).seq, `cut at ${end}`).toBe(1);
    }
    expect(await verdict(store)).toEqual({ good: 2, code: "TORN_TAIL", seq: 2 });
    expect((await store.verify()).error?.hint).toContain("sets the bytes aside");
    expect(log.suffixes()).toEqual([""]);
  });

  it("is set aside by the next append, byte for byte and with a warning, wherever it was cut", async () => {
    const { whole, lastStart } = await logOf(3);
    const middle = Math.floor((lastStart + whole.length) / 2);
    for (const end of [lastStart + 1, lastStart + 9, middle, whole.length - 3, whole.length - 2]) {
      const log = new ScratchLog(undefined, whole.subarray(0, end));
      await log.with(async (store) => {
        expect(await store.appendWithRetry(event(9))).toMatchObject({ seq: 2 });
        expect(await numbers(store)).toEqual([0, 1, 9]);
        expect((await store.verify()).valid).toBe(true);
      });
      expect(log.asides()).toEqual([whole.subarray(lastStart, end)]);
      expect(log.warnings).toHaveLength(1);
      expect(log.warnings[0]).toMatchObject({ code: "TORN_TAIL_SET_ASIDE" });
      const side = log.suffixes().find((suffix) => suffix.startsWith(".torn-"));
      expect(log.warnings[0]?.message).toContain(`${log.path}${String(side)}`);
      expect(log.warnings[0]?.message).toContain(`${end - lastStart} bytes`);
      expect(side).toMatch(/^\.torn-0000000002-[0-9a-f]{8}$/);
      expect(log.bytes().subarray(0, lastStart)).toEqual(whole.subarray(0, lastStart));
    }
  });

  it("of which everything but the newline is there, is a record: the newline comes before the next", async () => {
    const { log, whole } = await logOf(3);
    log.cut(whole.length - 1);
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: 3, code: undefined, seq: undefined });
      await store.appendWithRetry(event(3));
      expect(await numbers(store)).toEqual([0, 1, 2, 3]);
    });
    expect(log.bytes().subarray(0, whole.length)).toEqual(whole);
    expect(log.bytes().toString().split("\n")).toHaveLength(5);
    expect(log.warnings).toEqual([]);
  });

  it("of which everything but the newline is there, is followed by a whole batch", async () => {
    const { log, whole } = await logOf(1);
    log.cut(whole.length - 1);
    await log.with((store) => store.appendBatch(events(1, 3)));
    await log.with(async (store) => expect(await numbers(store)).toEqual([0, 1, 2, 3]));
    expect(log.asides()).toEqual([]);
  });

  it("as the only line of a log leaves an empty log", async () => {
    const { whole } = await logOf(1);
    const log = new ScratchLog(undefined, whole.subarray(0, 40));
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: 0, code: "TORN_TAIL", seq: 0 });
      expect((await store.appendWithRetry(event(0))).seq).toBe(0);
    });
    expect(log.bytes()).toEqual(whole);
    expect(log.asides()).toEqual([whole.subarray(0, 40)]);
  });

  it("behind rotated segments is set aside, and the log goes on behind them", async () => {
    const log = new ScratchLog();
    await log.with(
      async (store) => {
        for (let n = 0; n < 3; n++) await store.appendWithRetry(event(n));
      },
      { maxBytes: 1 },
    );
    const last = log.bytes();
    log.cut(100);
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: 2, code: "TORN_TAIL", seq: 2 });
      expect((await store.appendWithRetry(event(2))).seq).toBe(2);
    });
    expect(log.bytes()).toEqual(last);
    expect(log.asides()).toEqual([last.subarray(0, 100)]);
  });

  it("is reported with its own seq by a read that begins anywhere", async () => {
    const { log, whole } = await logOf(5);
    log.cut(whole.length - 5);
    const store = await log.open();
    for (const fromSeq of [0, 1, 3, 4, 5, 100]) {
      const error = await refusal(count(store.read({ fromSeq })));
      expect([error.code, error.facts.seq], `from ${fromSeq}`).toEqual(["TORN_TAIL", 4]);
    }
  });
});

describe("zeros at the end, as a crash of the machine leaves them", () => {
  it.each([
    ["behind the last record", (whole: Buffer) => Buffer.concat([whole, Buffer.alloc(4096)]), 3],
    [
      "in the middle of the last record",
      (whole: Buffer) => Buffer.concat([whole.subarray(0, -50), Buffer.alloc(50)]),
      2,
    ],
    [
      "instead of the last record",
      (whole: Buffer, lastStart: number) => Buffer.concat([whole.subarray(0, lastStart), Buffer.alloc(200)]),
      2,
    ],
    ["instead of the whole log", () => Buffer.alloc(5000), 0],
  ])("%s are torn and set aside", async (_where, damage, seq) => {
    const { whole, lastStart } = await logOf(3);
    const log = new ScratchLog(undefined, damage(whole, lastStart));
    const before = log.bytes();
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: seq, code: "TORN_TAIL", seq });
      expect((await store.appendWithRetry(event(7))).seq).toBe(seq);
      expect((await store.verify()).valid).toBe(true);
    });
    const [aside] = log.asides();
    expect(
      Buffer.concat([log.bytes().subarray(0, before.length - (aside?.length ?? 0)), aside ?? Buffer.alloc(0)]),
    ).toEqual(before);
  });
});

describe("a last line that is whole, but bad", () => {
  it.each([
    ["no JSON", "oops\n", "MALFORMED"],
    ["no JSON, without a newline", '{"a":x', "MALFORMED"],
    ["an unfinished record with a newline", '{"event":{"aggregate_id":"a\n', "MALFORMED"],
    ["another JSON document", "{}\n", "MALFORMED"],
    ["another JSON document, without a newline", "[1]", "MALFORMED"],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0xff, 0xfe, 0x0a]), "MALFORMED"],
    ["zeros with a newline", Buffer.concat([Buffer.alloc(100), Buffer.from("\n")]), "MALFORMED"],
    ["zeros before other bytes", Buffer.concat([Buffer.alloc(100), Buffer.from("x")]), "MALFORMED"],
    ["a line of 9 MiB", Buffer.alloc(9 * 1024 * 1024, "x"), "MALFORMED"],
    [
      "a line of 40 MiB that begins well",
      Buffer.concat([Buffer.from('{"event":"'), Buffer.alloc(40 * 1024 * 1024, "x")]),
      "MALFORMED",
    ],
  ])("%s: nothing is repaired and nothing written", async (_what, bytes, code) => {
    const { log } = await logOf(3);
    log.add(bytes);
    const before = log.bytes();
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: 3, code, seq: 3 });
      const error = await refusal(store.appendWithRetry(event(3)));
      expect([error.code, error.facts.seq, error.facts.file]).toEqual([code, 3, log.path]);
      expect(await refusal(store.head())).toMatchObject({ code, seq: 3 });
    });
    expect(log.bytes().equals(before)).toBe(true);
    expect(log.suffixes()).toEqual([""]);
    expect(log.warnings).toEqual([]);
  });

  it("changed in its payload, it is refused as a hash mismatch", async () => {
    const { log, whole } = await logOf(3);
    const changed = Buffer.from(whole.toString().replace('"n":2', '"n":3'));
    log.write(changed);
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: 2, code: "HASH_MISMATCH", seq: 2 });
      expect(await refusal(store.appendWithRetry(event(3)))).toMatchObject({ code: "HASH_MISMATCH", seq: 2 });
    });
    expect(log.bytes()).toEqual(changed);
  });

  it("a segment that ends in an unfinished line is malformed, never set aside", async () => {
    const log = new ScratchLog();
    await log.with(
      async (store) => {
        for (let n = 0; n < 3; n++) await store.appendWithRetry(event(n));
      },
      { maxBytes: 1 },
    );
    log.remove("");
    log.remove(".head.json");
    const segment = log.bytes(".seg-000002");
    log.write(segment.subarray(0, 60), ".seg-000002");
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: 1, code: "MALFORMED", seq: 1 });
      expect(await refusal(store.appendWithRetry(event(1)))).toMatchObject({ code: "MALFORMED", seq: 1 });
    });
    expect(log.bytes(".seg-000002")).toEqual(segment.subarray(0, 60));
  });
});

describe("white space", () => {
  it.each([
    ["blank lines at the end", "\n\n  \n\t\r\n"],
    ["blanks without a newline at the end", "\n   "],
    ["more blank lines than are read at once", "\n".repeat(300_000)],
    ["more blanks than are read at once", "\n" + " ".repeat(300_000)],
  ])("%s are passed over, and the next record begins a line", async (_what, blanks) => {
    const { log, whole } = await logOf(2);
    log.add(blanks);
    await log.with(async (store) => {
      expect(await verdict(store)).toMatchObject({ good: 2, code: undefined });
      expect((await store.head()).seq).toBe(1);
      await store.appendWithRetry(event(2));
      expect(await numbers(store)).toEqual([0, 1, 2]);
    });
    const lines = log.bytes().toString().trimEnd().split("\n");
    expect(lines.at(-1)).toMatch(/^\{"event":/);
    expect(log.bytes().subarray(0, whole.length)).toEqual(whole);
    expect(log.warnings).toEqual([]);
  });

  it("a log of nothing but blank lines is empty", async () => {
    const log = new ScratchLog(undefined, Buffer.from("\n \r\n\n"));
    await log.with(async (store) => {
      expect((await store.head()).seq).toBe(-1);
      expect((await store.appendWithRetry(event(0))).seq).toBe(0);
      expect(await numbers(store)).toEqual([0]);
    });
  });

  it("a log with CR LF line ends is read and continued", async () => {
    const { log, whole } = await logOf(3);
    const crlf = Buffer.from(whole.toString().replaceAll("\n", "\r\n"));
    log.write(crlf);
    await log.with(async (store) => {
      await store.appendWithRetry(event(3));
      expect(await numbers(store)).toEqual([0, 1, 2, 3]);
    });
    expect(log.bytes().subarray(0, crlf.length)).toEqual(crlf);
    log.write(crlf.subarray(0, -30));
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: 2, code: "TORN_TAIL", seq: 2 });
    });
  });
});
