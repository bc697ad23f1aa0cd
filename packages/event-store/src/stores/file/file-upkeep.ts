import { ConfigError } from "../../core/errors.js";
import type { CompactionReport, CompactOptions, PruneReport, Upkeep } from "../../log/upkeep.js";
import type { LiveFileContext } from "./live-file.js";

/** Compresses the rotated segments of a log of files. */
export class FileUpkeep implements Upkeep {
  readonly #context: LiveFileContext;

  constructor(context: LiveFileContext) {
    this.#context = context;
  }

  /** Loaded when it is asked for. */
  async compact(options: CompactOptions): Promise<CompactionReport> {
    const { compressSegments } = await import("./compress-segments.js");
    return compressSegments(this.#context, options);
  }

  prune(): Promise<PruneReport> {
    return Promise.reject(
      new ConfigError("a log in files has nothing to prune", {
        hint: "compact() replaces its rotated segments by compressed ones, which is all there is to save",
      }),
    );
  }
}
