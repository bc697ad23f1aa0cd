import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import type { EventStoreError } from "../../../src/core/errors.js";
import { MEMBER_HEADER } from "../../../src/log/segments/members.js";
import { vector, vectorJson } from "../../core/vectors.js";
import { refusal, type ScratchLog, verdict } from "./scratch.js";
import { compressed, goldenLog, LINES, linesRead, logOf, longLog, replace, suffixOf, text } from "./segments.js";

const GZ = ".seg-000001.gz";
const hashAt = (lines: readonly string[], seq: number): string =>
  (JSON.parse(String(lines[seq])) as { event_hash: string }).event_hash;

describe("tampered records in a compressed segment: the verdict of the plain one", () => {
  it.each(vectorJson<{ file: string }[]>("tampered/manifest.json").map(({ file }) => file))("%s", async (file) => {
    const bytes = vector(`tampered/${file}`);
    for (const lines of [7, 1000]) {
      // The live file is empty: then both end alike.
      const plain = logOf(bytes, "");
      const expected = await plain.with((store) => verdict(store));
      await replace(plain, 1, lines);
      await plain.with(async (store) => expect(await verdict(store)).toEqual(expected));
    }
  });

  it("a segment with a record less, a record more, or another's place", async () => {
    const of = (from: number, to: number): Promise<Buffer> => compressed(Buffer.from(text(LINES.slice(from, to))));
    for (const [from, to, good, code, seq] of [
      [0, 14, 14, "GAP", 14],
      [1, 15, 0, "GAP", 0],
      [0, 16, 16, "DUPLICATE", 16],
      [15, 30, 0, "GAP", 0],
    ] as const) {
      const log = goldenLog();
      await log.with((store) => store.compact());
      log.write(await of(from, to), GZ);
      await log.with(async (store) => expect(await verdict(store)).toEqual({ good, code, seq }));
    }
  });
});

describe("bytes of a compressed segment", () => {
  const log = goldenLog();
  let gz: Buffer;
  beforeAll(async () => {
    gz = await compressed(log.bytes(".seg-000001"), 5);
    log.remove(".seg-000001");
  });

  it("turned, anywhere: malformed at the first record of the member, or the very same records", async () => {
    const store = await log.open();
    let unseen = 0;
    for (let at = 0; at < gz.length; at += 7) {
      const bytes = Buffer.from(gz);
      bytes.writeUInt8((bytes[at] ?? 0) ^ (1 << (at % 8)), at);
      log.write(bytes, GZ);
      const found = await verdict(store);
      if (found.code === undefined) {
        // Deflate ends in bits that mean nothing.
        unseen++;
        expect(await linesRead(store)).toEqual(LINES);
      } else {
        expect(found.code, `byte ${String(at)}`).toBe("MALFORMED");
        expect(found.seq).toBe(found.good);
        expect([0, 5, 10]).toContain(found.good);
      }
    }
    expect(unseen).toBeLessThan(4);
  });

  it("cut, anywhere: malformed, or a gap where whole members are gone", async () => {
    const store = await log.open();
    for (let size = 0; size < gz.length; size += 11) {
      log.write(gz.subarray(0, size), GZ);
      const { good, code, seq } = await verdict(store);
      expect(["MALFORMED", "GAP"], `${String(size)} bytes`).toContain(code);
      expect([seq, [0, 5, 10].includes(good)]).toEqual([good, true]);
    }
    log.write(gz.subarray(0, gz.lastIndexOf(MEMBER_HEADER)), GZ);
    expect(await verdict(store)).toEqual({ good: 10, code: "GAP", seq: 10 });
  });

  it.each([
    ["bytes before it", () => Buffer.concat([Buffer.from("x"), gz]), 0],
    ["bytes behind it", () => Buffer.concat([gz, Buffer.from("x")]), 10],
    ["zeros behind it", () => Buffer.concat([gz, Buffer.alloc(512)]), 10],
    ["another program's gzip", () => gzipSync(text(LINES.slice(0, 15)), { level: 9 }).fill(3, 9, 10), 0],
    ["no gzip at all", () => Buffer.from(text(LINES.slice(0, 15))), 0],
    ["an empty file", () => Buffer.alloc(0), 0],
    ["a long file of something else", () => Buffer.alloc(20_000_000, "no gzip"), 0],
    ["a member that never ends", () => Buffer.concat([MEMBER_HEADER, Buffer.alloc(20_000_000, "x")]), 0],
    ["a member of more than any holds", () => Buffer.concat([gzipSync(Buffer.alloc(20_000_000))]).fill(255, 9, 10), 0],
  ])("%s: malformed, with file and seq", async (what, make, seq) => {
    log.write(make(), GZ);
    await log.with(async (store) => {
      expect(await verdict(store)).toEqual({ good: seq, code: "MALFORMED", seq });
      const { error } = await store.verify();
      expect(error?.facts.file).toBe(log.path + GZ);
      expect(error?.hint).toMatch(/backup/);
      for (const options of [{ fromSeq: 12 }, { anchor: { seq: 11, hash: hashAt(LINES, 11) } }])
        if (seq === 0 && what !== "bytes before it")
          expect(await refusal(linesRead(store, options))).toMatchObject({ code: "MALFORMED" });
    });
  });
});

