import { MAX_SEQ } from "../../core/event.js";
import type { SeqRange } from "../keys.js";
import type { SegmentRecords } from "./build-run.js";
import { buildDirectory, follows } from "./directory.js";
import type { EnsuredIndex, IndexContext } from "./ensure-context.js";
import { IndexFile, type IndexEntry } from "./index-file.js";
import { listIndex, longest } from "./list-index.js";
import { placeFile } from "./place-file.js";
import { IndexUnusable } from "./unusable.js";

/** A directory speaks of so many of the smallest ones, or of runs: at most 10^9 records. */
const LEVELS = [1, 10, 100, 1000] as const;

/**
 * Makes the directories that are missing where `segments` lie and their runs are complete, and merges ten into one. Those that speak of
 * runs in `changed`, or of others than the segments', are removed first.
 */
export async function ensureDirectories(
  context: IndexContext,
  segments: readonly SegmentRecords[],
  changed: readonly SeqRange[],
): Promise<EnsuredIndex> {
  const { log, layout, signal } = context;
  const end = segments.at(-1)?.last ?? -1;
  if (end + 1 < layout.leastDirectory) return { written: 0, removed: 0 };
  const work = new Directories(context, await listIndex(log, "directories", { first: 0, last: MAX_SEQ }, signal));
  const starts = new Set(segments.map(({ first }) => startOf(first, layout.leastDirectory)));
  for (const directory of work.all) {
    if (!segments.some((segment) => overlap(directory, segment))) continue;
    const good = !changed.some((range) => overlap(directory, range)) && (await work.isOf(directory, segments));
    if (good) continue;
    await work.remove(directory);
    for (let at = directory.first; at <= directory.last; at += layout.leastDirectory) starts.add(at);
  }
  await work.removeReplaced();
  for (const first of [...starts].sort((a, b) => a - b)) await work.makeLeast(first);
  for (const level of LEVELS.slice(1)) await work.merge(level * layout.leastDirectory);
  return work.done;
}

class Directories {
  readonly #context: IndexContext;
  #all: IndexEntry[];
  #written = 0;
  #removed = 0;

  constructor(context: IndexContext, all: IndexEntry[]) {
    this.#context = context;
    this.#all = all;
  }

  get all(): readonly IndexEntry[] {
    return this.#all;
  }

  get done(): EnsuredIndex {
    return { written: this.#written, removed: this.#removed };
  }

  async remove(directory: IndexEntry): Promise<void> {
    await this.#context.log.objects.delete(directory.key, { signal: this.#context.signal });
    this.#all = this.#all.filter((other) => other !== directory);
    this.#removed++;
  }

  /** Those within a longer one, which a merge left that was interrupted. The longer one must be readable. */
  async removeReplaced(): Promise<void> {
    for (const directory of longest(this.#all)) {
      const within = this.#all.filter((other) => other !== directory && overlap(other, directory));
      if (within.length === 0) continue;
      if ((await this.#open([directory])) === null) await this.remove(directory);
      else for (const other of within) await this.remove(other);
    }
  }

  /** Can it be read, and does it speak of the segments where it meets them? */
  async isOf(directory: IndexEntry, segments: readonly SegmentRecords[]): Promise<boolean> {
    const [file] = (await this.#open([directory])) ?? [];
    if (file === undefined) return false;
    const { runs, first, last, before, end } = file.root;
    const known = new Map(segments.map((segment) => [segment.first, segment]));
    const atEnd = segments.find((segment) => segment.last === last);
    return (
      runs.every((run) => (known.get(run.first)?.last ?? run.last) === run.last) &&
      segments.every((segment) => !overlap(segment, directory) || runs.some((run) => run.first === segment.first)) &&
      (known.get(first)?.before.hash ?? before) === before &&
      (atEnd?.end.hash ?? end) === end
    );
  }

  /** The smallest directory that begins at `first`, unless there is one, or one that it lies within, or runs are missing. */
  async makeLeast(first: number): Promise<void> {
    const { log, layout, signal } = this.#context;
    const range = { first, last: first + layout.leastDirectory - 1 };
    if (this.#all.some((directory) => overlap(directory, range))) return;
    await this.#make(range, longest(await listIndex(log, "runs", range, signal)));
  }

  /** One of `size` records for each ten that lie side by side, and are small enough. */
  async merge(size: number): Promise<void> {
    const { maxDirectoryBytes } = this.#context.layout;
    const parts = longest(this.#all.filter(({ first, last }) => last - first + 1 === size / 10));
    for (const first of new Set(parts.map((part) => startOf(part.first, size)))) {
      const range = { first, last: first + size - 1 };
      const its = parts.filter((part) => overlap(part, range));
      if (its.reduce((sum, part) => sum + part.size, 0) > maxDirectoryBytes) continue;
      if (await this.#make(range, its)) for (const part of its) await this.remove(part);
    }
  }

  async #make(range: SeqRange, parts: readonly IndexEntry[]): Promise<boolean> {
    const { log, onWarning, runtime, signal } = this.#context;
    if (!tiles(range, parts)) return false;
    const files = await this.#open(parts);
    if (!files?.every(({ root }, i) => follows(root, files[i - 1]?.root))) return false;
    let body: Buffer;
    try {
      body = await buildDirectory(files, signal);
    } catch (error) {
      if (!(error instanceof IndexUnusable)) throw error;
      const message = `no directory of ${String(range.first)} to ${String(range.last)} can be made: a part of it ${error.message}`;
      onWarning({ code: "INDEX_UNUSABLE", message });
      return false;
    }
    const key = log.keys.indexFile("directories", range);
    await placeFile(log.objects, key, body, { runtime, signal });
    this.#all = [...this.#all, { ...range, key, size: body.length }];
    this.#written++;
    return true;
  }

  /** Null, with a warning, when one of them cannot be used. */
  async #open(entries: readonly IndexEntry[]): Promise<IndexFile[] | null> {
    const { log, onWarning, signal } = this.#context;
    const files: IndexFile[] = [];
    for (const entry of entries) {
      try {
        files.push(await IndexFile.open(log.objects, entry, signal));
      } catch (error) {
        if (!(error instanceof IndexUnusable)) throw error;
        onWarning({ code: "INDEX_UNUSABLE", message: `the index file ${entry.key} ${error.message}` });
        return null;
      }
    }
    return files;
  }
}

function startOf(seq: number, size: number): number {
  return Math.floor(seq / size) * size;
}

function overlap(a: SeqRange, b: SeqRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** Do they cover the range, one behind the other? */
function tiles({ first, last }: SeqRange, parts: readonly SeqRange[]): boolean {
  let next = first;
  for (const part of parts) {
    if (part.first !== next) return false;
    next = part.last + 1;
  }
  return next === last + 1;
}
