import type { Anchor, EventStore, Head, ReadOptions } from "@rynxs/event-store";
import { anchorNote } from "../anchor-note.js";
import type { Context } from "../context.js";
import { describe, usageError } from "../exit.js";
import { EventTable } from "../event-table.js";
import { pause } from "../interrupts.js";
import type { StoreFlags } from "../options.js";
import { openStore, withStore } from "../options.js";
import type { Output } from "../output.js";
import { paint } from "../output.js";

export interface ReadFlags extends StoreFlags {
  readonly from?: number;
  readonly to?: number;
  readonly anchor?: Head;
  readonly aggregate?: string;
  readonly type?: string;
  readonly limit?: number;
  readonly follow?: true;
  /** Seconds between two looks for new events. */
  readonly interval: number;
  readonly verify: "record" | "chain";
}

export async function read(flags: ReadFlags, { output, interrupts }: Context): Promise<void> {
  const { stop } = interrupts;
  const first = flags.anchor === undefined ? (flags.from ?? 0) : flags.anchor.seq + 1;
  if (flags.to !== undefined && flags.to < first) {
    throw usageError(`--to ${String(flags.to)} lies before the first seq to read, ${String(first)}`);
  }
  await withStore(openStore(flags, output, { readOnly: true }), async (store) => {
    const printer = new Printer(output, flags);
    if (!flags.follow) {
      const filter = { aggregateId: flags.aggregate, type: flags.type, verify: flags.verify };
      await printer.printAll(store, { ...rangeOf(flags, output), ...filter, signal: stop });
      return;
    }
    try {
      await follow(store, flags, printer, stop, output);
    } catch (error) {
      // Ctrl-C is how following ends
      if (!stop.aborted || describe(error).code !== "ABORTED") throw error;
    }
  });
}

function rangeOf(flags: ReadFlags, output: Output): ReadOptions {
  const onAnchor = (anchor: Anchor): void => {
    const note = anchorNote(anchor);
    if (note !== undefined && !output.json) output.note(note);
  };
  return { fromSeq: flags.from, toSeq: flags.to, anchor: flags.anchor, onAnchor };
}

/**
 * Reads to the end again and again, each time anchored on the last record seen, so that what comes must link to it.
 * Filters here, not in the store: the anchor has to move over events that are not shown, too.
 */
async function follow(
  store: EventStore,
  flags: ReadFlags,
  printer: Printer,
  stop: AbortSignal,
  output: Output,
): Promise<void> {
  let troubled = false;
  do {
    const last = printer.last;
    const options = last === undefined ? rangeOf(flags, output) : { anchor: last, toSeq: flags.to };
    try {
      await printer.printAll(store, { ...options, signal: stop });
      troubled = false;
    } catch (error) {
      const failure = describe(error);
      if (stop.aborted || failure.code !== "UNAVAILABLE") throw error;
      if (!troubled) output.note(`warning ${failure.code}: ${failure.message}; trying again`);
      troubled = true;
    }
    if (printer.finished) return;
    await pause(flags.interval * 1000, stop);
  } while (!stop.aborted);
}

/** Prints events as they come: rows for people, stored lines with `--json`. Remembers the last one it saw. */
class Printer {
  readonly #output: Output;
  readonly #flags: ReadFlags;
  readonly #table: EventTable;
  #printed = 0;
  #last: Head | undefined;

  constructor(output: Output, flags: ReadFlags) {
    this.#output = output;
    this.#flags = flags;
    this.#table = new EventTable(output.columns);
  }

  get last(): Head | undefined {
    return this.#last;
  }

  /** Nobody wants more: the limit or the last seq is reached, or standard output is closed. */
  get finished(): boolean {
    const { limit, to } = this.#flags;
    const reached = to !== undefined && this.#last !== undefined && this.#last.seq >= to;
    return reached || this.#printed >= (limit ?? Infinity) || this.#output.closed;
  }

  async printAll(store: EventStore, options: ReadOptions): Promise<void> {
    await (this.#output.json ? this.#printRecords(store, options) : this.#printRows(store, options));
    await this.#output.flush();
  }

  async #printRecords(store: EventStore, options: ReadOptions): Promise<void> {
    const { type, aggregate } = this.#flags;
    const filtered =
      options.type === undefined && options.aggregateId === undefined && (type ?? aggregate) !== undefined;
    for await (const record of store.readRecords(options)) {
      if (!filtered || this.#matches(eventOf(record.line))) await this.#print(record.line);
      this.#last = { seq: record.seq, hash: record.eventHash };
      if (this.finished) return;
    }
  }

  async #printRows(store: EventStore, options: ReadOptions): Promise<void> {
    for await (const event of store.read(options)) {
      if (this.#matches(event)) await this.#print(this.#table.row(event));
      this.#last = { seq: event.seq, hash: event.eventHash };
      if (this.finished) return;
    }
  }

  #matches(event: { readonly type: string; readonly aggregateId: string }): boolean {
    const { type, aggregate } = this.#flags;
    return (type === undefined || event.type === type) && (aggregate === undefined || event.aggregateId === aggregate);
  }

  async #print(content: string | Uint8Array): Promise<void> {
    if (this.#printed === 0 && !this.#output.json) await this.#output.line(paint("bold", this.#table.heading()));
    await this.#output.line(content);
    this.#printed += 1;
  }
}

/** Type and aggregate of a stored, verified line. */
function eventOf(line: Buffer): { type: string; aggregateId: string } {
  const { event } = JSON.parse(line.toString("utf8")) as { event: { type: string; aggregate_id: string } };
  return { type: event.type, aggregateId: event.aggregate_id };
}
