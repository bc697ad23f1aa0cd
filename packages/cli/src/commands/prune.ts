import type { PruneReport } from "@rynxs/event-store";
import type { Context } from "../context.js";
import type { StoreFlags } from "../options.js";
import { openStore, withStore } from "../options.js";
import { startProgress } from "../progress.js";
import { count, seqRange } from "../text.js";

export interface PruneFlags extends StoreFlags {
  readonly yes?: true;
  /** Hours. */
  readonly olderThan: number;
}

export async function prune(flags: PruneFlags, { output, interrupts }: Context): Promise<void> {
  const report = await withStore(openStore(flags, output, { readOnly: true }), async (store) => {
    const progress = await startProgress(flags.yes ? "pruning" : "checking");
    try {
      return await store.prune({
        delete: flags.yes ?? false,
        olderThanHours: flags.olderThan,
        signal: interrupts.stop,
        onProgress: ({ records }) => {
          progress.update(records);
        },
      });
    } finally {
      progress.stop();
    }
  });
  const { deleted, objects, bytes, range, keptFrom } = report;
  await output.result(textOf(report), { deleted, objects, bytes, range, kept_from: keptFrom });
}

function textOf({ deleted, objects, bytes, range, keptFrom }: PruneReport): string {
  const kept = `event objects from seq ${String(keptFrom)} on are kept in any case`;
  if (range === null) return `nothing to prune: no segment holds event objects that are old enough\n${kept}`;
  const what = `${count(objects, "event object")}, ${megabytes(bytes)}, ${seqRange(range.first, range.last)}`;
  return deleted
    ? `deleted ${what}; segments hold their events\n${kept}`
    : `would delete ${what}; their segments were read and are good\n${kept}\nnothing was deleted: run it again with --yes`;
}

function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${String(bytes)} bytes` : `${(bytes / 1e6).toFixed(1)} MB`;
}
