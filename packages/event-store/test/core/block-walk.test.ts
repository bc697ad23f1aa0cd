import { hash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ChainWalk, type LineRange } from "../../src/core/chain.js";
import { VerificationError } from "../../src/core/errors.js";
import { GENESIS_HASH, MAX_RECORD_BYTES, type Head, type NewEvent, type StoredRecord } from "../../src/core/event.js";
import { eventHash } from "../../src/core/hash.js";
import { JsonText } from "../../src/core/json/json-text.js";
import { encodeChain, encodeLines, encodeRecord, prepareEvent } from "../../src/core/record.js";
import type { RecordView } from "../../src/core/record-view.js";
import { EventParser } from "../../src/core/recorded-event.js";
import { walkObject } from "../../src/log/event-object.js";
import { SeededRandom } from "../log/random.js";
import { vector, vectorJson } from "./vectors.js";

/*
 * A block walked at once gives what its lines give one by one: the same records, count, head and fault. To run one seed again:
 * RYNXS_TEST_SEED=n.
 */

const given = process.env["RYNXS_TEST_SEED"];
const SEEDS = given === undefined ? Array.from({ length: 25 }, (_, seed) => seed) : [Number(given)];
const BEGINNING: Head = { seq: -1, hash: GENESIS_HASH };

/** All that a walk says, in a form that can be compared. */
interface Said {
  readonly records: readonly unknown[];
  readonly count: number;
  readonly end: number;
  readonly head: Head;
  readonly fault: unknown;
}

function shown(view: RecordView): unknown {
  const slice = (from: number, to: number): string => (from < 0 ? "none" : brief(view.bytes.subarray(from, to)));
  return {
    line: brief(view.line),
    seq: view.seq,
    hashVersion: view.hashVersion,
    eventHash: view.eventHash,
    prevHash: view.prevHash,
    record: slice(view.start, view.end),
    aggregateId: slice(view.aggregateIdStart, view.aggregateIdEnd),
    meta: slice(view.metaStart, view.metaEnd),
    payload: slice(view.payloadStart, view.payloadEnd),
    ts: slice(view.tsStart, view.tsEnd),
    type: slice(view.typeStart, view.typeEnd),
    longIntegers: view.longIntegers,
    escapes: view.escapes,
    event: new EventParser().parse(view),
  };
}

/** Bytes as text; long ones by their hash. */
function brief(bytes: Buffer): string {
  return bytes.length < 2000 ? bytes.toString("latin1") : `${String(bytes.length)} bytes, ${hash("sha256", bytes)}`;
}

function faultOf(error: VerificationError | null): unknown {
  if (error === null) return null;
  const { code, seq, expected, actual, message, hint, facts } = error;
  return { code, seq, expected, actual, message, hint, facts };
}

/** Line by line, through the function that alone gives verdicts. Each line is a buffer of its own. */
function byLine(after: Head, block: Buffer, range: LineRange = {}): Said {
  const { from = 0, to = block.length, limit = Infinity, wanted, keySeq, atEnd = false, facts } = range;
  const chain = new ChainWalk(after);
  const records: unknown[] = [];
  let count = 0;
  let fault: unknown = null;
  let end = from;
  const texts = block.toString("latin1", from, to).split("\n");
  for (const [i, text] of texts.entries()) {
    const last = i === texts.length - 1;
    if (count >= limit || (last && text === "")) break;
    if (!/^[ \t\r]*$/.test(text)) {
      try {
        const origin = { keySeq: count === 0 ? keySeq : undefined, unterminated: atEnd && last, facts };
        const view = chain.accept(Buffer.from(text, "latin1"), origin);
        if (!wanted || wanted(view)) records.push(shown(view));
        count++;
      } catch (error) {
        if (!(error instanceof VerificationError)) throw error;
        fault = faultOf(error);
        break;
      }
    }
    end = Math.min(end + text.length + 1, to);
  }
  return { records, count, end, head: chain.head, fault };
}

