import { compareCodePoints } from "../../core/json/strings.js";
import { ConfigError } from "../../core/errors.js";
import type { IndexFile } from "./index-file.js";
import { MemberWriter } from "./members.js";
import { encodeRoot, type TablePart } from "./root.js";
import { aggregateRefs, TableWriter, typeRefs, type RefCodec, type TableEntry } from "./table.js";

const BLOCK_BYTES: number = 64 * 1024;

/**
 * The bytes of the directory that says what `parts` say together: runs, or smaller directories, one behind the other.
 * @throws ConfigError when they do not follow one another; IndexUnusable; BackendError
 */
export async function buildDirectory(parts: readonly IndexFile[], signal?: AbortSignal): Promise<Buffer> {
  const roots = parts.map(({ root }) => root);
  const [first] = roots;
  const last = roots.at(-1);
  if (first === undefined || last === undefined || !roots.every((root, i) => follows(root, roots[i - 1])))
    throw new ConfigError("the parts of a directory do not follow one another");
  const numbers: number[] = [];
  let runs = 0;
  for (const root of roots) {
    numbers.push(runs);
    runs += root.runs.length;
  }
  const writer = new MemberWriter();
  const merge = <R extends { readonly run: number }>(
    codec: RefCodec<R>,
    entries: (part: IndexFile) => AsyncIterable<readonly TableEntry<R>[]>,
  ): Promise<TablePart> => mergeTables(writer, codec, parts.map(entries), numbers);
  const aggregates = await merge(aggregateRefs, (part) => part.aggregates("", signal));
  const types = await merge(typeRefs, (part) => part.types("", signal));
  const root = encodeRoot({
    first: first.first,
    last: last.last,
    before: first.before,
    end: last.end,
    runs: roots.flatMap((part) => part.runs),
    records: null,
    aggregates,
    types,
  });
  return Buffer.concat([writer.bytes(), root]);
}

/** Does a part continue the one before it? */
export function follows(
  root: { readonly first: number; readonly before: string },
  before: { readonly last: number; readonly end: string } | undefined,
): boolean {
  return before === undefined || (before.last + 1 === root.first && before.end === root.before);
}

/** `numbers`: of the first run of each table, in the whole. */
async function mergeTables<R extends { readonly run: number }>(
  writer: MemberWriter,
  codec: RefCodec<R>,
  tables: readonly AsyncIterable<readonly TableEntry<R>[]>[],
  numbers: readonly number[],
): Promise<TablePart> {
  const merged = new TableWriter(writer, codec, BLOCK_BYTES);
  for await (const { key, found } of mergeByKey(tables, ({ key: its }) => its)) {
    const refs = found.flatMap(({ item, source }) =>
      item.refs.map((ref) => ({ ...ref, run: ref.run + (numbers[source] ?? 0) })),
    );
    await merged.add({ key, refs });
  }
  return merged.end();
}

/** What several sources, each in order of its keys, have under each key, in order of keys and then of sources. */
export async function* mergeByKey<T>(
  sources: readonly AsyncIterable<readonly T[]>[],
  keyOf: (item: T) => string,
): AsyncGenerator<{ readonly key: string; readonly found: readonly { readonly item: T; readonly source: number }[] }> {
  const cursors = sources.map((source) => new Cursor(source, keyOf));
  try {
    await Promise.all(cursors.map((cursor) => cursor.fill()));
    for (;;) {
      let key: string | null = null;
      for (const cursor of cursors) {
        const its = cursor.key;
        if (its !== null && (key === null || compareCodePoints(its, key) < 0)) key = its;
      }
      if (key === null) return;
      const found: { item: T; source: number }[] = [];
      for (const [source, cursor] of cursors.entries()) {
        if (cursor.key !== key) continue;
        found.push({ item: cursor.take(), source });
        if (cursor.key === null) await cursor.fill();
      }
      yield { key, found };
    }
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.end()));
  }
}

class Cursor<T> {
  readonly #source: AsyncIterator<readonly T[]>;
  readonly #keyOf: (item: T) => string;
  #items: readonly T[] = [];
  #at = 0;
  #key: string | null = null;

  constructor(source: AsyncIterable<readonly T[]>, keyOf: (item: T) => string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#keyOf = keyOf;
  }

  /** Of its next item; null when it has to be filled, or has ended. */
  get key(): string | null {
    return this.#key;
  }

  take(): T {
    const item = this.#items[this.#at++] as T;
    this.#look();
    return item;
  }

  async fill(): Promise<void> {
    while (this.#key === null) {
      const next = await this.#source.next();
      if (next.done === true) return;
      [this.#items, this.#at] = [next.value, 0];
      this.#look();
    }
  }

  async end(): Promise<void> {
    await this.#source.return?.();
  }

  #look(): void {
    const item = this.#items[this.#at];
    this.#key = item === undefined ? null : this.#keyOf(item);
  }
}
