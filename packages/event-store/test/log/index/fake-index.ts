import { encodeChain, prepareEvent } from "../../../src/core/record.js";
import { formatHead } from "../../../src/core/head-check.js";
import { gzipSync } from "node:zlib";
import { MemberWriter } from "../../../src/log/index/members.js";
import { encodeRoot, type RecordsPart } from "../../../src/log/index/root.js";
import { aggregateRefs, TableWriter, typeRefs, type AggregateRef } from "../../../src/log/index/table.js";
import type { SeqRange } from "../../../src/log/keys.js";
import type { IndexKind } from "../../../src/log/keys.js";
import { GENESIS_HASH, type StoredRecord } from "../../../src/core/event.js";
import type {
  ListEntry,
  ListOptions,
  ListPage,
  ObjectStore,
  PutOutcome,
  StoredObject,
} from "../../../src/objects/port.js";
import { sha256 } from "./edit-file.js";
import { keys } from "./sample-log.js";

const unused = (): never => {
  throw new Error("not part of this fake");
};

/** The hash that record `seq` is said to have, other than the last ones. */
const hashAt = (seq: number): string => (seq < 0 ? GENESIS_HASH : String(seq).padStart(64, "a"));

/**
 * A log of any number of records, none of them stored, with the index that compaction leaves: directories of ever smaller sizes, the
 * runs behind them, then records without an index. The aggregate `wanted` has a record at the
 * beginning, in the middle and at the end. LIST answers for every file there would be.
 */
export class FakeIndex implements ObjectStore {
  readonly identity = "fake:";
  readonly wanted: number[];
  readonly #files: { readonly kind: IndexKind; readonly range: SeqRange; readonly key: string }[] = [];
  readonly #bodies = new Map<string, Promise<Buffer>>();
  readonly #tail: StoredRecord[];
  readonly #covered: number;