function atOnce(after: Head, block: Buffer, range: LineRange = {}): Said {
  const chain = new ChainWalk(after);
  const before = Buffer.from(block);
  const { records, count, end, fault } = chain.acceptLines(block, range);
  expect(block.equals(before), "the block is left as it was").toBe(true);
  return { records: records.map(shown), count, end, head: chain.head, fault: faultOf(fault) };
}

/** The same in pieces that begin and end with whole lines: ranges of the block, or blocks of their own. */
function inPieces(after: Head, block: Buffer, range: LineRange, random: SeededRandom): Said {
  const { from = 0, to = block.length, limit = Infinity, atEnd = false, ...rest } = range;
  const chain = new ChainWalk(after);
  const records: unknown[] = [];
  let count = 0;
  let end = from;
  let fault: VerificationError | null = null;
  for (let at = from; at < to && fault === null && count < limit;) {
    const newline = block.indexOf(0x0a, Math.min(to - 1, at + random.below(1500)));
    const next = newline < 0 || newline >= to ? to : newline + 1;
    const own = random.chance(0.5);
    const piece = own ? Buffer.from(block.subarray(at, next)) : block;
    const walked = chain.acceptLines(piece, {
      ...rest,
      limit: limit - count,
      atEnd: atEnd && next === to,
      ...(own ? {} : { from: at, to: next }),
    });
    for (const record of walked.records) records.push(shown(record));
    count += walked.count;
    fault = walked.fault;
    end = own ? at + walked.end : walked.end;
    at = next;
  }
  return { records, count, end, head: chain.head, fault: faultOf(fault) };
}

const WANTED: readonly [LineRange["wanted"], ...LineRange["wanted"][]] = [
  undefined,
  undefined,
  () => false,
  ({ seq }) => seq % 3 === 0,
  ({ bytes, typeStart, typeEnd }) => bytes.toString("latin1", typeStart, typeEnd) === '"T1"',
  ({ bytes, aggregateIdStart, aggregateIdEnd, tsStart, start, end }) =>
    (aggregateIdEnd - aggregateIdStart + (bytes[tsStart] ?? 0) + end - start) % 2 === 0,
  ({ metaStart, payloadStart, payloadEnd, longIntegers, escapes }) =>
    metaStart < 0 || longIntegers || escapes || payloadEnd - payloadStart < 30,
];

const NASTY: readonly [unknown, ...unknown[]] = [
  null,
  0,
  -1,
  1e15,
  1e16,
  -0,
  1.5e-7,
  5e-324,
  1.7976931348623157e308,
  0.1,
  2 ** 53,
  9007199254740993n,
  -(10n ** 40n),
  "",
  'quote " and \\ backslash',
  "\n\r\t\b\f\u0000\u001f\u007f",
  "é\u2028\u{1F600}\uFFFF",
  'event_hash":"',
  [],
  [[], [[]], {}],
  { "": 1, "\u{1F600}": 2, "\uFB33": 3, a: { b: { c: [1, 2, 3] } } },
  JsonText.parse('{"b":1.0,"a":[1e3,-0,100000000000000000000]}'),
];

function nested(depth: number): unknown {
  let value: unknown = { end: true };
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { k: value };
  return value;
}

function newEvent(random: SeededRandom, n: number): NewEvent {
  const payload: Record<string, unknown> = { n };
  for (let i = random.below(4); i > 0; i--)
    payload[random.pick(["a", "b", "z\n", "é", "\u{1F600}", 'k"k'])] = random.pick(NASTY);
  if (random.chance(0.05)) payload["deep"] = nested(random.below(100));
  const event = {
    type: random.pick(["T1", "T2", 'a"b', "\u{1F600}"]),
    aggregateId: random.pick(["a", "order-1", "\\", "ünï"]),
    ts: random.pick([0, n, -5, 9007199254740993n]),
    payload,
    ...(random.chance(0.5) && { meta: { by: random.pick(NASTY) } }),
  };
  return event as unknown as NewEvent;
}

