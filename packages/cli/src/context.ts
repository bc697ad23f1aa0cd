import type { Interrupts } from "./interrupts.js";
import type { Output } from "./output.js";

/** What every command is given beside its flags. */
export interface Context {
  readonly output: Output;
  readonly interrupts: Interrupts;
}
