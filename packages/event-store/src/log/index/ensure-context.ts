import type { Runtime } from "../../system/runtime.js";
import type { OnWarning } from "../../system/warning.js";
import type { LogOnObjects } from "../tail.js";
import type { IndexLayout } from "./layout.js";

/** What making an index has at hand. */
export interface IndexContext {
  readonly log: Pick<LogOnObjects, "objects" | "keys">;
  readonly onWarning: OnWarning;
  readonly runtime: Runtime;
  readonly layout: IndexLayout;
  readonly signal: AbortSignal | undefined;
}

export interface EnsuredIndex {
  /** Runs and directories that were written. */
  readonly written: number;
  /** Those that were removed: others say what they said. */
  readonly removed: number;
}
