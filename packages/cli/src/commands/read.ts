import type {
  Anchor,
  EventStore,
  Head,
  JsonObject,
  RecordedEvent,
  StoredRecord,
  Subscription,
} from "@rynxs/event-store";
import { anchorNote } from "../anchor-note.js";
import type { Context } from "../context.js";
import { usageError } from "../exit.js";
import { EventTable } from "../event-table.js";
import type { StoreFlags } from "../options.js";
import { openStore, storeFlags, withStore } from "../options.js";
import type { Output } from "../output.js";
import { paint } from "../output.js";
import { compactJson } from "../text.js";
import { follow, type FollowPrinter } from "./follow.js";

export interface ReadFlags extends StoreFlags {
  readonly from?: number;
  readonly to?: number;
  readonly anchor?: Head;
  readonly aggregate?: string;
  readonly type?: string;
  readonly limit?: number;
  readonly follow?: true;
  /** With --follow: the name of a durable position. */
  readonly position?: string;
  /** Seconds between two looks for new events. */
  readonly interval: number;
  readonly verify: "record" | "chain";
  /** Where the keys of encrypted payloads are. */
  readonly keys?: string;
}

export async function read(flags: ReadFlags, context: Context): Promise<void> {
  const { output, interrupts } = context;
  const first = flags.anchor === undefined ? (flags.from ?? 0) : flags.anchor.seq + 1;
  if (flags.to !== undefined && flags.to < first) {
    throw usageError(`--to ${String(flags.to)} lies before the first seq to read, ${String(first)}`);
  }
  if (flags.position !== undefined && !flags.follow) {
    throw usageError("--position goes with --follow", "add --follow");
  }
  await withStore(openDecrypted(flags, output), async (store) => {
    const printer = new Printer(output, flags);
    const filter = { aggregateId: flags.aggregate, type: flags.type };
    const onAnchor = noteOn(output);
    if (flags.follow) {
      const { from, to, anchor, position } = flags;
      const pollMs = flags.interval * 1000;
      await follow(store, { from, to, anchor, position, filter, pollMs, onAnchor }, printer, context);
      return;
    }
    const { from: fromSeq, to: toSeq, anchor } = flags;
    const options = { fromSeq, toSeq, anchor, ...filter, verify: flags.verify, signal: interrupts.stop, onAnchor };
    await (printer.stored ? printer.printRecords(store.readRecords(options)) : printer.printRows(store.read(options)));
    await output.flush();
  });
}

/** With `--keys`, payloads come decrypted. */
async function openDecrypted(flags: ReadFlags, output: Output): Promise<EventStore> {
  if (flags.keys === undefined) return openStore(flags, output, { readOnly: true });
  const { encrypted, openKeyring } = await import("@rynxs/event-store/crypto");
  const keys = await openKeyring(process.env, { ...storeFlags(flags), keys: flags.keys, onWarning: output.warn });
  const store = encrypted(await openStore(flags, output, { readOnly: true }), { keys });
  // What was shredded shows as what it says of itself.
  return store as unknown as EventStore;
}

function noteOn(output: Output): (anchor: Anchor) => void {
  return (anchor) => {
    const note = anchorNote(anchor);
    if (note !== undefined && !output.json) output.note(note);
  };
}

/** Prints events as they come: rows for people, stored lines with `--json`. */
class Printer implements FollowPrinter {
  readonly #output: Output;
  /** As the log has it, byte for byte. */
  readonly stored: boolean;
  readonly #limit: number;
  readonly #table: EventTable;
  #printed = 0;

  constructor(output: Output, { limit = Infinity, keys }: ReadFlags) {
    this.#output = output;
    this.stored = output.json && keys === undefined;
    this.#limit = limit;
    this.#table = new EventTable(output.columns);
  }

  /** Nobody wants more: the limit is reached, or standard output is closed. */
  get finished(): boolean {
    return this.#printed >= this.#limit || this.#output.closed;
  }

  print(subscription: Subscription): Promise<void> {
    return this.stored ? this.printRecords(subscription.records()) : this.printRows(subscription);
  }

  async printRecords(records: AsyncIterable<StoredRecord>): Promise<void> {
    for await (const { line } of records) {
      await this.#print(line);
      if (this.finished) return;
    }
  }

  async printRows(events: AsyncIterable<RecordedEvent>): Promise<void> {
    for await (const event of events) {
      const shown = { ...event, payload: shownPayload(event.payload) };
      await this.#print(this.#output.json ? jsonOf(shown) : this.#table.row(shown));
      if (this.finished) return;
    }
  }

  async #print(content: string | Uint8Array): Promise<void> {
    if (this.#printed === 0 && !this.#output.json) await this.#output.line(paint("bold", this.#table.heading()));
    await this.#output.line(content);
    this.#printed += 1;
  }
}

/** A shredded payload says of itself what it is. */
function shownPayload(payload: JsonObject & { readonly toJSON?: unknown }): JsonObject {
  return typeof payload.toJSON === "function" ? (payload.toJSON as () => JsonObject).call(payload) : payload;
}

/** As a stored record, but for the payload. */
function jsonOf({ aggregateId, eventHash, prevHash, meta, payload, seq, ts, type }: RecordedEvent): string {
  const event = { aggregate_id: aggregateId, meta, payload, seq, ts, type };
  return compactJson({ event, event_hash: eventHash, prev_hash: prevHash });
}
