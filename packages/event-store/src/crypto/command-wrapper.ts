import { basename } from "node:path";
import { badAnswer, runCommand, type CommandOptions } from "./command.js";
import { KEY_BYTES } from "./gcm.js";
import type { KeyContext, Wrapper } from "./wrapper.js";

export interface CommandWrapperOptions extends CommandOptions {
  /** Names the key-encryption key that the program uses; change it when the program changes its key. Default: `command:` and the program's name. */
  readonly id?: string | undefined;
}

/**
 * A key-encryption key that a program keeps, as in a KMS or HSM. It is run once for each key, which is then remembered for a while:
 * `{"context":{"subject","version"},"key","op":"wrap","v":1}` → `{"wrapped"}`, and
 * `{"context":{…},"op":"unwrap","v":1,"wrapped"}` → `{"key"}`; keys are base64. The program must see to it that what it wrapped for
 * one context cannot be unwrapped for another (the encryption context of AWS's KMS, additional authenticated data).
 */
export function commandWrapper(options: CommandWrapperOptions): Wrapper {
  const { program } = options;
  return {
    id: options.id ?? `command:${basename(program)}`,
    wrap: async (key, { subject, version }) => {
      const text = key.toString("base64");
      const request = { v: 1, op: "wrap", context: { subject, version }, key: text };
      const { wrapped } = await runCommand(options, request);
      // A program that only echoes must not pass for one that wraps.
      if (typeof wrapped === "string" && wrapped !== "" && !wrapped.includes(text)) return wrapped;
      throw badAnswer(program, "the wrapped key as text");
    },
    unwrap: async (wrapped, { subject, version }: KeyContext) => {
      const { key } = await runCommand(options, { v: 1, op: "unwrap", context: { subject, version }, wrapped });
      const bytes = typeof key === "string" ? Buffer.from(key, "base64") : null;
      if (bytes?.length === KEY_BYTES) return bytes;
      throw badAnswer(program, `a key of ${String(KEY_BYTES)} bytes as base64`);
    },
  };
}
