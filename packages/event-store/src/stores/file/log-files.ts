import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { BackendError, ConfigError } from "../../core/errors.js";
import { ioError, errnoOf } from "../../system/io-error.js";

/**
 * The one place that names the files of a log (docs/SPEC.md, "File store"): the live file LOG; rotated segments
 * `LOG.seg-000001`, …; the head `LOG.head.json`; and ours alone, `LOG.seg-000001.gz` (a segment that was compressed: it counts where
 * the plain one is gone), `LOG.batch` (where a batch is being written) and `LOG.torn-…` (bytes of unfinished writes that were set aside).
 */
export class LogFiles {
  readonly live: string;
  readonly head: string;
  readonly batch: string;
  /** Directory of what is derived from the log. */
  readonly derived: string;
  readonly directory: string;
  readonly #segmentName: RegExp;

  constructor(path: string) {
    if (typeof (path as unknown) !== "string" || path === "" || path.includes("\0"))
      throw new ConfigError("the path of the log is empty or not a path", {
        hint: "give the path of a file, such as ./events.log",
      });
    this.live = resolve(path);
    this.head = `${this.live}.head.json`;
    this.batch = `${this.live}.batch`;
    this.derived = `${this.live}.derived`;
    this.directory = dirname(this.live);
    const name = basename(this.live).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    this.#segmentName = new RegExp(`^${name}\\.seg-([0-9]{6}|[1-9][0-9]{6,})(?:\\.gz)?$`);
  }

  segment(index: number): string {
    return `${this.live}.seg-${String(index).padStart(6, "0")}`;
  }

  compressed(index: number): string {
    return `${this.segment(index)}.gz`;
  }

  torn(seq: number, id: string): string {
    return `${this.live}.torn-${String(seq).padStart(10, "0")}-${id.slice(0, 8)}`;
  }

  /** Indexes of the rotated segments, plain or compressed, ascending: the order of their records. */
  async segments(): Promise<number[]> {
    try {
      const names = await readdir(this.directory);
      const indexes = new Set(names.flatMap((name) => this.#segmentName.exec(name)?.[1] ?? []).map(Number));
      return [...indexes].sort((a, b) => a - b);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw ioError(error, { file: this.directory, operation: "list" });
    }
  }

  /** Is there a log at all? @throws BackendError PATH_UNUSABLE when the path is something else than a file */
  async exist(): Promise<boolean> {
    try {
      const found = await stat(this.live);
      if (!found.isFile()) throw notAFile(this.live, found.isDirectory());
      return true;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw ioError(error, { file: this.live, operation: "open" });
      return (await this.segments()).length > 0;
    }
  }
}

function notAFile(path: string, isDirectory: boolean): BackendError {
  const what = isDirectory ? "a directory" : "no regular file";
  return new BackendError("PATH_UNUSABLE", `cannot use ${path} as a log: it is ${what}`, {
    facts: { file: path, operation: "open" },
    hint: isDirectory
      ? `name a file in it, such as ${join(path, "events.log")}`
      : "name a regular file: a pipe or a device keeps nothing",
  });
}