  constructor(records: number) {
    this.#covered = Math.floor(records / 10_000) * 10_000;
    let at = 0;
    for (const size of [1e9, 1e8, 1e7, 1e6, 1e5, 1e4]) {
      for (; at + size <= this.#covered; at += size) {
        const kind = size >= 1e6 ? "directories" : "runs";
        const range = { first: at, last: at + size - 1 };
        this.#files.push({ kind, range, key: keys.indexFile(kind, range) });
      }
    }
    // Each in a run of its own.
    const middle = Math.floor(this.#covered / 2e5) * 1e5;
    this.wanted = [5, ...(middle > 0 ? [middle + 7] : []), ...(this.#covered === 1e5 ? [] : [this.#covered - 9_000])];
    const events = Array.from({ length: records - this.#covered }, () =>
      prepareEvent({ type: "T", aggregateId: "other" }, 1, () => 0),
    );
    this.#tail = encodeChain(events.slice(0, 1000), { seq: this.#covered - 1, hash: this.#endHash() });
  }

  async get(
    key: string,
    { range }: { readonly range?: { readonly start: number; readonly end: number } } = {},
  ): Promise<StoredObject | null> {
    const body = await this.#body(key);
    return body === null ? null : { body: body.subarray(range?.start, range?.end), etag: '"x"', metadata: {} };
  }

  async list({ prefix, startAfter = "", maxKeys = 1000 }: ListOptions): Promise<ListPage> {
    const all: string[] = [];
    if (prefix === keys.root) {
      for (const seq of [this.#covered - 1, ...this.#tail.slice(0, 1).map(() => this.#covered)])
        all.push(keys.event(seq));
      all.push(keys.head);
    } else if (prefix !== keys.segments) {
      const kind = prefix === keys.indexPrefix("runs") ? "runs" : "directories";
      if (prefix !== keys.indexPrefix(kind)) unused();
      // Runs lie below directories, too: only those behind them are asked for.
      if (kind === "runs" && startAfter < (this.#files.find((file) => file.kind === "runs")?.key.slice(0, -15) ?? ""))
        unused();
      for (const file of this.#files) if (file.kind === kind) all.push(file.key);
    }
    const keysBehind = all.filter((key) => key > startAfter);
    const entries: ListEntry[] = [];
    for (const key of keysBehind.slice(0, maxKeys)) entries.push({ key, size: (await this.#body(key))?.length ?? 0 });
    return { entries, truncated: keysBehind.length > maxKeys };
  }

  #body(key: string): Promise<Buffer | null> {
    const seq = keys.seqOf(key);
    if (seq === this.#covered - 1) return Promise.resolve(this.#last().line);
    if (seq === this.#covered && this.#tail.length > 0)
      return Promise.resolve(Buffer.concat(this.#tail.flatMap(({ line }) => [line, Buffer.from("\n")])));
    const last = this.#tail.at(-1) ?? this.#last();
    if (key === keys.head) return Promise.resolve(Buffer.from(formatHead({ seq: last.seq, hash: last.eventHash })));
    const file = this.#files.find((each) => each.key === key);
    const run = keys.indexRangeOf("runs", key);
    if (!file && !run) return Promise.resolve(null);
    const known =
      this.#bodies.get(key) ??
      (file?.kind === "directories" ? this.#directory(file.range) : this.#run(run ?? { first: 0, last: 0 }));
    this.#bodies.set(key, known);
    return known;
  }

  /** A directory names every run in it, of 100,000 records each; its table, all that is wanted. */
  #directory({ first, last }: SeqRange): Promise<Buffer> {
    // Beyond that many, its root would take this test too long; the numbers of requests do not depend on it.
    const size = Math.max(100_000, (last - first + 1) / 1000);
    const runs = Array.from({ length: (last - first + 1) / size }, (_, i) => ({
      first: first + i * size,
      last: first + (i + 1) * size - 1,
    }));
    const refs = this.wanted.flatMap((seq) => {
      if (seq < first || seq > last) return [];
      const run = Math.floor((seq - first) / size);
      return [
        { run, count: 1, first: seq, last: seq, offset: 0, length: this.#records(runs[run] ?? { first, last }).length },
      ];
    });
    return this.#file({ first, last }, runs, null, Buffer.alloc(0), refs);
  }

  #run(range: SeqRange): Promise<Buffer> {
    const records = this.#records(range);
    const refs = this.wanted.flatMap((seq) =>
      seq < range.first || seq > range.last
        ? []
        : [{ run: 0, count: 1, first: seq, last: seq, offset: 0, length: records.length }],
    );
    const part = { length: records.length, sha256: sha256(records), content: sha256(records) };
    return this.#file(range, [range], part, records, refs);
  }

  /** What a run has of `wanted`, in one block. */
  #records({ first, last }: SeqRange): Buffer {
    const lines = this.wanted
      .filter((seq) => seq >= first && seq <= last)
      .map((seq) =>
        encodeChain([prepareEvent({ type: "T", aggregateId: "wanted" }, 1, () => 0)], {
          seq: seq - 1,
          hash: hashAt(seq - 1),
        }),
      );
    return gzipSync(lines.map(([record]) => `${record?.line.toString() ?? ""}\n`).join(""));
  }

  async #file(
    { first, last }: SeqRange,
    runs: readonly SeqRange[],
    records: RecordsPart | null,
    body: Buffer,
    refs: readonly AggregateRef[],
  ): Promise<Buffer> {
    const writer = new MemberWriter();
    const table = new TableWriter(writer, aggregateRefs, 1);
    // One key on either side, in blocks of their own.
    await table.add({ key: "a", refs: [{ run: 0, count: 1, first, last: first, offset: 0, length: 1 }] });
    if (refs.length > 0) await table.add({ key: "wanted", refs });
    await table.add({ key: "z", refs: [{ run: 0, count: 1, first, last: first, offset: 0, length: 1 }] });
    const aggregates = await table.end();
    const types = await new TableWriter(writer, typeRefs, 1).end();
    const moved = aggregates.blocks.map((block) => ({ ...block, offset: block.offset + body.length }));
    const root = encodeRoot({
      first,
      last,
      before: hashAt(first - 1),
      end: last === this.#covered - 1 ? this.#endHash() : hashAt(last),
      runs,
      records,
      aggregates: { ...aggregates, blocks: moved },
      types,
    });
    return Buffer.concat([body, writer.bytes(), root]);
  }

  /** The last record that is indexed. */
  #last(): StoredRecord {
    const seq = this.#covered - 1;
    const [record] = encodeChain([prepareEvent({ type: "T", aggregateId: "other" }, 1, () => 0)], {
      seq: seq - 1,
      hash: "b".repeat(64),
    });
    return record ?? unused();
  }

  #endHash(): string {
    return this.#last().eventHash;
  }

  putIfAbsent = (): Promise<PutOutcome> => unused();
  replaceIfMatch = (): Promise<PutOutcome> => unused();
  delete = (): Promise<void> => unused();
  close = (): Promise<void> => Promise.resolve();
}
