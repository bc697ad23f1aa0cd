import { hash } from "node:crypto";
import { compareCodePoints } from "../../core/json/strings.js";
import type { ObjectStore } from "../../objects/port.js";
import type { SeqRange } from "../keys.js";
import { decodeMembers, type Place } from "./members.js";
import { decodeRoot, rootBytes, TRAILER_BYTES, type IndexRoot, type TableBlock } from "./root.js";
import {
  parseBlock,
  type AggregateRef,
  type RefCodec,
  type TableEntry,
  aggregateRefs,
  typeRefs,
  type TypeRef,
} from "./table.js";
import { IndexUnusable } from "./unusable.js";

/** What is fetched of a file's end: as a rule it holds the root, and the types. */
const TAIL_BYTES = 8 * 1024;
/** A block of a table, decompressed: more than one entry of it can be very long. */
const MAX_BLOCK_BYTES: number = 64 * 1024 * 1024;

/** An index file, as a LIST named it. */
export interface IndexEntry extends SeqRange {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
}

/** An index file whose root was read. What it says is checked as far as its own sums go, not against the log. */
export class IndexFile {
  readonly entry: IndexEntry;
  readonly root: IndexRoot;
  readonly #objects: ObjectStore;
  readonly #tail: Buffer;

  private constructor(objects: ObjectStore, entry: IndexEntry, root: IndexRoot, tail: Buffer) {
    this.#objects = objects;
    this.entry = entry;
    this.root = root;
    this.#tail = tail;
  }

  /** Reads its root: one GET, or two when it is long. @throws IndexUnusable; BackendError */
  static async open(objects: ObjectStore, entry: IndexEntry, signal?: AbortSignal): Promise<IndexFile> {
    const { key, size } = entry;
    const tail = async (bytes: number): Promise<Buffer> => {
      if (bytes > size) throw new IndexUnusable("is shorter than it says");
      return fetchPart(objects, key, { offset: size - bytes, length: bytes }, signal);
    };
    if (size < TRAILER_BYTES) throw new IndexUnusable("is no index file");
    let end = await tail(Math.min(TAIL_BYTES, size));
    const needed = rootBytes(end);
    if (needed > end.length) end = await tail(needed);
    const root = await decodeRoot(end, size);
    if (root.first !== entry.first || root.last !== entry.last)
      throw new IndexUnusable(`is about the records ${String(root.first)} to ${String(root.last)}`);
    return new IndexFile(objects, entry, root, end);
  }

  /** Where an aggregate is, by run; empty when it is nowhere in here. @throws IndexUnusable; BackendError */
  aggregate(id: string, signal?: AbortSignal): Promise<readonly AggregateRef[]> {
    return this.#lookUp(this.root.aggregates.blocks, aggregateRefs, id, signal);
  }

  /** As `aggregate`. */
  type(type: string, signal?: AbortSignal): Promise<readonly TypeRef[]> {
    return this.#lookUp(this.root.types.blocks, typeRefs, type, signal);
  }

  /** The aggregates whose ids are not below `from`, in order, a block at a time. @throws IndexUnusable; BackendError */
  aggregates(from = "", signal?: AbortSignal): AsyncGenerator<readonly TableEntry<AggregateRef>[]> {
    return this.#entries(this.root.aggregates.blocks, aggregateRefs, from, signal);
  }

  /** As `aggregates`. */
  types(from = "", signal?: AbortSignal): AsyncGenerator<readonly TableEntry<TypeRef>[]> {
    return this.#entries(this.root.types.blocks, typeRefs, from, signal);
  }

  async #lookUp<R extends { readonly run: number }>(
    blocks: readonly TableBlock[],
    codec: RefCodec<R>,
    key: string,
    signal?: AbortSignal,
  ): Promise<readonly R[]> {
    const block = blocks[Math.max(0, blockOf(blocks, key))];
    if (block === undefined) return [];
    return (await this.#block(block, codec, signal)).find((entry) => entry.key === key)?.refs ?? [];
  }

  async *#entries<R extends { readonly run: number }>(
    blocks: readonly TableBlock[],
    codec: RefCodec<R>,
    from: string,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly TableEntry<R>[]> {
    let last: string | null = null;
    for (const block of blocks.slice(Math.max(0, blockOf(blocks, from)))) {
      const entries = await this.#block(block, codec, signal);
      if (last !== null && compareCodePoints(last, block.key) >= 0) throw new IndexUnusable("has a table in disorder");
      last = entries.at(-1)?.key ?? last;
      yield entries.filter(({ key }) => compareCodePoints(key, from) >= 0);
    }
  }

  async #block<R extends { readonly run: number }>(
    block: TableBlock,
    codec: RefCodec<R>,
    signal?: AbortSignal,
  ): Promise<TableEntry<R>[]> {
    const bytes = this.#held(block) ?? (await fetchPart(this.#objects, this.entry.key, block, signal));
    if (hash("sha256", bytes, "hex") !== block.sha256) throw new IndexUnusable("has a table that was changed");
    const entries = parseBlock(await decodeMembers(bytes, MAX_BLOCK_BYTES), codec);
    const { runs } = this.root;
    // In order of runs, each once.
    const fits = ({ refs }: TableEntry<R>): boolean =>
      refs.length > 0 && refs.every(({ run }, i) => run < runs.length && (i === 0 || (refs[i - 1]?.run ?? run) < run));
    if (entries[0]?.key !== block.key || !entries.every(fits)) throw new IndexUnusable("has a table in disorder");
    return entries;
  }

  /** Of what came with the root. */
  #held({ offset, length }: Place): Buffer | null {
    const at = offset - (this.entry.size - this.#tail.length);
    return at < 0 ? null : this.#tail.subarray(at, at + length);
  }
}

/** Some bytes of an index file. @throws IndexUnusable when it is gone or ends before; BackendError */
export async function fetchPart(
  objects: ObjectStore,
  key: string,
  { offset, length }: Place,
  signal?: AbortSignal,
): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0);
  const object = await objects.get(key, { range: { start: offset, end: offset + length }, signal });
  if (object === null) throw new IndexUnusable("is gone");
  if (object.body.length !== length) throw new IndexUnusable("is shorter than it says");
  return object.body;
}

/** Number of the block that holds `key` if any does; −1 when all begin behind it. */
function blockOf(blocks: readonly TableBlock[], key: string): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareCodePoints(blocks[middle]?.key ?? "", key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
