import { writeFile } from "node:fs/promises";
import type { Context } from "../context.js";
import { CliError, usageError } from "../exit.js";
import { openStore, withStore, type StoreFlags } from "../options.js";
import { readText } from "../trust-keys.js";

export interface ProveFlags extends StoreFlags {
  readonly consistency?: readonly number[];
  readonly checkpoint?: string;
  readonly output?: string;
}

/** Prints what proves that a record is in the signed log, or that one checkpoint goes on from another. */
export async function prove(
  seq: number | undefined,
  flags: ProveFlags,
  { output, interrupts }: Context,
): Promise<void> {
  const { consistency, checkpoint: file } = flags;
  if ((seq === undefined) === (consistency === undefined))
    throw usageError("prove what?", "give a seq, or --consistency A B");
  if (consistency !== undefined && (consistency.length !== 2 || file !== undefined))
    throw usageError("--consistency takes two sizes, of checkpoints that are stored", "as in --consistency 1000 2000");
  const note = file === undefined ? undefined : await readText(file);
  const { proveConsistency, proveInclusion } = await import("@rynxs/event-store/trust");
  const signal = interrupts.stop;
  const text = await withStore(openStore(flags, output, { readOnly: true }), (store) => {
    const [from = 0, to = 0] = consistency ?? [];
    return seq === undefined
      ? proveConsistency(store, from, to, { signal })
      : proveInclusion(store, seq, { checkpoint: note, signal });
  });
  if (flags.output === undefined) {
    await output.result(text.trimEnd(), { proof: text });
    return;
  }
  await writeFile(flags.output, text).catch((error: unknown) => {
    throw new CliError("PATH_UNUSABLE", `cannot write ${String(flags.output)}: ${String(error)}`);
  });
  await output.result(`written to ${flags.output}`, { file: flags.output, bytes: Buffer.byteLength(text) });
}
