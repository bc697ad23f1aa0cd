import { EventStoreError, VerificationError } from "../../core/errors.js";
import { GENESIS_HASH, MAX_SEQ } from "../../core/event.js";
import type { OnWarning } from "../../system/warning.js";
import type { SeqRange } from "../keys.js";
import type { LogOnObjects } from "../tail.js";
import { fetchAhead } from "../window.js";
import { follows } from "./directory.js";
import { IndexFile, type IndexEntry } from "./index-file.js";
import { LAYOUT, type IndexLayout } from "./layout.js";
import { listIndex, longest } from "./list-index.js";
import { IndexUnusable } from "./unusable.js";

/** GETs of roots, and look-ups in files, that are under way at a time. */
export const WIDTH = 16;

/** event_hash of a record of the log, checked against its own content; null when the log has none. */
type HashOf = (seq: number, signal?: AbortSignal) => Promise<string | null>;

/**
 * The index of a log, for reading. What it gives was found to be of this log: each stretch of files that link to one another ends
 * in a record that the log has. Whatever cannot be used is left out, with a warning for each file, once.
 */
export class LogIndex {
  readonly objects: LogOnObjects["objects"];
  readonly keys: LogOnObjects["keys"];
  readonly layout: IndexLayout;
  readonly #hashOf: HashOf;
  readonly #onWarning: OnWarning;
  readonly #warned = new Set<string>();

  constructor(
    log: Pick<LogOnObjects, "objects" | "keys">,
    parts: { readonly hashOf: HashOf; readonly onWarning: OnWarning; readonly layout?: IndexLayout | undefined },
  ) {
    this.objects = log.objects;
    this.keys = log.keys;
    this.layout = parts.layout ?? LAYOUT;
    this.#hashOf = parts.hashOf;
    this.#onWarning = parts.onWarning;
  }

  /**
   * The files that together cover what is indexed of a range, in order, without overlaps: few, whatever the log's length, as directories
   * stand for many runs. `likelyEnd`: a seq that the log is known to reach; where that is not far, no directories are looked for.
   * @throws BackendError UNAVAILABLE; EventStoreError ABORTED
   */
  async covering(range: SeqRange, likelyEnd: number | undefined, signal?: AbortSignal): Promise<readonly IndexFile[]> {
    const { leastDirectory, mostOfRun } = this.layout;
    try {
      const directories = (likelyEnd ?? MAX_SEQ) + 1 < leastDirectory ? [] : await this.#directories(range, signal);
      const files: IndexFile[] = [];
      // A run lies between directories or behind them: its beginning is looked for where the longest one could begin.
      let at = Math.floor(range.first / mostOfRun) * mostOfRun;
      for (const directory of [...directories, null]) {
        const until = directory === null ? range.last : directory.root.first - 1;
        const runs = at <= until ? await this.#runs({ first: at, last: until }, signal) : [];
        files.push(...runs.filter(({ root }) => directory === null || root.last <= until));
        if (directory === null) break;
        files.push(directory);
        at = directory.root.last + 1;
      }
      return await this.#confirmed(files, signal);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.warn(this.keys.index, `cannot be read: ${error.message}`);
      return [];
    }
  }

  /** Says, once, that a file is not used. */
  warn(key: string, reason: string): void {
    if (this.#warned.has(key)) return;
    this.#warned.add(key);
    this.#onWarning({
      code: "INDEX_UNUSABLE",
      message: `the index file ${key} ${reason}: what it covers is read from the log itself; delete it and compact again`,
    });
  }

  /** What `work` gives; null, with a warning, when the file of that key cannot be used. @throws BackendError UNAVAILABLE; EventStoreError ABORTED */
  async attempt<T>(key: string, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof IndexUnusable) && !isRefusal(error)) throw error;
      this.warn(key, error instanceof IndexUnusable ? error.message : `cannot be read: ${error.message}`);
      return null;
    }
  }

  async #directories(range: SeqRange, signal?: AbortSignal): Promise<IndexFile[]> {
    const listed = longest(await listIndex(this, "directories", { first: 0, last: range.last }, signal));
    return this.#open(
      listed.filter(({ last }) => last >= range.first),
      signal,
    );
  }

  async #runs(range: SeqRange, signal?: AbortSignal): Promise<IndexFile[]> {
    return this.#open(longest(await listIndex(this, "runs", range, signal)), signal);
  }

  /** Those that can be used. */
  async #open(entries: readonly IndexEntry[], signal?: AbortSignal): Promise<IndexFile[]> {
    const open = (entry: IndexEntry, abort: AbortSignal): Promise<IndexFile | null> =>
      this.attempt(entry.key, () => IndexFile.open(this.objects, entry, abort));
    const files: IndexFile[] = [];
    const limits = { width: () => WIDTH, maxWeight: WIDTH, weight: () => 1, signal };
    for await (const opened of fetchAhead(() => entries, open, limits))
      for (const { result } of opened) if (result !== null) files.push(result);
    return files;
  }

  /** Only the stretches of files that link to one another and end in a record of the log: its hash stands for all before it. */
  async #confirmed(files: readonly IndexFile[], signal?: AbortSignal): Promise<IndexFile[]> {
    const confirmed: IndexFile[] = [];
    let stretch: IndexFile[] = [];
    const endStretch = async (): Promise<void> => {
      const last = stretch.at(-1);
      if (last === undefined) return;
      if (await this.#has(last, signal)) confirmed.push(...stretch);
      else this.warn(last.entry.key, FOREIGN);
      stretch = [];
    };
    for (const file of files) {
      const { first, before } = file.root;
      if (stretch.length > 0 && !follows(file.root, stretch.at(-1)?.root)) await endStretch();
      const known = stretch.length > 0 ? undefined : confirmed.at(-1)?.root;
      const hashBefore = first === 0 ? GENESIS_HASH : known?.last === first - 1 ? known.end : before;
      if (before === hashBefore) stretch.push(file);
      else this.warn(file.entry.key, FOREIGN);
    }
    await endStretch();
    return confirmed;
  }

  async #has({ root }: IndexFile, signal?: AbortSignal): Promise<boolean> {
    try {
      return (await this.#hashOf(root.last, signal)) === root.end;
    } catch (error) {
      // A fault of the log is for the walk to judge.
      if (error instanceof VerificationError) return false;
      throw error;
    }
  }
}

const FOREIGN = "is of another log, or of this one before it was rewritten";

/** The backend answers, but not with this: a missing permission, an archive. What fails in passing would fail the log's own reads, too. */
function isRefusal(error: unknown): error is EventStoreError {
  return error instanceof EventStoreError && !["UNAVAILABLE", "ABORTED", "CLOSED"].includes(error.code);
}