describe("damage elsewhere in a segment", () => {
  let log: ScratchLog;
  let lines: string[];
  let gz: Buffer;
  beforeAll(async () => {
    log = await longLog(2, 6000, 11);
    lines = await log.with((store) => linesRead(store));
    await log.with((store) => store.compact());
    gz = log.bytes(GZ);
  });
  /** Destroys the members of these numbers, of six. */
  const without = (...damaged: number[]): Buffer => {
    const bytes = Buffer.from(gz);
    for (let at = bytes.indexOf(MEMBER_HEADER), n = 0; at >= 0; at = bytes.indexOf(MEMBER_HEADER, at + 1), n++)
      if (damaged.includes(n)) bytes.fill(0, at + 100, at + 200);
    return bytes;
  };

  it.each([[[0]], [[5]], [[0, 1]], [[0, 1, 4, 5]], [[0, 5]]])(
    "members %j: what is asked of the others is answered",
    async (damaged) => {
      log.write(without(...damaged), GZ);
      await log.with(async (store) => {
        for (let member = 0; member < 6; member++) {
          const at = 1000 * member;
          if (damaged.includes(member)) {
            expect(await refusal(store.getEventHash(at + 500))).toMatchObject({
              code: "MALFORMED",
              facts: { seq: at + 500 },
            });
            expect(await refusal(linesRead(store, { fromSeq: at + 500 }))).toMatchObject({ facts: { seq: at + 499 } });
            if (!damaged.includes(member - 1) && at > 0) {
              const { error, events } = await store.verify({ fromSeq: at - 10 });
              expect([error?.code, error?.seq, events]).toEqual(["MALFORMED", at, 10]);
            }
            continue;
          }
          for (const seq of [at + 1, at + 500, at + 998]) {
            expect(await store.getEventHash(seq)).toBe(hashAt(lines, seq));
            const options = { fromSeq: seq, toSeq: at + 999 };
            expect(await linesRead(store, options)).toEqual(lines.slice(seq, at + 1000));
          }
        }
      });
    },
  );

  it("at the end of a log's last segment with records: the tail is malformed, and nothing is appended", async () => {
    const seqs: [Buffer, number][] = [
      [without(5), 5000],
      [without(4, 5), 4000],
      [Buffer.concat([gz, Buffer.from("x")]), 5000],
      [gz.subarray(0, -1), 5000],
      [Buffer.from("no gzip"), 0],
      [Buffer.alloc(0), 0],
    ];
    for (const [bytes, seq] of seqs) {
      const cut = logOf("", "");
      cut.remove(suffixOf(1));
      cut.write(bytes, GZ);
      await cut.with(async (store) => {
        const expected = { code: "MALFORMED", facts: { seq, file: cut.path + GZ } };
        const errors: EventStoreError[] = [
          await refusal(store.head()),
          await refusal(store.appendWithRetry({ type: "T", aggregateId: "a" })),
        ];
        for (const error of errors) expect(error).toMatchObject(expected);
      });
      expect(cut.bytes().length).toBe(0);
    }
  });
});
