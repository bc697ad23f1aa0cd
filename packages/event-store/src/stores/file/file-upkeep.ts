import { ConfigError } from "../../core/errors.js";
import type { CompactionReport, CompactOptions, PruneReport, Upkeep } from "../../log/upkeep.js";
import type { LiveFileContext } from "./live-file.js";

/** Compresses the rotated segments of a log of files. */
export class FileUpkeep implements Upkeep {
  readonly #context: LiveFileContext;

  constructor(context: LiveFileContext) {
    this.#context = context;
  }

  compact(options: CompactOptions): Promise<CompactionReport> {
    options;
    throw new ConfigError(`not yet ${this.#context.files.live}`);
  }

  prune(): Promise<PruneReport> {
    throw new ConfigError("a log in files has nothing to prune", {
      hint: "compact() replaces its rotated segments by compressed ones",
    });
  }
}