/** Records of both versions behind one another. */
function generate(random: SeededRandom, count: number, after = BEGINNING): StoredRecord[] {
  const records: StoredRecord[] = [];
  for (let n = 0, { seq, hash: before } = after; n < count; n++) {
    const record = encodeRecord(
      prepareEvent(newEvent(random, n), random.pick([1, 2]), () => 0),
      ++seq,
      before,
    );
    before = record.eventHash;
    records.push(record);
  }
  return records;
}

/** Records that link and hash, one of which says another seq than that of its place. */
function outOfPlace(random: SeededRandom, count: number): StoredRecord[] {
  const wrong = random.below(count);
  const records: StoredRecord[] = [];
  for (let n = 0, before = GENESIS_HASH; n < count; n++) {
    const seq = n === wrong ? Math.max(0, n + random.pick([-2, -1, 1, 7])) : n;
    const record = encodeRecord(
      prepareEvent(newEvent(random, n), random.pick([1, 2]), () => 0),
      seq,
      before,
    );
    before = record.eventHash;
    records.push(record);
  }
  return records;
}

/** The same record, spelled otherwise. */
function respell(line: string, random: SeededRandom): string {
  return random.pick([
    () => line.replace('{"event":', '{ "event" :\t'),
    () => `  ${line} \r`,
    () => line.replaceAll('"', '"').replace('"payload"', '"\\u0070ayload"'),
    () => {
      const [, event = "", rest = ""] = /^\{"event":(.*),("event_hash".*)\}$/s.exec(line) ?? [];
      return `{${rest},"event":${event}}`;
    },
    () =>
      line.replace(
        /"prev_hash":"([0-9a-f])/,
        (_, digit: string) => `"prev_hash":"\\u00${digit.charCodeAt(0).toString(16)}`,
      ),
  ])();
}

function blockOf(lines: readonly string[], random: SeededRandom): Buffer {
  const style = random.below(4);
  let text = "";
  for (const line of lines) {
    text += style === 1 && random.chance(0.3) ? respell(line, random) : line;
    text += style === 2 ? "\r\n" : "\n";
    if (style === 3 && random.chance(0.2)) text += random.pick(["\n", " \t\n", "\r\n\n"]);
  }
  if (random.chance(0.3)) text = text.replace(/\r?\n+$/, "");
  return Buffer.from(text);
}

/** Something about it is not as it was. */
function mutate(block: Buffer, random: SeededRandom): Buffer {
  const bytes = Buffer.from(block);
  const at = random.below(bytes.length);
  const lines = block.toString("latin1").split("\n");
  const i = random.below(lines.length);
  const joined = (): Buffer => Buffer.from(lines.join("\n"), "latin1");
  return random.pick<() => Buffer>([
    () => bytes,
    () => {
      bytes[at] = random.below(256);
      return bytes;
    },
    () => {
      for (let k = 0; k < 4; k++) bytes[random.below(bytes.length)] = random.below(256);
      return bytes;
    },
    () => {
      const digit = /[0-9a-f]/;
      for (let k = at; k < bytes.length; k++)
        if (digit.test(String.fromCharCode(bytes[k] ?? 0))) {
          bytes[k] = random.pick([0x30, 0x39, 0x61, 0x66, 0x41]);
          break;
        }
      return bytes;
    },
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(3))]),
    () =>
      Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from(random.pick([" ", "\n", "0", '"', "\u{1F600}", "\0"])),
        bytes.subarray(at),
      ]),
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.alloc(random.below(40))]),
    () => {
      lines.splice(i, 1);
      return joined();
    },
    () => {
      lines.splice(i, 0, lines[i] ?? "");
      return joined();
    },
    () => {
      lines.splice(i, 2, ...lines.slice(i, i + 2).reverse());
      return joined();
    },
    () => {
      lines.splice(i, 1, respell(lines[i] ?? "", random));
      return joined();
    },
    () => {
      lines.splice(i, 0, random.pick(["", " ", "{}", "[]", "x", "\ufeff", "\u00a0", "null"]));
      return joined();
    },
  ])();
}

