// A log of any length with its index, of which only the keys exist: an object store that makes up what is asked for. Every file
// that compaction would have left is listed; directories of ever smaller sizes, the runs behind them, and the records that have no index.

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { internal } from "./library.mjs";

export const WANTED = "wanted";
export const PREFIX = "faked";

const SIZES = [1e9, 1e8, 1e7, 1e6, 1e5, 1e4];
const LEAST_DIRECTORY = 1e6;
const MOST_OF_RUN = 1e5;

const { LogKeys } = await internal("log/keys.js");
const { encodeChain, prepareEvent } = await internal("core/record.js");
const { formatHead } = await internal("core/head-check.js");
const { MemberWriter } = await internal("log/index/members.js");
const { encodeRoot } = await internal("log/index/root.js");
const { aggregateRefs, TableWriter, typeRefs } = await internal("log/index/table.js");

const keys = new LogKeys(PREFIX);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const record = (aggregateId, seq, prevHash) =>
  encodeChain([prepareEvent({ type: "T", aggregateId }, 1, () => 0)], { seq: seq - 1, hash: prevHash })[0];
/** What record `seq` is said to have for its hash, wherever nothing needs the record itself. */
const hashAt = (seq) => (seq < 0 ? "0" : String(seq)).padStart(64, seq < 0 ? "0" : "a");
const refused = () => Promise.reject(new Error("a faked log can only be read"));

/** An `ObjectStore` for reading, with the number of LISTs, of GETs of the index's roots and tables, and of all requests. */
export class FakeLog {
  identity = "fake:";
  lists = 0;
  indexGets = 0;
  requests = 0;
  /** Seqs of the records of `WANTED`: each in a run of its own. */
  wanted;
  #files = [];
  #bodies = new Map();
  #covered;
  /** The last record that is indexed; and those behind it, in one object. */
  #last;
  #tail = [];

  /** @param {number} records of which the last up to 9,999 have no index; of those at most 1,000 */
  constructor(records) {
    this.#covered = records - (records % 1e4);
    for (const [at, size] of tiles(this.#covered)) {
      const kind = size >= LEAST_DIRECTORY ? "directories" : "runs";
      const range = { first: at, last: at + size - 1 };
      this.#files.push({ kind, range, key: keys.indexFile(kind, range) });
    }
    const last = this.#covered - 1;
    const middle = Math.floor(this.#covered / (2 * MOST_OF_RUN)) * MOST_OF_RUN + 7;
    this.wanted = [5, middle, last - 9000].filter((seq, i, all) => runOf(seq).first !== runOf(all[i - 1] ?? -1).first);
    this.#last = record("other", last, hashAt(last - 1));
    let before = this.#last;
    for (let seq = this.#covered; seq < Math.min(records, this.#covered + 1000); seq++)
      this.#tail.push((before = record("other", seq, before.eventHash)));
  }

  async get(key, { range } = {}) {
    this.requests++;
    const body = await this.#body(key);
    const { records = 0 } = this.#bodies.get(key) ?? {};
    const isData = (range?.end ?? Infinity) <= records;
    if (key.startsWith(keys.index) && !isData) this.indexGets++;
    return body && { body: body.subarray(range?.start, range?.end), etag: '"x"', metadata: {} };
  }

  async list({ prefix, startAfter = "", maxKeys = 1000 }) {
    this.requests++;
    this.lists++;
    const listed = (prefix === keys.root ? this.#others() : this.#files.map(({ key }) => key)).filter(
      (key) => key.startsWith(prefix) && key > startAfter,
    );
    const page = listed.slice(0, maxKeys);
    const sizes = await Promise.all(page.map((key) => this.#body(key)));
    const entries = page.map((key, i) => ({ key, size: sizes[i].length }));
    return { entries, truncated: listed.length > maxKeys };
  }

  putIfAbsent = refused;
  replaceIfMatch = refused;
  delete = refused;
  close = async () => undefined;

  #others() {
    const tail = this.#tail.length > 0 ? [keys.event(this.#covered)] : [];
    return [keys.event(this.#covered - 1), ...tail, keys.head];
  }

  async #body(key) {
    const seq = keys.seqOf(key);
    if (seq === this.#covered - 1) return this.#last.line;
    if (seq === this.#covered && this.#tail.length > 0) return linesOf(this.#tail);
    const { seq: end, eventHash } = this.#tail.at(-1) ?? this.#last;
    if (key === keys.head) return Buffer.from(formatHead({ seq: end, hash: eventHash }));
    const range = keys.indexRangeOf("directories", key) ?? keys.indexRangeOf("runs", key);
    if (range === null) return null;
    const isDirectory = key.startsWith(keys.indexPrefix("directories"));
    if (!this.#bodies.has(key)) this.#bodies.set(key, await (isDirectory ? this.#directory(range) : this.#run(range)));
    return this.#bodies.get(key).file;
  }

  /** Names every run in it. */
  #directory({ first, last }) {
    const runs = Array.from({ length: (last - first + 1) / MOST_OF_RUN }, (_, i) => runOf(first + i * MOST_OF_RUN));
    const refs = this.#within({ first, last }).map((seq) => {
      const run = runOf(seq);
      const { length } = this.#records(run);
      return { run: (run.first - first) / MOST_OF_RUN, count: 1, first: seq, last: seq, offset: 0, length };
    });
    return this.#file({ first, last }, runs, null, refs);
  }

  #run(range) {
    const records = this.#records(range);
    const refs = this.#within(range).map((seq) => ({
      run: 0,
      count: 1,
      first: seq,
      last: seq,
      offset: 0,
      length: records.length,
    }));
    return this.#file(range, [range], records, refs);
  }

  #within({ first, last }) {
    return this.wanted.filter((seq) => seq >= first && seq <= last);
  }

  /** What a run has of `WANTED`, in one gzip member. */
  #records(range) {
    return gzipSync(linesOf(this.#within(range).map((seq) => record(WANTED, seq, hashAt(seq - 1)))));
  }

  async #file({ first, last }, runs, records, refs) {
    const writer = new MemberWriter();
    const table = new TableWriter(writer, aggregateRefs, 1);
    // A key on either side, in blocks of their own.
    const side = (key) => ({ key, refs: [{ run: 0, count: 1, first, last: first, offset: 0, length: 1 }] });
    for (const entry of [side("a"), ...(refs.length > 0 ? [{ key: WANTED, refs }] : []), side("z")])
      await table.add(entry);
    const aggregates = await table.end();
    const types = await new TableWriter(writer, typeRefs, 1).end();
    const start = records?.length ?? 0;
    const root = encodeRoot({
      first,
      last,
      before: hashAt(first - 1),
      end: last === this.#covered - 1 ? this.#last.eventHash : hashAt(last),
      runs,
      records: records && { length: start, sha256: sha256(records), content: sha256(records) },
      aggregates: {
        ...aggregates,
        blocks: aggregates.blocks.map((block) => ({ ...block, offset: block.offset + start })),
      },
      types,
    });
    return { file: Buffer.concat([records ?? Buffer.alloc(0), writer.bytes(), root]), records: start };
  }
}

/** Where the files of an index of so many records begin, and how many records each is about. */
function* tiles(records) {
  let at = 0;
  for (const size of SIZES) for (; at + size <= records; at += size) yield [at, size];
}

function runOf(seq) {
  const first = Math.floor(seq / MOST_OF_RUN) * MOST_OF_RUN;
  return { first, last: first + MOST_OF_RUN - 1 };
}

const linesOf = (records) => Buffer.concat(records.flatMap(({ line }) => [line, NEWLINE]));
const NEWLINE = Buffer.from("\n");
