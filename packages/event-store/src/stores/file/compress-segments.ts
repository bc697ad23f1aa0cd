import { EventStoreError } from "../../core/errors.js";
import type { CompactionReport, CompactOptions } from "../../log/upkeep.js";
import type { LiveFileContext } from "./live-file.js";

export function compressSegments(context: LiveFileContext, options: CompactOptions): Promise<CompactionReport> {
  return Promise.reject(new EventStoreError("INVALID_CONFIG", `${context.files.live} ${String(options.signal)}`));
}