/** Over all cases: a run that met nothing of this would prove nothing. */
const found = new Map<string, number>();

function meet({ fault, count }: Said): void {
  const what = fault === null ? "good" : (fault as { code: string }).code;
  found.set(what, (found.get(what) ?? 0) + 1);
  if (count > 0 && fault !== null) found.set("a fault behind good records", 1);
}

/** Every way of walking a block says the same; what that was. */
function expectSame(after: Head, block: Buffer, random: SeededRandom, note: string): Said {
  const lines = block.toString("latin1").split("\n");
  const starts = lines.map((_, i) => lines.slice(0, i).reduce((sum, line) => sum + line.length + 1, 0));
  const range: LineRange = {
    wanted: random.pick(WANTED),
    limit: random.chance(0.6) ? Infinity : random.below(lines.length + 2),
    atEnd: random.chance(0.5),
    ...(random.chance(0.3) && { facts: { file: "f" } }),
    ...(random.chance(0.3) && { from: Math.min(random.pick([0, ...starts] as [number, ...number[]]), block.length) }),
  };
  const keyed = { ...range, keySeq: random.chance(0.7) ? undefined : after.seq + random.pick([0, 1, 1, 1, 2, 7]) };
  const expected = byLine(after, block, keyed);
  expect(atOnce(after, block, keyed), `at once, ${note}`).toEqual(expected);
  meet(expected);
  const plain = byLine(after, block, range);
  expect(inPieces(after, block, range, random), `in pieces, ${note}`).toEqual(plain);
  // From where a line begins, behind the record before it: what a range does that begins in the middle.
  const part = random.below(starts.length);
  const tail = plain.head;
  const from = Math.min(plain.end, starts[part] ?? 0);
  expect(atOnce(tail, block, { ...range, from }), `from ${String(from)}, ${note}`).toEqual(
    byLine(tail, block, { ...range, from }),
  );
  return plain;
}

