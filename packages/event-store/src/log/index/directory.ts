import { ConfigError } from "../../core/errors.js";
import type { IndexFile } from "./index-file.js";
import { mergeByKey } from "./merge-by-key.js";
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
