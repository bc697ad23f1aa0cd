import { decodeUtf8 } from "../../core/decode.js";
import { compareCodePoints } from "../../core/json/strings.js";
import type { RecordView } from "../../core/record-view.js";
import type { Group } from "./group.js";
import { spill, type SortedGroups } from "./spill.js";

/** What is sorted at a time, in bytes … */
const CHUNK_BYTES: number = 80 * 1024 * 1024;
/** … with what a record costs beside its own. */
const RECORD_COST = 100;

const NEWLINE: Buffer = Buffer.from("\n");

/**
 * Sorts records by aggregate and seq within bounded memory: what does not fit is kept compressed, sorted chunk by chunk, and merged.
 * Within an aggregate nothing needs sorting: records come in order.
 */
export class RunSorter {
  readonly #chunkBytes: number;
  readonly #spilled: SortedGroups[] = [];
  #groups = new Map<string, GrowingGroup>();
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
      const group = this.#groups.get(id);
      if (group === undefined)
        this.#groups.set(id, { id, count: 1, first: record.seq, last: record.seq, pieces: [line, NEWLINE] });
      else {
        group.pieces.push(line, NEWLINE);
        group.count++;
        group.last = record.seq;
      }
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
    return groups.sort((a, b) => compareCodePoints(a.id, b.id));
  }
}

interface GrowingGroup extends Group {
  count: number;
  last: number;
  readonly pieces: Buffer[];
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