describe("a block walked at once, and line by line", () => {
  it.each(SEEDS)("generated logs, and what becomes of them: seed %i", (seed) => {
    const random = new SeededRandom(seed);
    for (let i = 0; i < 40; i++) {
      const after = random.chance(0.7)
        ? BEGINNING
        : { seq: random.below(1e9), hash: eventHash(GENESIS_HASH, String(i)) };
      const records = generate(random, 1 + random.below(12), after);
      const good = blockOf(
        records.map(({ line }) => line.toString()),
        random,
      );
      const note = `seed ${String(seed)}, log ${String(i)}`;
      expectSame(after, good, random, note);
      for (let k = 0; k < 4; k++) expectSame(after, mutate(good, random), random, `${note}, mutation ${String(k)}`);
    }
  });

  it("records that link and hash, but are out of place", () => {
    const random = new SeededRandom(8);
    for (let i = 0; i < 60; i++) {
      const records = outOfPlace(random, 1 + random.below(5));
      const at = records.findIndex(({ seq }, n) => seq !== n);
      expectSame(BEGINNING, encodeLines(records), random, `log ${String(i)}`);
      const { count, fault } = atOnce(BEGINNING, encodeLines(records));
      if (at < 0) expect([count, fault]).toEqual([records.length, null]);
      else
        expect([count, fault]).toMatchObject([
          at,
          { code: (records[at]?.seq ?? 0) > at ? "GAP" : "DUPLICATE", seq: at },
        ]);
    }
  });

  it.each(["chain-v1.jsonl", "chain-v2.jsonl", "chain-mixed.jsonl"])("golden %s, and what becomes of it", (file) => {
    const golden = vector(file);
    const random = new SeededRandom(9);
    expect(expectSame(BEGINNING, golden, random, file)).toMatchObject({ fault: null });
    for (let k = 0; k < 40; k++)
      expectSame(BEGINNING, mutate(golden, random), random, `${file}, mutation ${String(k)}`);
  });

  it("the tampered variants, to their verdicts", () => {
    const manifest = vectorJson<{ file: string; expect: string; seq: number }[]>("tampered/manifest.json");
    const random = new SeededRandom(10);
    for (const { file, expect: verdict, seq } of manifest) {
      const block = vector(`tampered/${file}`);
      for (let k = 0; k < 5; k++) expectSame(BEGINNING, block, random, file);
      const { fault, count } = atOnce(BEGINNING, block, { atEnd: true });
      if (verdict === "valid") expect([fault, count], file).toEqual([null, seq + 1]);
      else expect([fault, count], file).toMatchObject([{ code: verdict.toUpperCase().replaceAll("-", "_"), seq }, seq]);
    }
  });

  it("every byte of a small log changed", () => {
    const random = new SeededRandom(11);
    const records = generate(random, 3);
    const block = encodeLines(records);
    const good = byLine(BEGINNING, block);
    for (let at = 0; at < block.length; at++) {
      const was = block[at] ?? 0;
      for (const now of new Set([was ^ 1, was ^ 0x20, was ^ 0x80, 0xff, 0x00, 0x0a, 0x20, 0x22, 0x30, 0x5c])) {
        if (now === was) continue;
        const changed = Buffer.from(block);
        changed[at] = now;
        const expected = byLine(BEGINNING, changed, { atEnd: true });
        expect(
          atOnce(BEGINNING, changed, { atEnd: true }),
          `byte ${String(at)} ${String(was)} → ${String(now)}`,
        ).toEqual(expected);
        // What can change without a word is in the spelling: white space, or a digit that makes no other double.
        if (expected.fault === null) expect(expected.head).toEqual(good.head);
        meet(expected);
      }
    }
  });

  it("every byte of a small log left out, and every byte doubled", () => {
    const block = encodeLines(generate(new SeededRandom(12), 3));
    for (let at = 0; at < block.length; at++) {
      for (const changed of [
        Buffer.concat([block.subarray(0, at), block.subarray(at + 1)]),
        Buffer.concat([block.subarray(0, at + 1), block.subarray(at)]),
        block.subarray(0, at),
      ]) {
        const expected = byLine(BEGINNING, changed, { atEnd: true });
        expect(atOnce(BEGINNING, changed, { atEnd: true }), `byte ${String(at)}`).toEqual(expected);
        meet(expected);
      }
    }
  });

  it.each([126, 1990, 1997, 1998, 1999, 2000])("records nested %i deep, and those behind them", (depth) => {
    const event = (seq: number): string =>
      `{"aggregate_id":"a","meta":{},"payload":${'{"a":'.repeat(depth)}1${"}".repeat(depth)},"seq":${String(seq)},"ts":1,"type":"T"}`;
    let text = "";
    let prev = GENESIS_HASH;
    for (const seq of [0, 1]) {
      const own = eventHash(prev, event(seq));
      text += `{"event":${event(seq)},"event_hash":"${own}","prev_hash":"${prev}"}\n`;
      prev = own;
    }
    expectSame(BEGINNING, Buffer.from(text), new SeededRandom(depth), `depth ${String(depth)}`);
  });

  it.each([0, 1])("a record of 8 MiB and %i bytes", (more) => {
    const small = encodeChain(
      [prepareEvent({ type: "T", aggregateId: "a", payload: { x: "" } }, 1, () => 0)],
      BEGINNING,
    );
    const fill = MAX_RECORD_BYTES - (small[0]?.line.length ?? 0) + more;
    const event = `{"aggregate_id":"a","meta":{},"payload":{"x":"${"x".repeat(fill)}"},"seq":0,"ts":0,"type":"T"}`;
    const line = `{"event":${event},"event_hash":"${eventHash(GENESIS_HASH, event)}","prev_hash":"${GENESIS_HASH}"}`;
    expect(line).toHaveLength(MAX_RECORD_BYTES + more);
    const said = atOnce(BEGINNING, Buffer.from(`${line}\n`));
    expect([said.count, said.fault]).toMatchObject(more === 0 ? [1, null] : [0, { code: "MALFORMED", seq: 0 }]);
    expect(said.fault).toEqual(byLine(BEGINNING, Buffer.from(`${line}\n`)).fault);
  });

  // One seed alone need not meet everything.
  if (given !== undefined) return;
  it.each([
    "good",
    "a fault behind good records",
    "MALFORMED",
    "MISPLACED",
    "GAP",
    "DUPLICATE",
    "CHAIN_BROKEN",
    "HASH_MISMATCH",
    "TORN_TAIL",
  ])("met on the way: %s", (what) => {
    expect(found.get(what)).toBeGreaterThan(0);
  });
});

