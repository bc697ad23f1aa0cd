import type { AggregateSummary, EventStore } from "@rynxs/event-store";
import type { Context } from "../context.js";
import type { StoreFlags } from "../options.js";
import { openStore, withStore } from "../options.js";
import type { Output } from "../output.js";
import { paint } from "../output.js";
import { oneLine } from "../text.js";

export interface AggregatesFlags extends StoreFlags {
  readonly after?: string;
  readonly prefix?: string;
  readonly limit?: number;
}

/** The most that one call gives. */
const PAGE = 10_000;

export async function aggregates(flags: AggregatesFlags, { output, interrupts }: Context): Promise<void> {
  await withStore(openStore(flags, output, { readOnly: true }), async (store) => {
    await printPages(store, flags, output, interrupts.stop);
  });
  await output.flush();
}

async function printPages(
  store: EventStore,
  { after, prefix, limit = Infinity }: AggregatesFlags,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  let printed = 0;
  for (let next: string | null | undefined = after; next !== null && printed < limit && !output.closed;) {
    const page = await store.aggregates({ after: next, prefix, limit: Math.min(PAGE, limit - printed), signal });
    for (const summary of page.aggregates) {
      if (printed++ === 0 && !output.json) await output.line(paint("bold", HEADING));
      await output.result(row(summary), asJson(summary));
    }
    next = page.next;
  }
}

const HEADING = row(["COUNT", "FIRST", "LAST", "AGGREGATE"]);

/** The id stands last: it may be of any length. */
function row(cells: AggregateSummary | readonly string[]): string {
  const [count = "", first = "", last = "", id = ""] =
    "aggregateId" in cells
      ? [String(cells.count), String(cells.firstSeq), String(cells.lastSeq), oneLine(cells.aggregateId)]
      : cells;
  return `${count.padStart(10)}  ${first.padStart(10)}  ${last.padStart(10)}  ${id}`;
}

function asJson({ aggregateId, count, firstSeq, lastSeq }: AggregateSummary): object {
  return { aggregate_id: aggregateId, count, first_seq: firstSeq, last_seq: lastSeq };
}
