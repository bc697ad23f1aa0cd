import { decodeUtf8 } from "../../core/decode.js";
import { compareCodePoints } from "../../core/json/strings.js";
import type { RecordView } from "../../core/record-view.js";
import type { Group } from "./group.js";
import { spill, type SortedGroups } from "./spill.js";

/** What is sorted at a time, in bytes … */
const CHUNK_BYTES: number = 80 * 1024 * 1024;
/** … with what a record costs beside its own. */
const RECORD_COST = 100;

/**
 * Sorts records by aggregate and seq within bounded memory: what does not fit is kept compressed, sorted chunk by chunk, and merged.
 * Within an aggregate nothing needs sorting: records come in order.
 */
export class RunSorter {
  readonly #chunkBytes: number;
  readonly #spilled: SortedGroups[] = [];
  #groups = new Map<string, GrowingGroup>();
  #lines = new Slabs();
  #bytes = 0;

  constructor(chunkBytes: number = CHUNK_BYTES) {
    this.#chunkBytes = chunkBytes;
  }

  async add(records: readonly RecordView[]): Promise<void> {
    for (const record of records) {
      const line = record.line;
      const cost = line.length + RECORD_COST;
      if (this.#bytes > 0 && this.#bytes + cost > this.#chunkBytes) await this.#spill();
      this.#bytes += cost;
      const id = aggregateIdOf(record);
      let group = this.#groups.get(id);
      if (group === undefined) this.#groups.set(id, (group = new GrowingGroup(id, record.seq, this.#lines)));
      group.add(record.seq, line);
    }
  }

  /** Everything, in order of aggregate ids; of one aggregate, groups one behind the other. For once. */
  async *sorted(): AsyncGenerator<Group> {
    if (this.#spilled.length === 0) {
      yield* this.#take();
      return;
    }
    await this.#spill();
    yield* merged(this.#spilled);
  }

  async #spill(): Promise<void> {
    this.#spilled.push(await spill(this.#take()));
    this.#bytes = 0;
  }

  #take(): Group[] {
    const groups = [...this.#groups.values()];
    this.#groups = new Map();
    this.#lines = new Slabs();
    return groups.sort((a, b) => compareCodePoints(a.id, b.id));
  }
}

/** A group that takes up its lines as they come. They are cut out when they are asked for: until then a line costs its bytes and a number. */
class GrowingGroup implements Group {
  readonly id: string;
  readonly first: number;
  last: number;
  readonly #lines: Slabs;
  readonly #places: number[] = [];

  constructor(id: string, first: number, lines: Slabs) {
    this.id = id;
    this.first = this.last = first;
    this.#lines = lines;
  }

  get count(): number {
    return this.#places.length;
  }

  get pieces(): readonly Buffer[] {
    return this.#places.map((place) => this.#lines.lineAt(place));
  }

  add(seq: number, line: Buffer): void {
    this.last = seq;
    this.#places.push(this.#lines.add(line));
  }
}

const SLAB_BYTES: number = 1024 * 1024;
/** More than any line has: a place is the number of its slab times this, and the offset in it. */
const PLACES_OF_SLAB: number = 2 ** 24;
const NEWLINE = 0x0a;

/** Copies of lines, each with its newline, in large pieces of memory. */
class Slabs {
  readonly #slabs: Buffer[] = [];
  #at = 0;

  add(line: Buffer): number {
    const length = line.length + 1;
    let slab = this.#slabs.at(-1);
    if (slab === undefined || this.#at + length > slab.length) {
      slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, length));
      this.#slabs.push(slab);
      this.#at = 0;
    }
    const place = (this.#slabs.length - 1) * PLACES_OF_SLAB + this.#at;
    line.copy(slab, this.#at);
    slab[this.#at + line.length] = NEWLINE;
    this.#at += length;
    return place;
  }

  lineAt(place: number): Buffer {
    const slab = this.#slabs[Math.floor(place / PLACES_OF_SLAB)] ?? Buffer.alloc(0);
    const start = place % PLACES_OF_SLAB;
    return slab.subarray(start, slab.indexOf(NEWLINE, start) + 1);
  }
}

/** Of one id, that of an earlier chunk first: its records come before. */
async function* merged(chunks: readonly SortedGroups[]): AsyncGenerator<Group> {
  const sources = await Promise.all(
    chunks.map(async (chunk) => {
      const groups = chunk[Symbol.asyncIterator]();
      return { groups, next: await groups.next() };
    }),
  );
  for (;;) {
    let least: { source: (typeof sources)[number]; group: Group } | null = null;
    for (const source of sources) {
      if (source.next.done === true) continue;
      const group = source.next.value;
      if (least === null || compareCodePoints(group.id, least.group.id) < 0) least = { source, group };
    }
    if (least === null) return;
    yield least.group;
    least.source.next = await least.source.groups.next();
  }
}

/** The aggregate's id, whatever escapes the record spells it with. */
export function aggregateIdOf({ bytes, escapes, aggregateIdStart: start, aggregateIdEnd: end }: RecordView): string {
  return escapes ? (JSON.parse(decodeUtf8(bytes, start, end)) as string) : decodeUtf8(bytes, start + 1, end - 1);
}

/** As `aggregateIdOf`. */
export function typeOf({ bytes, escapes, typeStart: start, typeEnd: end }: RecordView): string {
  return escapes ? (JSON.parse(decodeUtf8(bytes, start, end)) as string) : decodeUtf8(bytes, start + 1, end - 1);
}