interface Parts {
  readonly id?: string;
  readonly version?: string;
  readonly meta?: string;
  readonly payload?: string;
  readonly seq?: string;
  readonly ts?: string;
  readonly type?: string;
}

/** What an event has in its places; each can be replaced. */
const PARTS: Required<Omit<Parts, "seq">> = {
  id: '"a"',
  version: "",
  meta: ',"meta":{}',
  payload: "{}",
  ts: "1",
  type: '"T"',
};

/** Lines of which the second is made of these parts, hashed as it stands, whatever that is. */
function forged(parts: Parts, hashText: (text: string) => string = (text) => text): Buffer {
  const lines: string[] = [];
  let before = GENESIS_HASH;
  for (const [n, changed] of [{}, parts, {}].entries()) {
    const {
      id,
      version,
      meta,
      payload,
      seq = String(n),
      ts,
      type,
    }: Required<Omit<Parts, "seq">> & Parts = { ...PARTS, ...changed };
    const event = `{"aggregate_id":${id}${version}${meta},"payload":${payload},"seq":${seq},"ts":${ts},"type":${type}}`;
    // Bytes, not characters: some of them are none.
    const ownHash = hash("sha256", Buffer.from(before + event, "latin1"));
    const stated = n === 1 ? hashText(ownHash) : ownHash;
    lines.push(`{"event":${event},"event_hash":"${stated}","prev_hash":"${n === 1 ? hashText(before) : before}"}`);
    before = ownHash;
  }
  return Buffer.from(`${lines.join("\n")}\n`, "latin1");
}

const utf8 = (text: string): string => Buffer.from(text).toString("latin1");

