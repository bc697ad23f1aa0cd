import type { CompactionReport, EventStore } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { describe } from "../exit.js";
import { pause } from "../interrupts.js";
import type { StoreFlags } from "../options.js";
import { openStore, showHead, withStore } from "../options.js";
import { startProgress } from "../progress.js";
import { count } from "../text.js";

export interface CompactFlags extends StoreFlags {
  /** Make the index by aggregate and type too. */
  readonly index: boolean;
  /** Read every segment in full. */
  readonly check?: boolean;
  readonly watch?: true;
  /** Seconds between two runs. */
  readonly interval: number;
}

export async function compact(flags: CompactFlags, context: Context): Promise<void> {
  const { output, interrupts } = context;
  await withStore(openStore(flags, output, { readOnly: true }), async (store) => {
    if (!flags.watch) {
      await report(await compactOnce(store, flags, context), context);
      return;
    }
    let troubled = false;
    while (!interrupts.stop.aborted) {
      try {
        const done = await compactOnce(store, flags, context);
        troubled = false;
        if (done.written + done.merged > 0) await report(done, context);
      } catch (error) {
        const failure = describe(error);
        if (failure.code === "ABORTED") return;
        if (failure.code !== "UNAVAILABLE") throw error;
        if (!troubled) output.note(`warning ${failure.code}: ${failure.message}; trying again`);
        troubled = true;
      }
      await pause(flags.interval * 1000, interrupts.stop);
    }
  });
}

async function compactOnce(
  store: EventStore,
  { index, check = false }: CompactFlags,
  { interrupts }: Context,
): Promise<CompactionReport> {
  const progress = await startProgress("compacting");
  try {
    return await store.compact({
      index,
      check,
      signal: interrupts.stop,
      onProgress: ({ records }) => {
        progress.update(records);
      },
    });
  } finally {
    progress.stop();
  }
}

async function report({ written, merged, records, head }: CompactionReport, { output }: Context): Promise<void> {
  const did =
    written === 0
      ? "nothing to compact"
      : `${count(written, "segment")} written${merged > 0 ? `, ${String(merged)} merged into larger ones` : ""}`;
  const rest = head.seq + 1 - records;
  const lines = [
    did,
    `${count(records, "event")} in segments, ${count(rest, "event")} behind them`,
    `head ${showHead(head)}`,
  ];
  await output.result(lines.join("\n"), { written, merged, records, head: { seq: head.seq, hash: head.hash } });
}
