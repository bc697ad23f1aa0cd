import { createHash, hash } from "node:crypto";
import { ConfigError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import { compareCodePoints } from "../../core/json/strings.js";
import type { RecordView } from "../../core/record-view.js";
import type { SeqRange } from "../keys.js";
import type { Group } from "./group.js";
import { THOUSAND } from "./layout.js";
import { MemberWriter } from "./members.js";
import { encodeRoot, type RecordsPart, type TablePart } from "./root.js";
import { RunSorter, typeOf } from "./run-sorter.js";
import { aggregateRefs, TableWriter, typeRefs, type AggregateRef } from "./table.js";

/** A run of records as a segment holds it. */
export interface SegmentRecords extends SeqRange {
  /** The record before `first`; seq −1 and 64 zeros at the beginning of the log. */
  readonly before: Head;
  /** The record `last`. */
  readonly end: Head;
  /** `first` … `last`, verified, from the beginning each time it is called. */
  readonly records: () => AsyncIterable<readonly RecordView[]>;
  /** Its index run, where that was made beside the segment. */
  readonly run?: (() => Promise<Buffer>) | undefined;
}

/** Lines of several aggregates share a block up to this size; an aggregate that has more has blocks of its own. */
const BLOCK_BYTES: number = 32 * 1024;
/** Of the fast kind: it is made of records that are kept, better compressed, elsewhere. */
const LEVEL = 3;
const TABLE_BLOCK_BYTES: number = 16 * 1024;
const NEWLINE = 0x0a;

/**
 * The bytes of the index run of a segment: the same for the same records and the same zlib. In memory: one chunk of records, and the
 * file itself. @throws ConfigError when the records are not those that the segment says
 */
export async function buildRun(segment: SegmentRecords, chunkBytes?: number): Promise<Buffer> {
  const builder = new RunBuilder(segment, segment.before, chunkBytes);
  for await (const records of segment.records()) await builder.add(records);
  return builder.end(segment.end);
}

/** Makes an index run of records as they come. */
export class RunBuilder {
  readonly #range: SeqRange;
  readonly #before: Head;
  readonly #sorter: RunSorter;
  readonly #types: TypeCounts;
  #head: Head;

  /** `before`: the record before the first one. */
  constructor({ first, last }: SeqRange, before: Head, chunkBytes?: number) {
    this.#range = { first, last };
    this.#before = this.#head = before;
    this.#sorter = new RunSorter(chunkBytes);
    this.#types = new TypeCounts(first, last);
  }

  /** @throws ConfigError when they are not the next ones */
  async add(records: readonly RecordView[]): Promise<void> {
    let head = this.#head;
    for (const record of records) {
      if (record.seq !== head.seq + 1 || record.prevHash !== head.hash || record.seq > this.#range.last)
        throw notTheRecords(this.#range);
      head = { seq: record.seq, hash: record.eventHash };
      this.#types.add(record);
    }
    this.#head = head;
    await this.#sorter.add(records);
  }

  /** @throws ConfigError when it did not come to just this record */
  async end(end: Head): Promise<Buffer> {
    const { first, last } = this.#range;
    const { seq, hash: reached } = this.#head;
    if (this.#before.seq !== first - 1 || seq !== last || end.seq !== last || reached !== end.hash)
      throw notTheRecords(this.#range);
    const writer = new MemberWriter();
    const blocks = new RecordBlocks(writer);
    for await (const group of this.#sorter.sorted()) await blocks.add(group);
    const { records, refs } = await blocks.end();
    const table = new TableWriter(writer, aggregateRefs, TABLE_BLOCK_BYTES);
    for (const { id, ref } of refs) await table.add({ key: id, refs: [ref] });
    const aggregates = await table.end();
    const types = await this.#types.write(writer);
    const runs = [{ first, last }];
    const root = encodeRoot({
      first,
      last,
      before: this.#before.hash,
      end: end.hash,
      runs,
      records,
      aggregates,
      types,
    });
    return Buffer.concat([writer.bytes(), root]);
  }
}

function notTheRecords({ first, last }: SeqRange): ConfigError {
  return new ConfigError(`the records to index are not the records ${String(first)} to ${String(last)} of one log`);
}

interface PlacedGroup {
  readonly id: string;
  count: number;
  readonly first: number;
  last: number;
  /** Numbers of the members that hold it, the last one not included. */
  readonly from: number;
  to: number;
}

/** Cuts sorted groups into blocks, at ends of lines: before an aggregate rather than within it, unless it has more than a block. */
class RecordBlocks {
  readonly #writer: MemberWriter;
  readonly #content = createHash("sha256");
  readonly #groups: PlacedGroup[] = [];
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(writer: MemberWriter) {
    this.#writer = writer;
  }

  async add({ id, count, first, last, pieces }: Group): Promise<void> {
    let group = this.#groups.at(-1);
    if (group?.id !== id) {
      const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
      if (this.#bytes > 0 && this.#bytes + size > BLOCK_BYTES) await this.#endBlock();
      group = { id, count: 0, first, last, from: this.#writer.count, to: 0 };
      this.#groups.push(group);
    }
    group.count += count;
    group.last = last;
    for (const piece of pieces) {
      let at = 0;
      while (at < piece.length) {
        // The newline that ends a line is a piece of its own, or within one of several lines.
        const room = at + BLOCK_BYTES - this.#bytes;
        const newline = piece.indexOf(NEWLINE, Math.max(at, room));
        const end = newline < 0 ? piece.length : newline + 1;
        this.#pieces.push(at === 0 && end === piece.length ? piece : piece.subarray(at, end));
        this.#bytes += end - at;
        at = end;
        if (this.#bytes > BLOCK_BYTES && piece[end - 1] === NEWLINE) await this.#endBlock();
      }
    }
    group.to = this.#writer.count + (this.#bytes > 0 ? 1 : 0);
  }

  /** Where everything is. */
  async end(): Promise<{
    readonly records: RecordsPart;
    readonly refs: readonly { readonly id: string; readonly ref: AggregateRef }[];
  }> {
    if (this.#bytes > 0) await this.#endBlock();
    await this.#writer.flush();
    const { length } = this.#writer.place(0, this.#writer.count);
    const refs = this.#groups.map(({ id, count, first, last, from, to }) => ({
      id,
      ref: { run: 0, count, first, last, ...this.#writer.place(from, to) },
    }));
    const sha256 = hash("sha256", this.#writer.bytes(), "hex");
    return { records: { length, sha256, content: this.#content.digest("hex") }, refs };
  }

  async #endBlock(): Promise<void> {
    const block = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    this.#content.update(block);
    await this.#writer.add(block, LEVEL);
  }
}

/** Counts types, and the thousands that hold them. */
class TypeCounts {
  readonly #first: number;
  readonly #thousands: number;
  readonly #types = new Map<string, { count: number; readonly thousands: Buffer }>();

  constructor(first: number, last: number) {
    this.#first = Math.floor(first / THOUSAND);
    this.#thousands = Math.floor(last / THOUSAND) - this.#first + 1;
  }

  add(record: RecordView): void {
    const type = typeOf(record);
    let counted = this.#types.get(type);
    if (counted === undefined) {
      counted = { count: 0, thousands: Buffer.alloc(Math.ceil(this.#thousands / 8)) };
      this.#types.set(type, counted);
    }
    counted.count++;
    const bit = Math.floor(record.seq / THOUSAND) - this.#first;
    counted.thousands[bit >> 3] = (counted.thousands[bit >> 3] ?? 0) | (1 << (bit & 7));
  }

  async write(writer: MemberWriter): Promise<TablePart> {
    const table = new TableWriter(writer, typeRefs, TABLE_BLOCK_BYTES);
    const sorted = [...this.#types].sort(([a], [b]) => compareCodePoints(a, b));
    for (const [key, ref] of sorted) await table.add({ key, refs: [{ run: 0, ...ref }] });
    return table.end();
  }
}