describe("a line that has the hash of its bytes, but no writer of this format wrote it so", () => {
  it("as it should be it is good: the forgery is in the part that is changed", () => {
    const good = { payload: utf8('{"a":[1.5,"é\\n\\u001f"],"b":{}}'), version: ',"hash_version":"v2"', meta: "" };
    for (const parts of [{}, good]) expect(atOnce(BEGINNING, forged(parts))).toMatchObject({ count: 3, fault: null });
  });

  const payloads = (code: string, ...texts: readonly string[]): [string, string, Parts][] =>
    texts.map((payload) => [code, `payload ${payload.slice(0, 60)}`, { payload: utf8(payload) }]);
  const cases: [string, string, Parts][] = [
    // Keys out of order, by code points, with escapes among them.
    ...payloads(
      "HASH_MISMATCH",
      '{"b":1,"a":2}',
      '{"ab":1,"a":2}',
      '{"\u{1F600}":1,"\uFB33":2}',
      '{"a\\n":1,"a":2}',
      '{"a\\"":1,"a!":2}',
      '{"aZ":1,"a\\n":2}',
      '{"a#":1,"a\\"":2}',
      '{"a]":1,"a\\\\":2}',
      '{"x":{"b":1,"a":2}}',
      '{"x":[{"\\t":1,"\\b":2}]}',
    ),
    ...payloads("MALFORMED", '{"a":1,"a":1}', '{"a":1,"\\u0061":1}', '{"\\n":1,"\\n":2}', '{"a":1,"b":2,"b":3}'),
    // Numbers in other words.
    ...[
      "1.50",
      "1E5",
      "1e5",
      "1.0e5",
      "-0",
      "0.00001",
      "1e16",
      "10000000000000000.0",
      "1e+5",
      "1e-5",
      "-0.00",
      "9007199254740993.0",
    ].flatMap((number) => payloads("HASH_MISMATCH", `{"x":${number}}`, `{"x":[${number}]}`)),
    ...["01", "1e400", "+1", ".5", "1.", "NaN", "0x1", "-", "1e"].flatMap((number) =>
      payloads("MALFORMED", `{"x":${number}}`),
    ),
    // Strings in other words.
    ...['"\\u001F"', '"\\u000a"', '"\\/"', '"\\u0041"', '"\\u007f"', '"\\u00e9"', '"\\ud83d\\ude00"'].flatMap(
      (string) => payloads("HASH_MISMATCH", `{"x":${string}}`, `{${string}:1}`),
    ),
    ...payloads("MALFORMED", '{"x":"\u0001"}', '{"x":"\\ud800"}', '{"x":"\\x"}', '{"x":"\\u12"}', '{"x":"\t"}'),
    ["MALFORMED", "bytes that are no UTF-8", { payload: '{"x":"\xff"}' }],
    ["MALFORMED", "half a character", { payload: '{"x":"\xc3"}' }],
    ["MALFORMED", "a surrogate in UTF-8", { payload: '{"x":"\xed\xa0\x80"}' }],
    ["MALFORMED", "an overlong slash", { payload: '{"x":"\xc0\xaf"}' }],
    // White space.
    ...payloads("HASH_MISMATCH", '{"a": 1}', '{ "a":1}', '{"a":1 }', '{"a" :1}', '{"a":[1, 2]}', "{ }"),
    ...payloads(
      "MALFORMED",
      '{"a":1,}',
      '{"a":[1,]}',
      '{"a":[1}',
      '{"a":1]',
      "[]",
      "null",
      '{"a":tru}',
      '{"a":nul1}',
      "{}{}",
    ),
    // The other parts.
    ["MALFORMED", "an empty aggregate id", { id: '""' }],
    ["HASH_MISMATCH", "an aggregate id with an escape too many", { id: '"\\u0061"' }],
    ["MALFORMED", "an aggregate id that is a number", { id: "1" }],
    ["MALFORMED", "an empty type", { type: '""' }],
    ["MALFORMED", "version 1 that says so", { version: ',"hash_version":"v1"' }],
    ["MALFORMED", "version 2 with an empty meta", { version: ',"hash_version":"v2"' }],
    [
      "HASH_MISMATCH",
      "version 2 with an empty meta, spaced",
      { version: ',"hash_version":"v2"', meta: ',"meta":{"a": 1}' },
    ],
    ["MALFORMED", "version 1 without a meta", { meta: "" }],
    ["MALFORMED", "a meta that is an array", { meta: ',"meta":[]' }],
    ["MALFORMED", "a seq with a zero before it", { seq: "01" }],
    ["MALFORMED", "a seq with a fraction", { seq: "1.0" }],
    ["MALFORMED", "a seq with an exponent", { seq: "1e0" }],
    ["MALFORMED", "a seq beyond the last", { seq: "10000000000" }],
    ["HASH_MISMATCH", "a ts of minus zero", { ts: "-0" }],
    ["MALFORMED", "a ts with a zero before it", { ts: "01" }],
    ["MALFORMED", "a ts with a fraction", { ts: "1.0" }],
    ["MALFORMED", "a ts that is a string", { ts: '"1"' }],
    ["MALFORMED", "a field too many", { type: '"T","u":1' }],
  ];

  it.each(cases)("%s: %s", (code, _, parts) => {
    const block = forged(parts);
    expect(atOnce(BEGINNING, block)).toMatchObject({ count: 1, fault: { code, seq: 1 } });
    expect(atOnce(BEGINNING, block)).toEqual(byLine(BEGINNING, block));
  });

  it.each([
    ["an event_hash and a prev_hash in upper case", (text: string) => text.toUpperCase()],
    ["hashes of 63 digits", (text: string) => text.slice(1)],
    ["hashes of 65 digits", (text: string) => `${text}0`],
    ["hashes with another letter", (text: string) => text.replace(/[a-f]/g, "g")],
  ])("%s are malformed", (_, change) => {
    const block = forged({}, change);
    expect(atOnce(BEGINNING, block)).toMatchObject({ count: 1, fault: { code: "MALFORMED", seq: 1 } });
    expect(atOnce(BEGINNING, block)).toEqual(byLine(BEGINNING, block));
  });

  it("no digit of a long integer is lost, wherever it stands", () => {
    const payload = '{"a":[9007199254740993],"b":{"c":-123456789012345678901234567890},"d":1}';
    const chain = new ChainWalk();
    const views = chain.acceptLines(
      forged({ payload, ts: "9007199254740993", meta: ',"meta":{"m":9007199254740995}' }),
    ).records;
    expect(views.map((view) => new EventParser().parse(view))).toMatchObject([
      { payload: {}, ts: 1 },
      {
        payload: { a: [9007199254740993n], b: { c: -123456789012345678901234567890n }, d: 1 },
        ts: 9007199254740993n,
        meta: { m: 9007199254740995n },
      },
      { payload: {}, ts: 1 },
    ]);
  });
});

