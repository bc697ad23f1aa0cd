import type { Committed, EventStore, NewEvent } from "@rynxs/event-store";
import { EventStoreError, InvalidEventError, parseEventText } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { CliError, conflict, describe, extend, isRefusal } from "../exit.js";
import { standardInput } from "../input.js";
import { decodeUtf8, isBlank, splitLines } from "../lines.js";
import { showHead } from "../options.js";
import { startProgress } from "../progress.js";
import { count, seqRange } from "../text.js";

/** A batch is written when its lines have this many bytes, whatever `--batch` says: far below what a store refuses. */
const MAX_BATCH_TEXT = 4 * 1024 * 1024;

export interface LinesFlags {
  readonly batch?: number;
  readonly expectPrev?: string;
}

/**
 * Appends the NDJSON events of standard input in their order. The first line that is refused ends it: what came before
 * is in the log then, and nothing behind it. With an expectation, so that no other writer's event gets in between.
 */
export async function appendLines(
  store: EventStore,
  flags: LinesFlags,
  { output, interrupts }: Context,
): Promise<void> {
  if (process.stdin.isTTY) output.note('type one event a line, {"type","aggregate_id","payload"}; end with Ctrl-D');
  const progress = await startProgress("appending");
  const batch = new Batch(store, flags, interrupts.abort, (appended) => {
    progress.update(appended);
  });
  let number = 0;
  try {
    for await (const line of splitLines(standardInput(interrupts.stop))) {
      number += 1;
      if (isBlank(line)) continue;
      const event = parseLine(line);
      if (event instanceof EventStoreError) {
        await batch.write();
        throw batch.failure(event, `line ${String(number)} refused`, number);
      }
      await batch.add(event, number, line.length);
      if (interrupts.stop.aborted) break;
    }
    if (!interrupts.stop.aborted) await batch.write();
  } finally {
    progress.stop();
    process.stdin.destroy();
  }
  if (interrupts.stop.aborted) throw batch.interruption();
  await output.result(batch.summary(), batch.done());
}

function parseLine(line: Buffer): NewEvent | EventStoreError {
  try {
    return parseEventText(decodeUtf8(line));
  } catch (error) {
    if (error instanceof EventStoreError) return error;
    if (error instanceof TypeError) return new InvalidEventError("$", "not UTF-8", "write the input as UTF-8");
    throw error;
  }
}

interface Pending {
  readonly event: NewEvent;
  readonly number: number;
}

/** Gathers events and appends them together; keeps count of what is in the log. */
class Batch {
  readonly #store: EventStore;
  readonly #size: number | undefined;
  readonly #signal: AbortSignal;
  readonly #onAppended: (appended: number) => void;
  #expected: string | undefined;
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #appended = 0;
  #first: Committed | undefined;
  #last: Committed | undefined;

  constructor(store: EventStore, flags: LinesFlags, signal: AbortSignal, onAppended: (appended: number) => void) {
    this.#store = store;
    this.#size = flags.batch;
    this.#expected = flags.expectPrev;
    this.#signal = signal;
    this.#onAppended = onAppended;
  }

  async add(event: NewEvent, number: number, bytes: number): Promise<void> {
    if (this.#pendingBytes + bytes > MAX_BATCH_TEXT) await this.write();
    this.#pending.push({ event, number });
    this.#pendingBytes += bytes;
    if (this.#pending.length >= (this.#size ?? 1)) await this.write();
  }

  /** Appends what was gathered: one event by itself, more as one atomic batch. */
  async write(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    const [first] = pending;
    if (first === undefined) return;
    try {
      await this.#append(pending.map(({ event }) => event));
    } catch (error) {
      if (pending.length === 1 || !isRefusal(error)) {
        throw this.failure(error, isRefusal(error) ? `line ${String(first.number)} refused` : undefined, first.number);
      }
      // an event that reads well and yet cannot be written: nothing of the batch was, so find its line by going one by one
      for (const one of pending) {
        this.#pending = [one];
        await this.write();
      }
    }
  }

  async #append(events: readonly NewEvent[]): Promise<void> {
    const options = { expectedPrevHash: this.#expected, signal: this.#signal };
    const [only] = events;
    let records: readonly Committed[];
    if (only !== undefined && this.#size === undefined) {
      const result = await this.#store.append(only, options);
      if (!result.committed) throw conflict(this.#expected, result.observedPrevHash);
      records = [result];
    } else {
      const result = await this.#store.appendBatch(events, options);
      if (!result.committed) throw conflict(this.#expected, result.observedPrevHash);
      records = result.records;
    }
    this.#first ??= records[0];
    this.#last = records.at(-1);
    this.#appended += records.length;
    if (this.#expected !== undefined) this.#expected = this.#last?.eventHash;
    this.#onAppended(this.#appended);
  }

  done(): Readonly<Record<string, unknown>> {
    if (this.#first === undefined || this.#last === undefined) return { appended: 0 };
    return {
      appended: this.#appended,
      first_seq: this.#first.seq,
      last_seq: this.#last.seq,
      head: { seq: this.#last.seq, hash: this.#last.eventHash },
    };
  }

  summary(): string {
    if (this.#first === undefined || this.#last === undefined) return "no events appended";
    const head = { seq: this.#last.seq, hash: this.#last.eventHash };
    const range = seqRange(this.#first.seq, this.#last.seq);
    return `${count(this.#appended, "event")} appended, ${range}\nhead ${showHead(head)}`;
  }

  /** `error`, with the line it is about and how far the log got. */
  failure(error: unknown, prefix: string | undefined, line: number): CliError {
    // a line found bad while the batch before it was written: that failure says it all
    if (error instanceof CliError && "line" in error.facts) return error;
    const last = this.#last?.seq;
    const got =
      last === undefined
        ? "nothing before it was appended"
        : `everything before it is in the log, up to seq ${String(last)}`;
    const failure = extend(error, prefix ?? `at line ${String(line)}`, { line, log_up_to_seq: last }, this.done());
    const { code, message, facts, hint } = describe(failure);
    return new CliError(code, `${message}; ${got}`, { facts, hint, done: this.done(), cause: error });
  }

  interruption(): CliError {
    return new CliError("INTERRUPTED", `stopped by a signal: ${this.summary().replace("\n", ", ")}`, {
      done: this.done(),
    });
  }
}
