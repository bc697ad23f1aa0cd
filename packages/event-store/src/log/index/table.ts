import { compareCodePoints } from "../../core/json/strings.js";
import type { MemberWriter } from "./members.js";
import { isCount, type TablePart } from "./root.js";
import { IndexUnusable } from "./unusable.js";

/** Where one run has an aggregate. */
export interface AggregateRef {
  /** Its number among the runs that the root names. */
  readonly run: number;
  /** Records, at least one. */
  readonly count: number;
  /** Seqs of the first and the last of them. */
  readonly first: number;
  readonly last: number;
  /** The bytes of the run's file that hold them: whole gzip members. */
  readonly offset: number;
  readonly length: number;
}

/** Where one run has a type. */
export interface TypeRef {
  readonly run: number;
  /** Records, at least one. */
  readonly count: number;
  /** Bit i (from the lowest of the first byte on): a record of the type is among the i-th thousand of the run's, counted from its first seq rounded down. */
  readonly thousands: Buffer;
}

export interface TableEntry<R> {
  readonly key: string;
  readonly refs: readonly R[];
}

/** How the refs of a table are spelled. */
export interface RefCodec<R> {
  encode(ref: R): unknown;
  /** Undefined when it is no ref. */
  decode(value: readonly unknown[]): R | undefined;
}

export const aggregateRefs: RefCodec<AggregateRef> = {
  encode: ({ run, count, first, last, offset, length }) => [run, count, first, last, offset, length],
  decode: ([run, count, first, last, offset, length]) =>
    isCount(run) &&
    isCount(count) &&
    isCount(first) &&
    isCount(last) &&
    isCount(offset) &&
    isCount(length) &&
    count > 0 &&
    last - first >= count - 1
      ? { run, count, first, last, offset, length }
      : undefined,
};

const HEX = /^([0-9a-f]{2})*$/;

export const typeRefs: RefCodec<TypeRef> = {
  encode: ({ run, count, thousands }) => [run, count, thousands.toString("hex")],
  decode: ([run, count, thousands]) =>
    isCount(run) && isCount(count) && count > 0 && typeof thousands === "string" && HEX.test(thousands)
      ? { run, count, thousands: Buffer.from(thousands, "hex") }
      : undefined,
};

const LEVEL = 6;

/** Writes the entries of a table, in order of their keys, as blocks of lines. */
export class TableWriter<R> {
  readonly #writer: MemberWriter;
  readonly #codec: RefCodec<R>;
  readonly #blockBytes: number;
  readonly #from: number;
  readonly #keys: string[] = [];
  #lines: string[] = [];
  #bytes = 0;
  #entries = 0;

  /** A block ends once it has `blockBytes`. Nothing else may be added to `writer` until this is ended. */
  constructor(writer: MemberWriter, codec: RefCodec<R>, blockBytes: number) {
    this.#writer = writer;
    this.#codec = codec;
    this.#blockBytes = blockBytes;
    this.#from = writer.count;
  }

  async add({ key, refs }: TableEntry<R>): Promise<void> {
    const line = JSON.stringify([key, refs.map((ref) => this.#codec.encode(ref))]);
    if (this.#lines.length === 0) this.#keys.push(key);
    this.#lines.push(line, "\n");
    this.#bytes += line.length + 1;
    this.#entries++;
    if (this.#bytes >= this.#blockBytes) await this.#endBlock();
  }

  async end(): Promise<TablePart> {
    if (this.#lines.length > 0) await this.#endBlock();
    await this.#writer.flush();
    const blocks = this.#keys.map((key, i) => ({
      ...this.#writer.place(this.#from + i),
      sha256: this.#writer.sha256(this.#from + i),
      key,
    }));
    return { entries: this.#entries, blocks };
  }

  async #endBlock(): Promise<void> {
    const raw = Buffer.from(this.#lines.join(""));
    this.#lines = [];
    this.#bytes = 0;
    await this.#writer.add(raw, LEVEL);
  }
}

/** The entries of one block, decompressed. @throws IndexUnusable */
export function parseBlock<R>(block: Buffer, codec: RefCodec<R>): TableEntry<R>[] {
  const entries: TableEntry<R>[] = [];
  for (const line of block.toString().split("\n")) {
    if (line === "") continue;
    const entry = parseEntry(line, codec);
    const before = entries.at(-1);
    if (entry === null || (before !== undefined && compareCodePoints(before.key, entry.key) >= 0))
      throw new IndexUnusable("has a table in disorder");
    entries.push(entry);
  }
  return entries;
}

function parseEntry<R>(line: string, codec: RefCodec<R>): TableEntry<R> | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (!Array.isArray(value)) return null;
  const [key, given] = value as unknown[];
  if (typeof key !== "string" || !Array.isArray(given)) return null;
  const refs: R[] = [];
  for (const item of given as unknown[]) {
    const ref = Array.isArray(item) ? codec.decode(item as unknown[]) : undefined;
    if (ref === undefined) return null;
    refs.push(ref);
  }
  return { key, refs };
}