describe("an object's records", () => {
  const many = encodeChain(
    Array.from({ length: 1001 }, (_, n) => prepareEvent({ type: "T", aggregateId: "a", payload: { n } }, 1, () => 0)),
    { seq: 4, hash: GENESIS_HASH },
  );
  const after = { seq: 4, hash: GENESIS_HASH };
  const walk = (body: Buffer | string, toSeq?: number): { walked: ReturnType<typeof walkObject>; head: Head } => {
    const chain = new ChainWalk(after);
    const walked = walkObject(chain, Buffer.from(body), 5, { key: "k" }, { toSeq });
    return { walked, head: chain.head };
  };

  it.each(["", "\n", "  \n", "\n\t"])("1000 are one object, whatever white space follows: %j", (space) => {
    const { walked, head } = walk(Buffer.concat([encodeLines(many.slice(0, 1000)), Buffer.from(space)]));
    expect([walked.count, walked.records.length, walked.fault]).toEqual([1000, 1000, null]);
    expect(head).toEqual({ seq: 1004, hash: many[999]?.eventHash });
  });

  it.each([
    ["good", (line: string) => line],
    ["bad", () => "x"],
    ["not one", () => "{}"],
  ])("1001 are too many, behind 1000 good ones, whatever the last one is: %s", (_, last) => {
    const lines = many.map(({ line }) => line.toString());
    const body = [...lines.slice(0, 1000), last(lines[1000] ?? "")].join("\n");
    const { walked, head } = walk(body);
    expect([walked.count, walked.records.length, head.seq]).toEqual([1000, 1000, 1004]);
    expect(walked.fault).toMatchObject({
      code: "MALFORMED",
      seq: 1005,
      actual: "more than 1000 records in one object",
      facts: { key: "k" },
    });
    // A range that ends before has no word to say of it.
    expect(walk(body, 1004).walked).toMatchObject({ count: 1000, fault: null });
    expect(walk(body, 1005).walked.fault).toMatchObject({ code: "MALFORMED" });
    expect(walk(body, 20).walked).toMatchObject({ count: 16, fault: null });
  });

  it.each(["", "\n", " \r\n\t\n"])("none is no object: %j", (body) => {
    expect(walk(body).walked).toMatchObject({
      count: 0,
      records: [],
      fault: { code: "MALFORMED", seq: 5, actual: "an object without a record" },
    });
  });

  it("under another key are misplaced, before anything else is said of them", () => {
    const chain = new ChainWalk(after);
    const { count, fault } = walkObject(chain, encodeLines(many.slice(0, 3)), 6, undefined);
    expect([count, fault]).toMatchObject([0, { code: "MISPLACED", expected: 6, actual: 5 }]);
  });
});
