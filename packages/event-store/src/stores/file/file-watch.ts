import { stat } from "node:fs/promises";
import type { Head } from "../../core/event.js";
import type { LookOptions } from "../../log/object-watch.js";
import { errnoOf, ioError } from "../../system/io-error.js";
import type { LogFiles } from "./log-files.js";

/** Watches the live file for changes: every write to the log changes its size, and a rotation puts another file in its place. */
export class FileWatch {
  readonly #files: LogFiles;
  /** What the file was at the last look. It is taken before the read that follows, so that nothing falls in between. */
  #seen: string | null = null;

  constructor(files: LogFiles) {
    this.#files = files;
  }

  async look(_head: Head, { sure }: LookOptions): Promise<"more" | null> {
    const now = await this.#state();
    const same = now === this.#seen;
    this.#seen = now;
    return same && !sure ? null : "more";
  }

  async #state(): Promise<string> {
    try {
      const { dev, ino, size, mtimeNs } = await stat(this.#files.live, { bigint: true });
      return [dev, ino, size, mtimeNs].join(" ");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return "none";
      throw ioError(error, { file: this.#files.live, operation: "read" });
    }
  }
}
